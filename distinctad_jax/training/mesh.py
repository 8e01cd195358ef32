"""Where arrays live: a mesh of devices and one table from parameter path to PartitionSpec."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from distinctad_jax.errors import BadUsage

AXES = ("data", "fsdp", "tensor")

# The first pattern that is found in a path decides. `fsdp` splits a weight's input, `tensor` its output, and the
# other way round where the matrix leads back to the residual stream, so that one all-reduce serves a whole block.
# An axis that does not divide its dimension is dropped for that array: the array is then replicated along it.
RULES: tuple[tuple[str, P], ...] = (
    (r"(qkv|up|query|key|value)/(kernel|lora_b)$", P("fsdp", "tensor")),
    (r"(out|down)/(kernel|lora_a)$", P("tensor", "fsdp")),
    (r"(qkv|up|query|key|value)/bias$", P("tensor")),
    (r"token_embedding(/embedding)?$", P("tensor", "fsdp")),
    (r"(projection|enter|leave)(/kernel)?$", P("fsdp", "tensor")),
    (r"patch_embedding/kernel$", P(None, None, None, "tensor")),
    (r"", P()),
)


@dataclasses.dataclass(frozen=True)
class MeshConfig:
    """Sizes of the mesh's axes; -1 for `data` means all devices that are left."""

    data: int = -1
    fsdp: int = 1
    tensor: int = 1

    def __post_init__(self):
        if self.fsdp < 1 or self.tensor < 1 or (self.data < 1 and self.data != -1):
            raise ValueError(f"a mesh needs fsdp, tensor >= 1 and data >= 1 or -1, got {self}")


def make_mesh(config: MeshConfig, devices: Sequence[Any] | None = None) -> Mesh:
    """A mesh over `devices`, all of them by default.

    Errors: BadUsage if the axes do not multiply to the number of devices.
    """
    devices = jax.devices() if devices is None else devices
    count, inner = len(devices), config.fsdp * config.tensor
    data = count // inner if config.data == -1 else config.data
    if data * inner != count:
        raise BadUsage(
            f"a mesh of {data} x {config.fsdp} x {config.tensor} devices was asked for, there are {count}",
            where="config.mesh",
            mend="choose axes that multiply to the number of devices",
        )
    # Explicit axes, the default of jax.make_mesh, fail in an embedding's gather.
    return jax.make_mesh((data, config.fsdp, config.tensor), AXES, axis_types=(AxisType.Auto,) * 3, devices=devices)


def spec_for(path: str, shape: tuple[int, ...], mesh: Mesh, rules: tuple[tuple[str, P], ...] = RULES) -> P:
    """The PartitionSpec of the array at `path` (`vision/blocks/0/qkv/kernel`), with axes that do not fit dropped."""
    spec = next(spec for pattern, spec in rules if re.search(pattern, path))
    if len(spec) > len(shape):
        return P()
    fits = [axis if axis and size % mesh.shape[axis] == 0 else None for axis, size in zip(spec, shape, strict=False)]
    return P(*fits)


def path_name(path: tuple[Any, ...]) -> str:
    """A tree path as `blocks/0/qkv/kernel`, whatever kinds of key it is made of."""
    return "/".join(str(getattr(key, "key", getattr(key, "name", getattr(key, "idx", key)))) for key in path)


def tree_shardings(tree: Any, mesh: Mesh) -> Any:
    """A NamedSharding for each leaf. Optimiser moments end in their parameter's path, and follow it."""

    def sharding(path: tuple[Any, ...], leaf: Any) -> NamedSharding:
        return NamedSharding(mesh, spec_for(path_name(path), leaf.shape, mesh))

    return jax.tree_util.tree_map_with_path(sharding, tree)


def put_on(mesh: Mesh) -> Callable[[str, np.ndarray], jax.Array]:
    """Places a parameter, given by path and value, on the mesh: each device is sent its own part and no more."""

    def put(path: str, value: np.ndarray) -> jax.Array:
        sharding = NamedSharding(mesh, spec_for(path, value.shape, mesh))
        return jax.make_array_from_callback(value.shape, sharding, lambda index: value[index])

    return put


def gathered(tree: Any, shardings: Any) -> Any:
    """A tree under jit with every leaf whole along `fsdp`, as a step uses it; what is stored stays split.

    Said aloud, since a batch is split over `fsdp` too: left to choose, XLA (jax 0.10.2) may reshard activations
    rather than weights, and on a mesh that has all three axes it then mixes up rows of different devices.
    """

    def whole(leaf: Any, sharding: NamedSharding) -> Any:
        spec = P(*(None if axis == "fsdp" else axis for axis in sharding.spec))
        return jax.lax.with_sharding_constraint(leaf, NamedSharding(sharding.mesh, spec))

    return jax.tree.map(whole, tree, shardings)


def batch_sharding(mesh: Mesh) -> NamedSharding:
    """A batch is split by its first axis over `data` and `fsdp`."""
    return NamedSharding(mesh, P(("data", "fsdp")))


def place_batch(batch: dict[str, np.ndarray], mesh: Mesh) -> dict[str, jax.Array]:
    """This process's rows of a global batch as global arrays.

    Errors: BadUsage if the rows do not split over the mesh.
    """
    ways = math.prod(mesh.shape[axis] for axis in ("data", "fsdp"))
    rows = next(iter(batch.values())).shape[0] * jax.process_count()
    if rows % ways:
        raise BadUsage(
            f"a batch of {rows} does not split over {ways} devices",
            where="config batch",
            mend=f"choose a multiple of {ways}",
        )
    sharding = batch_sharding(mesh)
    return {name: jax.make_array_from_process_local_data(sharding, value) for name, value in batch.items()}
