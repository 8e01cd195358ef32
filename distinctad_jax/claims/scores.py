"""What a system scored, movie by movie, in parts that add up: what claims are judged from."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from distinctad_jax.metrics.cider import cider_rows
from distinctad_jax.metrics.corpus import Corpus, Row, in_time_order
from distinctad_jax.metrics.distinctiveness import content_words, distinctiveness_parts
from distinctad_jax.metrics.neighbours import around, stretches
from distinctad_jax.metrics.recall import recall_parts
from distinctad_jax.metrics.repetition import repeated_shares
from distinctad_jax.metrics.rouge import rouge_l
from distinctad_jax.metrics.scores import word_overlap
from distinctad_jax.metrics.tally import mean_of_rows, quotient
from distinctad_jax.text.distinct import words

WINDOW = 16
"""The neighbourhood of repetition, as in the figures of people's descriptions that it stands beside."""
DISTINCT_WINDOW = 8
"""The neighbourhood of distinctive words."""
RANKS = (1, 5, 10)


@dataclass(frozen=True)
class System:
    """Scores of one system on one set of movies.

    asked: a fingerprint of the movies and references; systems with the same were asked the same.
    parts: by metric, for each movie a sum and a count; 100 times their quotient is the score.
    """

    asked: str
    parts: Mapping[str, Float[np.ndarray, "movies two"]]

    def score(self, metric: str) -> float:
        """The score of all movies together; NaN if nothing counts."""
        return 100 * float(quotient(self.parts[metric].sum(axis=0)))


def of_captions(rows: Sequence[Row], verbs: Collection[str] = ()) -> System:
    """CIDEr-D, ROUGE-L, R@1/5, distinctive words and repetition of predictions.

    Args:
      verbs: forms that count as a description's main verb, the first of them that it holds.
    """
    corpus = Corpus(in_time_order(rows))
    texts, groups, movies = corpus.predictions, corpus.groups, corpus.movies
    distinct = distinctiveness_parts(texts, corpus.references, groups, DISTINCT_WINDOW)
    by_row = {
        "CIDEr-D": cider_rows(corpus.ngrams, np.zeros(len(texts), np.int64)),
        "ROUGE-L": np.array(rouge_l(corpus.said, corpus.wanted, already_tokenised=True)[1]),
        "repeated words": repeated_shares(texts, groups, WINDOW),
        "no distinctive word": without_own_word(texts, groups, WINDOW),
        "same main verb": same_verb(texts, groups, verbs),
    }
    parts = {name: mean_of_rows(values, movies).parts for name, values in by_row.items()}
    parts["R@1/5"] = recall_parts(word_overlap(corpus), 1, 5, groups)
    parts["distinctive-word recall"] = distinct[:, :2]
    return System(_fingerprint(corpus.groups, corpus.references), parts)


def of_ranks(ranks: Sequence[int], movies: Sequence[str], references: Sequence[str]) -> System:
    """How often a clip's own description is among the nearest of its movie, from how many others are as near."""
    found = np.asarray(ranks)
    kept = {f"R@{k} in movie": mean_of_rows((found < k).astype(float), stretches(movies)).parts for k in RANKS}
    return System(_fingerprint(movies, references), kept)


def same_verb(texts: Sequence[str], groups: Sequence[object], verbs: Collection[str]) -> Float[np.ndarray, " rows"]:
    """1 for a description with the main verb of the one before it in the movie, else 0; NaN where one has none."""
    main = [next((word.text for word in words(text) if word.text in verbs), None) for text in texts]
    rows = np.full(len(texts), np.nan)
    for movie in stretches(groups):
        for row in movie[1:]:
            if main[row] is not None and main[row - 1] is not None:
                rows[row] = float(main[row] == main[row - 1])
    return rows


def without_own_word(texts: Sequence[str], groups: Sequence[object], window: int) -> Float[np.ndarray, " rows"]:
    """1 for a description without a content word that no other of its window uses, else 0."""
    content = [content_words(text) for text in texts]
    rows = np.zeros(len(texts))
    for movie in stretches(groups):
        for row in movie:
            others = (content[other] for other in around(row, window, movie) if other != row)
            rows[row] = float(not content[row].difference(*others))
    return rows


def _fingerprint(movies: Sequence[object], references: Sequence[str]) -> str:
    lines = "\n".join(f"{movie}\t{text}" for movie, text in zip(movies, references, strict=True))
    return hashlib.sha256(lines.encode()).hexdigest()[:16]
