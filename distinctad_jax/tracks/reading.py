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
_ESCAPED = re.compile("[\udc80-\udcff]")  # bytes that were no UTF-8, as Python carries them along
_BLANKS = re.compile("[ \t]+")
_LATIN = ("cp1252", "cp1250", "cp1254", "cp1257")  # for letters beside ASCII, of most languages of Europe
_MARKS = frozenset("‘’‚“”„…–—«»¿¡ºª°£€\xa0")
_MEND = "save it as UTF-8, or name its encoding, for example --encoding latin-1 or cp1251"
_ZEROS = 10  # by chance, or by malice, a few stand in texts
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

    Errors: BadInput if it is missing, no regular file, larger than `LARGEST`, or written in another encoding;
      BadUsage if the encoding has no such name.
    """
    _check(path)
    data = read_bytes(path)
    marked = next((name for mark, name in _ORDER_MARKS.items() if data.startswith(mark)), "")
    encoding = marked or encoding
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        found.damaged, text = True, data.decode(encoding, errors="replace")
        line = data.count(b"\n", 0, error.start) + 1
        if not marked and _is_another(data, text, encoding):
            if not lossy:
                raise BadInput(f"is not {encoding}", where=f"{path}:{line}", mend=_MEND) from None
            found.add(line, f"is not {encoding}: {_MEND}")
    except (LookupError, UnicodeError):  # some that Python knows decode no file, such as "undefined"
        raise BadUsage(f"no encoding is called {encoding!r}", mend="use a name such as utf-8 or cp1252") from None
    if "\0" in text and (name := _unmarked(data)):
        mend = f"save it as UTF-8, or name its encoding: --encoding {name}"
        raise BadInput(f"is not {encoding}, it looks like {name}", where=path, mend=mend)
    return _HALF.sub("\ufffd", text)


def _is_another(data: bytes, text: str, encoding: str) -> bool:
    """Whether bytes were lost because the file is written in another encoding, and not because a few are damaged.

    It is if more were lost than were read beyond ASCII; but where most letters are ASCII, only if there is an
    encoding in which all that was lost is letters and marks.
    """
    lost = text.count("\ufffd")
    if lost <= sum(character > "\x7f" for character in text) - lost:
        return False
    if codecs.lookup(encoding).name != "utf-8":
        return True
    odd = bytes(ord(half) - 0xDC00 for half in _ESCAPED.findall(data.decode(encoding, "surrogateescape")))
    return len(odd) > sum(map(str.isalpha, text)) or any(_is_written(odd, name) for name in _LATIN)


def _is_written(odd: bytes, encoding: str) -> bool:
    """Whether these bytes are letters or marks; no language needs a y with two dots, 0xff, which damage does."""
    return all((c.isalpha() and c != "\xff") or c in _MARKS for c in odd.decode(encoding, "replace"))


def _unmarked(data: bytes) -> str:
    """UTF-16 without a mark, as far as zeros give it away: in every second byte, and only there."""
    zeros = [data[place::2].count(0) for place in (0, 1)]
    if min(zeros) or max(zeros) < max(len(data) / 10, _ZEROS):
        return ""
    return "utf-16-be" if zeros[0] else "utf-16-le"


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
