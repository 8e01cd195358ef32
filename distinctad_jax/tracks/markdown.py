"""Markdown, to read and to hand on: the script in order of time, what to look at, and what was left out."""

from __future__ import annotations

import re
from collections.abc import Iterator

from distinctad_jax.movie.description import Description
from distinctad_jax.movie.movie import Track
from distinctad_jax.movie.span import clock
from distinctad_jax.tracks.reading import plain

# Within a line; before the space or at the end, dots and colons are no part of an address, and `$` begins a formula.
_MARKS = re.compile(r"([\\`*_{}\[\]()#|~$@]|[.:](?=\S)|^[+\-])")


def text_of(track: Track) -> str:
    """The file's text. No text of the track becomes mark-up, neither of Markdown nor of HTML."""
    return "\n".join(_lines(track)) + "\n"


def _lines(track: Track) -> Iterator[str]:
    yield f"# {_escaped(track.movie)}"
    yield ""
    maker = f" Made by {_escaped(track.made_by)}." if track.made_by else ""
    yield f"Audio description, {_escaped(track.language)}: {len(track.descriptions)} descriptions.{maker}"
    yield from _section("Descriptions", track.descriptions)
    yield from _section("Left out", track.dropped)


def _section(title: str, entries: tuple[Description, ...]) -> Iterator[str]:
    if not entries:
        return
    yield from ("", f"## {title}", "")
    for one in sorted(entries, key=lambda one: (one.span.start, one.span.end)):
        kind = " (the film waits)" if one.kind == "extended" else ""
        yield f"- **{clock(one.span.start)} to {clock(one.span.end)}**{kind} {_escaped(one.text)}"
        if one.reason:
            why = one.reason if one.reason.startswith("left ") else f"left out: {one.reason}"
            yield f"  - {_escaped(why)}"
        for said in (*one.notes, *(check.sentence or check.name for check in one.checks)):
            yield f"  - {_escaped(said)}"


def _escaped(text: str) -> str:
    marked = _MARKS.sub(r"\\\1", plain(text))
    return marked.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
