"""ROUGE-L: the longest sequence of words that prediction and reference share, in order."""

from __future__ import annotations

import math
from collections.abc import Sequence

from distinctad_jax.metrics.tokenise import tokenised

BETA = 1.2  # above 1: recall counts more than precision


def rouge_l(
    predictions: Sequence[str], references: Sequence[Sequence[str]], *, already_tokenised: bool = False
) -> tuple[float, list[float]]:
    """ROUGE-L of each prediction, and the mean. Of several references the best precision and the best recall count.

    Precision is the longest common subsequence over the words said, recall over the words wanted;
    F = (1 + 1.2^2) P R / (R + 1.2^2 P), 0 if nothing is shared.

    Units:  fractions 0..1. An empty sentence counts as one empty word, so two of them agree.
    Errors: ValueError if the lengths differ, a row has no reference, or nothing is given.
    Source: Lin (2004), F with beta 1.2 as in the COCO caption tools.
    """
    if not predictions or len(predictions) != len(references) or not all(references):
        raise ValueError(
            f"ROUGE-L needs predictions and a list of references for each, got {len(predictions)} predictions and "
            f"{len(references)} lists, {sum(not each for each in references)} of them empty."
        )
    ready = (lambda text: text) if already_tokenised else tokenised
    rows = []
    for text, each in zip(predictions, references, strict=True):
        said = ready(text).split(" ")
        wanted = [ready(reference).split(" ") for reference in each]
        shared = [longest_shared(said, words) for words in wanted]
        precision = max(shared) / len(said)
        recall = max(length / len(words) for length, words in zip(shared, wanted, strict=True))
        both = recall + BETA**2 * precision
        rows.append((1 + BETA**2) * precision * recall / both if both else 0.0)
    return math.fsum(rows) / len(rows), rows


def longest_shared(one: Sequence[str], other: Sequence[str]) -> int:
    """Length of the longest common subsequence.

    Source: Hyyro (2004), "Bit-parallel LCS-length computation revisited": a bit for each word of `other`, so that
      two sentences of ten thousand words take milliseconds.
    """
    places: dict[str, int] = {}
    for at, word in enumerate(other):
        places[word] = places.get(word, 0) | 1 << at
    everywhere = (1 << len(other)) - 1
    free = everywhere
    for word in one:
        met = free & places.get(word, 0)
        if met:
            free = ((free + met) | (free - met)) & everywhere
    return len(other) - free.bit_count()
