"""Film and narration as one sound, a second at a time, and what it measures.

The film is decoded three times: to measure it, to find the highest peak of the mix, and to write the mix. So nothing
is clipped (where peaks would be too high, film and narration are lowered together), and a film of any length is mixed
in the memory of a few seconds of it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from distinctad_jax.errors import BadInput
from distinctad_jax.files import real
from distinctad_jax.movie.description import Description
from distinctad_jax.movie.movie import Track
from distinctad_jax.movie.practice import Practice
from distinctad_jax.movie.span import Span, clock
from distinctad_jax.voice.ducking import R128, Balance, Envelope, Voiced, balanced, share
from distinctad_jax.voice.loudness import RATE, Levels, Meter, TruePeak, decibels, gain, measured
from distinctad_jax.voice.sound import BLOCK, Programme, read_clip

METERS = 0.2
"""dB that true-peak meters may differ by (EBU Tech 3341); the mix stays so far below its ceiling."""

Report = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Part:
    """A description that is mixed in, and the file of its clip."""

    description: Description
    clip: Path


@dataclass(frozen=True)
class Mix:
    """A film's sound with its narration, ready to be written any number of times.

    Units:  gain in dB, of film and narration together; levels as in `loudness.Levels`.
    """

    programme: Programme
    parts: tuple[Part, ...]
    balance: Balance
    film: Levels
    gain: float
    peak: float

    def pieces(self) -> Iterator[Float32[np.ndarray, "channels samples"]]:
        """The mix, a second at a time."""
        factor = np.float32(gain(self.gain))
        for film, voice in self.stems():
            yield (film + voice) * factor

    def stems(
        self,
    ) -> Iterator[tuple[Float32[np.ndarray, "channels samples"], Float32[np.ndarray, "channels samples"]]]:
        """The ducked film and the narration beside it, before they are added up and lowered together."""
        envelope = Envelope(self.balance.ducks)
        narration = Narration(self.parts, self.balance.gains, self.programme.channels)
        at = 0
        for film in self.programme.pieces():
            count = film.shape[1]
            yield film * envelope.between(at, count), narration.between(at, count)
            at += count


class Narration:
    """The clips of a track on their times, read when they are reached.

    A voice stands in the middle: in the centre channel if there is one, else in all.
    """

    def __init__(self, parts: Sequence[Part], gains: Sequence[float], channels: Sequence[str]):
        centre = [name == "FC" for name in channels]
        self._in = np.array(centre if any(centre) else [True] * len(centre))
        self._waiting = [
            (round(part.description.span.start * RATE), part.clip, share(level, int(self._in.sum())))
            for part, level in zip(parts, gains, strict=True)
        ]
        self._open: list[tuple[int, np.ndarray]] = []

    def between(self, first: int, count: int) -> Float32[np.ndarray, "channels samples"]:
        """`count` samples from sample `first` on; to be asked for in order of time."""
        while self._waiting and self._waiting[0][0] < first + count:
            start, path, factor = self._waiting.pop(0)
            self._open.append((start, read_clip(path) * np.float32(factor)))
        voice = np.zeros(count, np.float32)
        for start, clip in self._open:
            begin, end = max(start, first), min(start + len(clip), first + count)
            voice[begin - first : end - first] += clip[begin - start : end - start]
        self._open = [(start, clip) for start, clip in self._open if start + len(clip) > first + count]
        return self._in[:, None] * voice


def narration(
    parts: Sequence[Part], seconds: float, practice: Practice
) -> Iterator[Float32[np.ndarray, "channels samples"]]:
    """The narration alone, one channel, `seconds` long, a second at a time.

    It has the loudness of EBU R128 and `narration_level` more, or less where its peaks would be too high.

    Errors: BadInput as `loud`.
    """
    voices, wanted = loud(parts), R128 + practice.narration_level
    highest = max([wanted - one.level + one.peak for one in voices], default=float("-inf"))
    level = wanted - max(highest - practice.true_peak + METERS, 0.0)
    gains = [level - one.level for one in voices]
    voice = Narration(parts, gains, ("FC",))
    total = round(seconds * RATE)
    for first in range(0, total, BLOCK):
        yield voice.between(first, min(BLOCK, total - first))


def parts_of(track: Track, folder: Path) -> tuple[list[Part], list[Description]]:
    """What of a track can be mixed in, its clips found beside the track's file; and what has no clip.

    Extended descriptions have no place in a film that does not wait: they are with what has none.

    Errors: BadInput for a clip that lies elsewhere, and for descriptions that overlap or last longer than they say.
    """
    parts, silent = [], []
    for one in track.numbered().descriptions:
        if one.kind != "inline" or one.speech is None or not one.speech.clip:
            silent.append(one)
            continue
        path = Path(one.speech.clip)
        file = folder / path
        if path.is_absolute() or not real(file).is_relative_to(real(folder)):
            mend = "give a name below the folder of the track"
            raise BadInput(f"its clip {one.speech.clip!r} lies elsewhere", where=f"{track.movie}:{one.id}", mend=mend)
        parts.append(Part(one, file))
    for before, after in itertools.pairwise(parts):
        if before.description.span.overlaps(after.description.span):
            what = f"begins at {clock(after.description.span.start)} before {before.description.id} ends"
            raise BadInput(what, where=f"{track.movie}:{after.description.id}", mend="run `distinctad voice` again")
    return parts, silent


def loud(parts: Sequence[Part]) -> list[Voiced]:
    """How loud each clip is, and how long it really is: a person may have recorded it anew.

    Errors: BadInput for a clip that cannot be read, is silent, or reaches into the next description.
    """
    found: list[Voiced] = []
    for number, part in enumerate(parts):
        wave = read_clip(part.clip)
        start, seconds = part.description.span.start, len(wave) / RATE
        after = parts[number + 1].description.span.start if number + 1 < len(parts) else float("inf")
        if start + seconds > after + 1e-3:
            what = f"lasts {seconds:.1f} s and reaches into the next description, at {clock(after)}"
            raise BadInput(what, where=part.clip, mend="shorten it or move that one")
        levels = measured(wave[None])
        level = levels.plain(Span(0, seconds))
        if not np.isfinite(level):
            raise BadInput("is silent", where=part.clip, mend="record it again, or run `distinctad voice`")
        found.append(Voiced(Span(start, start + seconds), level, levels.true_peak))
    return found


def mixed(
    programme: Programme,
    parts: Sequence[Part],
    dialogue: Sequence[Span],
    practice: Practice,
    *,
    loudness: float | None = None,
    problems: list[str] | None = None,
    report: Report = lambda done, count, note: None,
) -> Mix:
    """The mix of a film and its narration.

    Args:
      dialogue: where somebody speaks.
      loudness: LUFS to bring the film to; None keeps it as it is.
    Errors: BadInput as `loud` and `Programme.pieces`, and for a description after the end of the film.
    """
    voices = loud(parts)
    if voices and voices[-1].span.end > programme.seconds + 1e-3:
        last = parts[-1].description
        what = f"ends at {clock(voices[-1].span.end)}, after the film, at {clock(programme.seconds)}"
        raise BadInput(what, where=f"{programme.path}:{last.id}", mend="move or drop it")
    seconds, meter = int(programme.seconds) + 1, Meter(programme.channels)
    for number, piece in enumerate(programme.pieces(problems)):
        meter.add(piece)
        report(number + 1, 2 * seconds, "measuring")
    film = meter.levels()
    balance = balanced(film, voices, dialogue, practice)
    whole_gain = 0.0 if loudness is None or not np.isfinite(film.integrated()) else loudness - film.integrated()
    draft = Mix(programme, tuple(parts), balance, film, whole_gain, 0.0)
    highest = TruePeak(len(programme.channels))
    for number, piece in enumerate(draft.pieces()):
        highest.add(piece)
        report(seconds + number + 1, 2 * seconds, "balancing")
    peak = decibels(highest.highest() ** 2)
    lowered = min(practice.true_peak - METERS - peak, 0.0) if np.isfinite(peak) else 0.0
    return replace(draft, gain=whole_gain + lowered, peak=peak + lowered)
