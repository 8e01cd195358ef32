"""How sure is a score, and how sure a difference? Movies are drawn: rows of one movie are not independent."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from distinctad_jax.metrics.tally import Tally

EXACT = 12
"""Up to this many movies all ways to exchange two systems are tried; beyond it, a sample of them."""


class Interval(NamedTuple):
    """What 95 % of resampled benchmarks score; None where it cannot be known (one movie, or no mean over movies)."""

    low: float
    high: float


def draws(movies: int, resamples: int, seed: int) -> Float[np.ndarray, "resamples movies"]:
    """How often each movie is drawn; the same for all scores and systems, which makes comparisons paired."""
    chosen = np.random.default_rng(seed).integers(movies, size=(resamples, movies))
    return np.stack([np.bincount(each, minlength=movies) for each in chosen]).astype(np.float64)


def interval(tally: Tally, drawn: Float[np.ndarray, "resamples movies"]) -> Interval | None:
    """Percentile bootstrap over movies. The weights of CIDEr-D's n-grams stay those of the whole set."""
    if not tally.additive or drawn.shape[1] < 2 or not len(drawn):
        return None
    return _percentiles(tally.score(drawn @ tally.parts))


def difference(one: Tally, other: Tally, drawn: Float[np.ndarray, "resamples movies"]) -> Interval | None:
    """The interval of `other` - `one`, both scored on the same draws."""
    if not one.additive or drawn.shape[1] < 2 or not len(drawn):
        return None
    return _percentiles(other.score(drawn @ other.parts) - one.score(drawn @ one.parts))


def permutation(one: Tally, other: Tally, *, samples: int = 10_000, seed: int = 0) -> float | None:
    """How often two systems that are alike differ as much as these (two-sided p), exchanging them movie by movie.

    All exchanges up to `EXACT` movies; beyond it `samples` random ones and the observed one.
    Errors: ValueError if the systems were scored on other movies.
    """
    movies = len(one.parts)
    if len(other.parts) != movies:
        raise ValueError(f"Two systems need the same movies, got {movies} and {len(other.parts)}.")
    if not one.additive or movies < 2:
        return None
    if movies <= EXACT:
        exchanged = np.array(list(itertools.product((0.0, 1.0), repeat=movies)))
    else:
        exchanged = np.random.default_rng(seed).integers(2, size=(samples + 1, movies)).astype(np.float64)
        exchanged[0] = 0  # the observed one
    kept = 1 - exchanged
    first = one.score(kept @ one.parts + exchanged @ other.parts)
    second = other.score(kept @ other.parts + exchanged @ one.parts)
    apart = np.abs(second - first)
    if not np.isfinite(apart[0]):
        return None
    # What is equal but for rounding counts as equal.
    return float(np.mean(apart[np.isfinite(apart)] >= apart[0] - 1e-12))


def _percentiles(scores: np.ndarray) -> Interval | None:
    known = scores[np.isfinite(scores)]
    return Interval(*np.percentile(known, (2.5, 97.5)).tolist()) if len(known) else None
