"""The rows that a name table is made of: our parameter, the tensors that it is made from, and how they join.

A published matrix may be stored the other way round, in three parts, or with its columns in another order. Our fused
`qkv` has its outputs in the order (heads, query|key|value, depth). What joins can be taken apart again: one table
serves to read and to write.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class Layout(NamedTuple):
    """How tensors of a file become one parameter, and the way back."""

    join: Callable[..., np.ndarray]  # takes the tensors in the order of their row
    split: Callable[[np.ndarray], tuple[np.ndarray, ...]]  # gives them in that order


class Row(NamedTuple):
    """One line of a name table."""

    ours: str  # the parameter's path
    theirs: dict[str, tuple[int, ...]]  # the tensors' names, and the shapes that they must have
    layout: Layout


as_is = Layout(lambda tensor: tensor, lambda ours: (ours,))
transposed = Layout(lambda tensor: tensor.T, lambda ours: (ours.T,))
"""A torch Linear's weight, (outputs, inputs), to (inputs, outputs)."""


def _patches(tensor: np.ndarray) -> np.ndarray:
    return tensor.transpose(2, 3, 1, 0).reshape(-1, len(tensor))


def _pictures(ours: np.ndarray) -> tuple[np.ndarray]:
    side = math.isqrt(len(ours) // 3)
    return (ours.reshape(side, side, 3, -1).transpose(3, 2, 0, 1),)


patches = Layout(_patches, _pictures)
"""A convolution over patches, (outputs, channels, rows, columns), to a map of flattened patches."""


def fused(heads: int) -> Layout:
    """Query, key and value, each (outputs, inputs) or (outputs), to one map (inputs, 3 outputs) or (3 outputs)."""

    def join(*parts: np.ndarray) -> np.ndarray:
        split = [np.reshape(part.T, (*part.shape[1:], heads, -1)) for part in parts]
        return np.stack(split, axis=-2).reshape(*parts[0].shape[1:], -1)

    def split(ours: np.ndarray) -> tuple[np.ndarray, ...]:
        before = ours.shape[:-1]
        parts = ours.reshape(*before, heads, 3, -1)
        return tuple(parts[..., part, :].reshape(*before, -1).T for part in range(3))

    return Layout(join, split)


def heads_first(heads: int) -> Layout:
    """One map whose outputs stand in the order (query|key|value, heads, depth), to our order."""

    def join(tensor: np.ndarray) -> np.ndarray:
        split = tensor.reshape(*tensor.shape[:-1], 3, heads, -1)
        return np.swapaxes(split, -3, -2).reshape(tensor.shape)

    def split(ours: np.ndarray) -> tuple[np.ndarray]:
        parts = ours.reshape(*ours.shape[:-1], heads, 3, -1)
        return (np.swapaxes(parts, -3, -2).reshape(ours.shape),)

    return Layout(join, split)


def norm(ours: str, theirs: str, width: int) -> list[Row]:
    return [
        Row(f"{ours}/scale", {f"{theirs}.weight": (width,)}, as_is),
        Row(f"{ours}/bias", {f"{theirs}.bias": (width,)}, as_is),
    ]


def linear(ours: str, theirs: str, inputs: int, outputs: int) -> list[Row]:
    """A torch Linear with bias."""
    return [
        Row(f"{ours}/kernel", {f"{theirs}.weight": (outputs, inputs)}, transposed),
        Row(f"{ours}/bias", {f"{theirs}.bias": (outputs,)}, as_is),
    ]


def conv1d(ours: str, theirs: str, inputs: int, outputs: int) -> list[Row]:
    """GPT-2's "Conv1D", which already stores (inputs, outputs)."""
    return [
        Row(f"{ours}/kernel", {f"{theirs}.weight": (inputs, outputs)}, as_is),
        Row(f"{ours}/bias", {f"{theirs}.bias": (outputs,)}, as_is),
    ]
