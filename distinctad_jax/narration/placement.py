"""Which sentence fits which silence, and when it is spoken."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from distinctad_jax.movie.movie import Description
from distinctad_jax.movie.span import Span

CHARACTERS_OF_A_WORD = 6.0  # its blank counted: 160 words a minute are 16 characters a second
_ROUNDING = 1e-9  # s; room that only binary fractions deny


@dataclass(frozen=True)
class PlacementConfig:
    """How fast a description is spoken and how much air is left around it.

    Units:  rates in characters per second, blanks counted; `pause` (between two descriptions) and `shortest` (of a
      description) in seconds.
    Errors: ValueError unless 0 < characters_per_second <= fastest, pause >= 0 and shortest > 0.
    Source: 160 words a minute as spoken target and 180 as bound, after studies of professional description; the pause
      leaves room for a breath.
    """

    characters_per_second: float = 16.0
    fastest: float = 18.0
    pause: float = 0.4
    shortest: float = 1.0

    def __post_init__(self) -> None:
        if not (0 < self.characters_per_second <= self.fastest < math.inf and self.pause >= 0 and self.shortest > 0):
            raise ValueError(
                "Placement needs 0 < characters_per_second <= fastest, pause >= 0 and shortest > 0, got "
                f"{self.characters_per_second}, {self.fastest}, {self.pause}, {self.shortest}."
            )


@dataclass(frozen=True)
class Dropped:
    """A sentence that was not placed, kept so that a person can bring it back."""

    gap: Span
    text: str
    score: float
    reason: str


def speaking_seconds(text: str, config: PlacementConfig) -> float:
    """How long `text` takes to speak at the target rate, and at least the shortest description."""
    return max(len(text.strip()) / config.characters_per_second, config.shortest)


def words_that_fit(seconds: float, config: PlacementConfig) -> int:
    """How many words of usual length can be spoken in `seconds` at the target rate, at least one: a budget for
    `wording.Brief`."""
    return max(int(seconds * config.characters_per_second / CHARACTERS_OF_A_WORD + _ROUNDING), 1)


def cut(gaps: Iterable[Span], longest: float = 6.0) -> list[Span]:
    """Each gap as slots of equal length, none longer than `longest`, one after the other without a rest.

    Units:  seconds.
    Errors: ValueError unless longest is finite and > 0.
    """
    if not (math.isfinite(longest) and longest > 0):
        raise ValueError(f"Slots need a finite longest > 0 s, got {longest}.")
    slots = []
    for gap in gaps:
        count = max(math.ceil(gap.seconds / longest - _ROUNDING), 1)
        bounds = [gap.start + gap.seconds * part / count for part in range(count)] + [gap.end]
        slots += [Span(start, end) for start, end in itertools.pairwise(bounds)]
    return slots


def place(
    gap_candidates: Sequence[tuple[Span, Sequence[tuple[str, float]]]], config: PlacementConfig
) -> tuple[list[Description], list[Dropped]]:
    """Chooses for each gap the first of its candidates, `(text, score)` best first, that can be spoken in it.

    A description begins with its gap, or a pause after the one before it if gaps lie closer than that, and ends when
    it is spoken: at the target rate, or just fast enough to end with the gap, which a note tells. It never reaches
    out of its gap. What is better but does not fit, or has no words, is handed back with the reason; what is less
    good than the chosen one is not.

    Returns: descriptions in order of time, free of overlap, and what was dropped, gap by gap.
    """
    placed: list[Description] = []
    dropped: list[Dropped] = []
    ready = 0.0
    for gap, candidates in sorted(gap_candidates, key=lambda pair: pair[0]):
        start = max(gap.start, ready)
        for text, score in candidates:
            reason = _reason(text, gap.end - start, config)
            if reason:
                dropped.append(Dropped(gap, text, score, reason))
                continue
            wanted = speaking_seconds(text, config)
            end = min(start + wanted, gap.end)
            rate = len(text.strip()) / (end - start)
            hurried = wanted > gap.end - start + _ROUNDING
            notes = (f"fast: {rate:.1f} characters a second",) if hurried else ()
            placed.append(Description(Span(start, end), text.strip(), score, notes))
            ready = end + config.pause
            break
    return placed, dropped


def _reason(text: str, room: float, config: PlacementConfig) -> str:
    """Why `text` cannot be spoken in `room` seconds; empty if it can."""
    if not any(character.isalnum() for character in text):
        return "no words"
    needed = max(len(text.strip()) / config.fastest, config.shortest)
    if needed > room + _ROUNDING:
        return f"needs {needed:.1f} s at the highest rate, the gap leaves {max(room, 0.0):.1f} s"
    return ""
