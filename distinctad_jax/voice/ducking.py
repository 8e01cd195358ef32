"""How loud the narration is, and how far the film steps back for it, by loudness and not by decibels alone.

The narration has one level for the whole film: that of the film's dialogue (of all its sound where no dialogue is
known, -23 LUFS where there is none), as real mixes differ by 15 LU. Under each description the film is lowered until
it is 10 LU quieter than the voice, at least 6 and at most 20 dB.

Source: Torcoli et al. 2019 (10 LU between commentary and music), EBU R128, W3C DAPT examples (ramps), NDA (constant
level of the description, and no rise between descriptions close to each other).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float32, Float64

from distinctad_jax.movie.description import Duck
from distinctad_jax.movie.practice import Practice
from distinctad_jax.movie.span import Span
from distinctad_jax.voice.loudness import RATE, Levels, gain

R128 = -23.0
"""LUFS, where there is nothing to go by."""

MARGIN = 0.3
"""LU more than asked for: meters and lossy coding move loudness by so much."""

_HIGHEST = 6.0  # LU over the dialogue; the narration is raised so far if ducking alone would not do
_FASTEST = 0.05  # s; a ramp that dialogue leaves no room for


@dataclass(frozen=True)
class Voiced:
    """A description as it is mixed in: when, and how loud (LUFS) and high (dBTP) its clip is as it stands."""

    span: Span
    level: float
    peak: float


@dataclass(frozen=True)
class Balance:
    """What is done to film and narration.

    Shapes: one duck, gain (dB, of the clip) and margin (LU between voice and ducked film) for each description.
    Units:  level in LUFS, of the narration.
    """

    level: float
    ducks: tuple[Duck, ...]
    gains: tuple[float, ...]
    margins: tuple[float, ...]


def balanced(film: Levels, voices: Sequence[Voiced], dialogue: Sequence[Span], practice: Practice) -> Balance:
    """Levels, gains and ducks for descriptions in order of time, which do not overlap."""
    under = [film.integrated([voice.span]) for voice in voices]
    base = _base(film, dialogue)
    needed = [loud - base + practice.duck + MARGIN for loud in under]
    lacking = max([0.0, *(depth - practice.narration_level - practice.duck_most for depth in needed)])
    offset = min(practice.narration_level + lacking, max(_HIGHEST, practice.narration_level))
    depths = [min(max(depth - offset, practice.duck_least), practice.duck_most) for depth in needed]
    ducks = held(ramps([voice.span for voice in voices], depths, dialogue, practice), dialogue, practice)
    level = base + offset
    return Balance(
        level,
        tuple(ducks),
        tuple(level - voice.level for voice in voices),
        tuple(min(level - loud + duck.decibels, 99.0) for loud, duck in zip(under, ducks, strict=True)),
    )


def _base(film: Levels, dialogue: Sequence[Span]) -> float:
    found = [film.integrated(dialogue)] if dialogue else []
    return next((level for level in (*found, film.integrated()) if np.isfinite(level)), R128)


def ramps(spans: Sequence[Span], depths: Sequence[float], dialogue: Sequence[Span], practice: Practice) -> list[Duck]:
    """A duck for each description: down before it begins, up after it ends, beside the dialogue if there is room."""
    starts, ends = np.array(sorted(line.start for line in dialogue)), np.array(sorted(line.end for line in dialogue))
    ducks = []
    for span, depth in zip(spans, depths, strict=True):
        heard = ends[: np.searchsorted(ends, span.start, side="right")]
        coming = starts[np.searchsorted(starts, span.end) :]
        before = span.start - heard[-1] if len(heard) else np.inf
        after = coming[0] - span.end if len(coming) else np.inf
        down = min(practice.fade_down, max(float(before), _FASTEST), span.start)
        up = min(practice.fade_up, max(float(after), _FASTEST))
        ducks.append(Duck(Span(span.start - down, span.end + up), depth, down, up))
    return ducks


def held(ducks: Sequence[Duck], dialogue: Sequence[Span], practice: Practice) -> list[Duck]:
    """The same, but low throughout between descriptions closer than `hold` with no dialogue between them.

    Such neighbours have one depth, the largest of theirs, and touch.
    """
    groups: list[list[Duck]] = []
    for duck in ducks:
        before = groups[-1][-1] if groups else None
        if before is not None and _close(before, duck, dialogue, practice.hold):
            groups[-1].append(duck)
        else:
            groups.append([duck])
    found = []
    for group in groups:
        deepest = max(duck.decibels for duck in group)
        for number, duck in enumerate(group):
            start, end, down, up = duck.span.start, duck.span.end, duck.down, duck.up
            if number:
                start, down = found[-1].span.end, 0.0
            if number < len(group) - 1:
                end, up = _meeting(duck, group[number + 1]), 0.0
            found.append(Duck(Span(start, end), deepest, down, up))
    return _apart(found)


def _close(before: Duck, after: Duck, dialogue: Sequence[Span], hold: float) -> bool:
    quiet_from, quiet_to = before.span.end - before.up, after.span.start + after.down
    between = Span(quiet_from, quiet_to) if quiet_to > quiet_from else None
    if between is None:
        return True
    return between.seconds < hold and not any(line.overlaps(between) for line in dialogue)


def _meeting(before: Duck, after: Duck) -> float:
    return (before.span.end - before.up + after.span.start + after.down) / 2


def _apart(ducks: list[Duck]) -> list[Duck]:
    """Ducks whose ramps would cross, as dialogue stands between them, meet half-way."""
    for number in range(len(ducks) - 1):
        before, after = ducks[number], ducks[number + 1]
        if before.span.end > after.span.start and before.up and after.down:
            middle = _meeting(before, after)
            up, down = middle - before.span.end + before.up, after.span.start + after.down - middle
            ducks[number] = replace(before, span=Span(before.span.start, middle), up=up)
            ducks[number + 1] = replace(after, span=Span(middle, after.span.end), down=down)
    return ducks


class Envelope:
    """The film's gain over time, linear in dB along the ramps."""

    def __init__(self, ducks: Sequence[Duck]):
        points: list[tuple[float, float]] = [(0.0, 0.0)]
        for duck in ducks:
            low = -duck.decibels
            points += [
                (duck.span.start, 0.0 if duck.down else low),
                (duck.span.start + duck.down, low),
                (duck.span.end - duck.up, low),
                (duck.span.end, 0.0 if duck.up else low),
            ]
        self.times: Float64[np.ndarray, " points"] = np.array([time for time, _ in points])
        self.levels: Float64[np.ndarray, " points"] = np.array([level for _, level in points])

    def between(self, first: int, count: int) -> Float32[np.ndarray, " samples"]:
        """The factors for `count` samples from sample `first` on."""
        start, end = first / RATE, (first + count) / RATE
        inside = slice(np.searchsorted(self.times, start), np.searchsorted(self.times, end))
        edges = np.interp([start, end], self.times, self.levels)
        if not edges.any() and not self.levels[inside].any():
            return np.ones(count, np.float32)
        times = (first + np.arange(count)) / RATE
        return np.asarray(10 ** (np.interp(times, self.times, self.levels) / 20), np.float32)


def share(level: float | int, channels: int) -> float:
    """The factor of amplitude that makes a voice in `channels` channels together `level` dB louder than it was."""
    return gain(level) / np.sqrt(channels)
