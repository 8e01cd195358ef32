"""What a command says while it works, on standard error: lines, warnings, and bars with time left.

Source: the contract of every command: a warning of one kind is said at most five times, then counted.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections import Counter
from collections.abc import Iterator

from distinctad_jax.errors import BadInput, one_line, printable
from distinctad_jax.recipes.console import Report
from distinctad_jax.recipes.console import Voice as Console

AT_MOST = 5
"""How often a warning of one kind is said."""


class Voice:
    """Says what a command's flags want to hear.

    Args:
      quiet: nothing but warnings and errors.
      json_progress: progress as one JSON object per line, for a program that shows it.
      strict: a warning is an error.
    """

    def __init__(self, *, quiet: bool = False, json_progress: bool = False, strict: bool = False):
        self.quiet, self.json_progress, self.strict = quiet, json_progress, strict
        self.warned: Counter[str] = Counter()
        self._console = Console()

    def say(self, line: str) -> None:
        """One line of information."""
        if not self.quiet and not self.json_progress:
            self._console.say(line)

    def turn(self, place: int, count: int, name: str) -> None:
        """That of several files the one at `place`, from 1, is begun."""
        if self.json_progress:
            self._line({"stage": "files", "done": place - 1, "of": count, "note": name})
        else:
            self.say(f"{place}/{count} {name}")

    def warn(self, line: str, kind: str = "") -> None:
        """A warning; `kind` groups those that are counted together (by default the line itself).

        Errors: BadInput with the line, if warnings are errors.
        """
        if self.strict:
            raise BadInput(line, mend="correct it, or leave out --strict")
        self.warned[kind or line] += 1
        if self.warned[kind or line] <= AT_MOST:
            print(f"warning: {printable(line)}", file=sys.stderr, flush=True)

    @contextlib.contextmanager
    def bar(self, title: str) -> Iterator[Report]:
        """Yields a function that moves the bar `title`: (done, all, what to show beside it)."""
        if self.json_progress:
            yield lambda done, count, note="": self._line({"stage": title, "done": done, "of": count, "note": note})
        elif self.quiet:
            yield lambda done, count, note="": None
        else:
            with self._console.bar(title) as report:
                yield report

    def close(self) -> None:
        """Says how many warnings of each kind were not said."""
        for kind, count in self.warned.items():
            if count > AT_MOST:
                print(f"warning: {count - AT_MOST} more like: {printable(kind)}", file=sys.stderr, flush=True)

    @staticmethod
    def _line(value: dict) -> None:
        print(one_line(json.dumps(value, ensure_ascii=False)), file=sys.stderr, flush=True)
