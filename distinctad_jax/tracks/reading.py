"""Text files from outside: read within bounds, whatever they hold, with what was mended told once at the end."""

from __future__ import annotations

import codecs
import re
import stat
import warnings
from collections import Counter
from pathlib import Path

from distinctad_jax.errors import BadInput, BadUsage
from distinctad_jax.files import read_bytes

LARGEST = 64 << 20
"""No text of a film has more bytes; 100 000 cues have a tenth of it."""

_ORDER_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
# Line and paragraph separators break lines for some players and not for others; a tab is only a blank.
_CONTROL = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")
_TOLD = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufffd]")
_HALF = re.compile("[\ud800-\udfff]")  # half of a pair of UTF-16, which no encoding can write
_BLANKS = re.compile("[ \t]+")
_SHOWN, _KEPT = 5, 20


class Warnings:
    """What a reader left out or mended. Of one kind the first few are kept word by word, the others are counted."""

    def __init__(self, path: Path):
        self.path = path
        self.told: list[str] = []
        self.kinds: list[str] = []
        self.damaged = False
        """Whether bytes of the file were no text, and became U+FFFD."""
        self._counts: Counter[str] = Counter()

    def add(self, place: int | str, what: str, kind: str = "") -> None:
        """`place` is a line or the path of a field; `kind` is what is counted together, by default `what` up to a
        colon."""
        kind = kind or what.partition(":")[0]
        self._counts[kind] += 1
        if self._counts[kind] <= _KEPT:
            self.told.append(f"{self.path}:{place}: {what}")
            self.kinds.append(kind)

    @property
    def lines(self) -> list[tuple[str, str]]:
        """`(line, kind)` of all that was kept, then a line for each kind of which there is more."""
        more = [
            (f"{self.path}: {count - _KEPT} more like this: {kind}", kind)
            for kind, count in self._counts.items()
            if count > _KEPT
        ]
        return [*zip(self.told, self.kinds, strict=True), *more]

    def __len__(self) -> int:
        return self._counts.total()

    def tell(self, problems: list[str] | None) -> None:
        """Adds all to `problems`; without that list, one Python warning with the first few."""
        told = [line for line, _ in self.lines]
        if problems is not None:
            problems.extend(told)
        elif told:
            rest = f" (and {len(self) - _SHOWN} more)" if len(told) > _SHOWN else ""
            warnings.warn("; ".join(told[:_SHOWN]) + rest, stacklevel=3)


def read_text(path: Path, encoding: str, found: Warnings, *, lossy: bool = False) -> str:
    """The text of a file; lines end as they do there. A byte-order mark wins over `encoding`, and is left out.

    Bytes that are no text become U+FFFD with a warning: a few, or with `lossy` any number.

    Errors: BadInput if it is missing, no regular file, larger than `LARGEST`, or mostly in another encoding;
      BadUsage if the encoding has no such name.
    """
    _check(path)
    data = read_bytes(path)
    for mark, marked in _ORDER_MARKS.items():
        if data.startswith(mark):
            encoding = marked
    try:
        text = data.decode(encoding)
    except LookupError:
        raise BadUsage(f"no encoding is called {encoding!r}", mend="use a name such as utf-8 or cp1252") from None
    except UnicodeDecodeError as error:
        found.damaged, text = True, data.decode(encoding, errors="replace")
        lost, line = text.count("\ufffd"), data.count(b"\n", 0, error.start) + 1
        mend = "save it as UTF-8, or name its encoding, for example --encoding latin-1 or cp1251"
        if lost > sum(character > "\x7f" for character in text) - lost:
            if not lossy:
                raise BadInput(f"is not {encoding}", where=f"{path}:{line}", mend=mend) from None
            found.add(line, f"is not {encoding}: {mend}")
    return _HALF.sub("\ufffd", text)


def _check(path: Path) -> None:
    try:
        about = path.stat()
    except (OSError, ValueError):  # ValueError: a name with a NUL
        return  # reading says what is wrong
    if not stat.S_ISREG(about.st_mode):
        raise BadInput("cannot be read: is no regular file", where=path, mend="give a file")
    if about.st_size > LARGEST:
        mend = "give a subtitle or track file"
        raise BadInput(f"has {about.st_size >> 20} MiB, more than {LARGEST >> 20}", where=path, mend=mend)


def lines_of(text: str) -> list[str]:
    """Lines that end in LF, CRLF or CR, without their ends; nothing else ends a line."""
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def tell_controls(lines: list[str], found: Warnings) -> None:
    """Warns of every line with characters that `plain` will not keep, or bytes that were no text."""
    for place, line in enumerate(lines, start=1):
        if not (line.isascii() and line.isprintable()):
            for match in _TOLD.finditer(line):
                if match[0] == "\ufffd" and not found.damaged:
                    continue  # it stands there as such
                was = "bytes that are no text" if match[0] in "\ufffd\x00" else "control characters"
                found.add(place, f"{was} were replaced")
                break


def plain(text: str, forbidden: str = "") -> str:
    """`text` on one line that any file can hold: no control or `forbidden` characters, blanks in rows made one.

    Everything else stays as it is: marks of direction, emoji, blanks that do not break.
    """
    kept = text.translate(dict.fromkeys(map(ord, forbidden))) if forbidden else text
    if not (kept.isascii() and kept.isprintable()):  # most lines have nothing to clean
        kept = _HALF.sub("\ufffd", _CONTROL.sub(" ", kept))
    return (_BLANKS.sub(" ", kept) if "  " in kept or "\t" in kept else kept).strip(" ")
