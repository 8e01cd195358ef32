"""A training of seconds with all that a large one has: noise, moving averages, AdamW, batches by step."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
from flax import nnx

from distinctad_jax.endurance.choices import Choices
from distinctad_jax.training.journey import Branch, Journey
from distinctad_jax.training.loop import TrainingConfig, fit
from distinctad_jax.training.mesh import MeshConfig, make_mesh
from distinctad_jax.training.optimiser import OptimiserConfig
from distinctad_jax.training.step import Task

OPTIMISER = OptimiserConfig(peak=1e-2, warmup_steps=2)
SMALL = TrainingConfig(steps=12, batch=4, optimiser=OPTIMISER, save_every=6, log_every=1)


class Rows:
    """Batches that are a function of the step; `trouble(step)` is called before each, and may change it."""

    def __init__(self, trouble: Callable[[int], Any], count: int = 4):
        self.step, self.trouble, self.count, self.closed = 0, trouble, count, False

    def seek(self, step: int) -> None:
        self.step = step

    def next(self) -> dict[str, np.ndarray]:
        changed = self.trouble(self.step)
        rng = np.random.default_rng(self.step)
        rows = np.arange(self.count, dtype=np.int32) + self.step
        batch = {"x": rng.standard_normal((self.count, 64), dtype=np.float32), "row": rows}
        self.step += 1
        batch = changed(batch) if callable(changed) else batch
        return {name: array[jax.process_index() :: jax.process_count()] for name, array in batch.items()}

    def close(self) -> None:
        self.closed = True


class Net(nnx.Module):
    """Two products with a running mean between them."""

    def __init__(self, width: int, rngs: nnx.Rngs):
        self.up, self.down = nnx.Linear(64, width, rngs=rngs), nnx.Linear(width, 8, rngs=rngs)
        self.mean = nnx.BatchStat(jax.numpy.zeros(width))

    def __call__(self, x: Any, key: Any) -> Any:
        hidden = jax.nn.gelu(self.up(x))
        self.mean[...] = 0.9 * self.mean[...] + 0.1 * hidden.mean(0)
        kept = jax.random.bernoulli(key, 0.7, hidden.shape)  # as dropout does
        return self.down(hidden * kept - self.mean[...])


def small_fit(
    folder: Path,
    trouble: Callable[[int], Any] = lambda step: None,
    config: TrainingConfig = SMALL,
    *,
    run: str = "run",
    width: int = 64,
    choices: Choices = Choices(),  # noqa: B008 (a tuple)
    branch: Branch | None = None,
    objective: Callable[..., Any] | None = None,
    devices: int = 1,
    say: Callable[[str], None] = lambda line: None,
) -> Any:
    """Trains, and gives what was learned and what was averaged."""
    parts = fit(
        config,
        folder,
        journey=Journey(run, {"width": width}, choices, branch),
        seed=3,
        make=lambda: Net(width, nnx.Rngs(0)),
        learns=lambda path: True,
        task=Task(
            lambda model, batch, key: model(batch["x"], key),
            objective or (lambda model, outputs, batch: ((outputs**2).mean(), {})),
        ),
        batches=Rows(trouble, config.batch),
        mesh=make_mesh(MeshConfig(), jax.devices()[:devices]),
        progress=lambda done, count, note: None,
        say=say,
    )
    return {"learned": parts.learned, "buffers": parts.buffers}
