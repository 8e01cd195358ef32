"""Batches ahead of the step that takes them: read, hashed and placed on the devices by a thread of their own."""

from __future__ import annotations

import contextlib
import hashlib
import queue
import threading
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import numpy as np
from jax.sharding import Mesh

from distinctad_jax.training.mesh import place_batch

AHEAD = 2
"""Batches that wait for their step."""
LOOK = 0.2
"""Seconds between two looks at whether a stop was asked for."""
PATIENCE = 5.0
"""Seconds that a thread which reads may take to end."""


@runtime_checkable
class Batches(Protocol):
    """A stream of batches whose position is a function of the step."""

    def next(self) -> dict[str, np.ndarray]: ...

    def seek(self, step: int) -> None: ...

    def close(self) -> None: ...


class Batch(NamedTuple):
    """A step's rows of this process: as they were read, on the devices, and their hashes."""

    rows: dict[str, np.ndarray]
    arrays: dict[str, jax.Array]
    hashes: dict[str, str]


def batch_hashes(rows: dict[str, np.ndarray]) -> dict[str, str]:
    """`sha256` of the batch, and `rows`: the sum of its rows' hashes, which does not depend on their order and adds
    up over processes, so that two runs on other meshes can be told to have read the same."""
    names = sorted(rows)
    digests = []
    for row in range(len(rows[names[0]])):
        digest = hashlib.sha256()
        for name in names:
            digest.update(np.ascontiguousarray(rows[name][row]).reshape(-1).view(np.uint8).data)
        digests.append(digest.digest())
    total = sum(int.from_bytes(digest, "big") for digest in digests) % (1 << 256)
    return {"sha256": hashlib.sha256(b"".join(digests)).hexdigest(), "rows": f"{total:064x}"}


class Feed:
    """Gives the batches of steps in order, from the one after `done`; what went wrong in reading is raised by `next`.

    Leaving the block ends the thread and closes `batches`.
    """

    def __init__(self, batches: Batches, mesh: Mesh, done: int, steps: int):
        self._batches, self._mesh, self._left = batches, mesh, steps - done
        self._queue: queue.Queue[Batch | BaseException] = queue.Queue(AHEAD)
        self._over = threading.Event()
        batches.seek(done)
        self._thread = threading.Thread(target=self._read, daemon=True, name="feed")

    def __enter__(self) -> Feed:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        while self._thread.is_alive():
            with contextlib.suppress(queue.Empty):
                self._queue.get_nowait()
            self._thread.join(timeout=PATIENCE if self._queue.empty() else 0)
            if self._queue.empty():
                break
        if not self._thread.is_alive():  # one that hangs in a read must not be hung upon
            self._batches.close()

    def next(self, stop: threading.Event) -> Batch | None:
        """The next step's batch; None if `stop` is set before it came. Errors: whatever reading raises."""
        while True:
            try:
                found = self._queue.get(timeout=LOOK)
            except queue.Empty:
                if stop.is_set():
                    return None
                continue
            if isinstance(found, BaseException):
                raise found
            return found

    def _read(self) -> None:
        found: Any
        for _ in range(self._left):
            try:
                rows = self._batches.next()
                found = Batch(rows, place_batch(rows, self._mesh), batch_hashes(rows))
            except BaseException as error:
                found = error
            while not self._over.is_set():
                with contextlib.suppress(queue.Full):
                    self._queue.put(found, timeout=LOOK)
                    break
            if self._over.is_set() or isinstance(found, BaseException):
                return
