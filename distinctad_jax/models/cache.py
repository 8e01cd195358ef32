"""What a language model remembers while it speaks: keys and values of the tokens that it has read, layer by layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int


class Memory(NamedTuple):
    """What one attention layer remembers of the tokens that it has seen.

    Heads stand before tokens, so that each head's part is one matrix in memory: a step then copies none of it.
    """

    keys: Float[Array, "batch heads length depth"]
    values: Float[Array, "batch heads length depth"]

    def extended(
        self,
        keys: Float[Array, "batch seen heads depth"],
        values: Float[Array, "batch seen heads depth"],
        slot: Int[Array, ""],
    ) -> Memory:
        """With the keys and values of further tokens from `slot` on."""

        def put(held: Array, new: Array) -> Array:
            new = jnp.swapaxes(new, 1, 2).astype(held.dtype)
            return jax.lax.dynamic_update_slice(held, new, (0, 0, slot, 0))

        return Memory(put(self.keys, keys), put(self.values, values))


class Cache(NamedTuple):
    """What a language model remembers of the tokens so far. Every array but `filled` leads with `batch`."""

    layers: tuple[Memory, ...]
    real: Bool[Array, "batch length"]
    filled: Int[Array, ""]  # slots written, padding counted

    def rows(self, order: Int[Array, " rows"]) -> Cache:
        """The memories of the rows `order`, in that order and as often as they stand in it (for beam search)."""
        layers = tuple(Memory(memory.keys[order], memory.values[order]) for memory in self.layers)
        return Cache(layers, self.real[order], self.filled)


def empty_cache(layers: int, batch: int, length: int, heads: int, depth: int, dtype: str) -> Cache:
    """A memory of nothing, with room for `length` tokens a row."""
    empty = jnp.zeros((batch, heads, length, depth), dtype)
    return Cache((Memory(empty, empty),) * layers, jnp.zeros((batch, length), bool), jnp.zeros((), jnp.int32))


def continue_blocks(
    blocks: Sequence[Callable[..., tuple[Array, Memory | None]]],
    tokens: Float[Array, "batch seen width"],
    real: Bool[Array, "batch seen"],
    cache: Cache,
    **shared: Any,
) -> tuple[Float[Array, "batch seen width"], Cache]:
    """One block after the other over tokens that follow those of the cache; `shared` goes to every block."""
    known = jax.lax.dynamic_update_slice(cache.real, real, (0, cache.filled))
    slots = cache.filled + jnp.arange(tokens.shape[1])
    mask = known[:, None, :] & (jnp.arange(known.shape[1]) <= slots[:, None])
    memories = []
    for block, memory in zip(blocks, cache.layers, strict=True):
        tokens, memory = block(tokens, mask, memory=memory, slot=cache.filled, **shared)
        memories.append(memory)
    return tokens, Cache(tuple(memories), known, cache.filled + tokens.shape[1])
