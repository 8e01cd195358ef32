"""Cues, the timed texts of subtitle files: what the readers and the writers of WebVTT and SRT share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from distinctad_jax.movie.description import Description
from distinctad_jax.movie.span import Span, clock
from distinctad_jax.tracks.reading import Warnings, plain

ARROW = "-->"
LONGEST_HOURS = 7
"""Digits. Ten million hours are no film."""

SHORTEST = 0.001
"""Seconds; what a cue lasts at least that is read into a track, and what the formats can tell apart."""


class Cue(NamedTuple):
    """A text with times, as a player reads it.

    Args:
      start: in seconds.
      end: in seconds; nothing says that it comes after the start.
      text: as the file has it, with mark-up; lines end in LF.
      lines: of the text, without mark-up.
      place: the file line of its times, from 1.
      id: empty if it has none.
      settings: what stands behind the times.
      speaker: who says it, if the mark-up tells.
    """

    start: float
    end: float
    text: str
    lines: tuple[str, ...]
    place: int
    id: str = ""
    settings: str = ""
    speaker: str = ""

    def spoken(self) -> str:
        """The text without mark-up on one line."""
        return plain(self.lines[0] if len(self.lines) == 1 else " ".join(line for line in self.lines if line))


def span_of(cue: Cue, found: Warnings) -> Span | None:
    """When the cue is shown, at least a millisecond; None, with a warning, if it ends before it starts."""
    if cue.end < cue.start:
        found.add(cue.place, f"cue skipped: it ends at {clock(cue.end)}, not after its start at {clock(cue.start)}")
        return None
    if cue.end == cue.start:
        found.add(cue.place, "cue without duration: it was given a millisecond")
        return Span(cue.start, cue.start + SHORTEST)
    return Span(cue.start, cue.end)


def descriptions_of(cues: Sequence[Cue], found: Warnings) -> tuple[Description, ...]:
    """Those cues that have words and a span, in order of time."""
    told: list[Description] = []
    for cue in cues:
        text = cue.spoken()
        if not text:
            found.add(cue.place, "cue skipped: it has no text", "empty cues skipped")
        elif span := span_of(cue, found):
            told.append(Description(span, text))
    return tuple(sorted(told, key=lambda one: (one.span.start, one.span.end)))


def without(text: str, opening: str, closing: str) -> str:
    """`text` without what stands between `opening` and the next `closing`; an opening that is never closed stays."""
    kept = []
    place = 0
    while (start := text.find(opening, place)) >= 0 and (end := text.find(closing, start + 1)) >= 0:
        kept.append(text[place:start])
        place = end + 1
    return "".join(kept) + text[place:]


def strict(descriptions: Iterable[Description], forbidden: str) -> Iterable[tuple[str, str, str]]:
    """`(start, end, text)` of each description in order, ready for a player.

    Times are rounded to milliseconds; characters that players take for mark-up are left out.

    Errors: ValueError, naming the time, if one has no text left, lasts less than a millisecond or overlaps the next.
    """
    ready = 0
    for description in sorted(descriptions, key=lambda one: one.span):
        span = description.span
        text = plain(description.text, forbidden)
        if not text:
            raise ValueError(f"The description at {clock(span.start)} has no text.")
        if round(span.end * 1000) <= round(span.start * 1000):
            raise ValueError(f"The description at {clock(span.start)} must last at least a millisecond.")
        if round(span.start * 1000) < ready:
            raise ValueError(
                f"The description at {clock(span.start)} begins before the one above it ends; players speak one only."
            )
        ready = round(span.end * 1000)
        yield clock(span.start), clock(span.end), text
