"""What an annotation table says, row by row, and the account of what was found in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

TRAPS = {
    "unsorted": "start before the row above them in their movie",
    "overlaps": "start before the row above them in their movie ends",
    "past_end": "end after the end of their movie",
    "repeated_text": "repeat a sentence of their movie",
    "placeholders": "hold the placeholder SOMEONE",
    "damaged_text": "hold characters that an earlier conversion damaged",
}
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Row:
    """One description of a table.

    `movie` is what windows are made within. `film` is the same, except where a film lies in several files with times
    of their own: then each file is a movie and `film` is the whole. `video` is the name of the video file without
    folder and perhaps without suffix, if the table has one; `imdb` the title id. `line` is the line in the file.

    Units: seconds; `duration` is the length of the movie if the table states it.
    """

    movie: str
    start: float
    end: float
    text: str
    line: int
    video: str | None = None
    film: str = ""
    imdb: str = ""
    duration: float | None = None


@dataclass(frozen=True)
class Report:
    """The account of a table: `used` and the sum of `dropped` are `rows`, all the rows of the file.

    `dropped` counts rows by reason. `traps` lists, by the names of `TRAPS`, the file lines of rows that are used all
    the same; `times` is `stated` or `scaled`, whichever pair of columns the spans come from.
    """

    path: Path
    kind: str
    times: str
    rows: int
    used: int
    movies: int
    dropped: Mapping[str, int]
    traps: Mapping[str, tuple[int, ...]]

    def counts(self) -> dict[str, int]:
        """Every number of the account under one flat name, for a results file."""
        return (
            {"rows": self.rows, "used": self.used, "movies": self.movies}
            | {f"dropped: {reason}": count for reason, count in sorted(self.dropped.items())}
            | {name: len(self.traps.get(name, ())) for name in TRAPS}
        )

    def sentences(self) -> list[str]:
        """The account in words, one sentence for each finding, with the first few lines."""
        told = [f"{self.path}: {self.used} of {self.rows} rows used, in {self.movies} movies ({self.kind})"]
        told += [f"{count} rows dropped: {reason}" for reason, count in sorted(self.dropped.items())]
        for name, what in TRAPS.items():
            lines = self.traps.get(name, ())
            if lines:
                shown = ", ".join(map(str, lines[:_SHOWN])) + (", ..." if len(lines) > _SHOWN else "")
                told.append(f"{len(lines)} rows {what} (lines {shown})")
        return told


@dataclass(frozen=True)
class Annotations:
    """The rows of a table that can be used, in file order, and the account of all of them."""

    rows: tuple[Row, ...]
    report: Report
