"""SRT (SubRip), the lingua franca of subtitle editors. It keeps spans and texts, and nothing else of a track."""

from __future__ import annotations

from collections.abc import Sequence

from distinctad_jax.errors import BadInput
from distinctad_jax.movie.movie import Description, Track
from distinctad_jax.tracks.cues import ARROW, Cue, Warnings, strict, times, without


def text_of(track: Track) -> str:
    """The file's text. Errors: ValueError if descriptions overlap, are empty or too short."""
    blocks = [
        f"{number}\n{start.replace('.', ',')} {ARROW} {end.replace('.', ',')}\n{text}\n"
        for number, (start, end, text) in enumerate(strict(track, "<>{}"), start=1)
    ]
    return "\n".join(blocks)


def cues_of(lines: Sequence[str], found: Warnings) -> list[Cue]:
    """The cues of a file, as far as they can be read; the others are told in `found`.

    A cue goes from a line with an arrow to the next such line, without the number above that one: so empty lines
    within a text, missing and repeated numbers are forgiven.

    Errors: BadInput if there is text but not one arrow.
    """
    arrows = [index for index, line in enumerate(lines) if ARROW in line]
    if not arrows and any(line.strip() for line in lines):
        raise BadInput("no line of times with -->", where=found.path, mend="give a subtitle file, .srt or .vtt")
    cues: list[Cue] = []
    for index, following in zip(arrows, [*arrows, len(lines)][1:], strict=True):
        span = times(lines[index], index + 1, found)
        text = [_plain(line) for line in lines[index + 1 : following]]
        while text and not text[-1]:
            text.pop()
        if following < len(lines) and text and _is_number(text[-1]) and lines[following - 1].strip():
            text.pop()
        if span is not None:
            cues.append(Cue(span, tuple(line for line in text if line), index + 1))
    return cues


def track_of(lines: Sequence[str], name: str, found: Warnings) -> Track:
    """The track in a file, in order of time, as that of movie `name`. Errors as `cues_of`."""
    descriptions = [Description(cue.span, " ".join(cue.lines)) for cue in cues_of(lines, found)]
    return Track(name, tuple(sorted((one for one in descriptions if one.text), key=lambda one: one.span)))


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _plain(line: str) -> str:
    return without(without(line, "<", ">"), "{\\", "}").strip()
