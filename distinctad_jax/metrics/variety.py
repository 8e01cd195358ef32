"""distinct-n: how varied is the language of all descriptions together?"""

from __future__ import annotations

from collections.abc import Sequence

from distinctad_jax.text.distinct import words


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
