"""Find the silences of a film that can hold a description.

FILM is a film or a folder of films; a subtitle file (.srt, .vtt) alone is read too, and taken to end with its last
cue unless --duration says otherwise.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from distinctad_jax.commands.batch import TEXTS, each, ended, films, tell
from distinctad_jax.commands.practice import PLACING, practice_of, practice_options
from distinctad_jax.commands.sources import cuts_of, film_options, part_of, reads_films, source_options, sources_of
from distinctad_jax.commands.voice import Voice
from distinctad_jax.data.shots import read_shots
from distinctad_jax.drafting.dialogue import NO_TRACK, Sources
from distinctad_jax.drafting.survey import Survey, facts, paper_facts, survey
from distinctad_jax.errors import BadUsage, counted, printable
from distinctad_jax.movie.practice import Practice
from distinctad_jax.movie.span import Span, clock


def arguments(parser: argparse.ArgumentParser) -> None:
    """The films, and what is known of their dialogue."""
    parser.add_argument("films", type=Path, nargs="+", metavar="FILM")
    parser.add_argument("--duration", type=float, metavar="S", help="of the film, where there are only subtitles")
    film_options(parser)
    source_options(parser)
    practice_options(parser, PLACING)


@reads_films
def run(given: argparse.Namespace, voice: Voice) -> dict[str, Any]:
    """Prints each gap as start, end and length; returns what was found of each film."""
    practice, found = practice_of(given), films(given.films)
    if given.duration is not None and not 0 < given.duration < float("inf"):
        raise BadUsage(f"a film does not last {given.duration} s", where="--duration", mend="give seconds above 0")

    def one(path: Path) -> dict[str, Any]:
        if path.suffix.lower() in TEXTS:
            return _of_paper(path, given, practice, voice)
        with voice.bar("looking") as bar:
            seen = survey(
                path,
                sources_of(given, path, given.films),
                practice,
                cuts=cuts_of(given),
                part=part_of(given),
                progress=lambda done, whole: bar(round(done), round(whole), ""),
            )
        tell(voice, seen.problems)
        _show(seen.silences, path, len(found) > 1)
        voice.say(summary(seen))
        return facts(seen)

    return ended(*each(found, one, voice))


def _of_paper(path: Path, given: argparse.Namespace, practice: Practice, voice: Voice) -> dict[str, Any]:
    for flag in ("subtitles", "subtitle_track", "speech_detector"):
        if getattr(given, flag) not in (None, "", NO_TRACK):
            mend = "name a film, or leave it out"
            raise BadUsage(f"is of no use to {path.name}", where=f"--{flag.replace('_', '-')}", mend=mend)
    if isinstance(cuts := cuts_of(given), Path):
        read_shots(cuts)  # they move no gap, but are to be a list of shots here too
    songs, encoding = given.songs_are_dialogue, given.encoding
    sources = Sources(path, segments=given.speech_segments, songs=songs, encoding=encoding)
    found, heard = paper_facts(sources, practice, given.duration, part_of(given))
    tell(voice, heard.problems)
    silences = [Span(start, end) for start, end in found["gaps_at"]]
    _show(silences, path, False)
    many = f"{counted(found['cues'], 'cue')}, {counted(len(silences), 'gap')}"
    voice.say(f"{path.name}: {many}, {sum(gap.seconds for gap in silences):.1f} s")
    return found


def _show(silences: Any, path: Path, named: bool) -> None:
    for gap in silences:
        lead = f"{printable(path.name)}\t" if named else ""
        print(f"{lead}{clock(gap.start)}\t{clock(gap.end)}\t{gap.seconds:.3f}")


def summary(seen: Survey) -> str:
    """One line about a film's silences."""
    longest = max((gap.seconds for gap in seen.silences), default=0.0)
    shots, silences = counted(len(seen.shots), "shot"), counted(len(seen.silences), "gap")
    return (
        f"{seen.video.name}: {clock(seen.facts.duration)}, {shots}, speech from {seen.heard.source}; "
        f"{silences}, {seen.usable:.1f} s in all, the longest {longest:.1f} s"
    )
