"""Numbers to disk: JSON lines, TensorBoard's event files and, if asked for, Weights & Biases.

A run without its numbers is still a run: a disk that takes no more of them is warned of once, and training goes on.
"""

from __future__ import annotations

import importlib
import json
import math
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tensorboardX import SummaryWriter

from distinctad_jax.errors import BadEnvironment

LOG, BATCHES, SESSIONS = "log.jsonl", "batches.jsonl", "sessions.jsonl"


class Lines:
    """A file of JSON lines, one a step or more rarely; those of later steps than `done` are cut off at the start, and
    one that a crash cut short with them, so that no step is there twice."""

    def __init__(self, path: Path, done: int):
        self.path = path
        self._file = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            kept = _length(path, done)
            self._file = path.open("a", encoding="utf-8")
            if path.is_file() and path.stat().st_size > kept:
                self._file.truncate(kept)
        except OSError as error:
            self._give_up(error)

    def write(self, line: Mapping[str, Any]) -> None:
        """One line, at once; a number that is none is null, as JSON knows neither NaN nor infinity."""
        if self._file is not None:
            strict = {name: None if _is_none(value) else value for name, value in line.items()}
            try:
                self._file.write(json.dumps(strict, allow_nan=False) + "\n")
                self._file.flush()
            except OSError as error:
                self._give_up(error)

    def close(self) -> None:
        """Ends the file."""
        if self._file is not None:
            self._file.close()

    def _give_up(self, error: OSError) -> None:
        file, self._file = self._file, None
        warnings.warn(f"{self.path}: {error.strerror}; training goes on without it", stacklevel=3)
        try:
            if file is not None:
                file.close()  # it tries once more to write what it holds
        except OSError:
            pass


class Logbook:
    """The metrics of steps, in `folder/log.jsonl` and in event files, and the hashes of their batches, each process's
    own, in `folder/batches.jsonl` (`batches-1.jsonl`, ... of the others).

    A run that goes on from step `done` drops the lines of later steps. Of several processes the first one logs.

    Args:
      wandb: a project of Weights & Biases; nothing leaves this machine without one.
    Errors: BadEnvironment if it is asked for and not installed.
    """

    def __init__(self, folder: Path, done: int = 0, *, index: int = 0, wandb: str = "", run: str = ""):
        self.batches = Lines(folder / (f"batches-{index}.jsonl" if index else BATCHES), done)
        self.log = self.events = self.elsewhere = None
        if index:
            return
        self.log = Lines(folder / LOG, done)
        try:
            self.events = SummaryWriter(logdir=str(folder / "events"), purge_step=done + 1, write_to_disk=True)
        except OSError as error:
            warnings.warn(f"{folder / 'events'}: {error.strerror}; training goes on without them", stacklevel=2)
        if wandb:
            self.elsewhere = _wandb(wandb, run, folder)

    def __enter__(self) -> Logbook:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def write(self, step: int, metrics: Mapping[str, float]) -> None:
        """One line; `metrics` are Python numbers."""
        if self.log is None:
            return
        self.log.write({"step": step, **metrics})
        if self.elsewhere is not None:
            self.elsewhere.log(dict(metrics), step=step)
        if self.events is not None:
            try:
                for name, value in metrics.items():
                    self.events.add_scalar(name, value, step)
            except OSError as error:
                self.events = None
                warnings.warn(f"event files: {error.strerror}; training goes on without them", stacklevel=2)

    def close(self) -> None:
        """Ends all files."""
        ends: list[Callable[[], Any]] = [opened.close for opened in (self.batches, self.log, self.events) if opened]
        if self.elsewhere is not None:
            ends.append(self.elsewhere.finish)
        for end in ends:
            try:
                end()
            except OSError as error:
                warnings.warn(f"the logbook could not be closed: {error.strerror}", stacklevel=2)


def read_logbook(folder: Path, name: str = LOG) -> list[dict[str, Any]]:
    """The lines of a run's logbook; one cut short by a crash is left out. What is null there is NaN here."""
    path, lines = folder / name, []
    if path.is_file():
        for text in path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                line = json.loads(text)
            except json.JSONDecodeError:
                continue
            if isinstance(line, dict) and isinstance(line.get("step"), int):
                lines.append({name: math.nan if value is None else value for name, value in line.items()})
    return lines


def _is_none(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def _length(path: Path, done: int) -> int:
    """Bytes of the whole lines of steps up to `done`."""
    length = 0
    if path.is_file():  # a device file has no end
        with path.open("rb") as file:
            for raw in file:
                try:
                    whole = raw.endswith(b"\n") and json.loads(raw)["step"] <= done
                except (ValueError, KeyError, TypeError):
                    whole = False
                if not whole:
                    break
                length += len(raw)
    return length


def _wandb(project: str, run: str, folder: Path) -> Any:
    try:
        library = importlib.import_module("wandb")
    except ImportError:
        raise BadEnvironment(
            "Weights & Biases is not installed", where="--wandb", mend="pip install wandb, or leave out --wandb"
        ) from None
    name = run.replace("/", "-")
    return library.init(project=project, id=name, name=name, dir=str(folder), resume="allow")
