"""Where a film cuts: shots by colour difference in one pass over the pictures, or as a list says."""

from __future__ import annotations

import csv
import io
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation
from jaxtyping import Float32, UInt8

from distinctad_jax.data.film import opened
from distinctad_jax.errors import BadInput
from distinctad_jax.files import read_bytes
from distinctad_jax.movie.span import Span

_WIDE, _TALL = 64, 48  # pixels; a cut changes the whole picture, so a thumbnail tells it
_LONGEST_LIST = 1 << 20  # bytes of a list of shots, some 30 000 of them
_START_COLUMNS = ("start time (seconds)", "start", "start_time", "begin")


@dataclass(frozen=True)
class ShotConfig:
    """When two pictures are of two shots.

    Units:  difference in grey levels of 0..255, averaged over hue, saturation and value; shortest in seconds.
    Source: PySceneDetect's ContentDetector, which has the same measure and the same two defaults.
    """

    difference: float = 27.0
    shortest: float = 0.6

    def __post_init__(self) -> None:
        if not (self.difference > 0 and self.shortest >= 0):
            raise ValueError(f"needs difference > 0 and shortest >= 0, got {self}")


@dataclass(frozen=True)
class Watched:
    """What one pass over all pictures of a film tells.

    Units:  seconds from the first shown picture; `first` and `last` are the times of the first and the last picture,
      `cuts` the times at which a new shot begins, without the film's start.
    """

    frames: int
    first: float
    last: float
    cuts: tuple[float, ...]
    problems: tuple[str, ...] = ()


def watch(
    path: Path, config: ShotConfig | None = None, *, progress: Callable[[float], None] = lambda seconds: None
) -> Watched:
    """Looks at every picture once; memory does not grow with the film. `progress` is told the time reached.

    Errors: BadInput as `opened`, or if not one picture could be decoded.
    """
    config = config or ShotConfig()
    cuts: list[float] = []
    count, now, began = 0, 0.0, 0.0
    before: np.ndarray | None = None
    with opened(path) as film:
        last: VideoFrame | None = None
        for time, frame in film.pictures(lambda: 0.0):
            seen = _hsv(frame)
            changed = before is not None and float(np.abs(seen - before).mean()) >= config.difference
            if changed and time - began >= config.shortest:
                cuts.append(time)
                began = time
            before, count, now, last = seen, count + 1, time, frame
            if count % 64 == 0:
                progress(now)
        if last is not None:
            film.held_until(now, last)
            film.damage.note()
        problems: list[str] = []
        film.damage.tell(path, problems)
    return Watched(count, 0.0, now, tuple(cuts), tuple(problems))


def _hsv(frame: VideoFrame) -> Float32[np.ndarray, "tall wide 3"]:
    picture = frame.to_ndarray(format="rgb24", width=_WIDE, height=_TALL, interpolation=Interpolation.AREA)
    return hsv(picture)


def hsv(picture: UInt8[np.ndarray, "tall wide 3"]) -> Float32[np.ndarray, "tall wide 3"]:
    """RGB as hue (0..180, halves of a degree as OpenCV has them), saturation and value (0..255)."""
    rgb = picture.astype(np.float32)
    value, least = rgb.max(axis=-1), rgb.min(axis=-1)
    spread = value - least
    safe = np.where(spread > 0, spread, 1.0)
    red, green, blue = np.moveaxis(rgb, -1, 0)
    hue = np.where(
        value == red,
        (green - blue) / safe % 6.0,
        np.where(value == green, (blue - red) / safe + 2.0, (red - green) / safe + 4.0),
    )
    hue = np.where(spread > 0, hue * 30.0, 0.0)
    saturation = np.where(value > 0, 255.0 * spread / np.where(value > 0, value, 1.0), 0.0)
    return np.stack([hue, saturation, value], axis=-1).astype(np.float32)


def read_shots(path: Path) -> tuple[float, ...]:
    """The times, in seconds, at which shots begin, from a list: those above 0, in order, each once.

    Read are PySceneDetect's tables (`Start Time (seconds)`), any CSV with a column `start`, and plain lists of one
    time a line.

    Errors: BadInput, naming file, line and column, for a time that is no finite number >= 0, or a list without any.
    """
    data = read_bytes(path)
    if len(data) > _LONGEST_LIST or b"\0" in data:
        raise BadInput("no list of shots", where=path, mend="give a CSV with a column start, in seconds")
    try:
        text = data.decode("utf-8-sig", errors="replace")
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error as error:
        raise BadInput(f"no list of shots ({error})", where=path, mend="give a CSV with a column start") from None
    column, first = 0, 0
    for place, row in enumerate(rows[:3]):  # PySceneDetect puts a line of all cuts above its header
        names = [name.strip().lower() for name in row]
        known = next((name for name in _START_COLUMNS if name in names), None)
        if known is not None:
            column, first = names.index(known), place + 1
    times = []
    for line, row in enumerate(rows[first:], start=first + 1):
        if not any(cell.strip() for cell in row):
            continue
        cell = row[column].strip() if column < len(row) else ""
        times.append(_time(cell, f"{path}:{line}:{column + 1}"))
    if not times:
        raise BadInput("no shots", where=path, mend="give a CSV with a column start, in seconds")
    return tuple(sorted({time for time in times if time > 0}))


def _time(cell: str, where: str) -> float:
    try:
        time = float(cell) if cell.isascii() and "_" not in cell else math.nan
    except ValueError:
        time = math.nan
    if not (math.isfinite(time) and time >= 0):
        raise BadInput(f"{cell[:40]!r} is no time in seconds", where=where, mend="write seconds, such as 12.5")
    return time


def shots(cuts: tuple[float, ...], duration: float) -> list[Span]:
    """The shots between cuts, from 0 to `duration`. Errors: ValueError unless duration is > 0."""
    if not duration > 0:
        raise ValueError(f"Shots need a duration > 0, got {duration}.")
    bounds = [0.0, *(cut for cut in cuts if 0 < cut < duration), duration]
    return [Span(start, end) for start, end in itertools.pairwise(bounds)]
