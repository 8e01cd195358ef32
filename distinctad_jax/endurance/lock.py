"""One job at a time in a workdir: two would delete each other's half-written checkpoints."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
import threading
import time
import warnings
from pathlib import Path
from types import TracebackType
from typing import Any

from distinctad_jax.errors import BadEnvironment

NAME = ".lock"
BEAT = 10.0
"""Seconds between two signs of life, for hosts that share a disk and no kernel."""
SILENT = 90.0
"""Seconds without one after which a job on another host counts as ended: network disks remember for a minute."""


class WorkdirLock:
    """Held from `with` to its end; the kernel lets go of it when the process ends in any other way.

    Errors: BadEnvironment that names host, process and start of the job that holds it.
    """

    def __init__(self, folder: Path):
        self.path = folder / NAME
        self._file = -1
        self._over = threading.Event()

    def __enter__(self) -> WorkdirLock:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            while not self._taken():
                pass
        except OSError as error:
            what = f"cannot be written: {error.strerror}"
            raise BadEnvironment(what, where=self.path.parent, mend="choose another config.workdir") from error
        threading.Thread(target=self._beat, daemon=True, name="workdir lock").start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._over.set()
        with contextlib.suppress(OSError):
            self.path.unlink()
        os.close(self._file)

    def _taken(self) -> bool:
        """Whether the lock is ours; False if the file was removed meanwhile and has to be opened anew."""
        file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            locks = True
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise self._refusal(_read(file)) from None
            except OSError:  # a disk without locks: signs of life have to do
                locks = False
            try:
                if os.fstat(file).st_ino != self.path.stat().st_ino:
                    os.close(file)
                    return False
            except FileNotFoundError:
                os.close(file)
                return False
            holder = _read(file)
            if holder and self._lives(file, holder, locks):
                raise self._refusal(holder)
            if holder:
                warnings.warn(
                    f"{self.path.parent}: the job of process {holder.get('pid')} on {holder.get('host')} ended "
                    "without a word; its lock is taken over",
                    stacklevel=4,
                )
            about = {"host": socket.gethostname(), "pid": os.getpid(), "started": time.strftime("%Y-%m-%d %H:%M:%S")}
            os.ftruncate(file, 0)
            os.pwrite(file, json.dumps(about).encode(), 0)
        except BaseException:
            with contextlib.suppress(OSError):
                os.close(file)
            raise
        self._file = file
        return True

    def _lives(self, file: int, holder: dict[str, Any], locks: bool) -> bool:
        if holder.get("host") != socket.gethostname():
            return self._now() - os.fstat(file).st_mtime < SILENT
        return not locks and _runs(holder.get("pid"))

    def _now(self) -> float:
        """The time by the clock of the disk, which may be another machine's."""
        probe = self.path.with_name(f"{NAME}.{os.getpid()}")
        probe.write_bytes(b"")
        try:
            return probe.stat().st_mtime
        finally:
            probe.unlink()

    def _refusal(self, holder: dict[str, Any]) -> BadEnvironment:
        who = "another job" if not holder else f"process {holder.get('pid')} on {holder.get('host')}"
        since = f", since {holder['started']}" if "started" in holder else ""
        return BadEnvironment(
            f"in use by {who}{since}", where=self.path.parent, mend="wait for it, or choose another config.workdir"
        )

    def _beat(self) -> None:
        while not self._over.wait(BEAT):
            with contextlib.suppress(OSError):
                os.utime(self._file)


def _read(file: int) -> dict[str, Any]:
    try:
        found = json.loads(os.pread(file, 4096, 0))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _runs(pid: Any) -> bool:
    try:
        os.kill(int(pid), 0)
    except PermissionError:
        return True
    except (OSError, TypeError, ValueError):
        return False
    return True
