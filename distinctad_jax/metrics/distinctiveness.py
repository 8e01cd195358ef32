"""Does a prediction say what only its own clip deserves?"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from distinctad_jax.metrics.neighbours import around, stretches
from distinctad_jax.text.distinct import STOP_WORDS, words


class Distinctiveness(NamedTuple):
    """How predictions and distinctive words meet; a share is None where there is nothing to share.

    recall: of the references' distinctive words, the share that the predictions say.
    rate: of the predictions' content words, the share that are distinctive words of their reference.
    """

    recall: float | None
    rate: float | None
    wanted: int  # distinctive words of all references
    said: int  # content words of all predictions


def content_words(text: str) -> frozenset[str]:
    """The words (types) of a text that are not stop-words."""
    return frozenset(word.text for word in words(text)) - STOP_WORDS


def distinctiveness(
    predictions: Sequence[str], references: Sequence[str], groups: Sequence[object], window: int
) -> Distinctiveness:
    """Compares the content words of predictions with the distinctive words of references, pooled over rows.

    A word of a reference is distinctive if it is no stop-word and no other reference uses it among the `window`
    rows around it (`neighbours.around`: each row counts once, in the middle of its window except at a movie's ends).
    Words are compared as written, lower-cased, without possessive; names count like other words.

    Units:  fractions 0..1.
    Errors: ValueError if the lengths differ, window < 1, or a movie's rows are scattered.
    Source: the selection rule of DistinctAD's distinctive-word loss; the rate is our reading of DisWordRate in
      GDisCap (arXiv 2108.09151).
    """
    if not len(predictions) == len(references) == len(groups) or window < 1:
        raise ValueError(
            f"Distinctiveness needs as many predictions as references and groups and window >= 1, got "
            f"{len(predictions)}, {len(references)}, {len(groups)} and window {window}."
        )
    met, wanted, said = map(int, distinctiveness_parts(predictions, references, groups, window).sum(0))
    return Distinctiveness(met / wanted if wanted else None, met / said if said else None, wanted, said)


def distinctiveness_parts(
    predictions: Sequence[str], references: Sequence[str], groups: Sequence[object], window: int
) -> Float[np.ndarray, "movies three"]:
    """For each movie the distinctive words that were said, those that were wanted, and the content words said."""
    wanted = [content_words(text) for text in references]
    said = [content_words(text) for text in predictions]
    parts = []
    for movie in stretches(groups):
        met = total = 0
        for row in movie:
            others = (wanted[other] for other in around(row, window, movie) if other != row)
            own = wanted[row].difference(*others)
            total += len(own)
            met += len(own & said[row])
        parts.append([met, total, sum(len(said[row]) for row in movie)])
    return np.array(parts, np.float64).reshape(-1, 3)


def stretches_of(text: str, chosen: Collection[str]) -> list[tuple[str, bool]]:
    """The text cut into stretches, True where a chosen word stands; joined, they are the text again.

    Args:
      chosen: words as `text.distinct.words` writes them: lower-cased, without possessive.
    """
    found: list[tuple[str, bool]] = []
    end = 0
    for word in words(text):
        if word.text in chosen:
            found += [(text[end : word.start], False), (text[word.start : word.end], True)]
            end = word.end
    return [(piece, marked) for piece, marked in [*found, (text[end:], False)] if piece]
