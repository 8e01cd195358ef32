"""SIGTERM and SIGINT, from the start of a command to its end.

Where nothing can be lost a signal ends the command at once, also while the main thread is in a library that does not
listen (a compiler). Where a step is in hand, the request is noted, and the training loop finishes and saves first. A
second signal ends it without that; two that come together count as one, as launchers send them to a process and again
to its group.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

from distinctad_jax.errors import Stopped

TOGETHER = 1.0
"""Seconds within which a second signal is the first one again."""
UNHEARD = 1.5
"""Seconds after which a main thread that has not heard a signal is taken to be in a library."""
AGAIN = "run the same command to go on"
INTERRUPTED = 130


class Interrupted(BaseException):
    """A signal where nothing is lost. No `except Exception` may take it for a fault of its own."""

    def __init__(self, number: int):
        self.number = number
        super().__init__(told(number))


def told(number: int) -> str:
    """What is said in the end."""
    return (
        f"interrupted; {AGAIN}" if number == signal.SIGINT else f"stopped by {signal.Signals(number).name}; {AGAIN}"
    )


def code_of(number: int) -> int:
    """The exit code."""
    return INTERRUPTED if number == signal.SIGINT else Stopped.code


class Listener:
    """Hears signals; `asked` is set by the first one, `trace` by SIGUSR1.

    `shared`: this is one of several processes, in which JAX hears SIGTERM and makes all of them stop after one step.
    """

    def __init__(self):
        self.asked = threading.Event()
        self.number = 0
        self.trace = threading.Event()
        self.shared = False
        self._first = 0.0
        self._deferred, self._heard = False, False

    @property
    def interrupted(self) -> bool:
        """Whether it was Ctrl-C."""
        return self.number == signal.SIGINT

    @contextlib.contextmanager
    def deferred(self) -> Iterator[None]:
        """What is asked for in the block is only noted: who is in it looks at `asked`, saves and stops."""
        before, self._deferred = self._deferred, True
        try:
            yield
        finally:
            self._deferred = before

    @contextlib.contextmanager
    def at_once(self) -> Iterator[None]:
        """Within a deferred block, a stretch where nothing can be lost, such as compiling."""
        before, self._deferred = self._deferred, False
        try:
            if self.asked.is_set():
                raise Interrupted(self.number)
            yield
        finally:
            self._deferred = before

    def hear(self, number: int, _frame: Any = None) -> None:
        """The main thread's part: it may raise where the main thread is."""
        if number == signal.SIGUSR1:
            self.trace.set()
            return
        self._note(number)
        if self.shared and self._deferred and number == signal.SIGINT:
            os.kill(os.getpid(), signal.SIGTERM)
        if not self._deferred and not self._heard:
            self._heard = True
            raise Interrupted(number)

    def _note(self, number: int) -> None:
        if not self.asked.is_set():
            self.number, self._first = number, time.monotonic()
            self.asked.set()
            if self._deferred:
                print("stopping: the step in hand is finished and saved; again to stop at once", file=sys.stderr)
                sys.stderr.flush()

    def watch(self, signals: socket.socket) -> None:
        """Another thread's part: it hears what the main thread may be too busy for."""
        while True:
            try:
                got = signals.recv(1)
            except OSError:
                return
            if not got:
                return
            if got[0] not in (signal.SIGTERM, signal.SIGINT):
                continue
            if self._first and time.monotonic() - self._first > TOGETHER:
                end_at_once(self.number)
            self._note(got[0])
            if not self._deferred:
                threading.Thread(target=self._unheard, daemon=True).start()

    def _unheard(self) -> None:
        time.sleep(UNHEARD)
        if not self._heard and not self._deferred:
            end_at_once(self.number)


def end_at_once(number: int, line: str = "") -> None:
    """Ends the process here and now, with its line."""
    with contextlib.suppress(Exception):
        print(f"error: {line or told(number)}", file=sys.stderr, flush=True)
    os._exit(code_of(number))


_current: list[Listener] = []


@contextlib.contextmanager
def listening() -> Iterator[Listener]:
    """Hears signals within the block; within another such block, the same listener. Only the main thread can."""
    if _current:
        yield _current[0]
        return
    listener = Listener()
    if threading.current_thread() is not threading.main_thread():
        yield listener
        return
    ours, others = socket.socketpair()
    others.setblocking(False)
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
    before = {number: signal.signal(number, listener.hear) for number in numbers}
    woken = signal.set_wakeup_fd(others.fileno(), warn_on_full_buffer=False)
    threading.Thread(target=listener.watch, args=(ours,), daemon=True, name="signals").start()
    _current.append(listener)
    try:
        yield listener
    finally:
        _current.clear()
        signal.set_wakeup_fd(woken)
        for number, handler in before.items():
            signal.signal(number, handler)
        others.close()
        ours.close()
