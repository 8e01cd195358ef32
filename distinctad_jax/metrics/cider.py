"""CIDEr-D: agreement of n-grams, each weighted by how rare it is among the references."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from distinctad_jax.metrics.tokenise import tokenised

LONGEST = 4  # words in an n-gram
SIGMA = 6.0  # of the length penalty

Ngram = tuple[str, ...]


class Vector(NamedTuple):
    """A sentence as weights of its n-grams, for each length of n-gram."""

    weights: list[dict[Ngram, float]]
    norms: list[float]
    bigrams: int


def cider_d(
    predictions: Sequence[str], references: Sequence[Sequence[str]], *, already_tokenised: bool = False
) -> tuple[float, list[float]]:
    """CIDEr-D of each prediction, and the mean.

    The weights of n-grams come from all `references` pooled, so the value depends on what is scored together.

    Shapes: as many predictions as lists of references, each list with at least one sentence.
    Units:  0..10 (papers print it times 100). A reference of fewer than four words cannot reach 10; one row scores 0.
    Errors: ValueError if the lengths differ or a row has no reference.
    Source: Vedantam et al. (arXiv 1411.5726) as the COCO caption tools compute it: sigma 6, clipped counts, lengths
      compared in bigrams.
    """
    if len(predictions) != len(references) or not all(references):
        raise ValueError(
            f"CIDEr-D needs a list of references for each prediction, got {len(predictions)} predictions and "
            f"{len(references)} lists, {sum(not each for each in references)} of them empty."
        )
    if not predictions:
        raise ValueError("CIDEr-D needs at least one prediction, got none.")
    cut = str.split if already_tokenised else lambda text: tokenised(text).split()
    counted = [[_ngrams(cut(text)) for text in each] for each in references]
    seen = Counter(ngram for each in counted for ngram in set().union(*each))
    most = math.log(len(references))
    rarity = {ngram: most - math.log(rows) for ngram, rows in seen.items()}
    vectors = {text: _vector(_ngrams(cut(text)), rarity, most) for text in set(predictions)}
    rows = []
    for text, each in zip(predictions, counted, strict=True):
        against = [_similarity(vectors[text], _vector(counts, rarity, most)) for counts in each]
        rows.append(10 * sum(against) / len(against))
    return math.fsum(rows) / len(rows), rows


def _ngrams(words: list[str]) -> Counter[Ngram]:
    return Counter(tuple(words[at : at + n]) for n in range(1, LONGEST + 1) for at in range(len(words) - n + 1))


def _vector(counts: Counter[Ngram], rarity: dict[Ngram, float], most: float) -> Vector:
    weights: list[dict[Ngram, float]] = [{} for _ in range(LONGEST)]
    bigrams = 0
    for ngram, count in counts.items():
        weights[len(ngram) - 1][ngram] = count * rarity.get(ngram, most)
        bigrams += count * (len(ngram) == 2)
    return Vector(weights, [math.sqrt(sum(w * w for w in each.values())) for each in weights], bigrams)


def _similarity(prediction: Vector, reference: Vector) -> float:
    total = 0.0
    for said, wanted, norm, other in zip(
        prediction.weights, reference.weights, prediction.norms, reference.norms, strict=True
    ):
        if norm and other:
            shared = sum(
                min(weight, wanted[ngram]) * wanted[ngram] for ngram, weight in said.items() if ngram in wanted
            )
            total += shared / (norm * other)
    apart = prediction.bigrams - reference.bigrams
    return total / LONGEST * math.exp(-(apart**2) / (2 * SIGMA**2))
