"""From the frames of a clip to a fixed number of visual tokens (a Perceiver resampler)."""

from __future__ import annotations

from dataclasses import dataclass

import einops
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Bool, Float

from distinctad_jax.models.layers import Block, BlockConfig, CrossAttention, Mlp, layer_norm, run_blocks
from distinctad_jax.models.linear import Linear, normal

KINDS = ("flamingo", "autoad")


@dataclass(frozen=True)
class BridgeConfig:
    """Sizes of a bridge; `frames` is the most frames of a clip that it has time embeddings for."""

    input_width: int
    width: int
    kind: str = "flamingo"
    tokens: int = 32
    layers: int = 2
    heads: int = 12
    frames: int = 8
    dtype: str = "float32"

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {self.kind!r}.")
        if min(self.input_width, self.tokens, self.layers, self.frames) < 1:
            raise ValueError(f"input_width, tokens, layers and frames must be at least 1, got {self}.")
        self.block()  # checks the rest

    def block(self) -> BlockConfig:
        """A layer's sizes; starting weights follow CLIP's rule, so narrow bridges learn as fast as wide ones."""
        return BlockConfig(
            self.width,
            self.heads,
            activation="quick_gelu",
            stddev=self.width**-0.5,
            stddev_up=(2 * self.width) ** -0.5,
            stddev_residual=(2 * self.width * self.layers) ** -0.5,
            dtype=self.dtype,
        )


class LatentBlock(nnx.Module):
    """Latents look at the frames and at each other, then think: Flamingo's resampler layer, without biases."""

    def __init__(self, config: BridgeConfig, *, rngs: nnx.Rngs):
        width, shared = config.width, {"dtype": config.dtype, "rngs": rngs}
        self.norm_frames = layer_norm(width, **shared)
        self.norm_latents = layer_norm(width, **shared)
        block = config.block()
        sizes = {"bias": False, "stddev_out": block.stddev_residual, **shared}
        self.attention = CrossAttention(width, config.heads, stddev=block.stddev, **sizes)
        self.norm_mlp = layer_norm(width, **shared)
        self.mlp = Mlp(width, 4 * width, activation="gelu", stddev=block.stddev_up, **sizes)

    def __call__(
        self,
        latents: Float[Array, "batch tokens width"],
        frames: Float[Array, "batch frames width"],
        mask: Bool[Array, "batch one keys"],
    ) -> Float[Array, "batch tokens width"]:
        asking = self.norm_latents(latents)
        context = jnp.concatenate([self.norm_frames(frames), asking], axis=1)
        latents = latents + self.attention(asking, context, mask)
        return latents + self.mlp(self.norm_mlp(latents))


class Bridge(nnx.Module):
    """Reads a clip's frame features into `tokens` visual tokens.

    Features are normed and mapped to `width`, so their scale does not matter, and get an embedding of their place in
    the clip. "flamingo": learned latents attend to frames and latents, layer by layer. "autoad": latents and frames
    go through one pre-norm encoder together, and the latents' outputs are kept. A last norm ends both.

    Shapes: features `batch frames input_width`, real `batch frames`, False on padding frames, which no token looks
      at. A clip without a real frame gives tokens that know the latents only: finite, and the same for all clips.
    Errors: ValueError if there are more frames than time embeddings.
    Source: Flamingo (arXiv 2204.14198); AutoAD (arXiv 2303.16899) for the other kind.
    """

    def __init__(self, config: BridgeConfig, *, rngs: nnx.Rngs):
        self.config = config
        shared = {"dtype": config.dtype, "rngs": rngs}
        self.norm_features = layer_norm(config.input_width, **shared)
        self.into = Linear(config.input_width, config.width, bias=False, stddev=config.input_width**-0.5, **shared)
        self.latents = normal(0.02, (config.tokens, config.width), rngs)
        self.time = normal(
            1.0, (config.frames, config.width), rngs
        )  # as large as the features: motion is in the order
        if config.kind == "flamingo":
            self.latent_blocks = nnx.List([LatentBlock(config, rngs=rngs) for _ in range(config.layers)])
        else:
            self.blocks = nnx.List([Block(config.block(), rngs=rngs) for _ in range(config.layers)])
        self.norm_after = layer_norm(config.width, **shared)

    def __call__(
        self, features: Float[Array, "batch frames input_width"], real: Bool[Array, "batch frames"]
    ) -> Float[Array, "batch tokens width"]:
        batch, frames = real.shape
        if frames > self.config.frames:
            raise ValueError(f"the bridge has time embeddings for {self.config.frames} frames, got {frames}.")
        seen = self.into(self.norm_features(features)) + self.time[:frames].astype(self.config.dtype)
        latents = einops.repeat(self.latents[...].astype(self.config.dtype), "m w -> b m w", b=batch)
        always = jnp.ones((batch, self.config.tokens), bool)
        if self.config.kind == "flamingo":
            mask = jnp.concatenate([real, always], axis=1)[:, None, :]
            for block in self.latent_blocks:
                latents = block(latents, seen, mask)
            return self.norm_after(latents)
        mask = jnp.concatenate([always, real], axis=1)[:, None, :]
        joined = run_blocks(self.blocks, jnp.concatenate([latents, seen], axis=1), mask)
        return self.norm_after(joined[:, : self.config.tokens])
