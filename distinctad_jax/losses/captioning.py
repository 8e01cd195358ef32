"""Stage II: the next word of every description of a window."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int


def log_likelihood(
    logits: Float[Array, "*rows length vocab"], ids: Int[Array, "*rows length"]
) -> Float[Array, "*rows length"]:
    """Log-probability of each id under the logits at its place, in float32."""
    logits = logits.astype(jnp.float32)
    chosen = jnp.take_along_axis(logits, ids[..., None], axis=-1)[..., 0]
    return chosen - jax.nn.logsumexp(logits, axis=-1)


def mean_over(values: Float[Array, "*shape"], kept: Bool[Array, "*shape"]) -> Float[Array, ""]:
    """Mean of the kept values; 0 with no gradient if there are none."""
    return jnp.sum(jnp.where(kept, values, 0.0)) / jnp.maximum(jnp.sum(kept), 1)


def next_word(
    logits: Float[Array, "*rows length vocab"], ids: Int[Array, "*rows length"], real: Bool[Array, "*rows length"]
) -> Float[Array, ""]:
    """Cross-entropy of the next token, its mean over all real tokens of the batch.

    Shapes: `logits[..., u, :]` predict `ids[..., u]`; real is True on the description and its end, False on padding.
    Units:  nats per token; 0 if nothing is real.
    """
    return mean_over(-log_likelihood(logits, ids), real)
