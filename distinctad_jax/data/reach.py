"""How far films and stored features reach, without reading them whole, and which rows of a table lie past that.

Judged is as packing does: a row that begins half a second after a film's end, or where its features are over, shows
nothing and is lost; one that only ends past it shows the last picture.
"""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from av.error import FFmpegError

from distinctad_jax.data.features import FeatureStore, chosen_frames
from distinctad_jax.data.film import SLACK, Film, opened
from distinctad_jax.data.rows import Row
from distinctad_jax.data.video import probe
from distinctad_jax.errors import BadEnvironment, BadInput
from distinctad_jax.movie.span import Span

_THREADS = 8  # most of opening a film is waiting for the disk
_NEAR = 5.0  # s; so near the end of a file that is cut off the rest is read through
_ROUNDING = 0.1  # s; a film's length is a whole number of pictures, a table's times are not


@dataclass(frozen=True)
class Reach:
    """Until when a film shows something, in seconds; why it cannot be read, or else empty; whether it breaks off
    before the end that it states."""

    end: float = 0.0
    fault: str = ""
    cut: bool = False


def film_reaches(paths: Sequence[Path], progress: Callable[[int, int], None]) -> dict[Path, Reach]:
    """How far each film reaches; of it only the first picture is decoded, and what lies at its end is looked at."""
    found: dict[Path, Reach] = {}
    pool = ThreadPoolExecutor(min(_THREADS, 2 * (os.cpu_count() or 1)))
    try:
        for path, reach in zip(paths, pool.map(_reach, paths), strict=True):
            found[path] = reach
            progress(len(found), len(paths))
    finally:
        pool.shutdown(cancel_futures=True)
    return found


def _reach(path: Path) -> Reach:
    try:
        probe(path)
        with opened(path) as film:
            stated = film.declared()
            if stated is None:
                return Reach(film.duration())
            shown = _last_shown(film, stated)
            if shown is None:
                return Reach(stated)
            last, lasts = shown
            rate = film.stream.average_rate or film.stream.base_rate
            # As `Film.held_until` has it, which has read all of the film.
            if stated > last + lasts + max(SLACK, 2 * lasts):
                return Reach(last + lasts, cut=True)
            return Reach(max(last + max(lasts, 1 / float(rate) if rate else 0.1), stated))
    except (BadInput, BadEnvironment) as problem:
        return Reach(fault=problem.what)


def _last_shown(film: Film, stated: float) -> tuple[float, float] | None:
    """When the last picture that is there begins, and how long it lasts, in seconds; None if that cannot be told."""
    found = _shown_from(film, stated)
    low, high = 0.0, stated
    while found is None and high - low > _NEAR:  # the index may lead beyond the end of a file that is cut off
        middle = (low + high) / 2
        low, high = (middle, high) if _shown_from(film, middle, most=1) else (low, middle)
    return found or _shown_from(film, low)


def _shown_from(film: Film, time: float, most: int | None = None) -> tuple[float, float] | None:
    """Start and length of the latest picture among so many packets, or all, from the key picture before a time on."""
    base = film.stream.time_base or Fraction(1, 1000)
    unit, zero = base.numerator / base.denominator, film.stream.start_time or 0
    last = None
    with contextlib.suppress(FFmpegError, OSError):
        film.container.seek(zero + int(time / unit), stream=film.stream, backward=True)
        for packet in itertools.islice(film.container.demux(film.stream), most):
            stamp = packet.dts if packet.pts is None else packet.pts  # AVI may state no more
            if stamp is not None and not packet.is_discard:
                last = max(last or (0.0, 0.0), ((stamp - zero) * unit, (packet.duration or 0) * unit))
    return last


def begins_after(row: Row, end: float) -> bool:
    """Whether a row begins when a film that ends at `end` is over, and so is lost."""
    return row.start >= end + SLACK


def ends_after(row: Row, end: float) -> bool:
    """Whether a row begins in a film, or hardly after it, and ends after its end."""
    return not begins_after(row, end) and row.end > end + _ROUNDING


def frames_over(row: Row, frames: int, fps: float) -> tuple[bool, bool]:
    """Whether so many frames of features are over when a row begins, so that it is lost, and when it ends."""
    begins = not chosen_frames(Span(row.start, row.end), 1, [row.start], fps, frames)
    return begins, row.end > (frames + 1) / fps  # the last frame may be missing by a rounding


def sampled_finite(store: FeatureStore, movie: str, frames: int) -> bool:
    """Whether the first, middle and last frame of a movie are finite in half precision, in which they are packed.

    Errors: BadInput if they cannot be read.
    """
    with np.errstate(over="ignore"):
        return all(
            bool(np.isfinite(store.read(movie, place, place + 1).astype(np.float16)).all())
            for place in sorted({0, frames // 2, frames - 1})
        )
