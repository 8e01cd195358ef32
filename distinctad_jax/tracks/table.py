"""CSV, which spreadsheets and every script read: a row to a description, the names of its columns in the first row.

Source: columns of describers' tools, `start,end,text` as in the published data sets. A cell that a spreadsheet would
take for a formula begins with an apostrophe, which the reader takes away again.
"""

from __future__ import annotations

import csv
import io
import math
from collections import Counter

from distinctad_jax.errors import BadInput
from distinctad_jax.movie.description import Description, Speech
from distinctad_jax.movie.movie import Track
from distinctad_jax.movie.span import Span, clock
from distinctad_jax.tracks.reading import Warnings, lines_of, plain, tell_controls
from distinctad_jax.tracks.srt import seconds

COLUMNS = ("id", "start", "end", "start_tc", "end_tc", "gap_seconds", "speak_seconds", "words", "chars", "text")
COLUMNS += ("checks", "kind")
_WANTED = ("start", "end", "text")
_DELIMITERS = (",", ";", "\t")
_FORMULA = ("=", "+", "-", "@")
_LONGEST_CELL = 131_072  # characters, the default of the csv module
_SHOWN = 20


def text_of(track: Track) -> str:
    """The file's text, with a byte-order mark that spreadsheets look for: spoken descriptions in order of time."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for one in track.numbered().descriptions:
        text = plain(one.text)
        row = (
            one.id,
            _number(one.span.start),
            _number(one.span.end),
            clock(one.span.start),
            clock(one.span.end),
            _number(one.gap.seconds) if one.gap else "",
            _number(one.speech.seconds) if one.speech else "",
            len(text.split()),
            len(text),
            text,
            " ".join(check.name for check in one.checks),
            one.kind,
        )
        writer.writerow([_guarded(cell) if isinstance(cell, str) else cell for cell in row])
    return "\ufeff" + out.getvalue()


def _number(value: float) -> float:
    return round(value, 6)


def _guarded(cell: str) -> str:
    cell = plain(cell)
    return f"'{cell}" if cell.lstrip("'").startswith(_FORMULA) else cell


def _unguarded(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and cell.lstrip("'").startswith(_FORMULA) else cell


def track_of(text: str, name: str, found: Warnings) -> Track:
    """The track in a file, in order of time. Times are seconds, or `hh:mm:ss.mmm`.

    Errors: BadInput without a header that names start, end and text once each; or for rows that cannot be read, all
      of them together, each with its line in the file and its column.
    """
    tell_controls(lines_of(text), found)
    rows = _rows(text.removeprefix("\ufeff"), found)
    place = _header(rows[0][1] if rows else [], found)
    descriptions: list[Description] = []
    bad: list[tuple[int, str, str]] = []
    for line, row in rows[1:]:
        if not any(cell.strip() for cell in row):
            continue
        if len(row) != len(rows[0][1]):
            bad.append((line, "", f"has {len(row)} cells, the header {len(rows[0][1])}"))
            continue
        cells = {column: _unguarded(row[index].strip()) for column, index in place.items()}
        fault = _fault(cells)
        if fault:
            bad.append((line, *fault))
        elif not plain(cells["text"]):
            found.add(f"{line}:text", "row without text left out")
        else:
            descriptions.append(_description(cells))
    if bad:
        line, column, what = bad[0]
        more = ", ".join(f"{line}:{column}" if column else f"{line}" for line, column, _ in bad[1:_SHOWN])
        count = f" and {len(bad) - _SHOWN} more" if len(bad) > _SHOWN else ""
        what += f" (so are {more}{count})" if more else ""
        where = f"{found.path}:{line}:{column}".rstrip(":")
        raise BadInput(what, where=where, mend="correct the rows")
    return Track(name, _checked(descriptions, found), language_told=False)


def rows_in(text: str, found: Warnings) -> int:
    """How many rows there are besides the header."""
    return sum(any(cell.strip() for cell in row) for _, row in _rows(text.removeprefix("\ufeff"), found)[1:])


def _rows(text: str, found: Warnings) -> list[tuple[int, list[str]]]:
    """`(line of the file, cells)` of each row, the header first."""
    head = text.split("\n", 1)[0]
    delimiter = max(_DELIMITERS, key=head.count)
    csv.field_size_limit(_LONGEST_CELL)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True, skipinitialspace=True)
    rows: list[tuple[int, list[str]]] = []
    line = 1
    try:
        for row in reader:
            if row or rows:
                rows.append((line, row))
            line = reader.line_num + 1
    except csv.Error as error:
        told = "an open quote" if "unexpected end" in str(error) else str(error)
        raise BadInput(f"is no CSV: {told}", where=f"{found.path}:{line}", mend="correct the row") from None
    return rows


def _header(cells: list[str], found: Warnings) -> dict[str, int]:
    """Where each column stands."""
    names = [plain(cell).lower() for cell in cells]
    doubled = [name for name, count in Counter(names).items() if count > 1 and name]
    missing = [name for name in _WANTED if name not in names]
    if missing or doubled:
        told = ", ".join(names)[:200] or "nothing"
        fault = f"has no column {', '.join(missing)}" if missing else f"has the column {doubled[0]} twice"
        raise BadInput(
            f"{fault}; the first row names {told}",
            where=f"{found.path}:1",
            mend=f"name {', '.join(_WANTED)} once each",
        )
    return {name: names.index(name) for name in names if name}


def _time(cell: str) -> float | None:
    if ":" in cell:
        return seconds(cell) if "," not in cell else None
    try:
        value = float(cell) if cell.isascii() and "_" not in cell else math.nan
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _fault(cells: dict[str, str]) -> tuple[str, str] | None:
    """Column and what is wrong with it."""
    start, end = _time(cells["start"]), _time(cells["end"])
    for column, value in (("start", start), ("end", end)):
        if value is None or not 0 <= value < 3.6e10:
            return column, f"{cells[column][:40]!r} is no time in seconds"
    if start is not None and end is not None and end <= start:
        return "end", f"{end} s is not after the start at {start} s"
    if cells.get("kind", "") not in ("", "inline", "extended"):
        return "kind", f"{cells['kind'][:40]!r} is neither inline nor extended"
    return None


def _description(cells: dict[str, str]) -> Description:
    spoken = _time(cells.get("speak_seconds", ""))
    return Description(
        Span(_time(cells["start"]) or 0.0, _time(cells["end"]) or 0.0),
        plain(cells["text"]),
        id=plain(cells.get("id", "")),
        kind=cells.get("kind", "") or "inline",
        speech=Speech(spoken) if spoken is not None and spoken >= 0 else None,
    )


def _checked(descriptions: list[Description], found: Warnings) -> tuple[Description, ...]:
    """In order of time; an id that stands twice is left to the first."""
    kept: list[Description] = []
    seen: set[str] = set()
    told: set[tuple[Span, str]] = set()
    for one in sorted(descriptions, key=lambda one: (one.span.start, one.span.end)):
        if one.id in seen and one.id:
            found.add("id", f"an id that stands twice was renamed: {one.id[:40]!r}")
            one = Description(one.span, one.text, kind=one.kind, speech=one.speech)
        if (one.span, one.text) in told:
            found.add("text", f"a row stands twice: {one.text[:40]!r} at {clock(one.span.start)}")
        seen.add(one.id)
        told.add((one.span, one.text))
        kept.append(one)
    return tuple(kept)
