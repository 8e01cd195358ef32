"""Steps, saves, and stopping well."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh

from distinctad_jax.checkpoints.runs import Checkpoints
from distinctad_jax.endurance.facts import harmless
from distinctad_jax.endurance.stop import Listener, listening
from distinctad_jax.endurance.watchdog import Watchdog
from distinctad_jax.errors import BadEnvironment, Stopped
from distinctad_jax.training import replay
from distinctad_jax.training.feed import Batch, Batches, Feed
from distinctad_jax.training.gauges import Gauges
from distinctad_jax.training.journey import Journey
from distinctad_jax.training.logbook import Logbook
from distinctad_jax.training.mesh import whole_arrays
from distinctad_jax.training.optimiser import OptimiserConfig, make_optimiser
from distinctad_jax.training.step import (
    Learns,
    Parts,
    Step,
    Task,
    TrainState,
    make_loss,
    make_state,
    make_train_step,
)
from distinctad_jax.training.verdicts import Verdicts

Progress = Callable[[int, int, str], None]
"""Told (done, all, what to show beside the bar)."""


@dataclasses.dataclass(frozen=True)
class TrainingConfig:
    """How long and how; `batch` counts rows over all devices, read in `pieces` to save memory.

    save_every: steps that a run loses at most, killed at any moment; log_every: steps; keep: so many checkpoints.
    most_nonfinite: so many steps in a row may be no number, and are left out, before the run stops. patience: seconds
    without a step after which the run ends as hung, or ten times the median step, whichever is longer.
    """

    steps: int
    batch: int
    optimiser: OptimiserConfig
    pieces: int = 1
    save_every: int = harmless(100)
    log_every: int = harmless(10)
    keep: int = harmless(2)
    most_nonfinite: int = harmless(3)
    patience: float = harmless(300.0)

    def __post_init__(self):
        if min(self.steps, self.batch, self.pieces, self.save_every, self.log_every, self.keep) < 1:
            raise ValueError(f"steps, batch, pieces, save_every, log_every and keep are at least 1, got {self}")
        if self.batch % self.pieces:
            raise ValueError(f"a batch of {self.batch} cannot be read in {self.pieces} equal pieces")
        if self.most_nonfinite < 0 or self.patience <= 0:
            raise ValueError(f"needs most_nonfinite >= 0 and patience > 0, got {self}")

    def saves_at(self, step: int) -> bool:
        """Twice in `save_every` steps: a save that is under way is lost with its run, the one before it is not."""
        return step % self.save_every in (0, self.save_every // 2) or step == self.steps


def train(
    config: TrainingConfig,
    folder: Path,
    *,
    journey: Journey,
    state: TrainState,
    shardings: TrainState,
    step_fn: Step,
    batches: Batches,
    mesh: Mesh,
    progress: Progress,
    say: Callable[[str], None] = lambda line: None,
) -> TrainState:
    """Runs to `config.steps`, from the newest sound checkpoint in `folder` if there is one; same command, same bits.

    Errors: Stopped after SIGTERM, KeyboardInterrupt after Ctrl-C, both with the step saved; NonFinite after more than
      `most_nonfinite` steps in a row that are no numbers; BadResume and BadEnvironment as `Checkpoints`.
    """
    checkpoints = journey.checkpoints(folder, config.keep)
    done, state = journey.begin(checkpoints, state, shardings)
    checkpoints.room(state) if done < config.steps else None
    index, last = jax.process_index(), config.steps
    gauges = Gauges(folder, done, writes=index == 0, profile=journey.choices.profile)
    with (
        listening() as stop,
        stop.deferred(),
        Logbook(folder, done, index=index, wandb=journey.choices.wandb, run=journey.run) as logbook,
        Feed(batches, mesh, done, last) as feed,
        Watchdog(folder, config.patience) as dog,
        _ended(checkpoints),
    ):
        stop.shared = jax.process_count() > 1
        verdicts = Verdicts(
            folder,
            config.most_nonfinite,
            logbook=logbook,
            gauges=gauges,
            due=lambda step: step % config.log_every == 0 or step in (done + 1, last),
            tell=lambda step, loss: progress(step, last, f"loss {loss:.3f}"),
            keep=lambda step, batch, state: replay.keep(folder, journey.run, step, batch, state),
        )
        for step in range(done + 1, last + 1):
            with gauges.timed("data"):
                batch = feed.next(stop.asked if jax.process_count() == 1 else _NEVER)
            if batch is None:
                _save_and_stop(checkpoints, step - 1, state, verdicts, stop, folder)
            assert batch is not None
            gauges.trace(step, stop.trace)
            if step == done + 1:
                with stop.at_once(), _told_what_is_large(config, batch, state):
                    step_fn = gauges.compiled(step_fn, state, batch.arrays)
            with gauges.timed("compute"), _told_what_is_large(config, batch, state):
                state, metrics = step_fn(state, batch.arrays, verdicts.due(step))
                verdicts.add(step, metrics, batch, state)
            dog.beat()
            asked = _agreed(stop, step)
            if asked and step < last:
                _save_and_stop(checkpoints, step, state, verdicts, stop, folder)
            if config.saves_at(step) or not checkpoints.check():
                with gauges.timed("compute"):
                    verdicts.settle(state)
                with dog.paused(), gauges.timed("checkpoint"):
                    checkpoints.save(step, state, wait=config.save_every == 1 or step == last)
        gauges.end_trace()
        if done < last:
            say(f"  {gauges.sentence(gauges.summary(last))}")
    return state


def fit(
    config: TrainingConfig,
    folder: Path,
    *,
    journey: Journey,
    seed: int,
    make: Callable[[], Any],
    learns: Learns,
    task: Task,
    batches: Batches,
    mesh: Mesh,
    progress: Progress,
    start: Mapping[str, np.ndarray] | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> Parts:
    """Builds model, optimiser and step, and trains; the parts are whole on every host. Errors: as `train` and
    `make_state`."""
    optimiser = make_optimiser(config.optimiser, config.steps)
    graph, state, shardings = make_state(make, learns, optimiser, mesh, start)
    step_fn = make_train_step(graph, task, optimiser, mesh, shardings, seed=seed, pieces=config.pieces)
    again = journey.choices.replay
    if again is not None and folder.absolute() in again.absolute().parents:
        kept = replay.read_kept(again)
        loss_fn = make_loss(graph, task, mesh, seed=seed)
        say(replay.replay(kept, journey.run, state, shardings, step_fn, loss_fn, mesh))
        raise SystemExit(0)
    state = train(
        config,
        folder,
        journey=journey,
        state=state,
        shardings=shardings,
        step_fn=step_fn,
        batches=batches,
        mesh=mesh,
        progress=progress,
        say=say,
    )
    return Parts(graph, *whole_arrays((state.learned, state.frozen, state.buffers)))


class _Never:
    def is_set(self) -> bool:
        return False


_NEVER: Any = _Never()


def _agreed(stop: Listener, step: int) -> bool:
    """Whether to stop after this step: of several processes all do, after the same one."""
    if jax.process_count() == 1:
        return stop.asked.is_set()
    return bool(multihost_utils.reached_preemption_sync_point(step))


def _save_and_stop(
    checkpoints: Checkpoints, step: int, state: TrainState, verdicts: Verdicts, stop: Listener, folder: Path
) -> None:
    """Errors: Stopped, or KeyboardInterrupt."""
    verdicts.settle(state)
    if step:
        checkpoints.save(step, state, wait=True)
    if stop.interrupted:
        raise KeyboardInterrupt
    what = f"saved at step {step} and stopped" if step else "stopped before the first step was done"
    raise Stopped(what, where=folder, mend="run the same command to go on")


@contextlib.contextmanager
def _ended(checkpoints: Checkpoints) -> Any:
    """Whatever ends the block, a save that is under way is awaited."""
    try:
        yield
    except BaseException:
        with contextlib.suppress(BadEnvironment):  # the first fault is the one to tell
            checkpoints.close()
        raise
    checkpoints.close()


@contextlib.contextmanager
def _told_what_is_large(config: TrainingConfig, batch: Batch, state: TrainState) -> Any:
    """Errors: BadEnvironment in place of a device's page about its memory."""
    try:
        yield
    except Exception as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        sizes = {
            "weights": state.learned,
            "frozen weights": state.frozen,
            "moments": state.moments,
            "batch": batch.arrays,
        }
        told = ", ".join(
            f"{name} {sum(leaf.nbytes for leaf in jax.tree.leaves(tree)) / 2**20:.0f} MiB"
            for name, tree in sizes.items()
        )
        raise BadEnvironment(
            f"out of device memory with a batch of {config.batch} ({told})",
            mend="lower training.batch, raise training.pieces, or set remat",
        ) from error
