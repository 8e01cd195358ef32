"""Stage I: a clip goes with its description, and some frame of it with some word.

Two terms, after DistinctAD (arXiv 2411.18180): the whole clip against the whole sentence, as CLIP was trained, and
frames against words as multiple-instance learning, because a word need not show in every frame.

Both compare every clip of a batch with every description. Of that matrix no more than `most` cells are computed at
once: beyond, it is gone through in chunks of descriptions, whose cells the backward pass computes again. Rows of a
batch that is split over devices stay where they are, so a device holds its share of a chunk.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

DIRECTIONS = ("frame_to_word", "word_to_frame")
POSITIVES = ("all", "matched")
MOST_CELLS = 1 << 26
"""Cells of the similarity matrix that are computed at once, over all devices: 256 MiB of float32."""
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
    same: Bool[Array, "batch batch"] | Int[Array, " batch"] | None = None,
    *,
    most: int = MOST_CELLS,
) -> Float[Array, ""]:
    """Symmetric InfoNCE of clips and sentences over the batch, as CLIP was trained.

    Shapes: video and sentence `batch projection`, made unit length here; `same[b, c]` is True where the texts of b
      and c are identical, or `same[b]` is a number that identical texts share: such a pair is no negative (whatever
      the diagonal says).
    Units:  `scale` multiplies cosines; CLIP's exponentiated logit scale. `most` counts cells, see above.
    Source: CLIP (arXiv 2103.00020); `video` is the pooled frames as in DistinctAD (arXiv 2411.18180).
    """
    batch = video.shape[0]
    video, scale = unit(video)[:, None], scale.astype(jnp.float32)
    own, rows, columns = _compared(
        lambda part: scale * _dot("bip,cp->bic", video, part),
        unit(sentence),
        jnp.ones((batch, 1), bool),
        _told_apart(same),
        _chunks(batch, 1, most),
    )
    alone = _Sums(own[:, 0], jnp.ones(batch, bool))
    to_text, to_video = _joined(rows, alone).value, _joined(columns, alone).value
    return jnp.mean(0.5 * (to_text + to_video) - own[:, 0])


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
    same: Bool[Array, "batch batch"] | Int[Array, " batch"] | None = None,
    most: int = MOST_CELLS,
) -> Float[Array, ""]:
    """Multiple-instance InfoNCE of the frames of a clip and the words of a description (MIL-NCE).

    With "frame_to_word", each frame attends to the words of a description, and the score of the pair is its cosine
    with the words so mixed: the instances of a bag are frames. With "word_to_frame", each word picks the frame that
    shows it best: the instances are words, and `attention_temperature` plays no part. The loss of clip b is
      LSE(own instances with the own partner, own with foreign partners, foreign with the own partner)
      - LSE(own instances with the own partner),
    its mean over the batch is returned. It is never negative, since the second set is part of the first. With
    positives="matched", only the best instance of the own pair is a positive, the others count nowhere.

    Shapes: see the annotations; frames and words are made unit length here. `same` as in `global_matching`. A clip
      without a real frame or word, and one without any negative, contributes 0 and no gradient; the mean is over the
      whole batch all the same.
    Units:  temperatures divide cosines. `most` counts cells (frame x word), see above; a few arrays are that large.
    Errors: ValueError for an unknown direction or positives, or a temperature that is not positive.
    Source: DistinctAD (arXiv 2411.18180) in kind; MIL-NCE (arXiv 1912.06430); max over frames as in FILIP
      (arXiv 2111.07783). The exact form is ours: the paper's equations were not available.
    """
    _check(direction, positives, attention_temperature, temperature)
    frames, words = unit(frames), unit(words)
    usable = frames_real.any(axis=1) & words_real.any(axis=1)
    if direction == "frame_to_word":

        def scores(part: Any) -> Float[Array, "batch instances chunk"]:
            said, real = part
            return _attended(_dot("btp,cjp->btcj", frames, said), said, real, attention_temperature) / temperature

        partners, real = (words, words_real), frames_real
    else:

        def scores(part: Any) -> Float[Array, "batch instances chunk"]:
            seen, real = part
            shown = jnp.where(real, _dot("bjp,ctp->bjct", words, seen), -jnp.inf).max(axis=-1)
            # A clip without frames is masked by `usable`; here it must only be finite.
            return jnp.where(real.any(axis=-1), shown, 0.0) / temperature

        partners, real = (frames, frames_real), words_real
    counted = _told_apart(same)
    own, rows, columns = _compared(
        scores,
        partners,
        real & usable[:, None],
        lambda chosen: usable[chosen] & counted(chosen),
        _chunks(len(frames), frames.shape[1] * words.shape[1], most),
    )
    positive = _log_sum(own, _positives(own, real & usable[:, None], matched=positives == "matched"), axes=(1,))
    negative = _joined(rows, columns)
    # log(e^p + e^n) - p, in the form that keeps its digits when the loss is small and cannot turn negative.
    losses = jax.nn.softplus(negative.value - positive.value)
    return jnp.mean(jnp.where(positive.found & negative.found, losses, 0.0))


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


def _told_apart(same: Array | None) -> Callable[[Int[Array, " chunk"]], Bool[Array, "#batch chunk"]]:
    """Columns -> False for pairs of one text, which are neither positive nor negative (the own pair is not asked)."""
    if same is None:
        return lambda columns: jnp.ones((1, len(columns)), bool)
    if same.ndim == 1:
        return lambda columns: same[:, None] != same[columns]
    return lambda columns: ~same[:, columns]


def _chunks(batch: int, cells: int, most: int) -> int:
    """The fewest equal chunks of a batch of partners that have at most `most` cells each; `cells` are of one pair."""
    return next(
        n for n in range(1, batch + 1) if batch % n == 0 and (batch * batch // n * cells <= most or n == batch)
    )


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
    """Log-sums of exponentials; `found` is False where nothing was summed, and the value then 0."""

    value: Float[Array, " many"]
    found: Bool[Array, " many"]


def _log_sum(values: Array, kept: Array, axes: tuple[int, ...]) -> _Sums:
    found = kept.any(axis=axes, keepdims=True)
    # An empty sum has value -inf and gradient NaN: give it harmless entries instead.
    summed = jax.nn.logsumexp(jnp.where(found, values, 0.0), axis=axes, where=kept | ~found)
    found = found.squeeze(axes)
    return _Sums(jnp.where(found, summed, 0.0), found)


def _joined(one: _Sums, other: _Sums) -> _Sums:
    """The log-sum over both."""
    both = jnp.logaddexp(one.value, other.value)
    either = jnp.where(one.found, one.value, other.value)
    return _Sums(jnp.where(one.found & other.found, both, either), one.found | other.found)


def _compared(
    scores: Callable[[Any], Float[Array, "batch instances chunk"]],
    partners: Any,
    real: Bool[Array, "batch instances"],
    counted: Callable[[Int[Array, " chunk"]], Bool[Array, "#batch chunk"]],
    chunks: int,
) -> tuple[Float[Array, "batch instances"], _Sums, _Sums]:
    """Each clip's instances against all partners, so many chunks of partners one after the other.

    Returns the scores with the own partner, and two log-sums over what is foreign, counted and real: of a clip's
    instances with other partners, and of others' instances with its partner.
    """
    batch = real.shape[0]
    bags = jnp.arange(batch)

    def split(leaf: Array) -> Array:
        # Strided, not cut: where the batch is split over devices, each has a part of every chunk.
        return jnp.swapaxes(leaf.reshape(batch // chunks, chunks, *leaf.shape[1:]), 0, 1)

    def compare(before: tuple[Array, _Sums], given: Any) -> tuple[tuple[Array, _Sums], _Sums]:
        columns, part = given
        values, own = scores(part), bags[:, None] == columns
        kept = real[:, :, None] & (counted(columns) & ~own)[:, None, :]
        found = before[0] + jnp.where(own[:, None, :], values, 0.0).sum(axis=2)
        return (found, _joined(before[1], _log_sum(values, kept, axes=(1, 2)))), _log_sum(values, kept, axes=(0, 1))

    nothing = (jnp.zeros(real.shape, jnp.float32), _Sums(jnp.zeros(batch), jnp.zeros(batch, bool)))
    if chunks == 1:
        (own, rows), columns = compare(nothing, (bags, partners))
        return own, rows, columns
    given = (split(bags), jax.tree.map(split, partners))
    (own, rows), columns = jax.lax.scan(jax.checkpoint(compare), nothing, given)
    return own, rows, _Sums(*(jnp.swapaxes(leaf, 0, 1).reshape(batch) for leaf in columns))


def _positives(
    own: Float[Array, "batch instances"], real: Bool[Array, "batch instances"], *, matched: bool
) -> Bool[Array, "batch instances"]:
    if not matched:
        return real
    best = jnp.argmax(jnp.where(real, own, -jnp.inf), axis=1)
    return real & (jnp.arange(own.shape[1]) == best[:, None])
