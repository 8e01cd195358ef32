"""Rotary positions: queries and keys turned by angles that grow with their places, and how those angles are scaled
for texts longer than a model was first trained with."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float64, Int

ROPE_KINDS = ("default", "linear", "dynamic", "yarn", "longrope", "llama3")


@dataclass(frozen=True)
class RopeConfig:
    """Angles by kind; a field that the kind does not name is not read. Names in brackets are Hugging Face's.

    default: place * theta ** (-2i / depth) for the i-th pair of a head. linear: those over `factor`. dynamic: a
    larger theta once more tokens are read than `length` of the model. yarn: slow turns over `factor`, fast ones as
    they are, a ramp between. longrope: each pair over a factor of its own, `short_factors` up to `original_length`
    tokens and `long_factors` beyond. llama3: as yarn, with a ramp over wavelengths.
    """

    kind: Literal["default", "linear", "dynamic", "yarn", "longrope", "llama3"] = "default"
    theta: float = 10_000.0  # (rope_theta)
    factor: float = 1.0
    original_length: int = 0  # (original_max_position_embeddings); of yarn, longrope and llama3
    low_frequency: float = 1.0  # (low_freq_factor) of llama3
    high_frequency: float = 4.0  # (high_freq_factor) of llama3
    beta_fast: float = 32.0  # of yarn: turns within original_length, above which nothing is scaled
    beta_slow: float = 1.0  # and below which all is
    truncate: bool = True  # of yarn: the ramp begins and ends at whole pairs
    attention_factor: float | None = None  # of yarn and longrope: multiplies sines and cosines; None: the papers'
    short_factors: tuple[float, ...] = ()
    long_factors: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in ROPE_KINDS:
            raise ValueError(f"kind of rope must be one of {', '.join(ROPE_KINDS)}, got {self.kind!r}.")
        if not (self.theta > 1 and self.factor > 0 and math.isfinite(self.theta * self.factor)):
            raise ValueError(f"rope needs theta > 1 and factor > 0, got {self.theta} and {self.factor}.")
        if self.kind in ("yarn", "longrope", "llama3") and self.original_length < 2:
            raise ValueError(f"rope of kind {self.kind} needs original_length >= 2, got {self.original_length}.")
        if self.kind == "llama3" and not 0 < self.low_frequency < self.high_frequency:
            raise ValueError(f"rope needs 0 < low_frequency < high_frequency, got {self}.")
        if self.kind == "yarn" and not 0 < self.beta_slow < self.beta_fast:
            raise ValueError(f"rope needs 0 < beta_slow < beta_fast, got {self}.")
        if self.kind == "longrope" and (
            not self.short_factors
            or len(self.short_factors) != len(self.long_factors)
            or min(*self.short_factors, *self.long_factors) <= 0
        ):
            raise ValueError("rope of kind longrope needs positive short_factors and long_factors, as many of each.")
        if self.attention_factor is not None and self.attention_factor <= 0:
            raise ValueError(f"attention_factor must be positive, got {self.attention_factor}.")

    def fits(self, depth: int) -> None:
        """Errors: ValueError if heads of this depth cannot be turned so."""
        if depth % 2 or (self.kind == "dynamic" and depth < 4):
            raise ValueError(f"rope turns pairs: the depth of a head must be even, got {depth}.")
        if self.kind == "longrope" and len(self.short_factors) != depth // 2:
            raise ValueError(f"rope needs {depth // 2} factors, one a pair, got {len(self.short_factors)}.")


class Turns(NamedTuple):
    """Cosines and sines of the angles of each place, float32."""

    cosines: Float[Array, "batch seen pairs"]
    sines: Float[Array, "batch seen pairs"]


def turns(
    config: RopeConfig,
    places: Int[Array, "batch seen"],
    read: Int[Array, " batch"],
    *,
    depth: int,
    length: int,
) -> Turns:
    """The angles of tokens at `places`, where rows have `read` tokens in all so far and the model knows `length`.

    Source: RoPE (arXiv 2104.09864), linear and dynamic as in transformers 5, YaRN (arXiv 2309.00071), LongRoPE
      (arXiv 2402.13753), Llama 3.1 for the last. Rows of a batch are scaled each by its own length.
    """
    if config.kind == "dynamic":
        longest = jnp.maximum(read, length).astype(jnp.float32)
        stretch = config.factor * longest / length - (config.factor - 1)
        theta = config.theta * stretch ** (depth / (depth - 2))
        speeds = theta[:, None, None] ** -jnp.asarray(_exponents(depth), jnp.float32)
    elif config.kind == "longrope":
        plain = config.theta ** -_exponents(depth)
        short, long = (jnp.asarray(plain / np.asarray(f), jnp.float32) for f in _factors(config))
        speeds = jnp.where((read > config.original_length)[:, None, None], long, short)
    else:
        speeds = jnp.asarray(fixed_speeds(config, depth), jnp.float32)
    angles = places[..., None].astype(jnp.float32) * speeds
    scale = attention_scale(config, length)
    return Turns(jnp.cos(angles) * scale, jnp.sin(angles) * scale)


def turned(tokens: Float[Array, "batch seen heads depth"], by: Turns) -> Float[Array, "batch seen heads depth"]:
    """Heads with their pairs turned; as published, the i-th value is paired with the one half a head further."""
    first, second = jnp.split(tokens, 2, axis=-1)
    cosines, sines = (part[:, :, None].astype(tokens.dtype) for part in by)
    return jnp.concatenate([first * cosines - second * sines, second * cosines + first * sines], axis=-1)


def fixed_speeds(config: RopeConfig, depth: int) -> Float64[np.ndarray, " pairs"]:
    """Radians a place, one for each pair, of the kinds whose angles do not depend on how much is read."""
    plain = config.theta ** -_exponents(depth)
    if config.kind == "linear":
        return plain / config.factor
    if config.kind == "llama3":
        waves = 2 * math.pi / plain
        ramp = (config.original_length / waves - config.low_frequency) / (
            config.high_frequency - config.low_frequency
        )
        kept = np.clip(ramp, 0, 1)
        return plain * (kept + (1 - kept) / config.factor)
    if config.kind == "yarn":
        kept = 1 - _yarn_ramp(config, depth)
        return plain * (kept + (1 - kept) / config.factor)
    return plain


def attention_scale(config: RopeConfig, length: int) -> float:
    """What sines and cosines are multiplied by, which sharpens attention over longer texts."""
    if config.kind not in ("yarn", "longrope"):
        return 1.0
    if config.attention_factor is not None:
        return config.attention_factor
    if config.factor <= 1:
        return 1.0
    if config.kind == "yarn":
        return 0.1 * math.log(config.factor) + 1.0
    return math.sqrt(1 + math.log(config.factor) / math.log(config.original_length))


def _exponents(depth: int) -> Float64[np.ndarray, " pairs"]:
    return np.arange(0, depth, 2, dtype=np.float64) / depth


def _factors(config: RopeConfig) -> tuple[tuple[float, ...], tuple[float, ...]]:
    return config.short_factors, config.long_factors


def _yarn_ramp(config: RopeConfig, depth: int) -> Float64[np.ndarray, " pairs"]:
    """0 at pairs that turn fast, 1 at slow ones."""

    def pair(rotations: float) -> float:
        return depth * math.log(config.original_length / (rotations * 2 * math.pi)) / (2 * math.log(config.theta))

    low, high = pair(config.beta_fast), pair(config.beta_slow)
    if config.truncate:
        low, high = math.floor(low), math.ceil(high)
    low, high = max(low, 0), min(high, depth - 1)
    return np.clip((np.arange(depth // 2) - low) / ((high - low) or 0.001), 0, 1)
