"""Predictions that see no movie: what a score is worth shows beside theirs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from distinctad_jax.metrics.cider import cider_d
from distinctad_jax.metrics.neighbours import stretches


def constant(training: Sequence[str], *, candidates: int = 20, sample: int = 500) -> str:
    """The one training description that does best when it is said of every clip.

    Of the `candidates` most frequent descriptions (of equals the earlier one), the one with the highest CIDEr-D on
    `sample` descriptions, evenly spread over the training set.

    Errors: ValueError if there is no training description.
    """
    if not training:
        raise ValueError("The constant baseline needs training descriptions, got none.")
    spread = [training[at * len(training) // min(sample, len(training))] for at in range(min(sample, len(training)))]
    wanted = [[text] for text in spread]
    frequent = [text for text, _ in Counter(training).most_common(candidates)]
    return max(frequent, key=lambda text: cider_d([text] * len(wanted), wanted)[0])  # max keeps the first of equals


def copy_neighbour(references: Sequence[str], groups: Sequence[object], offset: int) -> list[str]:
    """For each row the reference that stands `offset` (-1: before, 1: after) rows away in the same movie.

    A movie's first or last row has no such neighbour and takes the one on its other side; the only row of a movie
    gets an empty sentence.

    Errors: ValueError unless offset is -1 or 1, or if a movie's rows are scattered.
    """
    if offset not in (-1, 1):
        raise ValueError(f"A neighbour stands at offset -1 or 1, got {offset}.")
    copied = []
    for movie in stretches(groups):
        for row in movie:
            near = row + offset if row + offset in movie else row - offset
            copied.append(references[near] if near in movie else "")
    return copied
