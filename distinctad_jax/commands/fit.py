"""Fit a script into the silences of a film: placed, moved, shortened, or dropped with the reason.

SCRIPT is a track in any format that is read, or a folder of .json tracks; an edited one keeps its texts. Its gaps are
those of the track itself, or of --film, --subtitles or --speech-segments. STEM.fitted.json and the other formats go
to the folder of the script, or to -o.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any

from distinctad_jax.commands.batch import each, ended, films, tell
from distinctad_jax.commands.language import in_language, language_option
from distinctad_jax.commands.practice import PLACING, SPEAKING, practice_of, practice_options
from distinctad_jax.commands.sources import cuts_of, film_options, part_of, reads_films, source_options, sources_of
from distinctad_jax.commands.targets import folder_of, formats_of, target_options, texts_for, wanted
from distinctad_jax.commands.voice import Voice
from distinctad_jax.drafting.describe import summary
from distinctad_jax.drafting.dialogue import listen
from distinctad_jax.drafting.fit import MOVED, fit
from distinctad_jax.drafting.names import POLICIES, Names, read_people
from distinctad_jax.drafting.survey import NONE, survey
from distinctad_jax.errors import BadInput, BadUsage
from distinctad_jax.files import write_text
from distinctad_jax.movie.movie import FilmFile, Track
from distinctad_jax.movie.practice import Practice
from distinctad_jax.tracks import FORMATS, read_track
from distinctad_jax.tracks.formats import stem

WRITTEN = tuple(one.name for one in FORMATS.values() if one.written)


def arguments(parser: argparse.ArgumentParser) -> None:
    """The scripts, and where their gaps come from."""
    parser.add_argument("scripts", type=Path, nargs="+", metavar="SCRIPT")
    parser.add_argument("--film", type=Path, metavar="FILE", help="whose silences are to be used")
    parser.add_argument("--duration", type=float, metavar="S", help="of the film, where it is not given")
    parser.add_argument("--cast", type=Path, metavar="FILE", help="JSON: a list of characters, or lists by film")
    parser.add_argument("--names", choices=POLICIES, default="always", help="when the cast may be called by name")
    language_option(parser)
    parser.add_argument("--move", type=float, default=MOVED, metavar="S", help="by which an entry may be moved")
    parser.add_argument("--dry-run", action="store_true", help="say how it would fit, and write nothing")
    film_options(parser)
    source_options(parser)
    practice_options(parser, (*PLACING, *SPEAKING))
    target_options(parser, WRITTEN, ("json", "vtt", "srt"))


@reads_films
def run(given: argparse.Namespace, voice: Voice) -> dict[str, Any]:
    """Fits each script; returns what was found."""
    practice, formats = practice_of(given), formats_of(given, WRITTEN)
    if not 0 <= given.move < float("inf"):
        raise BadUsage(f"cannot move by {given.move} s", where="--move", mend="give 0 or more")

    def one(path: Path) -> dict[str, Any]:
        left = []
        if not given.dry_run:
            folder, name = folder_of(given, path), stem(path).removesuffix(".fitted")
            targets = [folder / f"{name}.fitted{FORMATS[form].suffixes[0]}" for form in formats]
            left = wanted(given, targets, voice)
            if not left:
                return {"file": path.name, "skipped": len(targets)}
        track = _known(path, given, practice, voice)
        cast = _cast(given, track, voice)
        track = dataclasses.replace(track, cast=cast)
        try:
            fitted = fit(track, practice, names=Names(cast, given.names, track.dialogue), moved=given.move)
        except ValueError as error:
            mend = "give --film, --subtitles or --speech-segments"
            raise BadInput(str(error), where=path, mend=mend) from None
        for place, text in texts_for(left, fitted, path).items():
            write_text(place, text)
        voice.say(f"{path.name}: {summary(fitted)}")
        counts = {name: value for name, value in fitted.metrics.items() if name != "checks"}
        return {"file": path.name, "cues": len(track.descriptions), "people": len(cast), **counts}

    return ended(*each(films(given.scripts, (".json",)), one, voice))


def _known(path: Path, given: argparse.Namespace, practice: Practice, voice: Voice) -> Track:
    """The script with the dialogue, the gaps and the film that were named."""
    problems: list[str] = []
    track = in_language(read_track(path, problems=problems), given)
    film = given.film
    if film is not None:
        cuts = cuts_of(given) if given.shots != "auto" else NONE  # a script needs no shots: the pass is spared
        seen = survey(film, sources_of(given, film, [film]), practice, cuts=cuts, part=part_of(given))
        problems += seen.problems
        gaps, shots = seen.silences, seen.shots if cuts != NONE else track.shots
        track = dataclasses.replace(
            track, film=seen.film(), gaps=gaps, shots=shots, dialogue=seen.heard.lines or track.dialogue
        )
    elif given.subtitles is not None or given.speech_segments is not None:
        track = _listened(track, given, problems)
    elif given.duration is not None and track.film is None:
        track = dataclasses.replace(track, film=FilmFile(track.movie, given.duration))
    tell(voice, problems)
    return track


def _listened(track: Track, given: argparse.Namespace, problems: list[str]) -> Track:
    """A script with the dialogue of papers alone: stretches of speech count as lines without words."""
    from distinctad_jax.movie.movie import Line

    sources = dataclasses.replace(sources_of(given, Path(track.movie), [Path(track.movie)]), check_offset=False)
    heard = listen(None, None, sources)
    problems += heard.problems
    lines = heard.lines if given.subtitles is not None else tuple(Line(span, "") for span in heard.speech)
    film = FilmFile(track.movie, given.duration) if given.duration is not None else track.film
    return dataclasses.replace(track, dialogue=lines, film=film)


def _cast(given: argparse.Namespace, track: Track, voice: Voice) -> tuple[Any, ...]:
    if given.cast is None:
        return track.cast
    problems: list[str] = []
    cast = read_people(given.cast, track.movie, problems=problems)
    tell(voice, problems)
    return cast
