"""The fields of a JSON value that came from outside, each read with the path that an error names."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any, NoReturn

from distinctad_jax.errors import BadInput
from distinctad_jax.movie.span import Span

LONGEST = 3.6e10
"""Seconds; ten million hours are no film."""

DEEPEST = 40
"""How deep a value that is kept as it stands may be nested."""

_ODD = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_HALF = re.compile("[\ud800-\udfff]")  # half of a pair of UTF-16, which no encoding can write


class Fields:
    """An object of a JSON file.

    Args:
      value: what was read.
      file: the file, for errors.
      path: where in the file, `entries[3]`; empty for the whole.
    Errors: BadInput if the value is no object; so does every method for a field that is not what it asks for.
    """

    def __init__(self, value: Any, file: object, path: str = ""):
        self.file, self.path = file, path
        if not isinstance(value, dict):
            self.refuse("", "is no object", "write { } around named values")
        self.value: dict[str, Any] = value

    def refuse(self, name: str, what: str, mend: str) -> NoReturn:
        """Raises BadInput for the field `name`."""
        place = ".".join(part for part in (self.path, name) if part)
        raise BadInput(what, where=f"{self.file}:{place}" if place else self.file, mend=mend) from None

    def unknown(self, known: Iterable[str]) -> list[str]:
        """Paths of fields that nobody reads."""
        return [f"{self.path}.{name}".lstrip(".") for name in self.value if name not in set(known)]

    def text(self, name: str, default: str | None = None) -> str:
        """A text; characters that no text file should hold become blanks or U+FFFD."""
        found = self.value.get(name, default)
        if not isinstance(found, str):
            self.refuse(name, "is no text", "write a text in double quotes")
        return legible(found)

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts; a field that is missing is an empty one."""
        found = self.value.get(name, [])
        if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
            self.refuse(name, "is no list of texts", "write texts in double quotes between [ and ]")
        return tuple(legible(one) for one in found)

    def one_of(self, name: str, known: tuple[str, ...]) -> str:
        """A word of `known`, the first if the field is missing."""
        found = self.text(name, known[0])
        if found not in known:
            self.refuse(name, f"is {found[:40]!r}", f"write one of {', '.join(known)}")
        return found

    def number(self, name: str) -> float:
        """A finite number."""
        return self._number(name, self.value.get(name))

    def optional(self, name: str) -> float | None:
        """A finite number, or None if it is missing or null."""
        found = self.value.get(name)
        return None if found is None else self._number(name, found)

    def share(self, name: str) -> float | None:
        """A number in 0..1, or None if it is missing or null."""
        found = self.optional(name)
        if found is not None and not 0 <= found <= 1:
            self.refuse(name, f"is {found}", "write a number from 0 to 1")
        return found

    def whole(self, name: str) -> int | None:
        """A whole number above 0, or None if it is missing or null."""
        found = self.optional(name)
        if found is not None and (found < 1 or found != int(found)):
            self.refuse(name, f"is {found}", "write a whole number above 0")
        return None if found is None else int(found)

    def truth(self, name: str, default: bool) -> bool:
        """True or false."""
        found = self.value.get(name, default)
        if not isinstance(found, bool):
            self.refuse(name, "is neither true nor false", "write one of them")
        return found

    def numbers(self, name: str) -> tuple[float, ...]:
        """A list of finite numbers; a field that is missing is an empty one."""
        return tuple(self._number(f"{name}[{index}]", one) for index, one in enumerate(self._list(name)))

    def span(self, name: str) -> Span | None:
        """`[start, end]` in seconds, or None if it is missing or null."""
        found = self.value.get(name)
        return None if found is None else self._span(name, found)

    def spans(self, name: str) -> tuple[Span, ...]:
        """A list of `[start, end]`; a field that is missing is an empty one."""
        return tuple(self._span(f"{name}[{index}]", one) for index, one in enumerate(self._list(name)))

    def between(self) -> Span:
        """The span from the fields `start` and `end`."""
        start, end = self.number("start"), self.number("end")
        if not 0 <= start < end < LONGEST:
            self.refuse("end", f"from {start} to {end} s is no span", "give 0 <= start < end")
        return Span(start, end)

    def inner(self, name: str) -> Fields | None:
        """The object in a field, or None if it is missing or null."""
        found = self.value.get(name)
        return None if found is None else Fields(found, self.file, f"{self.path}.{name}".lstrip("."))

    def inners(self, name: str) -> list[Fields]:
        """The objects in a list; a field that is missing is an empty one."""
        path = f"{self.path}.{name}".lstrip(".")
        return [Fields(one, self.file, f"{path}[{index}]") for index, one in enumerate(self._list(name))]

    def free(self, name: str) -> dict[str, Any]:
        """An object kept as it stands: numbers in it are finite, it is not nested too deep, and its texts can be
        written."""
        found = self.value.get(name, {})
        if not isinstance(found, dict):
            self.refuse(name, "is no object", "write { } around named values")
        return self._kept(name, found, DEEPEST)

    def _kept(self, name: str, value: Any, room: int) -> Any:
        if room == 0:
            self.refuse(name, f"is nested deeper than {DEEPEST}", "make it flat")
        if isinstance(value, dict):
            return {legible(key): self._kept(name, one, room - 1) for key, one in value.items()}
        if isinstance(value, list):
            return [self._kept(name, one, room - 1) for one in value]
        if isinstance(value, float) and not math.isfinite(value):
            self.refuse(name, "holds a number that is not finite", "write a finite one, or null")
        return legible(value) if isinstance(value, str) else value

    def _list(self, name: str) -> list[Any]:
        found = self.value.get(name, [])
        if not isinstance(found, list):
            self.refuse(name, "is no list", "write [ ] around values")
        return found

    def _number(self, name: str, found: Any) -> float:
        if isinstance(found, bool) or not isinstance(found, int | float):
            self.refuse(name, "is no number", "write a number without quotes")
        try:
            number = float(found)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            self.refuse(name, "is no finite number", "write a finite one")
        return number

    def _span(self, name: str, found: Any) -> Span:
        if not isinstance(found, list) or len(found) != 2:
            self.refuse(name, "is no span", "write [start, end] in seconds")
        start, end = (self._number(name, one) for one in found)
        if not 0 <= start < end < LONGEST:
            self.refuse(name, f"from {start} to {end} s is no span", "give 0 <= start < end")
        return Span(start, end)


def legible(text: str) -> str:
    """`text` without characters that no text file should hold: controls, but for tab and line break, become blanks,
    halves of pairs of UTF-16 become U+FFFD."""
    return _HALF.sub("\ufffd", _ODD.sub(" ", text))
