"""A score in parts that add up over movies, so that any choice of movies is scored without reading them again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True)
class Tally:
    """What one metric found.

    Shapes: parts `movies parts`; `score` maps sums of parts, `... parts`, to scores, `...`, NaN where there is
      nothing to share. `rows`, if the metric has a score for each row, NaN where a row has none.
    `additive` is False for a score that is no mean over movies (distinct-n): then parts are the movies' own scores in
    one column, `whole` is the score of all, and there is no interval.
    """

    parts: Float[np.ndarray, "movies parts"]
    score: Callable[[np.ndarray], np.ndarray]
    rows: Float[np.ndarray, " rows"] | None = None
    additive: bool = True
    whole: float = float("nan")

    @property
    def value(self) -> float:
        """The score of all movies together."""
        return float(self.score(self.parts.sum(0, keepdims=True))[0]) if self.additive else self.whole

    @property
    def by_movie(self) -> Float[np.ndarray, " movies"]:
        """The score of each movie."""
        return self.score(self.parts)


def quotient(parts: Float[np.ndarray, "*sets two"]) -> Float[np.ndarray, "*sets"]:
    """The first part over the second; NaN where the second is 0."""
    top, bottom = parts[..., 0], parts[..., 1]
    return np.divide(top, bottom, out=np.full(np.shape(top), np.nan), where=bottom != 0)


def mean_of_rows(rows: Float[np.ndarray, " rows"], movies: Sequence[range]) -> Tally:
    """The mean over rows; a NaN is a row that does not count."""
    counted = np.isfinite(rows)
    kept = np.where(counted, rows, 0.0)
    parts = [[kept[m.start : m.stop].sum(), counted[m.start : m.stop].sum()] for m in movies]
    return Tally(np.array(parts, np.float64).reshape(-1, 2), quotient, rows)


def of_movies(scores: Sequence[float | None], whole: float | None) -> Tally:
    """A score that does not add up: given for each movie and for all; None is NaN."""
    column = np.array([[np.nan if score is None else score] for score in scores], np.float64).reshape(-1, 1)
    return Tally(column, lambda parts: parts[..., 0], additive=False, whole=np.nan if whole is None else whole)


def mean_over_movies(tally: Tally) -> Tally:
    """The same score as a mean over movies, each counting alike."""
    scores = tally.by_movie
    known = np.isfinite(scores)
    parts = np.stack([np.where(known, scores, 0.0), known.astype(np.float64)], axis=-1)
    return Tally(parts, quotient, tally.rows)
