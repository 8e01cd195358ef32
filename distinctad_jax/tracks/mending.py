"""A track as players can take it: one description at a time, each with words and at least a millisecond."""

from __future__ import annotations

from dataclasses import replace

from distinctad_jax.movie.description import Description
from distinctad_jax.movie.movie import Track
from distinctad_jax.movie.span import Span, clock
from distinctad_jax.tracks.reading import Warnings, plain

_MARKS = "<>{}"


def playable(track: Track, found: Warnings) -> Track:
    """The track without overlaps and empty texts, as subtitle formats need it; what changed is told in `found`.

    One that overlaps the next ends where that begins. Of those that begin together, the later ends wait for the
    earlier ones. Times are whole milliseconds.
    """
    kept: list[Description] = []
    for kind in ("inline", "extended"):
        kept += _one_after_the_other([one for one in track.descriptions if one.kind == kind], found)
    return replace(track, descriptions=tuple(sorted(kept, key=lambda one: (one.span.start, one.span.end))))


def _one_after_the_other(descriptions: list[Description], found: Warnings) -> list[Description]:
    waiting = []
    for one in sorted(descriptions, key=lambda one: (one.span.start, one.span.end)):
        if plain(one.text, _MARKS):
            waiting.append((round(one.span.start * 1000), round(one.span.end * 1000), one))
        else:
            found.add(clock(one.span.start), "a description without words was left out")
    done: list[Description] = []
    ready = 0
    for place, (start, end, one) in enumerate(waiting):
        following = waiting[place + 1][0] if place + 1 < len(waiting) else None
        first = max(start, ready)
        last = max(end, first + 1) if end > first else first + max(end - start, 1)
        if following is not None and first < following < last:
            last = following
        if (first, last) != (start, end):
            found.add(clock(one.span.start), "a description overlapped its neighbour and was moved or shortened")
        ready = last
        done.append(replace(one, span=Span(first / 1000, last / 1000)))
    return done
