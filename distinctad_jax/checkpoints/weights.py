"""A finished model's arrays as one safetensors file, named by parameter path: what one recipe hands to the next."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from distinctad_jax.errors import BadInput
from distinctad_jax.files import whole

M = TypeVar("M", bound=nnx.Module)


def flat(tree: Any) -> dict[str, Any]:
    """A nested dict's leaves by path, `vision/blocks/0/qkv/kernel`."""
    if not isinstance(tree, dict):
        raise TypeError(f"needed a nested dict, found {type(tree).__name__}")
    leaves: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            leaves |= {f"{key}/{path}": leaf for path, leaf in flat(value).items()}
        else:
            leaves[str(key)] = value
    return leaves


def save_weights(path: Path, *trees: Any) -> None:
    """Writes the leaves of nested dicts; the file appears whole or not at all."""
    leaves = {
        name: np.asarray(jax.device_get(leaf), order="C") for tree in trees for name, leaf in flat(tree).items()
    }
    with whole(path) as partial:
        save_file(leaves, partial)


class Stored(Mapping[str, np.ndarray]):
    """The arrays of a file by path. Each is read from the mapped file when it is asked for, and not kept."""

    def __init__(self, file: Any, names: Mapping[str, str]):
        """`names` leads from paths to names in the file."""
        self._file, self._names = file, dict(names)
        self.shapes = {path: tuple(file.get_slice(name).get_shape()) for path, name in names.items()}

    def __getitem__(self, path: str) -> np.ndarray:
        return self._file.get_tensor(self._names[path])

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def below(self, prefix: str) -> Stored:
        """Those whose paths begin with `prefix`, without it."""
        found = {path: name for path, name in self._names.items() if path.startswith(prefix)}
        return Stored(self._file, {path.removeprefix(prefix): name for path, name in found.items()})

    def under(self, prefix: str) -> Stored:
        """All of them, `prefix` in front of their paths."""
        return Stored(self._file, {f"{prefix}{path}": name for path, name in self._names.items()})


def load_weights(path: Path, prefix: str = "") -> Stored:
    """The arrays by path; with `prefix`, only those below it, without it.

    Errors: BadInput if the file is missing or no safetensors file.
    """
    if not path.is_file():
        raise BadInput("no such weights", where=path, mend="run the recipe that makes them again")
    try:
        file = safe_open(path, framework="numpy")
        return Stored(file, {name: name for name in file.keys()}).below(prefix)  # noqa: SIM118 (no mapping)
    except (SafetensorError, OSError) as error:
        raise BadInput(f"not a sound safetensors file ({error})", where=path, mend="make it again") from None


def check_weights(make: Callable[[], nnx.Module], weights: Mapping[str, np.ndarray], where: Path) -> tuple[Any, Any]:
    """The graph and the shapes of the module that `make` would build, after a look whether `weights` fit it.

    Errors: BadInput that lists the first missing, extra or misshaped arrays.
    """
    graph, state = nnx.split(nnx.eval_shape(make))
    needed = flat(nnx.to_pure_dict(state))
    known = isinstance(weights, Stored)
    shapes = weights.shapes if known else {name: value.shape for name, value in weights.items()}
    faults = [f"{name} is missing" for name in needed if name not in shapes]
    faults += [f"{name} is not of this model" for name in shapes if name not in needed]
    faults += [
        f"{name} has shape {shapes[name]}, needed {leaf.shape}"
        for name, leaf in needed.items()
        if name in shapes and shapes[name] != leaf.shape
    ]
    if faults:
        told = "; ".join(faults[:5])
        raise BadInput(
            f"{len(faults)} arrays do not fit: {told}", where=where, mend="use the config it was made with"
        )
    return graph, state


def assemble(make: Callable[[], M], weights: Mapping[str, np.ndarray], where: Path) -> M:
    """The module that `make` would build, with `weights` for its arrays; nothing random is drawn.

    Errors: BadInput as `check_weights`.
    """
    graph, state = check_weights(make, weights, where)
    needed = flat(nnx.to_pure_dict(state))
    arrays = {name: jnp.asarray(weights[name], leaf.dtype) for name, leaf in needed.items()}
    return nnx.merge(graph, _nested(nnx.to_pure_dict(state), arrays))


def _nested(like: dict[Any, Any], arrays: dict[str, Any], path: str = "") -> dict[Any, Any]:
    """`arrays` in the nesting of `like`: nnx.merge goes by the order of leaves, so the order must be the model's."""
    return {
        key: _nested(value, arrays, f"{path}{key}/") if isinstance(value, dict) else arrays[f"{path}{key}"]
        for key, value in like.items()
    }
