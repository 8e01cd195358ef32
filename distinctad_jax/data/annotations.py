"""Published annotation tables -> rows of one kind, with an account of every row and every trap.

Source: columns and traps as found in the files of AutoAD, AutoAD-Zero and Shot-by-Shot (MAD-Eval, CMD-AD, TV-AD).
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

from distinctad_jax.data.cast import read_cast, read_splits
from distinctad_jax.data.faces import read_faces, read_numbers
from distinctad_jax.data.library import movies_from, safe_name
from distinctad_jax.data.rows import FAULTS, TRAPS, Annotations, Report, Row
from distinctad_jax.data.tables import Flaw, Table, TableRow, read_table, refuse
from distinctad_jax.errors import BadInput

__all__ = ["KINDS", "Annotations", "Report", "Row", "movies_from", "read_annotations", "read_cast", "read_splits"]

# No digits but 0-9, no blanks, underscores, nan or inf, all of which float() would take.
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
# Hours, minutes and seconds, as in tables of descriptions that we write; no frames: nobody knows their rate.
_CLOCK = re.compile(r"([0-9]{1,6}):([0-5]?[0-9]):([0-5]?[0-9](?:[.,][0-9]{1,9})?)")
# Lost characters, C1 controls, UTF-8 that was read as cp1252, and letters that became question marks.
_DAMAGED = re.compile(
    "[\ufffd\x80-\x9f]|[ÂÃ][\u0080-\u00bf\u2018-\u203a€™]|â€|\\?€\\?|(?<=[^\\W\\d])\\?\\?(?=[^\\W\\d])"
)
_HALVES = re.compile("[\ud800-\udfff]")  # of characters, which JSON can hold and no file of ours
_PLACEHOLDER = re.compile(r"\bSOMEONE\b")
_SAME = 5e-4  # s; tables state milliseconds
_MEND = "correct the rows, or drop them by name (bad_rows drop)"


@dataclass(frozen=True)
class _Kind:
    """Which columns of a table say what; of several names the first that the table has counts."""

    marks: tuple[str, ...]
    movie: tuple[str, ...]
    text: tuple[str, ...]
    imdb: tuple[str, ...]
    video: tuple[str, ...] = ()
    start: tuple[str, ...] = ("start",)
    end: tuple[str, ...] = ("end",)
    own_file: str = ""
    numbers: str = ""
    faces: str = ""


KINDS = {
    "cmdad": _Kind(("cmd_filename",), ("movie", "imdbid"), ("text",), ("imdbid",), ("cmd_filename",)),
    "tvad": _Kind(
        ("imdbid_pe",),
        ("imdbid_pe",),
        ("text",),
        ("imdbid_pe",),
        own_file="tvad_name",
        numbers="tvad_index",
        faces="pred_ids",
    ),
    "madeval": _Kind(("lsmdc_filename",), ("movie",), ("sentence",), ("imdb", "imdbid"), own_file="lsmdc_filename"),
    "generic": _Kind(
        (),
        ("movie", "movie_id", "film", "video", "imdbid"),
        ("text", "sentence", "description", "ad", "caption"),
        ("imdbid", "imdb"),
        ("video",),
        ("start", "start_time", "begin"),
        ("end", "end_time", "stop"),
    ),
}


@dataclass(frozen=True)
class _Columns:
    """The columns chosen for one table; empty names are not there."""

    movie: str
    text: str
    start: str
    end: str
    imdb: str
    video: str
    part: str
    duration: str
    own_file: str = ""
    numbers: str = ""
    faces: str = ""


def read_annotations(
    path: Path, *, kind: str = "auto", encoding: str = "auto", times: str = "auto", bad_rows: str = "error"
) -> Annotations:
    """Reads a table of descriptions: CMD-AD, MAD-Eval, TV-AD, or any with movie, start, end and text.

    `kind` auto is told by the header. `times`: `stated` takes `start` and `end`, `scaled` takes `scaled_start` and
    `scaled_end`, the span for the video, widened to 2 s; auto takes these if they are there. In CMD-AD scaled times
    are of a file that holds only a part of its film; then each file is a movie of its own.
    `bad_rows`: `error` refuses a table with a row that cannot be used, `drop` counts such rows. Dropped and counted
    in any case: rows without text, rows that repeat another in movie, times and text, rows that start past the end.
    `encoding`: see `tables.read_table`.

    Units:  seconds, or `hh:mm:ss.mmm` in the table.
    Errors: BadInput, naming file, line and column, for missing columns and, unless dropped, for rows that are ragged,
      have a time that is no finite number >= 0, end before they start, or name a movie or video outside its folder;
      also if no row is left. BadUsage for an unknown encoding; ValueError for another kind, times or bad_rows.
    """
    for name, value, known in (
        ("kind", kind, ("auto", *KINDS)),
        ("times", times, ("auto", "stated", "scaled")),
        ("bad_rows", bad_rows, ("error", "drop")),
    ):
        if value not in known:
            raise ValueError(f"{name} must be one of {', '.join(known)}, got {value!r}.")
    table = read_table(path, encoding)
    if kind == "auto":
        kind = next(name for name, what in KINDS.items() if set(what.marks) <= set(table.columns))
    times = _times(table, times)
    columns = _choose(table, kind, times)
    rows: list[Row] = []
    flaws = list(table.flaws)
    for record in table.rows:
        read = _row(record, columns)
        if isinstance(read, Flaw):
            flaws.append(read)
        else:
            rows.append(read)
    if flaws and bad_rows == "error":
        refuse(path, flaws, _MEND)
    rows = _parted(rows, scaled=times == "scaled")
    dropped: dict[str, list[int]] = {"cannot be used": sorted(flaw.line for flaw in flaws)}
    used = _sifted(rows, dropped)
    if not used and flaws:
        refuse(path, flaws, _MEND)
    if not used:
        raise BadInput("not one row can be used", where=path, mend="give a table with descriptions")
    report = Report(
        path=path,
        kind=kind,
        times=times,
        rows=len(table.rows) + len(table.flaws),
        used=len(used),
        movies=len({row.movie for row in used}),
        dropped={reason: len(lines) for reason, lines in dropped.items() if lines},
        traps=_traps(used),
        faults={
            name: tuple(sorted(flaw.line for flaw in flaws if flaw.reversed == (name == "reversed")))
            for name in FAULTS
        },
        dropped_lines={reason: tuple(lines) for reason, lines in dropped.items() if lines},
        first_fault=str(min(flaws, key=lambda flaw: flaw.line)) if flaws else "",
    )
    return Annotations(tuple(used), report)


def _times(table: Table, times: str) -> str:
    there = {"scaled_start", "scaled_end"} <= set(table.columns)
    if times == "scaled" and not there:
        found = ", ".join(table.columns)
        raise BadInput(
            f"columns scaled_start and scaled_end are missing, found {found}",
            where=f"{table.path}:1",
            mend="add them or take the stated times",
        )
    return "stated" if times == "stated" or not there else "scaled"


def _choose(table: Table, kind: str, times: str) -> _Columns:
    what = KINDS[kind]
    have = set(table.columns)
    stamped = "timestamps" in have and "start" not in have  # MAD's first JSON: {"timestamps": [start, end], ...}

    def first(names: tuple[str, ...]) -> str:
        return next((name for name in names if name in have), "")

    chosen = _Columns(
        movie=first(what.movie),
        text=first(what.text),
        start="scaled_start" if times == "scaled" else "timestamps" if stamped else first(what.start),
        end="scaled_end" if times == "scaled" else "timestamps" if stamped else first(what.end),
        imdb=first(what.imdb),
        video=first(what.video),
        part=first(("cmd_clip_idx",)),
        duration=first(("movie_duration",)),
        own_file=first((what.own_file,)),
        numbers=first((what.numbers,)),
        faces=first((what.faces,)),
    )
    wanted = {"movie": what.movie, "text": what.text, "start": what.start, "end": what.end}
    missing = [names for role, names in wanted.items() if not getattr(chosen, role)]
    if missing:
        named = " and ".join("/".join(names) for names in missing)
        hint = "; separate columns by commas" if len(have) == 1 else ""
        raise BadInput(
            f"no column {named} for kind {kind}, found {', '.join(table.columns)}",
            where=f"{table.path}:1",
            mend=f"rename or add the columns{hint}",
        )
    return chosen


def _number(value: object) -> float:
    """Errors: ValueError, saying what is wrong with it."""
    if isinstance(value, str):
        text = value.strip()
        if clock := _CLOCK.fullmatch(text):
            text = str(int(clock[1]) * 3600 + int(clock[2]) * 60 + Decimal(clock[3].replace(",", ".")))
        if not _NUMBER.fullmatch(text):
            comma = re.fullmatch(r"[0-9]+,[0-9]+", text)
            hint = " (write a decimal point)" if comma else ""
            raise ValueError(f"{text[:40]!r} is not a number of seconds{hint}")
        value = float(text) if len(text) < 400 else math.inf
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{str(value)[:40]!r} is not a number of seconds")
    if not -1e12 < value < 1e12:
        raise ValueError(f"{str(value)[:40]} is not a finite number of seconds")
    return float(value)


def _row(record: TableRow, columns: _Columns) -> Row | Flaw:
    fields = record.fields
    movie, text = fields.get(columns.movie), fields.get(columns.text)
    if not isinstance(movie, str) or not safe_name(movie.strip()):
        return Flaw(record.line, columns.movie, f"{str(movie)[:80]!r} is no movie name inside a folder")
    if not isinstance(text, str):
        return Flaw(record.line, columns.text, f"{str(text)[:40]!r} is not text")
    video = fields.get(columns.video) or None
    if video is not None and (not isinstance(video, str) or not safe_name(video.strip())):
        return Flaw(record.line, columns.video, f"{str(video)[:80]!r} is no file name inside a folder")
    bounds: list[float] = []
    for place, column in enumerate((columns.start, columns.end)):
        value = fields.get(column)
        if column == "timestamps":
            value = value[place] if isinstance(value, list) and len(value) == 2 else None
        try:
            bounds.append(_number(value))
        except ValueError as error:
            return Flaw(record.line, column, str(error))
    if bounds[0] < 0 or bounds[1] <= bounds[0]:
        told = f"from {bounds[0]} to {bounds[1]} s; a row needs 0 <= start < end"
        return Flaw(record.line, columns.end, told, reversed=bounds[0] >= 0)
    try:
        duration = _number(fields.get(columns.duration)) if columns.duration else None
    except ValueError as error:
        return Flaw(record.line, columns.duration, str(error))
    own = str(fields.get(columns.own_file, "") or "").strip()
    if own and not safe_name(own):
        return Flaw(record.line, columns.own_file, f"{own[:80]!r} is no file name inside a folder")
    try:
        numbers = read_numbers(fields.get(columns.numbers))
        faces = read_faces(fields.get(columns.faces)) if columns.faces else None
    except ValueError as error:
        return Flaw(record.line, columns.numbers or columns.faces, str(error))
    part = str(fields.get(columns.part, "")).strip()
    return Row(
        movie=movie.strip(),
        start=bounds[0],
        end=bounds[1],
        text=_HALVES.sub("\ufffd", " ".join(text.splitlines()).strip()),
        line=record.line,
        video=video.strip() if video else None,
        film=part,  # until `_parted` knows whether the film lies in several files
        imdb=str(fields.get(columns.imdb, "") or "").strip(),
        duration=duration,
        stated=_stated(fields) if columns.start == "scaled_start" else None,
        hms=_hms(fields.get("start_hms")),
        own_file=own,
        numbers=numbers,
        faces=faces,
    )


def _stated(fields: dict[str, object]) -> float | None:
    """The length of the description where the span is that of the video; None if the table does not say it well."""
    try:
        return _number(fields.get("end")) - _number(fields.get("start"))
    except ValueError:
        return None


def _hms(value: object) -> float | None:
    """`00.02.06.568` as seconds."""
    parts = value.split(".") if isinstance(value, str) else []
    if len(parts) != 4 or not all(part.isascii() and part.isdigit() and len(part) < 4 for part in parts):
        return None
    return int(parts[0]) * 3600 + int(parts[1]) * 60 + int(parts[2]) + int(parts[3]) / 1000


def _parted(rows: list[Row], *, scaled: bool) -> list[Row]:
    """Makes a movie of each file where a film lies in several; drops the file's name where times are the film's."""
    pairs: dict[str, set[tuple[str, str | None]]] = defaultdict(set)
    for row in rows:
        pairs[row.movie].add((row.film, row.video))
    several = {movie for movie, found in pairs.items() if len({file for _, file in found}) > 1}
    numbered = {movie for movie in several if _numbered(pairs[movie])}
    parted = []
    for row in rows:
        if row.movie in several and scaled:
            part = row.film if row.movie in numbered else (row.video or "").replace("/", "_")
            parted.append(replace(row, movie=f"{row.movie}_{part}", film=row.movie))
        else:
            parted.append(replace(row, film=row.movie, video=None if row.movie in several else row.video))
    return parted


def _numbered(pairs: set[tuple[str, str | None]]) -> bool:
    """Whether parts tell the files of a film apart: not where two films have one name and count from 0 each."""
    parts, files = ({pair[place] for pair in pairs} for place in (0, 1))
    return len(parts) == len(files) == len(pairs) and "" not in parts


def _sifted(rows: list[Row], dropped: dict[str, list[int]]) -> list[Row]:
    used = []
    seen: set[tuple[str, float, float, str]] = set()
    for row in rows:
        same = (row.movie, row.start, row.end, row.text)
        reason = ""
        if not row.text:
            reason = "no text"
        elif same in seen:
            reason = "repeats another row"
        elif row.duration is not None and row.start >= row.duration:
            reason = "starts after the end of the movie"
        if reason:
            dropped.setdefault(reason, []).append(row.line)
        else:
            seen.add(same)
            used.append(row)
    return used


def _traps(rows: list[Row]) -> dict[str, tuple[int, ...]]:
    found: dict[str, list[int]] = {name: [] for name in TRAPS}
    above: dict[str, Row] = {}
    said: set[tuple[str, str]] = set()
    often = Counter(row.text for row in rows)
    for row in rows:
        before, seconds = above.get(row.movie), row.end - row.start
        marks = {
            "unsorted": before is not None and row.start < before.start,
            "overlaps": before is not None and row.start < before.end,
            "padded": row.stated is not None and seconds > row.stated + _SAME,
            "shifted": row.hms is not None and abs(row.start - row.hms) > _SAME,
            "past_end": row.duration is not None and row.end > row.duration,
            "short": (row.stated if row.stated is not None else seconds) < 0.5,
            "long": (row.stated if row.stated is not None else seconds) > 15,
            "repeated_text": (row.movie, row.text) in said,
            "shared_text": often[row.text] > 1,
            "placeholders": _PLACEHOLDER.search(row.text) is not None,
            "damaged_text": _DAMAGED.search(row.text) is not None,
            "fragments": row.text[0].islower(),
            "unpunctuated": not row.text.endswith((".", "!", "?")),
            "quotes": '"' in row.text,
            "double_blanks": "  " in row.text,
            "no_faces": row.faces == (),
        }
        for name, caught in marks.items():
            if caught:
                found[name].append(row.line)
        above[row.movie] = row
        said.add((row.movie, row.text))
    return {name: tuple(lines) for name, lines in found.items()}
