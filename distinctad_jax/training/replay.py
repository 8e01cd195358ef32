"""A step that was no number, kept whole and taken again: does it happen again, and where does it begin?"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh

from distinctad_jax.checkpoints.runs import Checkpoints
from distinctad_jax.errors import BadInput, NonFinite
from distinctad_jax.files import read_json, whole, write_json
from distinctad_jax.training.feed import Batch
from distinctad_jax.training.mesh import place_batch
from distinctad_jax.training.verdicts import first_bad

NAME = "nonfinite"
PACKAGE = Path(__file__).parents[1]


class Kept(NamedTuple):
    """A folder with the state before a step, the step's number and its batch."""

    folder: Path
    step: int
    rows: dict[str, np.ndarray]


def keep(folder: Path, run: str, step: int, batch: Batch, state: Any) -> Path:
    """Writes all that a step needs to `folder/nonfinite/STEP`. The state is that before the step but for its number,
    as a bad step changes nothing else."""
    there = folder / NAME / str(step)
    with whole(there / _batch_name()) as partial, partial.open("wb") as file:
        np.savez(file, allow_pickle=False, **batch.rows)
    checkpoints = Checkpoints(there / "checkpoints", run=run)
    checkpoints.save(step, state)
    checkpoints.close()
    if jax.process_index() == 0:
        write_json(there / "step.json", {"step": step, "run": run})
    return there


def read_kept(folder: Path) -> Kept:
    """Errors: BadInput if it is no such folder."""
    about, path = read_json(folder / "step.json"), folder / _batch_name()
    try:
        with np.load(path, allow_pickle=False) as file:
            return Kept(folder, int(about["step"]), {name: file[name] for name in file.files})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"no batch of a step ({error})", where=path, mend="name a folder of nonfinite/") from None


def replay(
    kept: Kept, run: str, state: Any, shardings: Any, step_fn: Any, loss_fn: Callable[..., Any], mesh: Mesh
) -> str:
    """Takes the step again; what it says if it is a number this time.

    Errors: NonFinite if it is none again, with the line of ours where the first one comes up.
    """
    found = Checkpoints(kept.folder / "checkpoints", run=run).restore(state, shardings)
    if found is None:
        raise BadInput("no state is kept there", where=kept.folder, mend="name a folder of nonfinite/")
    before = found.state._replace(step=found.state.step - 1)
    place = first_bad(kept.rows, before)
    arrays = place_batch(kept.rows, mesh)
    line = where_it_begins(lambda: jax.value_and_grad(loss_fn)(before.learned, before, arrays))
    _, metrics = step_fn(before, arrays)
    numbers = {name: float(value) for name, value in jax.device_get(metrics).items()}
    told = ", ".join(f"{name} {value:.6g}" for name, value in numbers.items() if name != "finite")
    if numbers["finite"]:
        return f"step {kept.step} is a number this time ({told}): look at the hardware"
    raise NonFinite(
        f"step {kept.step} again: {told}; first in {place}; {line}",
        where=kept.folder,
        mend="mend data or model there",
    )


def where_it_begins(compute: Callable[[], Any]) -> str:
    """The innermost line of this package at which an operation first gives NaN, taken one by one."""
    try:
        with jax.disable_jit(), jax.debug_nans(True):
            jax.block_until_ready(compute())
    except FloatingPointError as error:
        ours = [
            frame
            for frame in traceback.extract_tb(error.__traceback__)
            if PACKAGE in Path(frame.filename).parents and Path(frame.filename).name not in ("replay.py", "step.py")
        ]
        if not ours:
            return "the first NaN comes up outside this package"
        frame = ours[-1]
        return (
            f"the first NaN comes up at {Path(frame.filename).relative_to(PACKAGE)}:{frame.lineno}, in {frame.name}"
        )
    return "no operation gives NaN when they are taken one by one"


def _batch_name() -> str:
    index = jax.process_index()
    return f"batch-{index}.npz" if index else "batch.npz"
