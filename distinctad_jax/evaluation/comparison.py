"""Two systems on the same rows: what changed, by how much, how surely, and where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from distinctad_jax.errors import BadInput
from distinctad_jax.evaluation.predictions import matched
from distinctad_jax.evaluation.scoring import Say, Score, Setup, factor, predictions_of, scored
from distinctad_jax.metrics.corpus import Corpus, Row
from distinctad_jax.metrics.statistics import Interval, difference, draws, permutation
from distinctad_jax.metrics.tally import Tally


class Change(NamedTuple):
    """One metric of both systems. `interval` is that of B - A; `p` of the exchange of movies; see statistics.py."""

    one: Score
    other: Score
    change: float | None
    interval: Interval | None
    p: float | None


class Pair(NamedTuple):
    """A row that both describe; `change` is that of its CIDEr-D, B - A, times 100."""

    movie: str
    start: float | None
    reference: str
    one: str
    other: str
    change: float


@dataclass(frozen=True)
class Compared:
    """header: every choice, and how rows met. alone: a line for each row that only one file has."""

    header: dict[str, str]
    changes: dict[str, Change]
    best: list[Pair]
    worst: list[Pair]
    alone: list[str]
    same: int  # rows of which both say the same
    rows: int


def compare(
    one: str | Path | Sequence[Row],
    other: str | Path | Sequence[Row],
    *,
    setup: Setup | None = None,
    shown: int = 5,
    encoding: str = "utf-8",
    columns: Mapping[str, str] | None = None,
    drop_bad_rows: bool = False,
    say: Say = lambda line: None,
) -> Compared:
    """Compares system B (`other`) with A (`one`) on the rows that both files have; references are A's.

    Args:
      shown: how many of the rows that gained and lost most are shown.
    Errors: BadInput as `score`, if no row is in both, or if a row that both have has other references in each.
    """
    setup = setup or Setup()
    how = {"drop_bad_rows": drop_bad_rows, "say": say}
    first, second = (predictions_of(given, None, encoding, columns, **how) for given in (one, other))
    pairs, only_one, only_other = matched(first.rows, second.rows)
    if not pairs:
        raise BadInput("no row is in both", where=second.where, mend="give two systems on the same rows")
    for mine, theirs in pairs:
        if mine.references != theirs.references:
            what = f"other references for the row of {mine.movie} at {mine.start} s than in {first.where}"
            raise BadInput(what, where=second.where, mend="score both against the same references")
    alone = [f"{file.where}: the row of {row.movie} at {row.start} s is in no other file"
             for file, rows in ((first, only_one), (second, only_other)) for row in rows]  # fmt: skip
    for line in alone:
        say(line)
    said = {id(mine): theirs for mine, theirs in pairs}
    corpus, measured = setup.measure([mine for mine, _ in pairs])
    partners = [said[id(row)] for row in corpus.rows]
    swapped = [
        row._replace(prediction=o.prediction, said=o.said) for row, o in zip(corpus.rows, partners, strict=True)
    ]
    corpus_b, measured_b = setup.measure(swapped)
    drawn = draws(len(corpus.movies), setup.resamples, setup.seed)
    scores, scores_b = scored(corpus, measured, drawn), scored(corpus_b, measured_b, drawn)
    changes = {
        name: _change(name, (scores[name], tally), (scores_b[name], measured_b[name]), drawn, setup.seed)
        for name, tally in measured.items()
    }
    gained = _by_gain(corpus, corpus_b, measured["CIDEr-D"], measured_b["CIDEr-D"])
    return Compared(
        {"A": first.where, "B": second.where} | setup.header(corpus)
        | {"p": "two-sided, movies exchanged between the systems", "rows met": f"{len(pairs)}, by "
           + ("id" if all(row.key for row in corpus.rows) else "movie, start and end")},
        changes,
        [pair for pair in gained[:shown] if pair.change > 0],
        [pair for pair in gained[::-1][:shown] if pair.change < 0],
        alone,
        sum(a.prediction == b.prediction for a, b in zip(corpus.rows, corpus_b.rows, strict=True)),
        len(pairs),
    )  # fmt: skip


def _change(name: str, one: tuple[Score, Tally], other: tuple[Score, Tally], drawn: np.ndarray, seed: int) -> Change:
    (mine, tally), (theirs, tally_b), times = one, other, factor(name)
    between = difference(tally, tally_b, drawn)
    return Change(
        mine,
        theirs,
        None if mine.value is None or theirs.value is None else theirs.value - mine.value,
        Interval(between.low * times, between.high * times) if between else None,
        permutation(tally, tally_b, seed=seed),
    )


def _by_gain(one: Corpus, other: Corpus, tally: Tally, tally_b: Tally) -> list[Pair]:
    """All rows, those first whose score rose most."""
    assert tally.rows is not None and tally_b.rows is not None
    apart = 100 * (tally_b.rows - tally.rows)
    found = []
    for row in np.argsort(-apart, kind="stable").tolist():
        a, b = one.rows[row], other.rows[row]
        start = a.start if a.start == a.start else None
        found.append(Pair(a.movie, start, a.reference, a.prediction, b.prediction, float(apart[row])))
    return found
