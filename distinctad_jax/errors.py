"""What a command says when it cannot go on: one line, one exit code.

Every problem names where it is, what was found and needed, and what to do. `main` prints `error: WHERE: WHAT; MEND`
and exits with the class's code; anything that is not a `Problem` is a bug of ours (code 70).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def counted(number: int, what: str) -> str:
    """`1 gap`, `2 gaps`: a count of things, for people."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def printable(text: str) -> str:
    """`text` with control characters and line breaks escaped, so that a name cannot forge a second line."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def one_line(dumped: str) -> str:
    """JSON on one line for every reader: what ends lines or steers a terminal, and half characters, are escaped."""
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" if ord(c) < 0x10000 else c for c in dumped)


class Problem(Exception):
    """A fault that the user can mend.

    Args:
      what: what was found and what was needed, in one clause.
      where: file, with line or field if there is one (`clips.csv:12:start`).
      mend: what to do about it, as an imperative.
      found: what was found or done all the same, for `--json`; None if that is nothing.
    """

    code = 70

    def __init__(self, what: str, *, where: object = "", mend: str = "", found: Mapping[str, Any] | None = None):
        self.what, self.where, self.mend, self.found = what, str(where), mend, found
        line = f"{self.where}: {what}" if self.where else what
        super().__init__(printable(f"{line}; {mend}" if mend else line))


class BadUsage(Problem):
    """Wrong flag, unknown config key, wrong value."""

    code = 2


class BadInput(Problem):
    """A file, row or field that cannot be used."""

    code = 3


class BadEnvironment(Problem):
    """Disk, permission, lock, device or memory."""

    code = 4


class BadResume(Problem):
    """No usable checkpoint, or one of another run."""

    code = 5


class NonFinite(Problem):
    """The loss or a gradient is not a finite number."""

    code = 7


class Stopped(Problem):
    """Saved and stopped on a signal; the same command goes on from there."""

    code = 75


class SomeSkipped(Problem):
    """Finished, but some items could not be done; each of them has been named."""

    code = 6
