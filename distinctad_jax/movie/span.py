"""A stretch of time, and the silences between stretches."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Span:
    """From `start` to `end`, in seconds from the first shown frame.

    Spans sort by start, then by end. A span owns its start but not its end: spans that touch do not overlap.

    Errors: ValueError unless both are finite and 0 <= start < end.
    """

    start: float | int  # kept as float; the run-time checks of the tests take no int for a float
    end: float | int

    def __post_init__(self) -> None:
        if not (math.isfinite(self.start) and math.isfinite(self.end) and 0 <= self.start < self.end):
            raise ValueError(f"A span needs finite 0 <= start < end in seconds, got {self.start} to {self.end}.")
        object.__setattr__(self, "start", float(self.start))
        object.__setattr__(self, "end", float(self.end))

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return self.end - self.start

    def overlaps(self, other: Span) -> bool:
        """True if some moment lies in both."""
        return self.start < other.end and other.start < self.end

    def within(self, other: Span) -> bool:
        """True if no moment of this span lies outside `other`."""
        return other.start <= self.start and self.end <= other.end


def merge(spans: Iterable[Span]) -> list[Span]:
    """The same moments as sorted spans that neither overlap nor touch. Takes O(n log n)."""
    merged: list[Span] = []
    for span in sorted(spans):
        if merged and span.start <= merged[-1].end:
            if span.end > merged[-1].end:
                merged[-1] = Span(merged[-1].start, span.end)
        else:
            merged.append(span)
    return merged


def gaps(
    occupied: Iterable[Span],
    duration: float | int,
    *,
    shortest: float = 2.0,
    lead_in: float = 0.3,
    lead_out: float = 0.3,
) -> list[Span]:
    """The silences of a movie that can hold a description, in order.

    Units:  seconds. `lead_in` is kept free after what is spoken and `lead_out` before it; the opening has no lead-in
      and the end no lead-out, for nobody speaks there. A gap shorter than `shortest` after that is left out.
    Errors: ValueError unless duration is finite and > 0, the leads are >= 0 and shortest > 0.
    Source: pauses of 2 s and more (WCAG technique F113); leads of 0.3 s as in the ramps of the W3C DAPT examples.
    """
    if not (math.isfinite(duration) and duration > 0):
        raise ValueError(f"Gaps need a finite duration > 0 s, got {duration}.")
    if not (lead_in >= 0 and lead_out >= 0 and shortest > 0):
        raise ValueError(f"Gaps need leads >= 0 and shortest > 0, got {lead_in=}, {lead_out=}, {shortest=}.")
    found: list[Span] = []
    free_from = 0.0
    for span in merge(occupied):
        if span.start >= duration:
            break
        if span.start - lead_out - free_from >= shortest:
            found.append(Span(free_from, span.start - lead_out))
        free_from = span.end + lead_in
    if duration - free_from >= shortest:
        found.append(Span(free_from, duration))
    return found


def clock(seconds: float | int) -> str:
    """`hh:mm:ss.mmm`, rounded to the nearest millisecond; hours grow as they must.

    Errors: ValueError if seconds is negative or not finite.
    """
    if not (math.isfinite(seconds) and seconds >= 0):
        raise ValueError(f"A clock shows finite seconds >= 0, got {seconds}.")
    minutes, milliseconds = divmod(round(seconds * 1000), 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{milliseconds // 1000:02d}.{milliseconds % 1000:03d}"
