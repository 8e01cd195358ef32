"""Writes a checkpoint of the present format into `tests/golden/checkpoints/FORMAT`: once, when a format is new.

Run:    python tests/golden/make_checkpoint_golden.py
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from distinctad_jax.checkpoints.runs import FORMAT, Checkpoints

FOLDER = Path(__file__).parent / "checkpoints"


def golden_state() -> dict[str, Any]:
    """What the checkpoints hold."""
    return {
        "learned": {"kernel": jnp.arange(12, dtype=jnp.float32).reshape(3, 4), "bias": jnp.ones(4, jnp.bfloat16)},
        "step": jnp.int32(7),
        "key": jax.random.key(3),
    }


if __name__ == "__main__":
    checkpoints = Checkpoints(FOLDER / str(FORMAT), run="golden", facts={"seed": 3})
    checkpoints.save(7, golden_state())
    checkpoints.close()
