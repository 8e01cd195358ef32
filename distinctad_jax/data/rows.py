"""What an annotation table says, row by row, and the account of what was found in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

TRAPS = {
    "unsorted": "start before the row above them in their movie",
    "overlaps": "start before the row above them in their movie ends",
    "padded": "have a span for the video that is longer than the stated one",
    "shifted": "start elsewhere than their start_hms says",
    "past_end": "end after the end of their movie",
    "short": "last less than 0.5 s",
    "long": "last more than 15 s",
    "repeated_text": "repeat a sentence of their movie",
    "shared_text": "share their sentence with another row",
    "placeholders": "hold the placeholder SOMEONE",
    "damaged_text": "hold characters that an earlier conversion damaged",
    "fragments": "begin in lower case, as parts of split sentences do",
    "unpunctuated": "end without a full stop, exclamation or question mark",
    "quotes": "hold a double quote, often unbalanced",
    "double_blanks": "hold two blanks in a row",
    "no_faces": "have a table of faces in which nobody is recognised",
}
"""What rows are used in spite of."""
FAULTS = {
    "reversed": "end before they start, or as they start",
    "unreadable": "cannot be read",
}
"""What rows cannot be used for."""
_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Row:
    """One description of a table.

    `movie` is what windows are made within. `film` is the same, except where a film lies in several files with times
    of their own: then each file is a movie and `film` is the whole. `video` is the name of the video file without
    folder and perhaps without suffix, if the table has one; `imdb` the title id. `line` is the line in the file.
    `own_file` names the file, folder or tar that shows this row alone, `numbers` its pictures there; `faces` are the
    ids of people whose face was recognised, None if the table says nothing of faces.

    Units: seconds; `duration` is the length of the movie if the table states it, `stated` that of the description
      where `start` and `end` are those of the video, `hms` the start that the table gives in hours, if it does.
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
    stated: float | None = None
    hms: float | None = None
    own_file: str = ""
    numbers: tuple[int, ...] = ()
    faces: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Report:
    """The account of a table: `used` and the sum of `dropped` are `rows`, all the rows of the file.

    `dropped` counts rows by reason, and `dropped_lines` says which; `traps` lists, by the names of `TRAPS`, the file
    lines of rows that are used all the same, `faults`, by those of `FAULTS`, of rows that cannot be. `times` is
    `stated` or `scaled`, whichever pair of columns the spans come from. `first_fault` is line, field and fault of the
    first row that cannot be used.
    """

    path: Path
    kind: str
    times: str
    rows: int
    used: int
    movies: int
    dropped: Mapping[str, int]
    traps: Mapping[str, tuple[int, ...]]
    faults: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    dropped_lines: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    first_fault: str = ""

    def counts(self) -> dict[str, int]:
        """Every number of the account under one flat name, for a results file."""
        return (
            {"rows": self.rows, "used": self.used, "movies": self.movies}
            | {f"dropped: {reason}": count for reason, count in sorted(self.dropped.items())}
            | {name: len(self.traps.get(name, ())) for name in TRAPS}
            | {name: len(self.faults.get(name, ())) for name in FAULTS}
        )

    def lines(self) -> dict[str, list[int]]:
        """The file lines behind every number that is not 0: of traps, faults and reasons."""
        found = {**self.traps, **self.faults, **self.dropped_lines}
        return {name: list(lines) for name, lines in found.items() if lines}

    def sentences(self) -> list[str]:
        """The account in words, one sentence for each finding, with the first few lines."""
        told = [f"{self.path}: {self.used} of {self.rows} rows used, in {self.movies} movies ({self.kind})"]
        for reason, count in sorted(self.dropped.items()):
            told.append(f"{count} rows dropped: {reason}{shown_lines(self.dropped_lines.get(reason, ()))}")
        for name, what in {**FAULTS, **TRAPS}.items():
            lines = self.faults.get(name, ()) or self.traps.get(name, ())
            if lines:
                told.append(f"{len(lines)} rows {what}{shown_lines(lines)}")
        return told


def shown_lines(lines: Sequence[int]) -> str:
    """The first few lines in brackets, as at the end of a finding; empty if there are none."""
    shown = ", ".join(map(str, lines[:_SHOWN])) + (", ..." if len(lines) > _SHOWN else "")
    return f" (lines {shown})" if shown else ""


@dataclass(frozen=True)
class Annotations:
    """The rows of a table that can be used, in file order, and the account of all of them."""

    rows: tuple[Row, ...]
    report: Report
