"""The probe: can a language model say a description again from one vector? It measures what an embedding holds."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from distinctad_jax.models.gpt2 import Gpt2, Gpt2Config
from distinctad_jax.models.linear import Linear


@dataclass(frozen=True)
class ReconstructorConfig:
    """`prefix` is the number of vectors in front of the words that the embedding is turned into."""

    input_width: int
    language: Gpt2Config
    prefix: int = 10

    def __post_init__(self) -> None:
        if self.input_width < 1 or not 1 <= self.prefix < self.language.length:
            raise ValueError(f"needs input_width >= 1 and 1 <= prefix < the language model's length, got {self}.")


class Reconstructor(nnx.Module):
    """One embedding, an MLP, a few prefix vectors, then GPT-2.

    Shapes: embedding `batch input_width`; text_ids and text_real `batch length`. Returns logits
      `batch length vocab`, float32; `logits[:, u]` scores `text_ids[:, u]` and has seen only what stands before it.
    Units:  embeddings are brought to unit length here, so that texts and frames differ in direction alone.
    Errors: ValueError if prefix and text together are longer than GPT-2's positions.
    Source: DistinctAD (arXiv 2411.18180), reconstruction experiment; the wiring is ClipCap's (arXiv 2111.09734).
    """

    def __init__(self, config: ReconstructorConfig, *, rngs: nnx.Rngs):
        self.config = config
        width, hidden = config.language.width, config.language.width * config.prefix // 2
        self.up = Linear(config.input_width, hidden, stddev=config.input_width**-0.5, rngs=rngs)
        self.down = Linear(hidden, width * config.prefix, stddev=hidden**-0.5, rngs=rngs)
        self.language = Gpt2(config.language, rngs=rngs)

    def prefix(self, embedding: Float[Array, "batch input_width"]) -> Float[Array, "batch prefix width"]:
        """What stands before the first word."""
        # Not linalg.norm: its gradient at a zero embedding, which padding may bring, is NaN.
        unit = embedding * jax.lax.rsqrt(jnp.sum(embedding**2, axis=-1, keepdims=True) + 1e-12)
        return self.down(jnp.tanh(self.up(unit))).reshape(len(embedding), self.config.prefix, -1)

    def __call__(
        self,
        embedding: Float[Array, "batch input_width"],
        text_ids: Int[Array, "batch length"],
        text_real: Bool[Array, "batch length"],
        *,
        key: PRNGKeyArray | None = None,
    ) -> Float[Array, "batch length vocab"]:
        """`key` switches the language model's dropout on."""
        prefix = self.prefix(embedding)
        seen = jnp.concatenate([prefix, self.language.embed(text_ids[:, :-1])], axis=1)
        real = jnp.concatenate([jnp.ones(prefix.shape[:2], bool), text_real[:, :-1]], axis=1)
        hidden, _ = self.language(seen, real, key=key)
        return self.language.logits(hidden[:, self.config.prefix - 1 :])
