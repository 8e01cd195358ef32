"""GPT-2: the language model that narrates, with a memory for decoding word by word.

It reads embeddings, not ids, because the narrator puts visual tokens between the words.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from distinctad_jax.models.cache import Cache, continue_blocks, empty_cache
from distinctad_jax.models.layers import Block, BlockConfig, causal_mask, dropout, layer_norm, run_blocks, scores
from distinctad_jax.models.linear import NO_LORA, LoraConfig, normal


@dataclass(frozen=True)
class Gpt2Config:
    """Sizes of a GPT-2; `length` is the most tokens that it has positions for."""

    vocab: int
    length: int
    width: int
    layers: int
    heads: int
    dropout: float = 0.0  # of embeddings, attention weights and both residual branches; only where a key is given
    dtype: str = "float32"
    remat: bool = False
    lora: LoraConfig = NO_LORA

    def __post_init__(self) -> None:
        if min(self.vocab, self.length, self.layers) < 1:
            raise ValueError(f"vocab, length and layers must be at least 1, got {self}.")
        self.block()  # checks the rest

    def block(self) -> BlockConfig:
        """The block with GPT-2's starting weights: 0.02, less where many layers add to one residual stream."""
        return BlockConfig(
            self.width,
            self.heads,
            activation="gelu_tanh",
            stddev_residual=0.02 * (2 * self.layers) ** -0.5,
            dropout=self.dropout,
            lora=self.lora,
            dtype=self.dtype,
        )


GPT2_PRESETS: dict[str, Gpt2Config] = {
    "gpt2": Gpt2Config(50257, 1024, 768, 12, 12),
    "gpt2-medium": Gpt2Config(50257, 1024, 1024, 24, 16),
    "gpt2-large": Gpt2Config(50257, 1024, 1280, 36, 20),
    "gpt2-xl": Gpt2Config(50257, 1024, 1600, 48, 25),
    "tiny": Gpt2Config(512, 64, 32, 2, 2),
}


class Gpt2(nnx.Module):
    """GPT-2 up to its last norm; `logits` then scores the vocabulary with the embedding table.

    Shapes: embeddings `batch seen width` and real `batch seen`, False on padding, which may stand anywhere: no
      token looks at it and it takes up no position. Returns hidden `batch seen width`; rows of padding mean nothing.
    Errors: ValueError if more tokens are given than there are positions.
    Source: GPT-2 (Radford et al. 2019) as published: pre-norm, tied embeddings, learned positions, tanh GELU.
    """

    def __init__(self, config: Gpt2Config, *, rngs: nnx.Rngs):
        self.config = config
        self.token_embedding = normal(0.02, (config.vocab, config.width), rngs)
        self.positions = normal(0.01, (config.length, config.width), rngs)
        self.blocks = nnx.List([Block(config.block(), rngs=rngs) for _ in range(config.layers)])
        self.norm_after = layer_norm(config.width, dtype=config.dtype, rngs=rngs)

    def embed(self, ids: Int[Array, "*rows"]) -> Float[Array, "*rows width"]:
        """Token embeddings alone, float32; `__call__` adds positions."""
        return jnp.take(self.token_embedding[...], ids, axis=0)

    def __call__(
        self,
        embeddings: Float[Array, "batch seen width"],
        real: Bool[Array, "batch seen"],
        *,
        cache: Cache | None = None,
        key: PRNGKeyArray | None = None,
    ) -> tuple[Float[Array, "batch seen width"], Cache | None]:
        """With a cache, the tokens follow those that it holds; the caller keeps their sum within its length.

        `key` switches dropout on; without a cache only.
        """
        seen, room = embeddings.shape[1], self.config.length if cache is None else cache.real.shape[1]
        if seen > room:
            raise ValueError(f"needs at most {room} tokens, the room in the model or its cache, got {seen}.")
        earlier = 0 if cache is None else cache.real.sum(axis=1, keepdims=True, dtype=jnp.int32)
        places = jnp.maximum(earlier + jnp.cumsum(real, axis=1, dtype=jnp.int32) - 1, 0)
        tokens = (embeddings + jnp.take(self.positions[...], places, axis=0)).astype(self.config.dtype)
        if cache is not None:
            tokens, cache = continue_blocks(self.blocks, tokens, real, cache)
            return self.norm_after(tokens), cache
        mask = causal_mask(seen) & real[:, None, :]
        if key is not None:
            key, first = jax.random.split(key)
            tokens = dropout(tokens, self.config.dropout, first)
        tokens = run_blocks(self.blocks, tokens, mask, remat=self.config.remat, key=key)
        return self.norm_after(tokens), None

    def logits(self, hidden: Float[Array, "*rows width"]) -> Float[Array, "*rows vocab"]:
        """float32 scores of the next token, with the tied embedding table."""
        table = self.token_embedding[...].astype(self.config.dtype)
        return scores(hidden.astype(table.dtype), table)

    def new_cache(self, batch: int, length: int) -> Cache:
        """An empty memory for `batch` rows of at most `length` tokens, padding counted."""
        if not 1 <= length <= self.config.length:
            raise ValueError(f"a cache holds 1..{self.config.length} tokens, got {length}.")
        config = self.config
        depth = config.width // config.heads
        return empty_cache(config.layers, batch, length, config.heads, depth, config.dtype)
