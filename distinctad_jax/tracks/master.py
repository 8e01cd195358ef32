"""The JSON master: a track with everything that is known of it. All other formats are written from it.

Source: ours; docs/formats.md describes every field. `VERSION` grows when a reader of the version before would read
something wrong. Fields that this reader does not know are left out with a warning.
"""

from __future__ import annotations

import json
from typing import Any

from distinctad_jax.errors import BadInput
from distinctad_jax.movie.description import (
    KINDS,
    NON_TEXT,
    STATUSES,
    Alternative,
    Check,
    Description,
    Duck,
    Provenance,
    Speech,
)
from distinctad_jax.movie.movie import FilmFile, Line, Person, Track
from distinctad_jax.movie.span import Span
from distinctad_jax.tracks.fields import Fields, legible
from distinctad_jax.tracks.reading import Warnings

FORMAT, VERSION = "distinctad track", 1

_FILM = ("name", "duration", "width", "height", "rate", "fingerprint")
_TRACK = ("format", "version", "movie", "language", "film", "options", "metrics", "provenance", "cast", "gaps")
_TRACK += ("shots", "dialogue", "entries")
_ENTRY = ("id", "kind", "status", "start", "end", "text", "speak_seconds", "voice", "reason", "represents")
_ENTRY += ("language", "score", "confidence", "distinctiveness", "gap", "characters", "notes", "checks")
_ENTRY += ("alternatives", "duck", "provenance", "edited_by")


def text_of(track: Track) -> str:
    """The file's text: entries in order of time, spoken before dropped, each with an id."""
    track = track.numbered()
    film = track.film
    value = {
        "format": FORMAT,
        "version": VERSION,
        "movie": track.movie,
        "language": track.language,
        "film": film and {name: getattr(film, name) for name in _FILM},
        "options": dict(track.options),
        "metrics": dict(track.metrics),
        "provenance": {"made_by": track.made_by, "models": dict(track.models)},
        "cast": [{"character": one.character, "actor": one.actor, "key": one.key} for one in track.cast],
        "gaps": [_pair(gap) for gap in track.gaps],
        "shots": [_pair(shot) for shot in track.shots],
        "dialogue": [
            {**_ends(one.span), "text": one.text, "speaker": one.speaker, "spoken": one.spoken}
            for one in track.dialogue
        ],
        "entries": [_entry(one) for one in track.entries],
    }
    return legible(json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False)) + "\n"


def _entry(one: Description) -> dict[str, Any]:
    speech, duck, made = one.speech, one.duck, one.provenance
    return {
        "id": one.id,
        "kind": one.kind,
        "status": one.status,
        **_ends(one.span),
        "text": one.text,
        "speak_seconds": speech.seconds if speech else None,
        "voice": {"name": speech.voice, "rate": speech.rate, "clip": speech.clip} if speech else None,
        "reason": one.reason,
        "represents": one.represents,
        "language": one.language,
        "score": one.score,
        "confidence": one.confidence,
        "distinctiveness": one.distinctiveness,
        "gap": _pair(one.gap),
        "characters": list(one.characters),
        "notes": list(one.notes),
        "checks": [{"name": each.name, "value": each.value, "sentence": each.sentence} for each in one.checks],
        "alternatives": [
            {
                "text": each.text,
                "score": each.score,
                "distinctiveness": each.distinctiveness,
                "speak_seconds": each.seconds,
                "reason": each.reason,
            }
            for each in one.alternatives
        ],
        "duck": duck and {**_ends(duck.span), "decibels": duck.decibels, "down": duck.down, "up": duck.up},
        "provenance": {
            "clip": _pair(made.clip),
            "frames": list(made.frames),
            "shots": [_pair(shot) for shot in made.shots],
            "context": list(made.context),
            "model": made.model,
        },
        "edited_by": one.edited_by,
    }


def _ends(span: Span) -> dict[str, float]:
    return {"start": span.start, "end": span.end}


def _pair(span: Span | None) -> list[float] | None:
    return span and [span.start, span.end]


def track_of(text: str, name: str, found: Warnings) -> Track:
    """The track in a file; the movie is `name` if the file does not say which.

    Errors: BadInput, with line and column or the field's path, for what is no JSON, no track, or of a newer version.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:  # ValueError alone: a number of more digits than Python reads
        place = (
            f"{found.path}:{error.lineno}:{error.colno}" if isinstance(error, json.JSONDecodeError) else found.path
        )
        raise BadInput("not valid JSON", where=place, mend="correct the file") from None
    read = Fields(value, found.path)
    if read.value.get("format") != FORMAT:
        read.refuse("format", f"is not {FORMAT!r}", "give a track that `distinctad` wrote as JSON")
    version = read.value.get("version")
    if isinstance(version, bool) or not isinstance(version, int) or not 1 <= version <= VERSION:
        read.refuse("version", f"is not 1 to {VERSION}", "use the version of distinctad_jax that wrote it")
    entries = [_description(one, found) for one in read.inners("entries")]
    made = read.inner("provenance") or Fields({}, found.path)
    _unread(read, _TRACK, found)
    fields = {
        "movie": read.text("movie", name),
        "language": read.text("language", "en"),
        "language_told": "language" in read.value,
        "made_by": made.text("made_by", ""),
        "models": _models(made),
        "film": _film(read),
        "gaps": read.spans("gaps"),
        "shots": read.spans("shots"),
        "dialogue": tuple(
            Line(one.between(), one.text("text"), one.text("speaker", ""), one.truth("spoken", True))
            for one in read.inners("dialogue")
        ),
        "cast": tuple(
            Person(one.text("character"), one.text("actor", ""), key=one.text("key", ""))
            for one in read.inners("cast")
        ),
        "options": read.free("options"),
        "metrics": read.free("metrics"),
    }
    spoken, dropped = ([one for one in entries if (one.kind == "dropped") is left] for left in (False, True))
    try:
        return Track(descriptions=tuple(_sorted(spoken)), dropped=tuple(_sorted(dropped)), **fields)
    except ValueError as error:
        read.refuse("entries", str(error).rstrip("."), "give each its own id")


def _sorted(entries: list[Description]) -> list[Description]:
    return sorted(entries, key=lambda one: one.span)


def _unread(read: Fields, known: tuple[str, ...], found: Warnings) -> None:
    for path in read.unknown(known):
        found.add(path, "a field of this name is not known and was left out")


def _models(made: Fields) -> dict[str, str]:
    models = made.inner("models") or Fields({}, made.file)
    return {legible(role): models.text(role) for role in models.value}


def _film(read: Fields) -> FilmFile | None:
    film = read.inner("film")
    if film is None:
        return None
    return FilmFile(
        film.text("name"),
        film.optional("duration"),
        film.whole("width"),
        film.whole("height"),
        film.optional("rate"),
        film.text("fingerprint", ""),
    )


def _description(one: Fields, found: Warnings) -> Description:
    _unread(one, _ENTRY, found)
    kind, reason = one.one_of("kind", KINDS), one.text("reason", "")
    if reason and kind != "dropped":
        one.refuse("reason", f"stands at an entry of kind {kind}", "remove the reason, or let the kind be dropped")
    return Description(
        one.between(),
        one.text("text"),
        one.optional("score"),
        one.texts("notes"),
        one.text("id", ""),
        kind,
        one.one_of("status", STATUSES),
        reason,
        one.text("represents", NON_TEXT),
        one.text("language", ""),
        one.share("confidence"),
        one.share("distinctiveness"),
        one.span("gap"),
        one.texts("characters"),
        tuple(_check(check) for check in one.inners("checks")),
        tuple(
            Alternative(
                each.text("text"),
                each.optional("score"),
                each.optional("distinctiveness"),
                each.optional("speak_seconds"),
                each.text("reason", ""),
            )
            for each in one.inners("alternatives")
        ),
        _speech(one),
        _duck(one),
        _provenance(one),
        one.text("edited_by", ""),
    )


def _check(check: Fields) -> Check:
    name = check.text("name")
    if not name:
        check.refuse("name", "is empty", "name the check")
    return Check(name, check.number("value"), check.text("sentence", ""))


def _speech(one: Fields) -> Speech | None:
    seconds, voice = one.optional("speak_seconds"), one.inner("voice") or Fields({}, one.file)
    if seconds is None:
        return None
    rate = voice.optional("rate") or 1.0
    if seconds < 0 or rate <= 0:
        one.refuse("speak_seconds", f"is {seconds} at rate {rate}", "write seconds of 0 or more and a rate above 0")
    return Speech(seconds, voice.text("name", ""), rate, voice.text("clip", ""))


def _duck(one: Fields) -> Duck | None:
    duck = one.inner("duck")
    if duck is None:
        return None
    try:
        return Duck(duck.between(), duck.number("decibels"), duck.number("down"), duck.number("up"))
    except ValueError as error:
        duck.refuse("", str(error).rstrip("."), "correct its numbers")


def _provenance(one: Fields) -> Provenance:
    made = one.inner("provenance")
    if made is None:
        return Provenance()
    frames = made.numbers("frames")
    if frames and min(frames) < 0:
        made.refuse("frames", "holds a negative time", "write seconds from the first frame")
    return Provenance(made.span("clip"), frames, made.spans("shots"), made.texts("context"), made.text("model", ""))
