"""CIDEr-D: agreement of n-grams, each weighted by how rare it is among the references."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from distinctad_jax.metrics.ngrams import LONGEST, Ngrams, Side, per_row
from distinctad_jax.metrics.tokenise import tokenised

SIGMA = 6.0  # of the length penalty


def cider_d(
    predictions: Sequence[str], references: Sequence[Sequence[str]], *, already_tokenised: bool = False
) -> tuple[float, list[float]]:
    """CIDEr-D of each prediction, and the mean.

    The weights of n-grams come from all `references` pooled, so the value depends on what is scored together.

    Shapes: as many predictions as lists of references, each list with at least one sentence.
    Units:  0..10 (papers print it times 100). A reference of fewer than four words cannot reach 10; one row scores 0.
    Errors: ValueError if the lengths differ or a row has no reference.
    Source: Vedantam et al. (arXiv 1411.5726) as the COCO caption tools compute it, see `cider_rows`.
    """
    ready = (lambda text: text) if already_tokenised else tokenised
    ngrams = Ngrams([ready(text) for text in predictions], [[ready(text) for text in each] for each in references])
    rows = cider_rows(ngrams, np.zeros(len(predictions), np.int64)).tolist()
    return math.fsum(rows) / len(rows), rows


def cider_rows(ngrams: Ngrams, pools: Int[np.ndarray, " rows"]) -> Float[np.ndarray, " rows"]:
    """CIDEr-D of each row; rows of one pool share the weights of n-grams (published scores use one pool).

    An n-gram weighs its count times ln(rows of the pool) - ln(rows with it in a reference, at least 1). A prediction
    and a reference agree by the cosine of their weights, where the prediction's weight is clipped to the reference's
    in the product (not in the norm), times exp(-d^2 / (2 * 6^2)), d being the difference of their numbers of bigrams.
    The mean over n = 1..4 and over references, times 10.

    Units:  0..10.
    """
    rows = np.bincount(pools)
    agreed = np.zeros(len(ngrams.row_of))
    for n in range(1, LONGEST + 1):
        said, wanted, size = ngrams.said[n - 1], ngrams.wanted[n - 1], max(ngrams.sizes[n - 1], 1)
        in_row = np.unique(ngrams.row_of[wanted.sentences] * size + wanted.grams)
        having = np.unique(pools[in_row // size] * size + in_row % size, return_counts=True)

        def rarity(pool: np.ndarray, grams: np.ndarray, having: tuple = having, size: int = size) -> np.ndarray:
            return np.log(rows[pool]) - np.log(_looked_up(pool * size + grams, *having))

        unit = rarity(pools[ngrams.row_of[wanted.sentences]], wanted.grams)
        ours = said.counts * rarity(pools[said.sentences], said.grams)
        theirs = wanted.counts * unit
        both = np.minimum(ngrams.in_prediction[n - 1] * unit, theirs) * theirs
        norms = _norms(said, ours, ngrams.rows)[ngrams.row_of] * _norms(wanted, theirs, len(ngrams.row_of))
        shared = per_row(both, wanted.sentences, len(ngrams.row_of))
        agreed += np.divide(shared, norms, out=np.zeros_like(shared), where=norms > 0)
    apart = np.maximum(ngrams.said_words - 1, 0)[ngrams.row_of] - np.maximum(ngrams.wanted_words - 1, 0)
    agreed *= 10 / LONGEST * np.exp(-(apart.astype(np.float64) ** 2) / (2 * SIGMA**2))
    return per_row(agreed, ngrams.row_of, ngrams.rows) / np.bincount(ngrams.row_of)


def _norms(side: Side, weights: np.ndarray, sentences: int) -> np.ndarray:
    return np.sqrt(per_row(weights**2, side.sentences, sentences))


def _looked_up(keys: np.ndarray, known: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The counts of keys; 1 for those that are not known."""
    if not len(known):
        return np.ones(len(keys), np.int64)
    at = np.minimum(np.searchsorted(known, keys), len(known) - 1)
    return np.where(known[at] == keys, counts[at], 1)
