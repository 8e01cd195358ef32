"""The Llama family: a second language model to narrate with, of Llama 2's and 3's layout, whoever trained it.

Like `gpt2.Gpt2` it reads embeddings and keeps a cache, so narrator and decoding do not know which of them they have.
"""

from __future__ import annotations

from dataclasses import dataclass

import einops
import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from distinctad_jax.models.cache import Cache, Memory, continue_blocks, empty_cache
from distinctad_jax.models.layers import DTYPES, attend, causal_mask, dropout, gelu, gelu_tanh, recall, scores
from distinctad_jax.models.linear import NO_LORA, Linear, LoraConfig, normal
from distinctad_jax.models.rope import RopeConfig, Turns, turned, turns

ACTIVATIONS = {"silu": jax.nn.silu, "gelu": gelu, "gelu_tanh": gelu_tanh}
LLAMA_MAPS = {"attention": ("query", "key", "value", "out"), "mlp": ("gate", "up", "down")}
ROPE, LLAMA31 = RopeConfig(), RopeConfig("llama3", theta=500_000.0, factor=8.0, original_length=8192)


@dataclass(frozen=True)
class LlamaConfig:
    """Sizes of a Llama. `key_heads`, a divisor of `heads`, serve as many query heads each (grouped queries).

    weights: what the model itself is kept in; "bfloat16" halves its memory, for a model that is frozen. Low-rank
      updates are float32 always, and `dtype` is what products are computed in.
    """

    vocab: int
    length: int
    width: int
    layers: int
    heads: int
    key_heads: int
    hidden: int  # of the MLP
    depth: int = 0  # of a head; 0: width / heads
    epsilon: float = 1e-5  # of the norms
    activation: str = "silu"
    attention_bias: bool = False
    mlp_bias: bool = False
    tied: bool = False  # whether the output layer is the embedding table
    rope: RopeConfig = ROPE
    dropout: float = 0.0  # of embeddings, attention weights and both residual branches; only where a key is given
    dtype: str = "float32"
    weights: str = "float32"
    remat: bool = False
    lora: LoraConfig = NO_LORA

    def __post_init__(self) -> None:
        if min(self.vocab, self.length, self.width, self.layers, self.heads, self.key_heads, self.hidden) < 1:
            raise ValueError(f"sizes must be positive, got {self}.")
        if self.heads % self.key_heads:
            raise ValueError(f"key_heads must divide heads, got {self.key_heads} and {self.heads}.")
        if self.depth < 0 or (not self.depth and self.width % self.heads):
            raise ValueError(f"width must be a multiple of heads, got width {self.width}, heads {self.heads}.")
        if self.activation not in ACTIVATIONS:
            raise ValueError(f"activation must be one of {', '.join(ACTIVATIONS)}, got {self.activation!r}.")
        if not {self.dtype, self.weights} <= set(DTYPES):
            raise ValueError(f"dtype and weights must be of {', '.join(DTYPES)}, got {self.dtype}, {self.weights}.")
        if not 0 <= self.dropout < 1 or not self.epsilon > 0:
            raise ValueError(f"needs epsilon > 0 and a dropout in [0, 1), got {self.epsilon} and {self.dropout}.")
        self.rope.fits(self.head_depth)
        self.lora.fits(self.width, LLAMA_MAPS)

    @property
    def head_depth(self) -> int:
        return self.depth or self.width // self.heads

    @property
    def room(self) -> int:
        """The most tokens that it reads: linear and dynamic scaling reach beyond `length`."""
        stretched = self.rope.kind in ("linear", "dynamic")
        return max(self.length, int(self.length * self.rope.factor)) if stretched else self.length


LLAMA_PRESETS: dict[str, LlamaConfig] = {
    "llama-2-7b": LlamaConfig(32000, 4096, 4096, 32, 32, 32, 11008),
    "llama-3-8b": LlamaConfig(128256, 8192, 4096, 32, 32, 8, 14336, rope=RopeConfig(theta=500_000.0)),
    "llama-3.1-8b": LlamaConfig(128256, 131072, 4096, 32, 32, 8, 14336, rope=LLAMA31),
    "tiny": LlamaConfig(512, 128, 32, 2, 4, 2, 64, tied=True),
}


class RmsNorm(nnx.Module):
    """Divides by the root of the mean square, in float32, and scales: RMSNorm (arXiv 1910.07467)."""

    def __init__(self, width: int, *, epsilon: float, dtype: str):
        self.epsilon, self.dtype = epsilon, dtype
        self.scale = nnx.Param(jnp.ones((width,), jnp.float32))

    def __call__(self, tokens: Float[Array, "*rows width"]) -> Float[Array, "*rows width"]:
        plain = tokens.astype(jnp.float32)
        plain = plain * jax.lax.rsqrt(jnp.mean(plain**2, axis=-1, keepdims=True) + self.epsilon)
        return plain.astype(self.dtype) * self.scale[...].astype(self.dtype)


class GroupedAttention(nnx.Module):
    """Tokens look at each other; several query heads share one head of keys and values."""

    def __init__(self, config: LlamaConfig, *, rngs: nnx.Rngs):
        self.config = config
        depth, width = config.head_depth, config.width

        def linear(name: str, inputs: int, outputs: int, stddev: float = 0.02) -> Linear:
            kept = {"bias": config.attention_bias, "dtype": config.dtype, "weights": config.weights}
            return Linear(inputs, outputs, stddev=stddev, lora=config.lora.of("attention", name), rngs=rngs, **kept)

        self.query = linear("query", width, config.heads * depth)
        self.key = linear("key", width, config.key_heads * depth)
        self.value = linear("value", width, config.key_heads * depth)
        self.out = linear("out", config.heads * depth, width, 0.02 * (2 * config.layers) ** -0.5)

    def __call__(
        self,
        tokens: Float[Array, "batch seen width"],
        mask: Bool[Array, "#batch #seen keys"],
        angles: Turns,
        *,
        memory: Memory | None = None,
        slot: Int[Array, ""] | None = None,
        key: PRNGKeyArray | None = None,
    ) -> tuple[Float[Array, "batch seen width"], Memory | None]:
        """With a memory: writes the tokens' turned keys and values from `slot` on, and looks at all that it holds."""
        depth = self.config.head_depth
        queries, keys, values = (
            einops.rearrange(linear(tokens), "b s (h d) -> b s h d", d=depth)
            for linear in (self.query, self.key, self.value)
        )
        queries, keys = turned(queries, angles), turned(keys, angles)
        if memory is not None and slot is not None:
            memory = memory.extended(keys, values, slot)
            joined = recall(queries, memory, mask)
        else:
            joined = attend(queries, keys, values, mask, rate=self.config.dropout, key=key)
        return self.out(einops.rearrange(joined, "b s h d -> b s (h d)")), memory


class GatedMlp(nnx.Module):
    """down(activation(gate) * up): SwiGLU (arXiv 2002.05202) where the activation is silu."""

    def __init__(self, config: LlamaConfig, *, rngs: nnx.Rngs):
        self.activation = config.activation
        kept = {"bias": config.mlp_bias, "dtype": config.dtype, "weights": config.weights, "rngs": rngs}
        lora = {name: config.lora.of("mlp", name) for name in LLAMA_MAPS["mlp"]}
        self.gate = Linear(config.width, config.hidden, lora=lora["gate"], **kept)
        self.up = Linear(config.width, config.hidden, lora=lora["up"], **kept)
        stddev = 0.02 * (2 * config.layers) ** -0.5
        self.down = Linear(config.hidden, config.width, stddev=stddev, lora=lora["down"], **kept)

    def __call__(self, tokens: Float[Array, "*rows width"]) -> Float[Array, "*rows width"]:
        return self.down(ACTIVATIONS[self.activation](self.gate(tokens)) * self.up(tokens))


class LlamaBlock(nnx.Module):
    """Pre-norm block: tokens + attention(norm(tokens)), then + mlp(norm(tokens))."""

    def __init__(self, config: LlamaConfig, *, rngs: nnx.Rngs):
        self.dropout = config.dropout
        norm = {"epsilon": config.epsilon, "dtype": config.dtype}
        self.norm_attention = RmsNorm(config.width, **norm)
        self.attention = GroupedAttention(config, rngs=rngs)
        self.norm_mlp = RmsNorm(config.width, **norm)
        self.mlp = GatedMlp(config, rngs=rngs)

    def __call__(
        self,
        tokens: Float[Array, "batch seen width"],
        mask: Bool[Array, "#batch #seen keys"],
        *,
        angles: Turns,
        memory: Memory | None = None,
        slot: Int[Array, ""] | None = None,
        key: PRNGKeyArray | None = None,
    ) -> tuple[Float[Array, "batch seen width"], Memory | None]:
        """Returns the tokens, and the memory as it is after them (None if none was given)."""
        in_weights, after_attention, after_mlp = (None,) * 3 if key is None else jax.random.split(key, 3)
        normed = self.norm_attention(tokens)
        seen, memory = self.attention(normed, mask, angles, memory=memory, slot=slot, key=in_weights)
        tokens = tokens + dropout(seen, self.dropout, after_attention)
        return tokens + dropout(self.mlp(self.norm_mlp(tokens)), self.dropout, after_mlp), memory


class Llama(nnx.Module):
    """A Llama up to its last norm; `logits` then scores the vocabulary.

    Shapes: embeddings `batch seen width` and real `batch seen`, False on padding, which may stand anywhere: no
      token looks at it and it takes up no position. Returns hidden `batch seen width`; rows of padding mean nothing.
    Errors: ValueError if more tokens are given than it reads.
    Source: Llama 2 (arXiv 2307.09288) and 3 (arXiv 2407.21783) as published.
    """

    def __init__(self, config: LlamaConfig, *, rngs: nnx.Rngs):
        self.config = config
        table = (config.vocab, config.width)
        self.token_embedding = normal(0.02, table, rngs, config.weights)
        self.blocks = nnx.List([LlamaBlock(config, rngs=rngs) for _ in range(config.layers)])
        self.norm_after = RmsNorm(config.width, epsilon=config.epsilon, dtype=config.dtype)
        self.head = None if config.tied else normal(0.02, table, rngs, config.weights)

    def embed(self, ids: Int[Array, "*rows"]) -> Float[Array, "*rows width"]:
        """Token embeddings, float32."""
        return jnp.take(self.token_embedding[...], ids, axis=0).astype(jnp.float32)

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
        config = self.config
        seen, room = embeddings.shape[1], config.room if cache is None else cache.real.shape[1]
        if seen > room:
            raise ValueError(f"needs at most {room} tokens, the room in the model or its cache, got {seen}.")
        earlier = 0 if cache is None else cache.real.sum(axis=1, keepdims=True, dtype=jnp.int32)
        read = earlier + jnp.cumsum(real, axis=1, dtype=jnp.int32)
        places = jnp.maximum(read - 1, 0)
        angles = turns(config.rope, places, read[:, -1], depth=config.head_depth, length=config.length)
        tokens = embeddings.astype(config.dtype)
        if cache is not None:
            tokens, cache = continue_blocks(self.blocks, tokens, real, cache, angles=angles)
            return self.norm_after(tokens), cache
        if key is not None:
            key, first = jax.random.split(key)
            tokens = dropout(tokens, config.dropout, first)
        return self.norm_after(self._run(tokens, causal_mask(seen) & real[:, None, :], angles, key)), None

    def _run(
        self,
        tokens: Float[Array, "batch seen width"],
        mask: Bool[Array, "batch seen seen"],
        angles: Turns,
        key: PRNGKeyArray | None,
    ) -> Float[Array, "batch seen width"]:
        def run(block: LlamaBlock, tokens: Array, mask: Array, angles: Turns, key: Array | None) -> Array:
            return block(tokens, mask, angles=angles, key=key)[0]

        step = jax.checkpoint(run) if self.config.remat else run
        for index, block in enumerate(self.blocks):
            tokens = step(block, tokens, mask, angles, None if key is None else jax.random.fold_in(key, index))
        return tokens

    def logits(self, hidden: Float[Array, "*rows width"]) -> Float[Array, "*rows vocab"]:
        """float32 scores of the next token."""
        table = (self.token_embedding if self.head is None else self.head)[...].astype(self.config.dtype)
        return scores(hidden.astype(table.dtype), table)

    def new_cache(self, batch: int, length: int) -> Cache:
        """An empty memory for `batch` rows of at most `length` tokens, padding counted."""
        config = self.config
        if not 1 <= length <= config.room:
            raise ValueError(f"a cache holds 1..{config.room} tokens, got {length}.")
        return empty_cache(config.layers, batch, length, config.key_heads, config.head_depth, config.dtype)
