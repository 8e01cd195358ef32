"""JSON lines: a track with everything it knows, one description to a line, each line complete in itself."""

from __future__ import annotations

import json
import math
from typing import Any

from distinctad_jax.errors import BadInput
from distinctad_jax.movie.movie import Description, Track
from distinctad_jax.movie.span import Span
from distinctad_jax.tracks.reading import Warnings, lines_of

_SHARED = ("movie", "language", "made_by")


def text_of(track: Track) -> str:
    """The file's text, in order of time."""
    shared = {name: getattr(track, name) for name in _SHARED}
    lines = [
        json.dumps(
            {
                "start": one.span.start,
                "end": one.span.end,
                "text": one.text,
                "score": one.score,
                "notes": list(one.notes),
                **({} if one.kind == "inline" else {"kind": one.kind}),
                **shared,
            },
            ensure_ascii=True,  # keeps U+2028 and the like from breaking a line
            allow_nan=False,
        )
        for one in sorted(track.descriptions, key=lambda one: one.span)
    ]
    return "".join(f"{line}\n" for line in lines)


def track_of(text: str, name: str, found: Warnings) -> Track:
    """The track in a file, in order of time; the movie is `name` if there is no line to say which.

    Errors: BadInput, with line and field, for anything that `text_of` would not have written.
    """
    descriptions: list[Description] = []
    shared: dict[str, str] = {}
    for place, line in enumerate(lines_of(text), start=1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            raise BadInput("not JSON", where=f"{found.path}:{place}", mend="correct the line") from None
        where = f"{found.path}:{place}"
        if not isinstance(value, dict):
            raise BadInput("not an object", where=where, mend="write one object to a line")
        mine = {field: _text(value, field, where) for field in _SHARED if field in value}
        if descriptions and mine != shared:
            raise BadInput("is of another track than the lines above", where=where, mend="one track to a file")
        shared = mine
        descriptions.append(_description(value, where))
    descriptions.sort(key=lambda one: one.span)
    movie, language, made_by = (
        shared.get(field, usual) for field, usual in zip(_SHARED, (name, "en", ""), strict=True)
    )
    return Track(movie, tuple(descriptions), language, made_by, language_told="language" in shared)


def _description(value: dict[str, Any], where: str) -> Description:
    start, end = _number(value, "start", where), _number(value, "end", where)
    notes = value.get("notes", [])
    if not isinstance(notes, list) or not all(isinstance(note, str) for note in notes):
        raise BadInput("notes are not a list of texts", where=f"{where}:notes", mend="correct the line")
    if not 0 <= start < end:
        raise BadInput(f"from {start} to {end} s is no span", where=f"{where}:end", mend="give 0 <= start < end")
    score = _number(value, "score", where) if value.get("score") is not None else None
    kind = value.get("kind", "inline")
    if kind not in ("inline", "extended"):
        raise BadInput("kind is neither inline nor extended", where=f"{where}:kind", mend="correct the line")
    return Description(Span(start, end), _text(value, "text", where), score, tuple(notes), kind=kind)


def _text(value: dict[str, Any], field: str, where: str) -> str:
    text = value.get(field)
    if not isinstance(text, str):
        raise BadInput("no text", where=f"{where}:{field}", mend="correct the line")
    return text


def _number(value: dict[str, Any], field: str, where: str) -> float:
    number = value.get(field)
    if isinstance(number, bool) or not isinstance(number, int | float) or not math.isfinite(number):
        raise BadInput("no finite number", where=f"{where}:{field}", mend="correct the line")
    return float(number)
