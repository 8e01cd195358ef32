"""Rows of a table file with the file lines on which they stand: CSV, TSV, JSON lines and JSON.

What a row says is not judged here; that it is a row of this table is: right number of fields, no open quote, no NUL.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from distinctad_jax.data.seeming import refuse_pickle
from distinctad_jax.errors import BadInput, BadUsage
from distinctad_jax.files import read_bytes

_LISTED = 20
_REPLACED, _FEW = "\ufffd", 0.01
_ORDER_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


@dataclass(frozen=True)
class Flaw:
    """Why a row cannot be used; `column` is empty if it is no single field's fault; `reversed`: ends too early."""

    line: int
    column: str
    what: str
    reversed: bool = False

    def __str__(self) -> str:
        """Line, column and what is wrong, as in a message after the table's name."""
        return f"{self.line}:{self.column}: {self.what}" if self.column else f"{self.line}: {self.what}"


@dataclass(frozen=True)
class TableRow:
    """The fields of a row by column; `line` is the file line on which it begins, counting breaks inside quotes.

    In a JSON file that is not of lines, `line` is the position of the row, from 1.
    """

    line: int
    fields: dict[str, Any]


@dataclass(frozen=True)
class Table:
    """A table as it stands in the file; every row is in `rows` or in `flaws`."""

    path: Path
    columns: tuple[str, ...]
    rows: tuple[TableRow, ...]
    flaws: tuple[Flaw, ...]


def refuse(path: Path, flaws: Sequence[Flaw], mend: str) -> NoReturn:
    """Raises BadInput at the first flaw, with the lines of the first 20 and the number of all."""
    first = min(flaws, key=lambda flaw: flaw.line)
    lines = sorted({flaw.line for flaw in flaws})
    rest = ", ".join(map(str, lines[1:_LISTED])) + (", ..." if len(lines) > _LISTED else "")
    more = f" ({len(lines)} rows cannot be used, the others on lines {rest})" if len(lines) > 1 else ""
    place = str(first).removesuffix(f": {first.what}")
    raise BadInput(first.what + more, where=f"{path}:{place}", mend=mend)


def read_table(path: Path, encoding: str = "auto") -> Table:
    """Reads `.csv`, `.tsv`, `.jsonl` or `.json` (a list of objects, or an object of objects) whole.

    A byte-order mark wins over `encoding`; auto is UTF-8, and where at most one line in a hundred holds other bytes,
    these become U+FFFD, by which such rows are found and told. Columns are stripped and lower-cased; those without a
    name (numbers of rows, commas at the end) are left out.

    Errors: BadInput, with file and line, if it is missing, a pickle, not text in this encoding, empty, without a
      header, or has a column twice; BadUsage if the encoding has no such name. A row that does not fit its header is
      a flaw.
    """
    text = _decoded(path, encoding)
    if not text.strip():
        raise BadInput("the table is empty", where=path, mend="give a table with a header and rows")
    suffix = path.suffix.lower()
    if suffix in (".jsonl", ".ndjson"):
        return _from_objects(path, _json_lines(text))
    if suffix == ".json":
        return _from_objects(path, _json(path, text))
    return _csv(path, text, "\t" if suffix == ".tsv" else ",")


def _decoded(path: Path, encoding: str) -> str:
    refuse_pickle(path, "CSV")
    data = read_bytes(path)
    tolerant = encoding == "auto"
    encoding = "utf-8" if tolerant else encoding
    for mark, marked in _ORDER_MARKS.items():
        if data.startswith(mark):
            encoding = marked
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        replaced = data.decode(encoding, "replace") if tolerant else ""
        if replaced and sum(_REPLACED in line for line in replaced.split("\n")) <= _FEW * replaced.count("\n"):
            return replaced
        line = data.count(b"\n", 0, error.start) + 1
        raise BadInput(
            f"byte 0x{data[error.start]:02x} is not {encoding}",
            where=f"{path}:{line}",
            mend="save the file as UTF-8, or name its encoding, for example --encoding cp1252 or latin-1",
        ) from None
    except (LookupError, UnicodeError):  # some that Python knows decode no file, such as "undefined"
        raise BadUsage(f"no encoding is called {encoding!r}", mend="use a name such as utf-8 or cp1252") from None


def _checked_columns(path: Path, names: Sequence[str]) -> tuple[str, ...]:
    columns = tuple(name.strip().lower() for name in names)
    doubled = sorted({name for name in columns if name and columns.count(name) > 1})
    if doubled:
        raise BadInput(f"column {doubled[0]!r} stands there twice", where=f"{path}:1", mend="keep one of them")
    return columns


def _csv(path: Path, text: str, delimiter: str) -> Table:
    nul = text.find("\0")
    if nul >= 0:
        line = text.count("\n", 0, nul) + 1
        raise BadInput("a NUL character", where=f"{path}:{line}", mend="export the table again as text")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows: list[TableRow] = []
    flaws: list[Flaw] = []
    columns: tuple[str, ...] = ()
    line = 1
    try:
        columns = _checked_columns(path, next(reader))
        line = reader.line_num + 1
        for values in reader:
            if len(values) == len(columns):
                fields = dict(zip(columns, values, strict=True))
                fields.pop("", None)
                rows.append(TableRow(line, fields))
            elif values:  # a blank line is no row
                flaws.append(Flaw(line, "", f"{len(values)} fields, but the header has {len(columns)}"))
            line = reader.line_num + 1
    except csv.Error as error:
        opened = "unexpected end" in str(error)
        what = "a quote that is opened here is never closed" if opened else f"no CSV: {error}"
        raise BadInput(
            what, where=f"{path}:{line}", mend="double the quotes inside a field and close each one"
        ) from None
    return Table(path, tuple(filter(None, columns)), tuple(rows), tuple(flaws))


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _parsed(text: str) -> Any:
    """Errors: ValueError, saying what is wrong, also for NaN and for nesting that is too deep."""
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _json_lines(text: str) -> Iterator[tuple[int, Any, str]]:
    for line, part in enumerate(text.split("\n"), start=1):
        if part.strip():
            try:
                yield line, _parsed(part), ""
            except ValueError as error:
                yield line, None, f"no JSON: {error}"


def _json(path: Path, text: str) -> Iterator[tuple[int, Any, str]]:
    try:
        value = _parsed(text)
    except json.JSONDecodeError as error:
        where = f"{path}:{error.lineno}:{error.colno}"
        raise BadInput(f"no JSON: {error.msg}", where=where, mend="correct the file") from None
    except ValueError as error:
        raise BadInput(f"no JSON: {error}", where=path, mend="correct the file") from None
    if not isinstance(value, list | dict):
        raise BadInput("neither a list nor an object", where=path, mend="give a list of objects, one for each row")
    items = value.values() if isinstance(value, dict) else value
    yield from ((place, item, "") for place, item in enumerate(items, start=1))


def _from_objects(path: Path, items: Iterator[tuple[int, Any, str]]) -> Table:
    rows: list[TableRow] = []
    flaws: list[Flaw] = []
    columns: dict[str, None] = {}
    for line, item, what in items:
        if what or not isinstance(item, dict):
            flaws.append(Flaw(line, "", what or "a row must be an object"))
            continue
        fields = {name: value for key, value in item.items() if (name := str(key).strip().lower())}
        columns |= dict.fromkeys(fields)
        rows.append(TableRow(line, fields))
    if not rows and flaws:
        refuse(path, flaws, "give one object for each row")
    return Table(path, tuple(columns), tuple(rows), tuple(flaws))
