"""How much do descriptions repeat their neighbours, or themselves? None of this looks at a reference."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from distinctad_jax.metrics.distinctiveness import content_words
from distinctad_jax.metrics.neighbours import around, stretches
from distinctad_jax.text.distinct import words


def repeated_share(texts: Sequence[str], groups: Sequence[object], window: int) -> float | None:
    """The share of a description's content words that its neighbours in a window use too; mean over descriptions.

    Each row counts once, among the `window` rows around it. Rows without content words are left out.

    Units:  fraction 0..1; None if no row has a content word. People's: about 0.36 to 0.39 at window 16.
    Errors: ValueError if a movie's rows are scattered.
    """
    shares = repeated_shares(texts, groups, window)
    known = shares[np.isfinite(shares)]
    return float(known.mean()) if len(known) else None


def repeated_shares(texts: Sequence[str], groups: Sequence[object], window: int) -> Float[np.ndarray, " rows"]:
    """`repeated_share` of each description; NaN for one without content words."""
    return _repeated([content_words(text) for text in texts], groups, window)


def repeated_grams(
    said: Sequence[Sequence[str]], groups: Sequence[object], window: int, n: int = 3
) -> Float[np.ndarray, " rows"]:
    """The share of a description's n-grams (types) that its neighbours in a window use too; NaN for one without.

    People's: below .025 for n = 3 at window 16.
    """
    grams = [frozenset(tuple(each[at : at + n]) for at in range(len(each) - n + 1)) for each in said]
    return _repeated(grams, groups, window)


def shares_a_word(texts: Sequence[str], groups: Sequence[object]) -> Float[np.ndarray, " rows"]:
    """1 for a description with a content word of the one before it in the movie, else 0; NaN for a movie's first.

    People's: 0.27 to 0.37 on the three benchmarks.
    """
    content = [content_words(text) for text in texts]
    rows = np.full(len(texts), np.nan)
    for movie in stretches(groups):
        for row in movie[1:]:
            rows[row] = float(bool(content[row] & content[row - 1]))
    return rows


def _repeated(types: Sequence[frozenset], groups: Sequence[object], window: int) -> Float[np.ndarray, " rows"]:
    rows = np.full(len(types), np.nan)
    for movie in stretches(groups):
        for row in movie:
            if types[row]:
                others = frozenset().union(*(types[other] for other in around(row, window, movie) if other != row))
                rows[row] = len(types[row] & others) / len(types[row])
    return rows


def same_as_neighbour(texts: Sequence[str], groups: Sequence[object]) -> float:
    """The share of descriptions that say the same words as the one before or after them in the movie.

    Units:  fraction 0..1.
    Errors: ValueError if nothing is given or a movie's rows are scattered.
    """
    if not texts:
        raise ValueError("same_as_neighbour needs at least one description, got none.")
    return float(same_as_neighbour_rows([[word.text for word in words(text)] for text in texts], groups).mean())


def same_as_neighbour_rows(said: Sequence[Sequence[str]], groups: Sequence[object]) -> Float[np.ndarray, " rows"]:
    """1 for each description whose words are those of the one before or after it in the movie, else 0."""
    rows = np.zeros(len(said))
    for movie in stretches(groups):
        for row in movie:
            rows[row] = any(other in movie and said[other] == said[row] for other in (row - 1, row + 1))
    return rows
