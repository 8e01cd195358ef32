"""Captions of a film: which of them are speech."""

from __future__ import annotations

from collections.abc import Sequence

from distinctad_jax.movie.movie import Line
from distinctad_jax.tracks.cues import Cue, span_of, without
from distinctad_jax.tracks.reading import Warnings

_SIGNS = frozenset("[(#♪♫♬")
"""Without one of these, a caption is no sound and no song."""


def lines_of(cues: Sequence[Cue], found: Warnings) -> list[Line]:
    """Those cues that have words and a span, in order of time; `spoken` is False where nobody speaks."""
    lines: list[Line] = []
    for cue in cues:
        text = cue.spoken()
        if text and (span := span_of(cue, found)):
            lines.append(Line(span, text, cue.speaker, is_speech(cue.lines)))
    return sorted(lines, key=lambda line: (line.span.start, line.span.end))


def is_speech(said: Sequence[str]) -> bool:
    """True if some line of a caption is more than a sound in brackets (`[DOOR SLAMS]`, `(music)`) or a song (`♪`)."""
    joined = "\n".join(said)  # a bracket may close on the next line
    if _SIGNS.isdisjoint(joined):
        return any(map(str.isalnum, joined))
    lines = without(without(joined, "[", "]"), "(", ")").split("\n")
    return any(
        any(character.isalnum() for character in line)
        and not any(note in line for note in "♪♫♬")
        and not (line.strip().startswith("#") and line.strip().endswith("#"))
        for line in lines
    )
