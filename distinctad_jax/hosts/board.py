"""What process 0 decides, for the others to read: small files in a folder that all of them see."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from distinctad_jax.errors import BadEnvironment, Problem
from distinctad_jax.files import read_json, write_json

T = TypeVar("T")
SEEN_WITHIN = 90.0
"""Seconds until a file of one host must be seen by another: network file systems remember for up to a minute that
there was none."""
OLD = 7 * 86_400.0
"""Seconds after which what a job left that did not end well is cleared away."""


class Board:
    """Decisions of process 0, in the order in which they are made; every process asks for all of them.

    Args:
      folder: this job's own, which no other job uses.
    Errors: BadEnvironment if the processes do not see one folder.
    """

    def __init__(self, folder: Path | None = None, index: int = 0, count: int = 1):
        self.folder, self.index, self.count, self.asked = folder, index, count, 0
        if count > 1 and folder is not None:
            if self.leads:
                _sweep(folder.parent)
            self.agree(lambda: "here", within=SEEN_WITHIN)

    @property
    def leads(self) -> bool:
        """Whether this process decides, and writes what is written once."""
        return self.index == 0

    def agree(self, decide: Callable[[], T], *, within: float | None = None) -> T:
        """What `decide` gave to process 0, a JSON value; the others wait for it, `within` seconds at most.

        Errors: whatever `decide` raises; the others then end with the same line and code.
        """
        if self.count == 1 or self.folder is None:
            return decide()
        self.asked += 1
        path = self.folder / f"{self.asked}.json"
        if not self.leads:
            return self._read(path, within)
        try:
            value = decide()
        except BaseException as error:
            problem = error if isinstance(error, Problem) else Problem(f"process 0 ended: {type(error).__name__}")
            told = {"what": problem.what, "where": problem.where, "mend": problem.mend, "code": problem.code}
            write_json(path, {"failed": told})
            raise
        write_json(path, {"value": value})
        return value

    def _read(self, path: Path, within: float | None) -> Any:
        began = time.monotonic()
        while not path.is_file():
            if within is not None and time.monotonic() - began > within:
                raise BadEnvironment(
                    f"process {self.index} does not see what process 0 writes there",
                    where=path.parents[2],
                    mend="choose a config.workdir that all hosts share",
                )
            time.sleep(0.2)
        told = read_json(path)
        if "failed" in told:
            failed = told["failed"]
            problem = Problem(failed["what"], where=failed["where"], mend=failed["mend"])
            problem.code = int(failed["code"])
            raise problem
        return told["value"]

    def close(self) -> None:
        """Process 0 takes the board down; to be called when all processes have read it."""
        if self.leads and self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)


def _sweep(boards: Path) -> None:
    for board in boards.iterdir() if boards.is_dir() else ():
        if board.is_dir() and not board.is_symlink() and time.time() - board.stat().st_mtime > OLD:
            shutil.rmtree(board, ignore_errors=True)
