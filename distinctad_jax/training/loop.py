"""Steps, saves, and stopping well."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import jax
import numpy as np
from jax.sharding import Mesh

from distinctad_jax.checkpoints.runs import Checkpoints
from distinctad_jax.errors import NonFinite, Stopped
from distinctad_jax.training.logbook import Logbook
from distinctad_jax.training.mesh import place_batch, whole_arrays
from distinctad_jax.training.optimiser import OptimiserConfig, make_optimiser
from distinctad_jax.training.step import Learns, Metrics, Parts, Task, TrainState, make_state, make_train_step


@dataclasses.dataclass(frozen=True)
class TrainingConfig:
    """How long and how; `batch` counts rows over all devices, read in `pieces` to save memory."""

    steps: int
    batch: int
    optimiser: OptimiserConfig
    pieces: int = 1
    save_every: int = 100
    log_every: int = 10

    def __post_init__(self):
        if min(self.steps, self.batch, self.pieces, self.save_every, self.log_every) < 1:
            raise ValueError(f"steps, batch, pieces, save_every and log_every are at least 1, got {self}")
        if self.batch % self.pieces:
            raise ValueError(f"a batch of {self.batch} cannot be read in {self.pieces} equal pieces")


@runtime_checkable
class Batches(Protocol):
    """A stream of batches whose position is a function of the step."""

    def next(self) -> dict[str, np.ndarray]: ...

    def seek(self, step: int) -> None: ...

    def close(self) -> None: ...


Progress = Callable[[int, int, str], None]
"""Told (done, all, what to show beside the bar)."""


def train(
    config: TrainingConfig,
    folder: Path,
    *,
    run: str,
    state: TrainState,
    shardings: TrainState,
    step_fn: Callable[[TrainState, dict[str, jax.Array]], tuple[TrainState, Metrics]],
    batches: Batches,
    mesh: Mesh,
    progress: Progress,
) -> TrainState:
    """Runs to `config.steps`, from the newest checkpoint in `folder` if there is one; same command, same numbers.

    Errors: Stopped after SIGTERM, KeyboardInterrupt after Ctrl-C, both with the step saved; NonFinite if the loss is
      no number, with nothing saved over the last sound step; BadResume as `Checkpoints`.
    """
    checkpoints = Checkpoints(folder / "checkpoints", run=run)
    found = checkpoints.restore(state, shardings)
    done, state = found if found else (0, state)
    logbook = Logbook(folder, done, writes=jax.process_index() == 0)
    batches.seek(done)
    try:
        with _stop_request() as stop:
            began = time.monotonic()
            for step in range(done + 1, config.steps + 1):
                state, metrics = step_fn(state, place_batch(batches.next(), mesh))
                if step % config.log_every == 0 or step in (done + 1, config.steps):
                    numbers = {name: float(value) for name, value in jax.device_get(metrics).items()}
                    numbers["seconds"] = time.monotonic() - began
                    _check_finite(numbers, step, folder)
                    logbook.write(step, numbers)
                    progress(step, config.steps, f"loss {numbers['loss']:.3f}")
                if step % config.save_every == 0 or step == config.steps or stop.is_set():
                    _check_finite({"loss": float(metrics["loss"])}, step, folder)
                    checkpoints.save(step, state)
                if stop.is_set() and step < config.steps:
                    checkpoints.wait()
                    if stop.interrupted:
                        raise KeyboardInterrupt
                    raise Stopped(
                        f"saved at step {step} and stopped", where=folder, mend="run the same command to go on"
                    )
    finally:
        batches.close()
        logbook.close()
        checkpoints.close()
    return state


def fit(
    config: TrainingConfig,
    folder: Path,
    *,
    run: str,
    seed: int,
    make: Callable[[], Any],
    learns: Learns,
    task: Task,
    batches: Batches,
    mesh: Mesh,
    progress: Progress,
    start: Mapping[str, np.ndarray] | None = None,
) -> Parts:
    """Builds model, optimiser and step, and trains; the parts are whole on every host. Errors: as `train` and
    `make_state`."""
    optimiser = make_optimiser(config.optimiser, config.steps)
    graph, state, shardings = make_state(make, learns, optimiser, mesh, start)
    step_fn = make_train_step(graph, task, optimiser, mesh, shardings, seed=seed, pieces=config.pieces)
    state = train(
        config,
        folder,
        run=run,
        state=state,
        shardings=shardings,
        step_fn=step_fn,
        batches=batches,
        mesh=mesh,
        progress=progress,
    )
    return Parts(graph, *whole_arrays((state.learned, state.frozen, state.buffers)))


def _check_finite(numbers: dict[str, float], step: int, folder: Path) -> None:
    for name, value in numbers.items():
        if not math.isfinite(value):
            raise NonFinite(f"{name} is {value} at step {step}", where=folder, mend="lower the learning rate")


class _StopRequest(threading.Event):
    """Set by SIGTERM or SIGINT; the step in hand is finished and saved first."""

    interrupted = False


@contextlib.contextmanager
def _stop_request() -> Iterator[_StopRequest]:
    request = _StopRequest()

    def ask(number: int, _frame: Any) -> None:
        if request.is_set():  # a second signal: at once
            raise KeyboardInterrupt
        request.interrupted = number == signal.SIGINT
        request.set()

    if threading.current_thread() is not threading.main_thread():
        yield request  # signals belong to the main thread
        return
    before = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
