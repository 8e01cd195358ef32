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

# The first pattern that is found in a path decides; a spec tells of an array's last axes, so that blocks stacked for
# a scan need no rules of their own. `tensor` splits what a block computes inside (heads, hidden units), so that one
# all-reduce where a matrix leads back to the residual stream serves a whole block; `fsdp` splits the other axis. An
# axis that does not divide its dimension is dropped there. Whatever the table says, no matrix stays whole under
# `fsdp` if one of its dimensions can be split: see `spec_for`.
RULES: tuple[tuple[str, P], ...] = (
    (r"(^|/)(qkv|up|gate|query|key|value|key_value)/kernel$", P("fsdp", "tensor")),
    (r"(^|/)(qkv|up|gate|query|key|value|key_value)/(lora_b|bias)$", P("tensor")),
    (r"(^|/)(out|down)/(kernel|lora_a)$", P("tensor", "fsdp")),
    (r"(^|/)(token_embedding(/embedding)?|head)$", P("tensor", "fsdp")),
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
    """The PartitionSpec of the array at `path` (`vision/blocks/0/qkv/kernel`), with axes that do not fit dropped.

    A matrix for which the table has no place for `fsdp`, or none that fits, is split over it along its largest
    dimension that can be. Vectors are not: all of a model's norms and biases are smaller than one of its matrices.
    """
    spec = next(spec for pattern, spec in rules if re.search(pattern, path))
    named = (None,) * (len(shape) - len(spec)) + tuple(spec)[max(len(spec) - len(shape), 0) :]
    axes: list[Any] = [
        axis if axis and size % mesh.shape[axis] == 0 else None for axis, size in zip(named, shape, strict=True)
    ]
    if len(shape) > 1 and "fsdp" not in axes:
        for place in sorted(range(len(shape)), key=lambda place: -shape[place]):
            both = ("fsdp",) if axes[place] is None else (axes[place], "fsdp")
            if shape[place] % math.prod(mesh.shape[axis] for axis in both) == 0:
                axes[place] = both[0] if len(both) == 1 else both
                break
    while axes and axes[-1] is None:
        axes.pop()
    return P(*axes)


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

    return lambda path, value: put_at(NamedSharding(mesh, spec_for(path, value.shape, mesh)), value)


def put_at(sharding: NamedSharding, value: np.ndarray) -> jax.Array:
    """An array of this host's memory on devices: each is sent its own part and no more."""
    return jax.make_array_from_callback(value.shape, sharding, lambda index: value[index])


def gathered(tree: Any, shardings: Any) -> Any:
    """A tree under jit with every leaf whole along `fsdp`, as a step uses it; what is stored stays split.

    Said aloud, since a batch is split over `fsdp` too: left to choose, XLA (jax 0.10.2) may reshard activations
    rather than weights, and on a mesh that has all three axes it then mixes up rows of different devices.
    """

    def whole(leaf: Any, sharding: NamedSharding) -> Any:
        return jax.lax.with_sharding_constraint(leaf, without_fsdp(sharding))

    return jax.tree.map(whole, tree, shardings)


MOVES = {
    "sharding_constraint",
    "convert_element_type",
    "transpose",
    "reshape",
    "broadcast_in_dim",
    "squeeze",
    "slice",
}
"""Primitives that compute nothing."""


def gathers_again(function: Any, mesh: Mesh) -> Any:
    """`function`, whose backward pass gathers weights along `fsdp` again instead of keeping them since the forward
    pass; where `fsdp` is 1, the function itself. Source: ZeRO stage 3 (arXiv 1910.02054)."""
    if mesh.shape["fsdp"] == 1:
        return function
    # A gathered weight may be kept under another shape or dtype too: what moves and does not compute is done again.
    return jax.checkpoint(function, policy=lambda primitive, *_, **__: primitive.name not in MOVES)


def without_fsdp(sharding: NamedSharding) -> NamedSharding:
    """The same split, but whole along `fsdp`."""

    def rest(axis: Any) -> Any:
        kept = tuple(name for name in (axis if isinstance(axis, tuple) else (axis,)) if name not in (None, "fsdp"))
        return kept if len(kept) > 1 else (kept or (None,))[0]

    return NamedSharding(sharding.mesh, P(*map(rest, sharding.spec)))


def batch_sharding(mesh: Mesh) -> NamedSharding:
    """A batch is split by its first axis over `data` and `fsdp`."""
    return NamedSharding(mesh, P(("data", "fsdp")))


def whole_arrays(tree: Any) -> Any:
    """The tree in this process's own memory, also where parts of a leaf lie on other hosts: all of them have to ask.

    Arrays whose every part is here stay as they are.
    """

    def whole(leaf: Any) -> Any:
        if leaf.is_fully_addressable:
            return leaf
        everywhere = NamedSharding(leaf.sharding.mesh, P())
        return np.asarray(jax.jit(lambda array: array, out_shardings=everywhere)(leaf).addressable_data(0))

    return jax.tree.map(whole, tree)


def row_devices(mesh: Mesh) -> int:
    """Over how many devices the rows of a batch are split."""
    return math.prod(mesh.shape[axis] for axis in ("data", "fsdp"))


def place_batch(batch: dict[str, np.ndarray], mesh: Mesh) -> dict[str, jax.Array]:
    """This process's rows of a global batch as global arrays.

    Errors: BadUsage if the rows do not split over the mesh.
    """
    ways = row_devices(mesh)
    rows = next(iter(batch.values())).shape[0] * jax.process_count()
    if rows % ways:
        raise BadUsage(
            f"a batch of {rows} does not split over {ways} devices",
            where="config batch",
            mend=f"choose a multiple of {ways}",
        )
    sharding = batch_sharding(mesh)
    return {name: jax.make_array_from_process_local_data(sharding, value) for name, value in batch.items()}
