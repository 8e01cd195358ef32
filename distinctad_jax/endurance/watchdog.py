"""A run that hangs ends: where a collective waits for a host that is alive and stuck, nobody else would tell."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import statistics
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

from distinctad_jax.errors import Stopped, printable

STRETCH = 10
"""So many times the median step may a step take, however short the patience."""


def give_up(line: str) -> None:
    """Says so and ends the process, whatever its threads do."""
    with contextlib.suppress(Exception):
        print(f"error: {printable(line)}", file=sys.stderr, flush=True)
    os._exit(Stopped.code)


class Watchdog:
    """Waits for `beat` at every step; after `patience` seconds without one (or ten times the median of late steps),
    writes the stacks of all threads to `folder/stacks.txt` and ends the process with code 75.

    The first step, which compiles, is not waited for.
    """

    def __init__(self, folder: Path, patience: float, end: Callable[[str], None] = give_up):
        self.folder, self.patience, self.end = folder, patience, end
        self._steps: deque[float] = deque(maxlen=100)
        self._last: float | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True, name="watchdog")

    def __enter__(self) -> Watchdog:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(timeout=1)

    @property
    def limit(self) -> float:
        """Seconds that a step may take."""
        return max(self.patience, STRETCH * statistics.median(self._steps)) if self._steps else self.patience

    def beat(self) -> None:
        """A step is done."""
        now = time.monotonic()
        if self._last is not None:
            self._steps.append(now - self._last)
        self._last = now

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """What is done in the block may take as long as it takes: a save on a full disk that is waited for."""
        self._last = None
        try:
            yield
        finally:
            self._last = time.monotonic()

    def _watch(self) -> None:
        while not self._over.wait(min(self.patience / 10, 5.0)):
            last = self._last
            if last is not None and time.monotonic() - last > self.limit:
                stacks = self.folder / "stacks.txt"
                with contextlib.suppress(OSError), stacks.open("w", encoding="utf-8") as file:
                    faulthandler.dump_traceback(file, all_threads=True)
                line = f"no step for {time.monotonic() - last:.0f} s, so another host hangs or this one does"
                self.end(f"{self.folder}: {line}; all threads' stacks are in {stacks}; run the same command to go on")
                return
