"""What a model says of the clips of a film: how it is asked, and how what it said outlives a kill."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float16

from distinctad_jax.errors import BadInput
from distinctad_jax.files import read_json, whole, write_json
from distinctad_jax.movie.span import Span
from distinctad_jax.narration.schedule import Candidate

_EVERY = 10.0  # s between two writes of what was said so far
Report = Callable[[int, int, str], None]
"""Called with (done, all, what to show beside it)."""


@dataclass(frozen=True)
class Draft:
    """What a model says of a clip, best first, and the times of the frames it saw; `change` as in `Moment`."""

    clip: Span
    frames: tuple[float, ...]
    candidates: tuple[Candidate, ...]
    change: float


@dataclass(frozen=True)
class Asked:
    """What a model is asked to tell.

    Args:
      video: the film.
      clips: the stretches to be told, in order, free of overlap.
      names: for each clip, who may be named, in the order of the cast.
      room: for each clip, the most characters that can be spoken.
    """

    video: Path
    clips: tuple[Span, ...]
    names: tuple[tuple[str, ...], ...]
    room: tuple[int, ...]


@runtime_checkable
class Drafter(Protocol):
    """A narrator, or anything else that says what is seen in the clips of a film.

    models: hashes of its weights by role, `narrator` among them.
    options: what changes what it says, as JSON has it.
    names: names that it may say without having been told them, in lower case.
    """

    @property
    def models(self) -> Mapping[str, str]: ...

    @property
    def options(self) -> Mapping[str, Any]: ...

    @property
    def names(self) -> Collection[str]: ...

    def draft(self, asked: Asked, store: Store, report: Report, problems: list[str]) -> list[Draft]:
        """The drafts of the clips of which frames could be decoded, in order; what could not is told in `problems`.

        What is in the store already is not asked again.
        """
        ...


class Store:
    """A folder that keeps features and candidates while a film is described, and is gone when it is done.

    Args:
      folder: where; made when something is kept.
      facts: what everything in it depends on; a store of other facts is emptied.
    """

    def __init__(self, folder: Path, facts: Mapping[str, Any]):
        self.folder = folder
        self.key = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
        self.said: dict[int, list[tuple[str, float]]] = {}
        self._written = time.monotonic()
        if folder.exists() and not self._matches():
            self.remove()

    def _matches(self) -> bool:
        try:
            about = read_json(self.folder / "drafts.json")
            if about["key"] != self.key:
                return False
            self.said = {int(at): [(str(t), float(s)) for t, s in some] for at, some in about["said"].items()}
        except (BadInput, KeyError, TypeError, ValueError, AttributeError):
            return False
        return True

    def seen(self) -> tuple[Float16[np.ndarray, "clips frames width"], np.ndarray, np.ndarray] | None:
        """Features, times of frames, and which clips could be decoded, if they were kept."""
        try:
            with np.load(self.folder / "seen.npz", allow_pickle=False) as kept:
                return kept["features"], kept["times"], kept["real"]
        except (OSError, ValueError, KeyError):
            return None

    def keep_seen(self, features: np.ndarray, times: np.ndarray, real: np.ndarray) -> None:
        """Keeps what was seen."""
        with whole(self.folder / "seen.npz") as path, path.open("wb") as file:
            np.savez(file, features=features, times=times, real=real)
        self._write()

    def keep(self, at: int, said: Sequence[tuple[str, float]]) -> None:
        """Keeps what was said of clip `at`; on disk after some seconds, or with `flush`."""
        self.said[at] = list(said)
        if time.monotonic() - self._written >= _EVERY:
            self._write()

    def flush(self) -> None:
        """Writes what was kept."""
        if self.said:
            self._write()

    def _write(self) -> None:
        write_json(self.folder / "drafts.json", {"key": self.key, "said": {str(a): s for a, s in self.said.items()}})
        self._written = time.monotonic()

    def remove(self) -> None:
        """Everything is done: nothing is to be left. Removes what a store keeps, and the folder if that was all."""
        for name in ("seen.npz", "drafts.json"):
            (self.folder / name).unlink(missing_ok=True)
        if self.folder.is_dir() and not any(self.folder.iterdir()):
            shutil.rmtree(self.folder)


def changes(features: np.ndarray) -> list[float]:
    """How new each clip looks beside the one before, 0 to 1: half the cosine distance of their mean features.

    Shapes: features `clips frames width`. The first clip is new.
    """
    means = features.astype(np.float32).mean(axis=1)
    norms = np.linalg.norm(means, axis=1, keepdims=True)
    unit = np.divide(means, norms, out=np.zeros_like(means), where=norms > 0)
    likeness = (unit[1:] * unit[:-1]).sum(axis=1)
    return [1.0, *(float(one) for one in np.clip((1 - likeness) / 2, 0, 1))][: len(features)]
