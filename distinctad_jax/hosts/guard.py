"""A guard in front of a process that is one of several: when another is lost, it says so in one line and ends.

JAX ends a process whose fellow is gone by SIGABRT and a page of its own log, which no handler in that process can
change. So the command starts itself once more as a child, passes on signals and lines, and tells in the end what
happened. The child dies with its guard.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from typing import IO

from distinctad_jax.endurance.orphans import die_with
from distinctad_jax.endurance.stop import TOGETHER, code_of, told
from distinctad_jax.errors import BadEnvironment, Problem, Stopped, printable

MARK = "DISTINCTAD_GUARD"
"""Set for the child: the process id of its guard."""
PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
GRACE = 100.0
"""Seconds to save and stop in; launchers give 120."""
LOST = re.compile(
    r"coordination_service|CoordinationService|JAX distributed service|preemption_sync_manager|sending heartbeats"
)
PEER = re.compile(
    r"gloo|coordination|distributed service|Socket closed|Connection (closed|reset|refused)|heartbeat", re.I
)
"""What an error of a collective says whose other end is gone."""


def guarded() -> bool:
    """Whether this process has a guard; if so, it dies with it from now on."""
    if MARK not in os.environ:
        return False
    guard = int(os.environ.pop(MARK))
    if not die_with(guard):  # it died before we asked
        os._exit(Stopped.code)
    return True


def guard(command: Sequence[str], *, heartbeat: int) -> int:
    """Runs `command` as a child under guard; its exit code, or that of what befell it."""
    environment = {**os.environ, MARK: str(os.getpid())}
    # A session of its own: a signal for the whole group would reach it twice.
    child = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, start_new_session=True)
    asked = _Asked(child)
    before = {number: signal.signal(number, asked) for number in PASSED_ON}
    log = _Log()
    assert child.stderr is not None
    reader = threading.Thread(target=log.read, args=(child.stderr,), daemon=True)
    reader.start()
    code = child.wait()
    reader.join(timeout=2)  # what outlives the child may hold its end of the pipe
    for number, handler in before.items():
        signal.signal(number, handler)
    if code >= 0:
        log.tell()
        return code
    if asked.killed:
        print(f"error: {told(asked.number)}", file=sys.stderr, flush=True)
        return code_of(asked.number)
    problem = log.problem(-code, heartbeat)
    if not isinstance(problem, Stopped):
        log.tell()
    print(f"error: {printable(str(problem))}", file=sys.stderr, flush=True)
    return problem.code


class _Asked:
    """Passes signals on to a child. One that asks it a second time to end, but not in one breath, kills it, and so
    does the first one when its time is over."""

    def __init__(self, child: subprocess.Popen[bytes]):
        self.child, self.first, self.number, self.killed = child, 0.0, 0, False

    def __call__(self, number: int, _frame: object) -> None:
        if number in (signal.SIGTERM, signal.SIGINT):
            if self.first and time.monotonic() - self.first > TOGETHER:
                self._kill()
            if self.first:
                return
            self.first, self.number = time.monotonic(), number
            late = threading.Timer(GRACE, self._kill)
            late.daemon = True
            late.start()
        self.child.send_signal(number)

    def _kill(self) -> None:
        self.killed = self.child.poll() is None
        self.child.kill()


def lost_peer(error: BaseException) -> bool:
    """Whether an error, or what caused it, is that of a collective whose other end is gone."""
    of_a_peer = isinstance(error, RuntimeError | ValueError | OSError) and PEER.search(str(error)) is not None
    return of_a_peer or (error.__cause__ is not None and lost_peer(error.__cause__))


class _Log:
    """A child's standard error: passed on line by line, but for what JAX says of a fellow that is gone."""

    def __init__(self):
        self.held: list[str] = []

    def read(self, stream: IO[bytes]) -> None:
        for raw in stream:
            line = raw.decode("utf-8", "replace")
            if line.startswith("[Gloo]"):  # its greeting, one a group and device
                continue
            if self.held or (LOST.search(line) and re.match(r"[IWEF]\d{4} ", line)):
                self.held.append(line)
            else:
                sys.stderr.write(line)
                sys.stderr.flush()

    def tell(self) -> None:
        """Passes on what was held back after all."""
        sys.stderr.write("".join(self.held))
        sys.stderr.flush()

    def lost(self) -> list[str]:
        """Numbers of the processes that sent no more heartbeats; none if process 0 itself is gone."""
        text = "".join(self.held)
        found = re.search(r"stopped sending heartbeats\)?:?\s*(.*?)(?:The tasks have crashed|\Z)", text, re.DOTALL)
        return sorted(set(re.findall(r"(?:task:|^)(\d+)\s*$", found[1], re.MULTILINE)), key=int) if found else []

    def problem(self, number: int, heartbeat: int) -> Problem:
        """What ended the child by a signal."""
        again = "start the same command on all hosts again: it goes on from the last checkpoint"
        if self.held and number == signal.SIGABRT:
            lost = self.lost()
            which = f"process {', '.join(lost)}" if lost else "process 0"
            why = f"no sign of life for {heartbeat} s" if lost else "its connection is gone"
            return Stopped(f"lost, {why}; this one ends too", where=which, mend=again)
        name = signal.Signals(number).name
        if number == signal.SIGKILL:
            return BadEnvironment(f"killed by {name}, likely out of memory", mend="lower batch or rows")
        return Problem(f"ended by {name}", mend="please report it with what stands above")
