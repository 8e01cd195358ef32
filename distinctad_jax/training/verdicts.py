"""What a step's numbers say: logged, and stopped for when they are no numbers."""

from __future__ import annotations

import math
import statistics
import warnings
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from distinctad_jax.errors import NonFinite
from distinctad_jax.training.feed import Batch
from distinctad_jax.training.gauges import Gauges
from distinctad_jax.training.logbook import Logbook
from distinctad_jax.training.mesh import path_name

EXPLODED, ENOUGH = 10, 10
"""A loss so many times the median of the steps before, of which there have to be some, is warned of."""


class Pending(NamedTuple):
    """A step that was sent off, and whose numbers may not be there yet."""

    step: int
    metrics: dict[str, Any]
    batch: Batch


class Verdicts:
    """Reads each step's numbers while the next one is computed; those of the first, and after a bad one, at once.

    A step that is no number has changed nothing (see `make_train_step`). More than `most` in a row end the run.

    Args:
      due: whether a step's numbers are logged. tell: hears (step, loss). keep: (step, batch, state) -> the folder
        in which a bad step is kept, to be taken again.
    """

    def __init__(
        self,
        folder: Path,
        most: int,
        *,
        logbook: Logbook,
        gauges: Gauges,
        due: Callable[[int], bool],
        tell: Callable[[int, float], None],
        keep: Callable[[int, Batch, Any], Path],
    ):
        self.folder, self.most, self.logbook, self.gauges = folder, most, logbook, gauges
        self.due, self.tell, self.keep = due, tell, keep
        self.row, self.skipped = 0, 0
        self._losses: deque[float] = deque(maxlen=100)
        self._pending: Pending | None = None

    def add(self, step: int, metrics: dict[str, Any], batch: Batch, state: Any) -> None:
        """A step was sent off. Errors: as `settle`."""
        self.settle(state)
        self._pending = Pending(step, metrics, batch)
        # The first one's end is what the next are timed from, so none may be under way by then.
        if self.row or not self.most or self.gauges.first_end is None:
            self.settle(state)

    def settle(self, state: Any) -> None:
        """Waits for the last step and judges it. Errors: NonFinite after too many bad ones in a row."""
        if self._pending is None:
            return
        (step, metrics, batch), self._pending = self._pending, None
        numbers = {name: float(value) for name, value in jax.device_get(metrics).items()}
        self.gauges.stepped(step)
        self.logbook.batches.write({"step": step, **batch.hashes})
        finite = bool(numbers.pop("finite"))
        if finite:
            self._watch(step, numbers["loss"])
        self.row = 0 if finite else self.row + 1
        self.skipped += not finite
        if self.skipped:
            numbers["skipped"] = self.skipped
        if self.due(step) or not finite:
            self.logbook.write(step, numbers | self.gauges.line(step))
            self.tell(step, numbers["loss"])
        if not finite:
            self._lament(step, numbers, batch, state)

    def _watch(self, step: int, loss: float) -> None:
        usual = statistics.median(self._losses) if len(self._losses) >= ENOUGH else math.inf
        if loss > EXPLODED * usual > 0:
            warnings.warn(
                f"{self.folder}: the loss of step {step} is {loss:.4g}, the median of the steps before {usual:.4g}",
                stacklevel=2,
            )
        self._losses.append(loss)

    def _lament(self, step: int, numbers: dict[str, float], batch: Batch, state: Any) -> None:
        names = sorted((name for name, value in numbers.items() if not math.isfinite(value)), key="loss".__ne__)
        name, value = names[0], numbers[names[0]]
        rows = f", rows {_brief(batch.rows['row'])}" if "row" in batch.rows else ""
        what = f"{name} is {value} at step {step}{rows}; first in {first_bad(batch.rows, state)}"
        if self.row <= self.most:
            warnings.warn(f"{self.folder}: {what}; the step is left out", stacklevel=2)
            return
        kept = self.keep(step, batch, state)
        raise NonFinite(
            f"{what}, {self.row} such steps in a row",
            where=self.folder,
            mend=f"see where it begins by the same command with --replay={kept}, or lower the learning rate",
        )


def first_bad(rows: dict[str, np.ndarray], state: Any) -> str:
    """Where a number that is none stands: in the batch, in a weight, or only in what is computed of them."""
    for name, array in rows.items():
        if array.dtype.kind not in "biu" and not np.isfinite(array.astype(np.float32)).all():
            bad = ~np.isfinite(array.astype(np.float32)).reshape(len(array), -1).all(axis=1)
            return f"the batch's {name}, row {int(np.argmax(bad))} of {len(array)}"
    for part in ("learned", "frozen", "buffers", "moments"):
        for path, leaf in jax.tree_util.tree_leaves_with_path(getattr(state, part)):
            if jax.numpy.issubdtype(leaf.dtype, jax.numpy.inexact) and not bool(jax.numpy.isfinite(leaf).all()):
                return f"{'moments of ' if part == 'moments' else ''}{path_name(path)}"
    return "what is computed, batch and weights being sound"


def _brief(rows: np.ndarray) -> str:
    found = np.unique(rows[rows >= 0])
    return ", ".join(map(str, found[:8])) + (f", ... ({len(found)})" if len(found) > 8 else "")
