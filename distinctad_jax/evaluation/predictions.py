"""Predictions as others write them -> rows to score, with an account of every row that cannot be used.

Source: the columns of AutoAD's and UniAD's result files (`vid` or `movie`, `start`, `end`, `text_gt`, `text_gen`).
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from distinctad_jax.data.annotations import read_annotations
from distinctad_jax.data.tables import Flaw, Table, TableRow, read_table
from distinctad_jax.errors import BadInput, BadUsage
from distinctad_jax.metrics.corpus import Row
from distinctad_jax.movie.movie import Track
from distinctad_jax.tracks import read_track

COLUMNS = {
    "movie": ("movie", "vid", "group", "imdbid_pe", "imdbid"),
    "start": ("start",),
    "end": ("end",),
    "reference": ("text_gt", "reference", "references"),
    "prediction": ("text_gen", "prediction"),
    "id": ("id", "row_id"),
}
"""What a row needs, and the columns that may hold it; the first that the table has counts."""
TRACKS = (".vtt", ".srt")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_MISSING = ("nan", "NaN")  # what programs write for no value


@dataclass
class Predictions:
    """Rows in file order, and what was odd.

    bad: one line for each row that cannot be used. odd: lines by kind for rows that are used all the same.
    """

    where: str
    rows: list[Row]
    bad: list[str] = field(default_factory=list)
    odd: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def refuse_bad(self) -> None:
        """Errors: BadInput with the first bad row and their number."""
        if self.bad:
            more = f" ({len(self.bad)} rows cannot be used)" if len(self.bad) > 1 else ""
            mend = "correct the rows, or leave them out by name (--bad-rows drop)"
            raise BadInput(self.bad[0].split(": ", 1)[1] + more, where=self.bad[0].split(": ", 1)[0], mend=mend)


def read_predictions(
    paths: Sequence[Path],
    *,
    references: Path | None = None,
    encoding: str = "utf-8",
    columns: Mapping[str, str] | None = None,
) -> Predictions:
    """Reads one table with predictions and references, or one with predictions or some tracks, and their references.

    A table (CSV, TSV, JSON lines, JSON) has the columns of `COLUMNS`; `columns` names others. More references stand
    in numbered columns beside the first (`text_gt_2`) or as a list in JSON. Without `start` and `end` the order of
    the file is that of time. With `references`, rows of two tables meet by id if both have ids, else by movie, start
    and end; sentences are never compared. Tracks meet an annotation table in time, see `rows_of_tracks`.

    Errors: BadInput for a file that cannot be read, a missing column, or not one row; BadUsage for tracks without
      references or columns that there are none of.
    """
    columns = dict(columns or {})
    unknown = [name for name in columns if name not in COLUMNS]
    if unknown:
        raise BadUsage(f"no role is called {unknown[0]!r}", mend=f"use one of {', '.join(COLUMNS)}")
    first = paths[0]
    table = None if first.suffix.lower() in TRACKS else read_table(first, encoding)
    if table is not None and _column(table, "prediction", columns):
        if len(paths) > 1:
            raise BadUsage("several tables of predictions", where=paths[1], mend="give one; `compare` takes two")
        found = _joined(table, references, encoding, columns) if references else _table(table, columns)
    elif references is None:
        if table is None:
            raise BadUsage("a track has no references", where=first, mend="name a table with --references")
        _table(table, columns)  # says which columns are missing
        raise BadInput("no column of predictions", where=first, mend="rename a column to text_gen")
    else:
        tracks = [read_track(path, encoding=encoding) for path in paths]
        found = rows_of_tracks(tracks, references, encoding)
    if not found.rows and not found.bad:
        raise BadInput("not one row", where=found.where, mend="give a table with rows")
    return found


def _column(table: Table, role: str, columns: Mapping[str, str]) -> str:
    wanted = (columns[role].strip().lower(),) if role in columns else COLUMNS[role]
    return next((name for name in wanted if name in table.columns), "")


def _table(
    table: Table, columns: Mapping[str, str], needed: Sequence[str] = ("reference", "prediction")
) -> Predictions:
    chosen = {role: _column(table, role, columns) for role in COLUMNS}
    missing = [role for role in ("movie", *needed) if not chosen[role]]
    missing += [role for role in columns if not chosen[role] and role not in missing]
    if bool(chosen["start"]) != bool(chosen["end"]):
        missing.append("start" if chosen["end"] else "end")
    if missing:
        names = " and ".join("/".join((columns[role],) if role in columns else COLUMNS[role]) for role in missing)
        raise BadInput(
            f"no column {names}, found {', '.join(table.columns)}",
            where=f"{table.path}:1",
            mend="rename the columns, or name them (--column movie=NAME)",
        )
    more = [name for name in table.columns if re.fullmatch(re.escape(chosen["reference"]) + r"_?[0-9]+", name)]
    found = Predictions(str(table.path), [])
    flaws = [*table.flaws]
    for record in table.rows:
        row = _row(record, chosen, more if chosen["reference"] else [])
        if isinstance(row, Flaw):
            flaws.append(row)
            continue
        found.rows.append(row)
        for what, empty in (("prediction", row.prediction), ("reference", row.reference)):
            if what in needed and not empty.strip():
                found.odd[f"rows with an empty {what}"].append(f"{table.path}:{record.line}: empty {what}")
    for flaw in sorted(flaws, key=lambda flaw: flaw.line):
        place = f"{table.path}:{flaw.line}" + (f":{flaw.column}" if flaw.column else "")
        found.bad.append(f"{place}: {flaw.what}")
    keys = Counter(row.key for row in found.rows if row.key)
    if any(count > 1 for count in keys.values()):
        found.odd["ids that stand twice"].append(f"{table.path}: ids stand twice and are not used")
        found.rows = [row._replace(key="") for row in found.rows]
    return found


def _row(record: TableRow, chosen: Mapping[str, str], more: Sequence[str]) -> Row | Flaw:
    fields = record.fields
    movie = fields.get(chosen["movie"])
    if isinstance(movie, bool) or not isinstance(movie, str | int) or not str(movie).strip():
        return Flaw(record.line, chosen["movie"], "no movie")
    times: list[float] = []
    for role in ("start", "end"):
        time = _seconds(fields.get(chosen[role])) if chosen[role] else math.nan
        if time is None:
            return Flaw(record.line, chosen[role], f"{str(fields.get(chosen[role]))[:40]!r} is no time in seconds")
        times.append(time)
    if times[1] < times[0]:
        return Flaw(record.line, chosen["end"], f"ends at {times[1]} s, before its start at {times[0]} s")
    texts = fields.get(chosen["reference"], "")
    try:
        wanted = [_text(one) for one in (texts if isinstance(texts, list) and texts else [texts])]
        wanted += [text for name in more if (text := _text(fields.get(name, "")))]
        said = _text(fields.get(chosen["prediction"], ""))
        key = _text(fields.get(chosen["id"], "")) if chosen["id"] else ""
    except TypeError as error:
        return Flaw(record.line, "", str(error))
    return Row(str(movie).strip(), times[0], times[1], said, wanted[0], tuple(wanted[1:]), key=key)


def _text(value: Any) -> str:
    """Errors: TypeError if it is neither text nor a number nor nothing."""
    if value is None or value in _MISSING or value != value:
        return ""
    if isinstance(value, bool | list | dict):
        raise TypeError(f"{str(value)[:40]!r} is no text")
    return str(value)


def _seconds(value: Any) -> float | None:
    if isinstance(value, str):
        value = float(value) if _NUMBER.fullmatch(value.strip()) and len(value) < 400 else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not -1e12 < value < 1e12:
        return None
    return float(value)


def _joined(table: Table, references: Path, encoding: str, columns: Mapping[str, str]) -> Predictions:
    """Predictions of one table with the references of another."""
    said = _table(table, {role: name for role, name in columns.items() if role != "reference"}, ("prediction",))
    other = read_table(references, encoding)
    wanted = _table(other, {role: name for role, name in columns.items() if role != "prediction"}, ("reference",))
    pairs, alone, silent = matched(said.rows, wanted.rows)
    found = Predictions(said.where, [], said.bad + wanted.bad, said.odd)
    found.odd |= wanted.odd
    for mine, theirs in pairs:
        found.rows.append(theirs._replace(prediction=mine.prediction, said=mine.said))
    found.bad += [f"{table.path}: {_named(row)} has no reference" for row in alone]
    found.bad += [f"{references}: {_named(row)} has no prediction" for row in silent]
    return found


def _named(row: Row) -> str:
    return f"row {row.key}" if row.key else f"the row of {row.movie} at {row.start} to {row.end} s"


def matched(one: Sequence[Row], other: Sequence[Row]) -> tuple[list[tuple[Row, Row]], list[Row], list[Row]]:
    """Rows of two files that are one and the same, and those of each that are not in the other.

    By id if every row of both has one, else by movie, start and end (without times by place in the movie); of rows
    alike in that the first meets the first. Never by sentence.
    """
    by_key = all(row.key for row in one) and all(row.key for row in other)

    def named(rows: Sequence[Row]) -> dict[tuple, Row]:
        seen: Counter[tuple] = Counter()
        found = {}
        for row in rows:
            times = (row.start, row.end) if row.start == row.start else ()
            name = (row.key,) if by_key else (row.movie, *times)
            found[(*name, seen[name])] = row
            seen[name] += 1
        return found

    first, second = named(one), named(other)
    pairs = [(row, second[name]) for name, row in first.items() if name in second]
    return (
        pairs,
        [row for name, row in first.items() if name not in second],
        [row for name, row in second.items() if name not in first],
    )


def rows_of_tracks(tracks: Sequence[Track], references: Path, encoding: str = "utf-8") -> Predictions:
    """Tracks against an annotation table: each row takes the description that overlaps it longest.

    Row and description are paired one to one, the longest overlaps first (of equals the earlier row). A row that is
    left has an empty prediction; a description that is left is named and not scored. One track and a table of one
    movie need not agree on its name.

    Errors: BadInput if a track's movie is not in the table.
    """
    table = read_annotations(references, encoding=encoding)
    movies: dict[str, list[Any]] = defaultdict(list)
    for row in table.rows:
        movies[row.movie].append(row)
    found = Predictions(str(references), [])
    for track in tracks:
        name = track.movie if track.movie in movies or len(movies) > 1 or len(tracks) > 1 else next(iter(movies))
        if name not in movies:
            mend = f"name the file after a movie of the table, such as {next(iter(movies))}"
            raise BadInput(f"movie {track.movie!r} is not in the table", where=references, mend=mend)
        wanted, said = movies[name], track.descriptions
        overlaps = []
        for i, row in enumerate(wanted):
            for j, one in enumerate(said):
                shared = min(row.end, one.span.end) - max(row.start, one.span.start)
                if shared > 0:
                    overlaps.append((-shared, i, j))
        taken: dict[int, int] = {}
        used: set[int] = set()
        for _, i, j in sorted(overlaps):
            if i not in taken and j not in used:
                taken[i] = j
                used.add(j)
        for i, row in enumerate(wanted):
            one = said[taken[i]] if i in taken else None
            spoken = (one.span.start, one.span.end) if one else None
            found.rows.append(Row(name, row.start, row.end, one.text if one else "", row.text, said=spoken))
            if one is None:
                found.odd["rows without a description"].append(f"{references}:{row.line}: no description")
        for j, one in enumerate(said):
            if j not in used:
                what = f"{name}: the description at {one.span.start} s meets no row"
                found.odd["descriptions without a row"].append(what)
    return found
