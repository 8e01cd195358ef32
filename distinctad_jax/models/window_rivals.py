"""What else could tell a clip of its neighbours: the rivals that EM attention has to beat.

Both read the tokens that EM attention reads, write to them as it does, and start at zero, so that a narrator with
either begins as the narrator without. Neither is the paper's: they are there to be compared with.
"""

from __future__ import annotations

import einops
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Bool, Float

from distinctad_jax.models.em_attention import EMAttentionConfig
from distinctad_jax.models.layers import attend, layer_norm
from distinctad_jax.models.linear import Linear


class WindowAverage(nnx.Module):
    """Tells every token the mean of the window: H + W_o mean(LN(H)), W_o zero at the start.

    Shapes: tokens `batch clips tokens width`; real `batch clips tokens`: padding is not averaged, and comes out as
      it went in.
    """

    def __init__(self, config: EMAttentionConfig, *, rngs: nnx.Rngs):
        shared = {"dtype": config.dtype, "rngs": rngs}
        self.norm = layer_norm(config.width, **shared)
        self.out = Linear(config.width, config.width, bias=False, stddev=0.0, **shared)

    def __call__(
        self, tokens: Float[Array, "batch clips tokens width"], real: Bool[Array, "batch clips tokens"]
    ) -> Float[Array, "batch clips tokens width"]:
        kept = real[..., None]
        total = jnp.where(kept, self.norm(tokens), 0).sum(axis=(1, 2), keepdims=True)
        told = self.out(total / jnp.maximum(kept.sum(axis=(1, 2), keepdims=True), 1))
        return jnp.where(kept, tokens + told.astype(tokens.dtype), tokens)


class WindowSelfAttention(nnx.Module):
    """Every token of a window looks at every other: H + W_o attention(LN(H)), W_o zero at the start.

    Its heads are a quarter wider than `width / heads`, so that it has as many parameters as EM attention with the
    fusion "recon+xattn" (5 width^2 + 2 width); at the sizes of configs/claims.py it also needs within a tenth as many
    operations (tests/models/test_window_rivals.py counts both).

    Shapes: tokens `batch clips tokens width`; real `batch clips tokens`: nobody looks at padding, and it comes out as
      it went in.
    Errors: ValueError if heads do not divide 5/4 of the width.
    """

    def __init__(self, config: EMAttentionConfig, *, rngs: nnx.Rngs):
        self.inner, self.heads = 5 * config.width // 4, config.heads
        if config.width % 4 or self.inner % self.heads:
            raise ValueError(f"heads must divide 5/4 of the width, got width {config.width}, heads {config.heads}.")
        shared = {"bias": False, "dtype": config.dtype, "rngs": rngs}
        self.norm = layer_norm(config.width, dtype=config.dtype, rngs=rngs)
        self.qkv = Linear(config.width, 3 * self.inner, stddev=config.width**-0.5, **shared)
        self.out = Linear(self.inner, config.width, stddev=0.0, **shared)

    def __call__(
        self, tokens: Float[Array, "batch clips tokens width"], real: Bool[Array, "batch clips tokens"]
    ) -> Float[Array, "batch clips tokens width"]:
        flat = einops.rearrange(self.norm(tokens), "b c t w -> b (c t) w")
        queries, keys, values = einops.rearrange(
            self.qkv(flat), "b s (h three d) -> three b s h d", three=3, h=self.heads
        )
        looked = attend(queries, keys, values, einops.rearrange(real, "b c t -> b 1 (c t)"))
        told = self.out(einops.rearrange(looked, "b s h d -> b s (h d)")).reshape(tokens.shape)
        return jnp.where(real[..., None], tokens + told.astype(tokens.dtype), tokens)


def window_rival(config: EMAttentionConfig, *, rngs: nnx.Rngs) -> WindowAverage | WindowSelfAttention | None:
    """The rival that the config's fusion names, or None."""
    kinds = {"average": WindowAverage, "self_attention": WindowSelfAttention}
    return kinds[config.fusion](config, rngs=rngs) if config.fusion in kinds else None
