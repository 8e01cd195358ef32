"""Predictions that see no movie: what a score is worth shows beside theirs."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Sequence

import numpy as np

from distinctad_jax.metrics.cider import cider_d
from distinctad_jax.metrics.neighbours import stretches
from distinctad_jax.metrics.tokenise import tokenise

CONSTANT = "He looks at her."
"""What is said of every clip where there are no training descriptions to choose from."""


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


def shuffled(references: Sequence[str], groups: Sequence[object], seed: int = 0) -> list[str]:
    """The references of each movie in another order: names and style are right, what happens is not.

    Errors: ValueError if a movie's rows are scattered.
    """
    draw = random.Random(seed)
    found: list[str] = []
    for movie in stretches(groups):
        texts = list(references[movie.start : movie.stop])
        draw.shuffle(texts)
        found += texts
    return found


def nearest(references: Sequence[str], training: Sequence[str]) -> list[str]:
    """For each reference the training description that is most like it, by cosine of word counts.

    Words weigh ln(N / rows of the training set that have them); of equals the earlier. A reference that shares no
    weighed word with any gets the first training description. This one sees the reference: it tells how far one can
    get with sentences that people have said of other movies, and is no system.

    Errors: ValueError if there is no training description.
    """
    if not training:
        raise ValueError("The nearest-neighbour baseline needs training descriptions, got none.")
    counted = [Counter(tokenise(text)) for text in training]
    rows = Counter(word for counts in counted for word in counts)
    weight = {word: math.log(len(training) / having) for word, having in rows.items()}
    holders: dict[str, list[tuple[int, float]]] = {}
    for row, counts in enumerate(counted):
        norm = math.sqrt(sum((count * weight[word]) ** 2 for word, count in counts.items()))
        for word, count in counts.items():
            if norm and weight[word]:
                holders.setdefault(word, []).append((row, count * weight[word] / norm))
    table = {
        word: (np.array([row for row, _ in found]), np.array([value for _, value in found]))
        for word, found in holders.items()
    }
    found = []
    for text in references:
        alike = np.zeros(len(training))
        for word, count in Counter(tokenise(text)).items():
            if word in table:
                at, values = table[word]
                alike[at] += count * weight[word] * values  # each row stands once among the holders of a word
        found.append(training[int(np.argmax(np.round(alike, 9)))])
    return found
