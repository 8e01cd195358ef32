"""What a run says while it works: lines and bars with time left, on standard error."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from distinctad_jax.errors import printable

Report = Callable[[int, int, str], None]
"""Called with (done, all, what to show beside the bar)."""

QUIET_SECONDS = 15.0
"""Without a terminal, a bar is a line at most this often."""


class Voice:
    """Says lines and shows bars; without a terminal, bars become a few plain lines. A quiet one says nothing."""

    def __init__(self, *, quiet: bool = False):
        self.console = Console(stderr=True, highlight=False, soft_wrap=True, quiet=quiet)

    def say(self, line: str) -> None:
        """One line."""
        self.console.print(printable(line), markup=False)

    @contextlib.contextmanager
    def bar(self, title: str) -> Iterator[Report]:
        """Yields a function that moves the bar `title`."""
        if self.console.quiet:
            yield lambda done, count, note="": None
        elif self.console.is_terminal:
            columns = (
                TextColumn("  {task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                TextColumn("{task.fields[note]}"),
            )
            with Progress(*columns, console=self.console, transient=True) as progress:
                task = progress.add_task(title, total=None, note="")
                yield lambda done, count, note="": progress.update(task, completed=done, total=count, note=note)
        else:
            yield _Lines(title)


class _Lines:
    """A bar for a log file: a line when enough time has passed, with the time left."""

    def __init__(self, title: str):
        self.title, self.began, self.said = title, time.monotonic(), time.monotonic()
        self.first: int | None = None

    def __call__(self, done: int, count: int, note: str = "") -> None:
        now = time.monotonic()
        if self.first is None:
            self.first, self.began = done, now
        if now - self.said < QUIET_SECONDS:
            return
        self.said, moved = now, done - self.first
        left = f", {(now - self.began) / moved * (count - done):.0f} s left" if moved > 0 else ""
        print(printable(f"  {self.title}: {done}/{count}{left} {note}"), file=sys.stderr, flush=True)
