"""Rows of a benchmark with what was predicted for them, read once for all metrics."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

from distinctad_jax.metrics.neighbours import stretches
from distinctad_jax.metrics.ngrams import Ngrams
from distinctad_jax.metrics.tokenise import tokenised
from distinctad_jax.text.distinct import words


class Row(NamedTuple):
    """What was said of a clip and what should have been; start and end in seconds, NaN if unknown.

    `others` are further references; `said` is when the prediction is spoken, if that is not the clip's own time;
    `actions` are the phrases for what is done in the clip, which the action score looks for.
    """

    movie: str
    start: float
    end: float
    prediction: str
    reference: str
    others: tuple[str, ...] = ()
    said: tuple[float, float] | None = None
    key: str = ""
    actions: tuple[str, ...] = ()

    @property
    def references(self) -> tuple[str, ...]:
        return (self.reference, *self.others)

    @property
    def spoken(self) -> tuple[float, float]:
        """When the prediction is spoken."""
        start, end = self.said or (self.start, self.end)
        return float(start), float(end)


def in_time_order(rows: Sequence[Row]) -> list[Row]:
    """The rows by movie, start and end, those at one time by their texts; without times in the order given."""

    def place(row: Row) -> tuple:
        timed = row.start == row.start
        return (row.movie, *((row.start, row.end, row.reference, row.prediction) if timed else ()))

    return sorted(rows, key=place)


class Corpus:
    """Rows in the order in which they are scored, their movies in stretches.

    Errors: ValueError if there is no row, or the rows of a movie are scattered.
    """

    def __init__(self, rows: Sequence[Row]):
        if not rows:
            raise ValueError("Scores need at least one row, got 0 rows.")
        self.rows = tuple(rows)
        self.predictions = [row.prediction for row in rows]
        self.references = [row.reference for row in rows]
        self.groups = [row.movie for row in rows]
        self.movies = stretches(self.groups)
        self.names = [self.groups[movie.start] for movie in self.movies]

    @cached_property
    def said(self) -> list[str]:
        """Predictions as caption scores read them."""
        return [tokenised(text) for text in self.predictions]

    @cached_property
    def wanted(self) -> list[list[str]]:
        """All references of each row as caption scores read them."""
        return [[tokenised(text) for text in row.references] for row in self.rows]

    @cached_property
    def ngrams(self) -> Ngrams:
        return Ngrams(self.said, self.wanted)

    @cached_property
    def plain(self) -> list[list[str]]:
        """The words of predictions, without punctuation and possessive."""
        return [[word.text for word in words(text)] for text in self.predictions]

    @property
    def timed(self) -> bool:
        """Whether every row has its times."""
        return all(row.start == row.start for row in self.rows)
