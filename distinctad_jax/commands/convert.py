"""Write tracks in other formats: any that is read to any that is written, several in one run.

FILE is .json, .vtt, .srt, .dapt.ttml, .csv or .jsonl, or a folder of them. The JSON master keeps everything; the
others keep what they can (docs/formats.md). Where players need it, overlaps are mended, and told in a warning.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any

from distinctad_jax.commands.batch import each, ended, films
from distinctad_jax.commands.language import in_language, language_option
from distinctad_jax.commands.targets import folder_of, formats_of, target_options, wanted
from distinctad_jax.commands.validate import SUFFIXES
from distinctad_jax.commands.voice import Voice
from distinctad_jax.errors import BadInput, BadUsage, counted
from distinctad_jax.files import real, write_text
from distinctad_jax.movie.movie import Track
from distinctad_jax.report.review import render_review
from distinctad_jax.tracks import read_dialogue
from distinctad_jax.tracks.formats import FORMATS, stem, texts_of, track_in
from distinctad_jax.tracks.mending import playable
from distinctad_jax.tracks.reading import Warnings

PAGE = "html"
WRITTEN = (*(one.name for one in FORMATS.values() if one.written), PAGE)


def arguments(parser: argparse.ArgumentParser) -> None:
    """The files, and what becomes of them."""
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE")
    target_options(parser, WRITTEN, ("vtt",))
    parser.add_argument("--captions", type=Path, metavar="FILE", help="subtitles of the film, for the transcript")
    language_option(parser)
    parser.add_argument("--encoding", default="utf-8", help="of files that are not UTF-8; default utf-8")
    parser.add_argument("--dry-run", action="store_true", help="read and judge, and write nothing")


def run(given: argparse.Namespace, voice: Voice) -> dict[str, Any]:
    """Writes what is asked for; returns what was found. Errors: SomeSkipped if some files could not be read."""
    formats, found = formats_of(given, WRITTEN), films(given.files, SUFFIXES)
    targets = _targets(given, found, formats)

    def one(path: Path) -> dict[str, Any]:
        left = wanted(given, targets[path], voice)
        track, problems = _read(path, given)
        texts: dict[Path, str] = {}
        for target in left:
            texts |= _texts(target, track, path, problems)
        for line, kind in problems.lines:
            voice.warn(line, kind=kind)
        if not given.dry_run and texts:
            folder_of(given, path)
            for target in wanted(given, [target for target in texts if target not in left], voice) + left:
                write_text(target, texts[target])
        written = [] if given.dry_run else [target.name for target in texts]
        many = counted(len(track.descriptions), "description")
        voice.say(f"{path.name}: {many} -> {', '.join(written) or 'nothing written'}")
        return _facts(path, track, written)

    return ended(*each(found, one, voice))


def _targets(given: argparse.Namespace, found: list[Path], formats: list[str]) -> dict[Path, list[Path]]:
    """The files that each file becomes. Errors: BadUsage if one would be written twice, or over what is read."""
    targets = {
        path: [(given.output_dir or path.parent) / f"{stem(path)}{_ending(form)}" for form in formats]
        for path in found
    }
    read = {real(path) for path in found}
    owners: dict[Path, Path] = {}
    for path, files in targets.items():
        targets[path] = files = [one for one in files if real(one) != real(path) or len(formats) == 1]
        for one in files:
            if real(one) in read:
                raise BadUsage("would be written over", where=one, mend="name another folder with -o")
            if one in owners:
                told = f"would be written from {owners[one]} and from {path}"
                raise BadUsage(told, where=one, mend="convert them into two folders")
            owners[one] = path
    return targets


def _ending(form: str) -> str:
    return ".review.html" if form == PAGE else FORMATS[form].suffixes[0]


def _read(path: Path, given: argparse.Namespace) -> tuple[Track, Warnings]:
    found = Warnings(path)
    track = in_language(track_in(path, found, given.encoding), given)
    if given.captions is not None:
        problems: list[str] = []
        lines = read_dialogue(given.captions, speech_only=False, encoding=given.encoding, problems=problems)
        track = dataclasses.replace(track, dialogue=lines)
        for problem in problems:
            found.add("captions", problem, "captions")
    if not track.descriptions and not track.dialogue:
        found.add(1, "holds no description")
    return track, found


def _texts(target: Path, track: Track, source: Path, found: Warnings) -> dict[Path, str]:
    """What is written for one target."""
    try:
        if target.suffix == ".html":  # without pictures: `distinctad report` puts those of the film in
            return {target: render_review(track.numbered(), stem=stem(source))}
        if target.suffix in (".vtt", ".srt"):
            track = playable(track, found)
        return texts_of(target, track)
    except ValueError as error:
        raise BadInput(
            str(error).rstrip("."), where=source, mend=f"correct it, or write no {target.suffix[1:]}"
        ) from None


def _facts(path: Path, track: Track, written: list[str]) -> dict[str, Any]:
    spans = [one.span for one in track.descriptions]
    facts: dict[str, Any] = {"file": str(path), "cues": len(spans), "dropped": len(track.dropped), "written": written}
    if spans:
        facts |= {"first": min(span.start for span in spans), "last": max(span.end for span in spans)}
    if track.cast:
        facts["people"] = len(track.cast)
    if track.film and track.film.duration:
        facts["duration"] = round(track.film.duration, 3)
    return facts
