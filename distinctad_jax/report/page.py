"""One self-contained HTML page: prose, tables, figures and examples, in sections.

The page asks no other address for anything (a content security policy forbids it), reads in light and dark, on
paper and by a screen reader. Text from data is escaped, whatever stands in it.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from jinja2 import Environment, PackageLoader, StrictUndefined

from distinctad_jax.metrics.distinctiveness import stretches_of

Cell = str | int | float | None


@dataclass(frozen=True)
class Column:
    """A column of a table: its heading, its decimals, and which of its numbers is best, if that is to be marked."""

    name: str
    better: Literal["higher", "lower", ""] = ""
    digits: int = 1


@dataclass(frozen=True)
class Table:
    """Rows under columns; the first cell names the row. None is printed as a dash: not measured.

    `apart` names rows that are drawn apart and that no mark of the best looks at (people, an upper bound).

    Errors: ValueError if a row has not as many cells as there are columns, or `apart` names no row.
    """

    title: str
    columns: Sequence[Column | str]
    rows: Sequence[Sequence[Cell]]
    note: str = ""
    apart: Sequence[str] = ()

    def __post_init__(self):
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"Table {self.title!r} has {len(self.columns)} columns, but a row {list(row)!r}.")
        if missing := set(self.apart) - {row[0] for row in self.rows}:
            raise ValueError(f"Table {self.title!r} has no rows {sorted(missing)} to set apart.")


@dataclass(frozen=True)
class Figure:
    """A picture (PNG bytes) with a title; `alt` says what it shows to someone who cannot see it."""

    title: str
    png: bytes
    alt: str
    note: str = ""


@dataclass(frozen=True)
class Said:
    """What one system said of a clip; the words of `marked` (lower-cased, no possessive) are highlighted."""

    system: str
    text: str
    marked: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Strip:
    """An example: frames of a clip in a row (PNG bytes), the reference, and what systems said."""

    title: str
    png: bytes
    alt: str
    reference: str
    said: Sequence[Said]
    marked: frozenset[str] = frozenset()  # in the reference
    note: str = ""


@dataclass(frozen=True)
class Prose:
    """Paragraphs of plain text."""

    paragraphs: Sequence[str]


@dataclass(frozen=True)
class Section:
    """A heading and what stands under it, in order."""

    title: str
    parts: Sequence[Prose | Table | Figure | Strip] = field(default_factory=tuple)


def render_page(title: str, lead: str, sections: Sequence[Section], provenance: Mapping[str, object]) -> str:
    """The page as HTML.

    Args:
      lead: what the page says, in a sentence or two under its title.
      provenance: where the numbers come from (commit, config, seed, machine, date), printed last.

    Errors: ValueError if a picture is not a PNG.
    """
    environment = Environment(
        loader=PackageLoader("distinctad_jax", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(picture=_picture, pieces=lambda pair: stretches_of(*pair))
    environment.globals.update(cells=_cells)
    environment.tests.update(
        prose=lambda part: isinstance(part, Prose),
        table=lambda part: isinstance(part, Table),
        figure=lambda part: isinstance(part, Figure),
    )
    page = environment.get_template("page.html.j2").render(
        title=title, lead=lead, sections=sections, provenance={k: str(v) for k, v in provenance.items()}
    )
    return page.rstrip() + "\n"


@dataclass(frozen=True)
class _Printed:
    text: str
    number: bool
    best: bool


def _cells(table: Table) -> list[list[_Printed]]:
    """Every cell as it is printed; numbers that are equal as printed are equally best."""
    columns = [column if isinstance(column, Column) else Column(column) for column in table.columns]
    compared = [row for row in table.rows if row[0] not in table.apart]
    best = []
    for at, column in enumerate(columns):
        numbers = [number for row in compared if (number := _number(row[at], column)) is not None]
        choose = {"higher": max, "lower": min}.get(column.better)
        best.append(choose(numbers) if choose and len(numbers) > 1 else None)
    printed = []
    for row in table.rows:
        line = []
        for cell, column, top in zip(row, columns, best, strict=True):
            number = _number(cell, column)
            won = number is not None and number == top and row[0] not in table.apart
            line.append(_Printed(_text(cell, column.digits), number is not None or cell is None, won))
        printed.append(line)
    return printed


def _number(cell: Cell, column: Column) -> int | float | None:
    """The number as the column prints it; None for text and for what is not finite."""
    if isinstance(cell, int | float) and not isinstance(cell, bool) and math.isfinite(cell):
        return round(cell, column.digits)
    return None


def _text(cell: Cell, digits: int) -> str:
    if cell is None:
        return "–"
    if isinstance(cell, float):
        return f"{cell:.{digits}f}".replace("-", "−") if math.isfinite(cell) else "not finite"
    return f"{cell:,}".replace(",", "\u202f") if isinstance(cell, int) and cell >= 10_000 else str(cell)


def _picture(png: bytes) -> str:
    """The picture as an address that holds it."""
    if not png.startswith(b"\x89PNG\r\n\x1a\n"):
        raise ValueError(f"A picture of a page is a PNG, got bytes that begin with {png[:8]!r}.")
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")
