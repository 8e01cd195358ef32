"""Cues, the timed texts of subtitle files: what the readers and the writers of WebVTT and SRT share.

Readers forgive, writers do not. Reading goes line by line with plain string searches, so that no file takes longer
than its length deserves.
"""

from __future__ import annotations

import codecs
import re
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from distinctad_jax.errors import BadInput, BadUsage
from distinctad_jax.files import read_bytes
from distinctad_jax.movie.movie import Track
from distinctad_jax.movie.span import Span, clock

ARROW = "-->"
_ASCII_DIGITS = frozenset("0123456789")  # str.isdigit would take the digits of every script
# Line and paragraph separators break lines for some players and not for others; a tab is only a blank.
_CONTROL = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")
_HALF = re.compile("[\ud800-\udfff]")  # half of a pair of UTF-16, which no encoding can write
_LONGEST = {"hours": 7, "minutes": 2, "seconds": 2, "fraction": 9}  # digits
_ORDER_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_SHOWN = 5


@dataclass(frozen=True)
class Cue:
    """A text with a span; `lines` are without mark-up, and `place` is the file line of its times."""

    span: Span
    lines: tuple[str, ...]
    place: int


class Warnings:
    """What a reader left out or mended, told once at the end."""

    def __init__(self, path: Path):
        self.path = path
        self.told: list[str] = []

    def add(self, place: int | str, what: str) -> None:
        self.told.append(f"{self.path}:{place}: {what}")

    def tell(self, problems: list[str] | None) -> None:
        """Adds all to `problems`; without that list, one Python warning with the first few."""
        if problems is not None:
            problems.extend(self.told)
        elif self.told:
            rest = f" (and {len(self.told) - _SHOWN} more)" if len(self.told) > _SHOWN else ""
            warnings.warn("; ".join(self.told[:_SHOWN]) + rest, stacklevel=3)


def read_lines(path: Path, encoding: str, found: Warnings) -> list[str]:
    """The lines of a text file, ended by LF, CRLF or CR; control characters become blanks.

    A byte-order mark wins over `encoding`. A few bytes that are no UTF-8 become U+FFFD with a warning.

    Errors: BadInput if it is missing, or mostly in another encoding; BadUsage if the encoding has no such name.
    """
    data = read_bytes(path)
    for mark, marked in _ORDER_MARKS.items():
        if data.startswith(mark):
            encoding = marked
    damaged = False
    try:
        text = data.decode(encoding)
    except LookupError:
        raise BadUsage(f"no encoding is called {encoding!r}", mend="use a name such as utf-8 or cp1252") from None
    except UnicodeDecodeError as error:
        damaged, text = True, data.decode(encoding, errors="replace")
        lost = text.count("\ufffd")
        if lost > sum(character > "\x7f" for character in text) - lost:
            line = data.count(b"\n", 0, error.start) + 1
            mend = "save it as UTF-8, or name its encoding, for example --encoding latin-1 or cp1251"
            raise BadInput(f"is not {encoding}", where=f"{path}:{line}", mend=mend) from None
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for place, line in enumerate(lines, start=1):
        if damaged and "\ufffd" in line:
            found.add(place, "bytes that are no text were replaced")
        if _CONTROL.search(line):
            found.add(place, "control characters were replaced by blanks")
            lines[place - 1] = _CONTROL.sub(" ", line)
    return lines


def seconds(stamp: str) -> float | None:
    """`hh:mm:ss.mmm`, hours optional, comma or dot, the fraction optional -> seconds; None if it is no such time."""
    whole, mark, fraction = stamp.replace(",", ".").partition(".")
    parts = whole.split(":")
    if len(parts) not in (2, 3) or (mark and not fraction):
        return None
    named = dict(zip(("seconds", "minutes", "hours"), reversed(parts), strict=False)) | {"fraction": fraction or "0"}
    for name, digits in named.items():
        if not 0 < len(digits) <= _LONGEST[name] or not _ASCII_DIGITS.issuperset(digits):
            return None
    numbers = {name: int(digits) for name, digits in named.items()}
    if numbers["minutes"] > 59 or numbers["seconds"] > 59:
        return None
    exact = numbers.get("hours", 0) * 3600 + numbers["minutes"] * 60 + numbers["seconds"]
    return exact + numbers["fraction"] / 10 ** len(named["fraction"])


def times(line: str, place: int, found: Warnings) -> Span | None:
    """The span of a line with an arrow, settings after the end ignored; None, with a warning, if it is no span."""
    before, _, after = line.partition(ARROW)
    start, end = seconds(before.strip()), seconds((after.split(None, 1) or [""])[0])
    if start is None or end is None:
        found.add(place, f"cue skipped: {line.strip()[:60]!r} gives no two times")
        return None
    if end <= start:
        found.add(place, f"cue skipped: it ends at {clock(end)}, not after its start at {clock(start)}")
        return None
    return Span(start, end)


def without(text: str, opening: str, closing: str) -> str:
    """`text` without what stands between `opening` and the next `closing`; an opening that is never closed stays."""
    kept = []
    place = 0
    while (start := text.find(opening, place)) >= 0 and (end := text.find(closing, start + 1)) >= 0:
        kept.append(text[place:start])
        place = end + 1
    return "".join(kept) + text[place:]


def plain(text: str, forbidden: str) -> str:
    """`text` on one line that any file can hold: no control or `forbidden` characters, blanks in rows made one."""
    kept = _HALF.sub("\ufffd", _CONTROL.sub(" ", text.translate(dict.fromkeys(map(ord, forbidden)))))
    return " ".join(kept.split())


def strict(track: Track, forbidden: str) -> Iterable[tuple[str, str, str]]:
    """`(start, end, text)` of each description in order, ready for a player.

    Times are rounded to milliseconds; characters that players take for mark-up are left out.

    Errors: ValueError, naming the time, if one has no text left, lasts less than a millisecond or overlaps the next.
    """
    ready = 0
    for description in sorted(track.descriptions, key=lambda one: one.span):
        span = description.span
        text = plain(description.text, forbidden)
        if not text:
            raise ValueError(f"The description at {clock(span.start)} has no text.")
        if round(span.end * 1000) <= round(span.start * 1000):
            raise ValueError(f"The description at {clock(span.start)} must last at least a millisecond.")
        if round(span.start * 1000) < ready:
            raise ValueError(
                f"The description at {clock(span.start)} begins before the one above it ends; players speak one only."
            )
        ready = round(span.end * 1000)
        yield clock(span.start), clock(span.end), text
