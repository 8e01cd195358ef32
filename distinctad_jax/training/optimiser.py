"""AdamW with warm-up, decay and clipping, and which parameters learn."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

import jax
import optax


@dataclasses.dataclass(frozen=True)
class OptimiserConfig:
    """Source: the usual range for CLIP and GPT-2 fine-tuning; the paper's values are not known, these are ours."""

    peak: float
    warmup_steps: int = 20
    weight_decay: float = 0.01
    max_norm: float = 1.0
    schedule: Literal["cosine", "constant"] = "cosine"
    beta1: float = 0.9
    beta2: float = 0.98

    def __post_init__(self):
        if self.peak <= 0 or self.warmup_steps < 0 or self.weight_decay < 0 or self.max_norm <= 0:
            raise ValueError(f"an optimiser needs peak, max_norm > 0 and warmup_steps, weight_decay >= 0, got {self}")
        if not (0 <= self.beta1 < 1 and 0 <= self.beta2 < 1):
            raise ValueError(f"an optimiser needs beta1 and beta2 in 0..1, got {self.beta1} and {self.beta2}")


def learning_rate(config: OptimiserConfig, steps: int) -> optax.Schedule:
    """Linear warm-up to `peak`, then to zero by a cosine at `steps`, or constant."""
    warmup = min(config.warmup_steps, max(steps - 1, 0))
    if config.schedule == "constant":
        rest = optax.constant_schedule(config.peak)
    else:
        rest = optax.cosine_decay_schedule(config.peak, steps - warmup)
    # A ramp of no steps would stay at zero for ever.
    return optax.join_schedules([optax.linear_schedule(0.0, config.peak, warmup), rest], [warmup]) if warmup else rest


def make_optimiser(config: OptimiserConfig, steps: int) -> optax.GradientTransformation:
    """AdamW; only matrices decay, so that norms, biases and vectors keep their scale."""

    def decays(params: Any) -> Any:
        return jax.tree.map(lambda leaf: leaf.ndim >= 2, params)

    return optax.chain(
        optax.clip_by_global_norm(config.max_norm),
        optax.adamw(
            learning_rate(config, steps),
            b1=config.beta1,
            b2=config.beta2,
            weight_decay=config.weight_decay,
            mask=decays,
        ),
    )
