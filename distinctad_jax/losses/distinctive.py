"""Stage II: words that only this clip deserves, in three forms of one loss.

A, `distinctive_words`, is the default: the next-word loss over the tokens of distinctive words. B, `distinctive_bag`,
asks for the words anywhere in the description. C, `unlikely_context`, forbids the words of the neighbours. Which
words are distinctive was decided in the data pipeline; the paper (arXiv 2411.18180) names the loss, the formulas are
ours.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from distinctad_jax.losses.captioning import log_likelihood, mean_over

LEAST, MOST = -60.0, -1e-6  # log-probabilities of forms B and C stay in here: so log(1 - p) has a finite slope


def distinctive_words(
    logits: Float[Array, "*rows length vocab"],
    ids: Int[Array, "*rows length"],
    distinctive: Bool[Array, "*rows length"],
) -> Float[Array, ""]:
    """Form A: mean over the tokens of distinctive words of -log p(token); 0 with no gradient if there are none.

    Shapes: `logits[..., u, :]` predict `ids[..., u]`; distinctive is never True on the end or on padding.
    Units:  nats per token.
    """
    return mean_over(-log_likelihood(logits, ids), distinctive)


def distinctive_bag(
    logits: Float[Array, "*rows length vocab"],
    real: Bool[Array, "*rows length"],
    distinct_ids: Int[Array, "*rows words"],
    distinct_real: Bool[Array, "*rows words"],
) -> Float[Array, ""]:
    """Form B: mean over distinctive words w of -log P(w), where P(w) = 1 - prod_u (1 - p_u(w)) is the chance that w
    is said at some place u.

    Shapes: a word is known by its first token; real is True on the places where the description may say it.
    Units:  nats per word; 0 with no gradient if there are none. p is kept within [e^-60, 1 - 1e-6].
    Source: the order-free reading of GDisCap (arXiv 2108.09151).
    """
    silent = jnp.where(real[..., None], _log_of_rest(_log_chances(logits, distinct_ids)), 0.0).sum(axis=-2)
    said = distinct_real & real.any(axis=-1, keepdims=True)  # with no place to say it, a word has no chance at all
    return mean_over(-_log_of_rest(jnp.where(said, silent, -1.0)), said)


def unlikely_context(
    logits: Float[Array, "*rows length vocab"],
    real: Bool[Array, "*rows length"],
    context_ids: Int[Array, "*rows words"],
    context_real: Bool[Array, "*rows words"],
    *,
    ids: Int[Array, "*rows length"] | None = None,
) -> Float[Array, ""]:
    """Form C: unlikelihood of the words that neighbours use and this description does not: at each place the sum
    over those words w of -log(1 - p_u(w)), its mean over the places of descriptions that have such words.

    Shapes: a word is known by its first token. With the targets `ids`, a word whose first token is the target at a
      place (as "walk" of "walking" where "walks" is right) is not punished there.
    Units:  nats per token; 0 with no gradient if there are no such words. p is kept within [e^-60, 1 - 1e-6].
    Source: unlikelihood training (arXiv 1908.04319), token level.
    """
    kept = real[..., None] & context_real[..., None, :]
    if ids is not None:
        kept &= ids[..., None] != context_ids[..., None, :]
    punished = jnp.where(kept, -_log_of_rest(_log_chances(logits, context_ids)), 0.0).sum(axis=-1)
    return mean_over(punished, real & context_real.any(axis=-1, keepdims=True))


def _log_chances(
    logits: Float[Array, "*rows length vocab"], ids: Int[Array, "*rows words"]
) -> Float[Array, "*rows length words"]:
    """Log-probability of every word at every place."""
    logits = logits.astype(jnp.float32)
    everywhere = jnp.broadcast_to(ids[..., None, :], (*logits.shape[:-1], ids.shape[-1]))
    chances = jnp.take_along_axis(logits, everywhere, axis=-1) - jax.nn.logsumexp(logits, axis=-1, keepdims=True)
    return jnp.clip(chances, LEAST, MOST)


def _log_of_rest(log_chance: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """log(1 - e^x) for x < 0, exact at both ends; each branch sees only values that it can bear."""
    large = log_chance > -0.6931472
    near_one = jnp.log(-jnp.expm1(jnp.where(large, log_chance, -0.5)))
    near_zero = jnp.log1p(-jnp.exp(jnp.where(large, -1.0, log_chance)))
    return jnp.where(large, near_one, near_zero)
