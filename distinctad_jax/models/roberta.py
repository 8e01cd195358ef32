"""RoBERTa's encoder: a vector for each piece of a sentence, in its context. BERTScore compares them."""

from __future__ import annotations

from dataclasses import dataclass

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Bool, Float, Int

from distinctad_jax.models.layers import BlockConfig, Mlp, SelfAttention, layer_norm
from distinctad_jax.models.linear import normal


@dataclass(frozen=True)
class RobertaConfig:
    """Sizes of a RoBERTa; `length` is the most pieces of a sentence, its two ends counted."""

    vocab: int
    length: int
    width: int
    layers: int
    heads: int
    dtype: str = "float32"

    def __post_init__(self) -> None:
        if min(self.vocab, self.length, self.layers) < 1:
            raise ValueError(f"vocab, length and layers must be at least 1, got {self}.")
        self.block()  # checks the rest

    def block(self) -> BlockConfig:
        return BlockConfig(self.width, self.heads, activation="gelu", dtype=self.dtype)


class PostNormBlock(nnx.Module):
    """norm(tokens + attention(tokens)), then norm(tokens + mlp(tokens)): norms stand after the sum."""

    def __init__(self, config: BlockConfig, *, rngs: nnx.Rngs):
        self.attention = SelfAttention(config, rngs=rngs)
        self.norm_attention = layer_norm(config.width, dtype=config.dtype, rngs=rngs)
        self.mlp = Mlp(config.width, 4 * config.width, activation=config.activation, dtype=config.dtype, rngs=rngs)
        self.norm_mlp = layer_norm(config.width, dtype=config.dtype, rngs=rngs)

    def __call__(
        self, tokens: Float[Array, "batch seen width"], mask: Bool[Array, "#batch #seen keys"]
    ) -> Float[Array, "batch seen width"]:
        tokens = self.norm_attention(tokens + self.attention(tokens, mask)[0])
        return self.norm_mlp(tokens + self.mlp(tokens))


class Roberta(nnx.Module):
    """RoBERTa up to a layer; what is after that is neither built nor read.

    Shapes: ids `batch seen` and real `batch seen`, False on padding, which may stand anywhere: no piece looks at it
      and it takes up no position. Returns hidden `batch seen width`; rows of padding mean nothing.
    Errors: ValueError if more pieces are given than there are positions.
    Source: RoBERTa (arXiv 1907.11692) as published: BERT's post-norm blocks, exact GELU, one segment; positions
      count from the padding id + 1, which the weights' first two rows are spent on.
    """

    def __init__(self, config: RobertaConfig, *, rngs: nnx.Rngs):
        self.config = config
        self.token_embedding = normal(0.02, (config.vocab, config.width), rngs)
        self.positions = normal(0.02, (config.length, config.width), rngs)
        self.segment = normal(0.02, (config.width,), rngs)
        self.norm_before = layer_norm(config.width, dtype=config.dtype, rngs=rngs)
        self.blocks = nnx.List([PostNormBlock(config.block(), rngs=rngs) for _ in range(config.layers)])

    def __call__(
        self, ids: Int[Array, "batch seen"], real: Bool[Array, "batch seen"]
    ) -> Float[Array, "batch seen width"]:
        if ids.shape[1] > self.config.length:
            raise ValueError(f"needs at most {self.config.length} pieces, got {ids.shape[1]}.")
        places = jnp.maximum(jnp.cumsum(real, axis=1, dtype=jnp.int32) - 1, 0)
        tokens = jnp.take(self.token_embedding[...], ids, axis=0) + jnp.take(self.positions[...], places, axis=0)
        tokens = self.norm_before((tokens + self.segment[...]).astype(self.config.dtype))
        mask = real[:, None, :]
        for block in self.blocks:
            tokens = block(tokens, mask)
        return tokens
