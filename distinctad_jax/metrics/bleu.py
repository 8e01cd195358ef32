"""BLEU-1 to BLEU-4 of a whole set of predictions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from distinctad_jax.metrics.ngrams import LONGEST, Ngrams, per_row
from distinctad_jax.metrics.tokenise import tokenised

_TINY, _SMALL = 1e-15, 1e-9  # the customary tool adds these to counts; a perfect score is therefore a little under 1


def bleu(
    predictions: Sequence[str], references: Sequence[Sequence[str]], *, already_tokenised: bool = False
) -> tuple[float, ...]:
    """(BLEU-1, BLEU-2, BLEU-3, BLEU-4): n-gram precision over the whole set, times a penalty for being brief.

    An n-gram counts as often as it stands in the reference that has it most often. Precisions are multiplied up to
    n and the n-th root is taken. The penalty is exp(1 - wanted / said) over words of the whole set, where the
    reference nearest in length counts, the shorter one of two.

    Units:  fractions 0..1.
    Errors: ValueError if the lengths differ, a row has no reference, or nothing is given.
    Source: Papineni et al. (2002) as in the COCO caption tools.
    """
    ready = (lambda text: text) if already_tokenised else tokenised
    ngrams = Ngrams([ready(text) for text in predictions], [[ready(text) for text in each] for each in references])
    parts = bleu_parts(ngrams).sum(0, keepdims=True)
    return tuple(bleu_of(parts, n).item() for n in range(1, LONGEST + 1))


def bleu_parts(ngrams: Ngrams) -> Float[np.ndarray, "rows ten"]:
    """What BLEU adds up over rows: matches (1..4), n-grams said (1..4), words said, words wanted."""
    parts = np.zeros((ngrams.rows, 2 * LONGEST + 2))
    for n in range(1, LONGEST + 1):
        wanted, size = ngrams.wanted[n - 1], max(ngrams.sizes[n - 1], 1)
        right = np.minimum(wanted.counts, ngrams.in_prediction[n - 1])
        # Of several references of a row, the one that has the n-gram most often.
        keys = ngrams.row_of[wanted.sentences] * size + wanted.grams
        order = np.lexsort((right, keys))
        last = np.append(keys[order][1:] != keys[order][:-1], True)[: len(order)]
        parts[:, n - 1] = per_row(right[order][last], keys[order][last] // size, ngrams.rows)
        parts[:, LONGEST + n - 1] = np.maximum(ngrams.said_words - n + 1, 0)
    parts[:, -2] = ngrams.said_words
    apart = np.abs(ngrams.wanted_words - ngrams.said_words[ngrams.row_of])
    order = np.lexsort((ngrams.wanted_words, apart, ngrams.row_of))
    first = np.insert(np.diff(ngrams.row_of[order]) > 0, 0, True)
    parts[:, -1] = ngrams.wanted_words[order][first]
    return parts


def bleu_of(parts: Float[np.ndarray, "*sets ten"], n: int) -> Float[np.ndarray, "*sets"]:
    """BLEU-n of sums over rows of `bleu_parts`."""
    precisions = (parts[..., :n] + _TINY) / (parts[..., LONGEST : LONGEST + n] + _SMALL)
    ratio = (parts[..., -2] + _TINY) / (parts[..., -1] + _SMALL)
    penalty = np.exp(np.minimum(1 - 1 / ratio, 0))
    return np.prod(precisions, axis=-1) ** (1 / n) * penalty
