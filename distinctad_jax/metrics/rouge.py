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
    """Length of the longest common subsequence."""
    before = [0] * (len(other) + 1)
    for word in one:
        now = [0]
        for at, against in enumerate(other):
            now.append(before[at] + 1 if word == against else max(before[at + 1], now[at]))
        before = now
    return before[-1]
