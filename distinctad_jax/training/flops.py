"""How many operations a program is, and how many a device can do."""

from __future__ import annotations

import functools
import math
import time
from typing import Any

import jax
import jax.numpy as jnp

from distinctad_jax.training.chips import CHIPS

KINDS = {
    "TPU v4": "v4",
    "TPU v5 lite": "v5e",
    "TPU v5e": "v5e",
    "TPU v5": "v5p",
    "TPU v5p": "v5p",
    "TPU v6 lite": "v6e",
    "TPU v6e": "v6e",
    "A100": "a100",
    "H100": "h100",
    "H200": "h200",
}
"""What JAX calls a device, or a part of it, and which chip that is."""
SIDE, TURNS = 1024, 3
"""Of the square matrices that a CPU's peak is measured with."""


def matrix_flops(jaxpr: Any) -> float:
    """Floating-point operations of all matrix products of a program, loops counted as often as they run; a loop whose
    length is not known counts once, a branch as its dearest."""
    total = 0.0
    for equation in jaxpr.eqns:
        name, given = equation.primitive.name, equation.params
        if name == "dot_general":
            (contracted, _), _ = given["dimension_numbers"]
            left = equation.invars[0].aval.shape
            total += 2.0 * math.prod(equation.outvars[0].aval.shape) * math.prod(left[axis] for axis in contracted)
        elif name == "cond":
            total += max(matrix_flops(branch.jaxpr) for branch in given["branches"])
        else:
            inner = [value for key, value in given.items() if hasattr(value, "eqns") or hasattr(value, "jaxpr")]
            times = given["length"] if name == "scan" else 1
            total += times * sum(matrix_flops(getattr(value, "jaxpr", value)) for value in inner)
    return total


def peak_flops() -> tuple[float, str]:
    """Operations a second of all devices at their peak, and where the figure is from; 0 if it is not known.

    Accelerators: their makers' figures, dense bfloat16. CPUs: what a product of two matrices of 1024 x 1024 float32
    reached just now, on all cores, however many fake devices there are.
    """
    device = jax.devices()[0]
    if device.platform == "cpu":
        return _measured(), f"measured: {SIDE} x {SIDE} float32 on all cores"
    for kind, name in KINDS.items():
        if device.device_kind == kind or (device.platform == "gpu" and kind in device.device_kind):
            return jax.device_count() * CHIPS[name].flops, f"data sheet: {jax.device_count()} x {CHIPS[name].name}"
    return 0.0, f"not known for {device.device_kind}"


@functools.cache
def _measured() -> float:
    matrix = jnp.ones((SIDE, SIDE), jnp.float32)
    product = jax.jit(lambda left, right: left @ right)
    product(matrix, matrix).block_until_ready()
    best = math.inf
    for _ in range(TURNS):
        began = time.perf_counter()
        product(matrix, matrix).block_until_ready()
        best = min(best, time.perf_counter() - began)
    return 2.0 * SIDE**3 / best
