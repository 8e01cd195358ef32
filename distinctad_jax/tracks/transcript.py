"""The transcript, a full text alternative (WCAG 1.2.3): captions and descriptions interleaved by time."""

from __future__ import annotations

import heapq

from distinctad_jax.movie.movie import Track
from distinctad_jax.movie.span import clock
from distinctad_jax.tracks.reading import plain


def text_of(track: Track) -> str:
    """The file's text: what is described stands behind `[Description]`, what is heard behind the speaker's name."""
    heard = [
        (line.span.start, 1, f"{plain(line.speaker)}: {plain(line.text)}" if line.speaker else plain(line.text))
        for line in sorted(track.dialogue, key=lambda line: (line.span.start, line.span.end))
    ]
    described = [
        (one.span.start, 0, f"[Description] {plain(one.text)}")
        for one in sorted(track.descriptions, key=lambda one: (one.span.start, one.span.end))
    ]
    lines = [f"{clock(start)[:8]}  {text}" for start, _, text in heapq.merge(heard, described)]
    head = [
        f"Transcript of {plain(track.movie)}",
        "with audio description" + (f", {plain(track.made_by)}" if track.made_by else ""),
    ]
    return "\n".join([*head, "", *lines]) + "\n"
