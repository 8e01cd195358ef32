"""How much do descriptions repeat their neighbours, or themselves? None of this looks at a reference."""

from __future__ import annotations

from collections.abc import Sequence

from distinctad_jax.metrics.distinctiveness import content_words
from distinctad_jax.metrics.neighbours import around, stretches
from distinctad_jax.text.distinct import words


def repeated_share(texts: Sequence[str], groups: Sequence[object], window: int) -> float | None:
    """The share of a description's content words that its neighbours in a window use too; mean over descriptions.

    Each row counts once, among the `window` rows around it. Rows without content words are left out.

    Units:  fraction 0..1; None if no row has a content word. People's: about 0.36 to 0.39 at window 16.
    Errors: ValueError if a movie's rows are scattered.
    """
    content = [content_words(text) for text in texts]
    shares = []
    for movie in stretches(groups):
        for row in movie:
            if content[row]:
                others = frozenset().union(*(content[other] for other in around(row, window, movie) if other != row))
                shares.append(len(content[row] & others) / len(content[row]))
    return sum(shares) / len(shares) if shares else None


def same_as_neighbour(texts: Sequence[str], groups: Sequence[object]) -> float:
    """The share of descriptions that say the same words as the one before or after them in the movie.

    Units:  fraction 0..1.
    Errors: ValueError if nothing is given or a movie's rows are scattered.
    """
    if not texts:
        raise ValueError("same_as_neighbour needs at least one description, got none.")
    plain = [tuple(word.text for word in words(text)) for text in texts]
    same = 0
    for movie in stretches(groups):
        for row in movie:
            same += any(other in movie and plain[other] == plain[row] for other in (row - 1, row + 1))
    return same / len(texts)


def distinct_n(texts: Sequence[str], n: int) -> float | None:
    """Different n-grams over all n-grams of all descriptions: how varied the language is. Falls with more text.

    Units:  fraction 0..1; None if no description has n words.
    Source: Li et al. (arXiv 1510.03055).
    """
    if n < 1:
        raise ValueError(f"An n-gram has at least one word, got n={n}.")
    seen, total = set(), 0
    for text in texts:
        said = [word.text for word in words(text)]
        ngrams = [tuple(said[at : at + n]) for at in range(len(said) - n + 1)]
        seen.update(ngrams)
        total += len(ngrams)
    return len(seen) / total if total else None
