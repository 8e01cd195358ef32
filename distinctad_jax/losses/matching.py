"""Stage I: a clip goes with its description, and some frame of it with some word.

Two terms, after DistinctAD (arXiv 2411.18180): the whole clip against the whole sentence, as CLIP was trained, and
frames against words as multiple-instance learning, because a word need not show in every frame.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

DIRECTIONS = ("frame_to_word", "word_to_frame")
POSITIVES = ("all", "matched")
EPSILON = 1e-12  # under a squared length; keeps the direction of a zero vector finite


def unit(vectors: Float[Array, "*rows width"]) -> Float[Array, "*rows width"]:
    """The vectors in float32 at length 1; a zero vector stays zero, with a finite gradient."""
    vectors = vectors.astype(jnp.float32)
    return vectors * jax.lax.rsqrt(jnp.maximum(jnp.sum(vectors**2, axis=-1, keepdims=True), EPSILON))


def pool_frames(
    frames: Float[Array, "batch frames projection"], frames_real: Bool[Array, "batch frames"]
) -> Float[Array, "batch projection"]:
    """The direction of the mean of the frames' directions; zero for a clip without a real frame."""
    return unit(jnp.sum(unit(frames) * frames_real[..., None], axis=1))


def global_matching(
    video: Float[Array, "batch projection"],
    sentence: Float[Array, "batch projection"],
    scale: Float[Array, ""],
    same: Bool[Array, "batch batch"] | None = None,
) -> Float[Array, ""]:
    """Symmetric InfoNCE of clips and sentences over the batch, as CLIP was trained.

    Shapes: video and sentence `batch projection`, made unit length here; `same[b, c]` is True where the texts of b
      and c are identical: such a pair is no negative (whatever the diagonal says).
    Units:  `scale` multiplies cosines; CLIP's exponentiated logit scale.
    Source: CLIP (arXiv 2103.00020); `video` is the pooled frames as in DistinctAD (arXiv 2411.18180).
    """
    counted = _pairs(video.shape[0], same)
    logits = scale.astype(jnp.float32) * _dot("bp,cp->bc", unit(video), unit(sentence))
    to_text = jax.nn.logsumexp(logits, axis=1, where=counted)
    to_video = jax.nn.logsumexp(logits, axis=0, where=counted)
    return jnp.mean(0.5 * (to_text + to_video) - jnp.diagonal(logits))


def frame_word_matching(
    frames: Float[Array, "batch frames projection"],
    frames_real: Bool[Array, "batch frames"],
    words: Float[Array, "batch length projection"],
    words_real: Bool[Array, "batch length"],
    *,
    attention_temperature: float = 0.1,
    temperature: float = 0.07,
    direction: str = "frame_to_word",
    positives: str = "all",
    same: Bool[Array, "batch batch"] | None = None,
) -> Float[Array, ""]:
    """Multiple-instance InfoNCE of the frames of a clip and the words of a description (MIL-NCE).

    With "frame_to_word", each frame attends to the words of a description, and the score of the pair is its cosine
    with the words so mixed: the instances of a bag are frames. With "word_to_frame", each word picks the frame that
    shows it best: the instances are words, and `attention_temperature` plays no part. The loss of clip b is
      LSE(own instances with the own partner, own with foreign partners, foreign with the own partner)
      - LSE(own instances with the own partner),
    its mean over the batch is returned. It is never negative, since the second set is part of the first. With
    positives="matched", only the best instance of the own pair is a positive, the others count nowhere.

    Shapes: see the annotations; frames and words are made unit length here. `same[b, c]` is True where the texts of
      b and c are identical: such a pair is no negative. A clip without a real frame or word, and one without any
      negative, contributes 0 and no gradient; the mean is over the whole batch all the same.
    Units:  temperatures divide cosines.
    Errors: ValueError for an unknown direction or positives, or a temperature that is not positive.
    Source: DistinctAD (arXiv 2411.18180) in kind; MIL-NCE (arXiv 1912.06430); max over frames as in FILIP
      (arXiv 2111.07783). The exact form is ours: the paper's equations were not available.
    """
    _check(direction, positives, attention_temperature, temperature)
    frames, words = unit(frames), unit(words)
    cosines = _dot("btp,cjp->btcj", frames, words)
    if direction == "frame_to_word":
        # (instance, its bag, the other bag): frame t of clip b against description c.
        scores, real = _attended(cosines, words, words_real, attention_temperature), frames_real
    else:
        shown = jnp.where(frames_real[:, :, None, None], cosines, -jnp.inf).max(axis=1)
        shown = jnp.where(frames_real.any(axis=1)[:, None, None], shown, 0.0)  # a clip without frames is masked below
        scores, real = jnp.moveaxis(shown, 0, -1), words_real
    usable = frames_real.any(axis=1) & words_real.any(axis=1)
    counted = usable[:, None] & usable[None, :] & _pairs(frames.shape[0], same)
    return _multiple_instance(scores / temperature, real, counted, matched=positives == "matched")


def _check(direction: str, positives: str, attention_temperature: float, temperature: float) -> None:
    if direction not in DIRECTIONS:
        raise ValueError(f"direction must be one of {', '.join(DIRECTIONS)}, got {direction!r}.")
    if positives not in POSITIVES:
        raise ValueError(f"positives must be one of {', '.join(POSITIVES)}, got {positives!r}.")
    if not (attention_temperature > 0 and temperature > 0):
        raise ValueError(
            f"temperatures must be positive, got attention_temperature {attention_temperature}, "
            f"temperature {temperature}."
        )


def _pairs(batch: int, same: Bool[Array, "batch batch"] | None) -> Bool[Array, "batch batch"]:
    """False for pairs of different clips with one text, which are neither positive nor negative."""
    own = jnp.eye(batch, dtype=bool)
    return jnp.ones_like(own) if same is None else own | ~same


def _dot(equation: str, left: Float[Array, "*left"], right: Float[Array, "*right"]) -> Float[Array, "*product"]:
    """An einsum in true float32: cosines are divided by 0.07, so rounding to bfloat16 would be seen in the loss."""
    return jnp.einsum(equation, left, right, precision=jax.lax.Precision.HIGHEST)


def _attended(
    cosines: Float[Array, "batch frames others length"],
    words: Float[Array, "others length projection"],
    words_real: Bool[Array, "others length"],
    temperature: float,
) -> Float[Array, "batch frames others"]:
    """Cosine of each frame with the words that it attends to.

    The mixed vectors themselves (batch x frames x batch x projection) are never made: their products with the frame
    follow from `cosines`, their lengths from the words' inner products.
    """
    logits = jnp.where(words_real, cosines / temperature, jnp.finfo(jnp.float32).min)
    shares = jnp.where(words_real, jax.nn.softmax(logits, axis=-1), 0.0)
    inner = _dot("cjp,ckp->cjk", words, words)
    squared = jnp.sum(_dot("btcj,cjk->btck", shares, inner) * shares, axis=-1)
    return jnp.sum(shares * cosines, axis=-1) * jax.lax.rsqrt(jnp.maximum(squared, EPSILON))


class _Sums(NamedTuple):
    """Log-sums of exponentials, one a bag; `found` is False where nothing was summed, and the value then 0."""

    value: Float[Array, " batch"]
    found: Bool[Array, " batch"]


def _log_sum(values: Float[Array, "batch many"], kept: Bool[Array, "batch many"]) -> _Sums:
    found = kept.any(axis=1)
    # An empty sum has value -inf and gradient NaN: give it one harmless entry instead.
    kept = kept | ~found[:, None]
    values = jnp.where(found[:, None], values, 0.0)
    return _Sums(jnp.where(found, jax.nn.logsumexp(values, axis=1, where=kept), 0.0), found)


def _multiple_instance(
    scores: Float[Array, "batch instances others"],
    real: Bool[Array, "batch instances"],
    counted: Bool[Array, "batch others"],
    *,
    matched: bool,
) -> Float[Array, ""]:
    """MIL-NCE over bags: `scores[b, i, c]` is instance i of bag b against partner c; b's own partner is b."""
    batch = scores.shape[0]
    bags = jnp.arange(batch)
    kept = real[:, :, None] & counted[:, None, :]
    own, own_kept = scores[bags, :, bags], kept[bags, :, bags]
    if matched:
        best = jnp.argmax(jnp.where(own_kept, own, -jnp.inf), axis=1)
        own_kept &= jnp.arange(own.shape[1]) == best[:, None]
    foreign = kept & ~jnp.eye(batch, dtype=bool)[:, None, :]
    negatives = jnp.concatenate([scores.reshape(batch, -1), scores.reshape(-1, batch).T], axis=1)
    negatives_kept = jnp.concatenate([foreign.reshape(batch, -1), foreign.reshape(-1, batch).T], axis=1)
    positive, negative = _log_sum(own, own_kept), _log_sum(negatives, negatives_kept)
    # log(e^p + e^n) - p, in the form that keeps its digits when the loss is small and cannot turn negative.
    losses = jax.nn.softplus(negative.value - positive.value)
    return jnp.mean(jnp.where(positive.found & negative.found, losses, 0.0))
