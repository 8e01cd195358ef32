"""Speak a description track: clips, fitted by their measured lengths, and a narration as long as the film.

TRACK is a track (.json, or .vtt or .srt) or a folder of .json tracks. STEM.voiced.json beside the clips is the track
as it is spoken; `distinctad mix` goes on from there, also after a person has put recordings in place of its clips.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from distinctad_jax.commands.batch import each, ended, films, tell
from distinctad_jax.commands.language import in_language, language_option
from distinctad_jax.commands.practice import SPEAKING, practice_of, practice_options
from distinctad_jax.commands.targets import folder_of, formats_of, target_options, texts_for, wanted
from distinctad_jax.commands.voice import Voice
from distinctad_jax.errors import BadInput, SomeSkipped
from distinctad_jax.files import write_text
from distinctad_jax.movie.movie import Track
from distinctad_jax.movie.practice import WORDS_PER_CHARACTER, Practice
from distinctad_jax.movie.span import clock
from distinctad_jax.tracks import read_dialogue, read_track
from distinctad_jax.voice.clips import Clips
from distinctad_jax.voice.engines import Engine, command, espeak
from distinctad_jax.voice.fitting import voiced
from distinctad_jax.voice.mixing import narration, parts_of
from distinctad_jax.voice.sound import CODECS, write_sound

LONGEST = 24 * 3600.0
"""Seconds of a narration. A file of a few bytes may speak of years, and silence fills a disk like anything else."""
FORMATS = ("json", "wav", "flac", "m4a", "mp3", "vtt", "srt")


def arguments(parser: argparse.ArgumentParser) -> None:
    """The tracks, and who speaks."""
    parser.add_argument("tracks", type=Path, nargs="+", metavar="TRACK")
    parser.add_argument(
        "--subtitles", type=Path, metavar="FILE", help="of the film, where the track holds no dialogue"
    )
    language_option(parser)
    parser.add_argument("--encoding", default="utf-8", help="of files that have no mark; default utf-8")
    engine_options(parser)
    target_options(parser, FORMATS, ("json", "wav"))
    practice_options(parser, (*SPEAKING, "lead_in", "lead_out", "narration_level", "true_peak"))


def engine_options(parser: argparse.ArgumentParser) -> None:
    """Who speaks."""
    parser.add_argument("--voice", default="", metavar="NAME", help="a voice of espeak-ng, or {voice} of the command")
    parser.add_argument(
        "--voice-command",
        metavar="LINE",
        help="any program that speaks, as 'tts --text {text} --out {wav} --rate {rate}', run without a shell; "
        "{voice} and {language} are known too, and a program without {text} reads it from standard input",
    )


def engine_of(given: argparse.Namespace, language: str) -> Engine:
    """The engine that was asked for. Errors: BadUsage, BadEnvironment if it is not there."""
    if given.voice_command is not None:
        return command(given.voice_command, given.voice, language)
    return espeak(given.voice or ("en-gb" if language.split("-")[0] == "en" else language))


def run(given: argparse.Namespace, voice: Voice) -> dict[str, Any]:
    """Speaks each track; returns what was found. Errors: SomeSkipped if a text could not be spoken."""
    practice, formats = practice_of(given), formats_of(given, FORMATS)
    names = {"json": "voiced.json", **{one: f"narration.{one}" for one in formats if f".{one}" in CODECS}}

    def one(path: Path) -> dict[str, Any]:
        stem = path.name.removesuffix(path.suffix).removesuffix(".voiced")
        folder = folder_of(given, path)
        targets = {folder / f"{stem}.{names.get(form, f'voiced.{form}')}": form for form in formats}
        left = wanted(given, [target for target in targets if target != path], voice)
        if path in targets:  # the track as it was spoken before, to be spoken again
            left.append(path)
        track = in_language(read(path, given.subtitles, voice, given.encoding), given)
        _check_length(track, path, [target for target in left if target.suffix in CODECS])
        track = spoken(track, engine_of(given, track.language), folder, practice, voice)
        if not seconds_of(track):
            raise BadInput(
                "no descriptions, and no film whose length is known", where=path, mend="give another track"
            )
        texts = texts_for([target for target in left if target.suffix not in CODECS], track, path)
        parts, _ = parts_of(track, folder)
        for target in left:
            if target.suffix in CODECS:
                write_sound(target, narration(parts, seconds_of(track), practice))
        for place, text in texts.items():
            write_text(place, text)
        return _facts(track, voice, path)

    return ended(*each(tracks_of(given.tracks, (".voiced.json", ".mix.json")), one, voice))


def tracks_of(inputs: Sequence[Path], but: tuple[str, ...]) -> list[Path]:
    """The tracks that are named, and the JSON files of folders that are named but for those that end with `but`."""
    found = films(inputs, (".json",))
    return [path for path in found if path in inputs or not path.name.endswith(but)]


def _check_length(track: Track, path: Path, sounds: Sequence[Path]) -> None:
    """Errors: BadInput, before anything is spoken, for a track whose narration would never end."""
    if sounds and seconds_of(track) > LONGEST:
        what = f"lasts until {clock(seconds_of(track))}, and a narration at most {LONGEST / 3600:g} hours"
        raise BadInput(what, where=path, mend="correct its times and the film's duration, or write -f json alone")


def read(path: Path, subtitles: Path | None, voice: Voice, encoding: str) -> Track:
    """A track, with the dialogue of `subtitles` in place of its own if they are given."""
    problems: list[str] = []
    track = read_track(path, encoding=encoding, problems=problems)
    if subtitles is not None:
        lines = read_dialogue(subtitles, encoding=encoding, problems=problems)
        track = dataclasses.replace(track, dialogue=lines)
    tell(voice, problems)
    return track


def spoken(track: Track, engine: Engine, folder: Path, practice: Practice, voice: Voice) -> Track:
    """The track as it is spoken, its clips in `folder/clips`."""
    with voice.bar("speaking") as bar:
        return voiced(track, Clips(folder / "clips", engine), practice, beside=folder, report=bar)


def seconds_of(track: Track) -> float:
    """How long the film is, or the track if that is not known."""
    last = max((one.span.end for one in track.descriptions), default=0.0)
    return max((track.film.duration if track.film else None) or last, last)


def _facts(track: Track, voice: Voice, path: Path) -> dict[str, Any]:
    told = [one for one in track.descriptions if one.speech is not None and one.kind == "inline"]
    silent = [one for one in track.descriptions if one.speech is None]
    seconds = sum(one.span.seconds for one in told)
    pace = sum(len(one.text) for one in told) / seconds * WORDS_PER_CHARACTER if seconds else 0.0
    extended = sum(one.kind == "extended" for one in track.descriptions)
    voice.say(
        f"{path.name}: {len(told)} spoken in {seconds:.1f} s at {pace:.0f} words a minute, {extended} extended, "
        f"{len(track.dropped)} dropped"
    )
    found = {
        "cues": len(told),
        "extended": extended,
        "dropped": len(track.dropped),
        "spoken_seconds": round(seconds, 3),
        "words_per_minute": round(pace, 1),
        "first": told[0].span.start if told else None,
        "last": told[-1].span.end if told else None,
        "duration": round(seconds_of(track), 3),
    }
    if silent:
        tell(voice, [f"{one.id}: {check.sentence}" for one in silent for check in one.checks[-1:]])
        names = ", ".join(one.id for one in silent[:5])
        what = f"{len(silent)} texts could not be spoken: {names}"
        raise SomeSkipped(what, where=path, mend="see the warnings", found=found | {"not_voiced": len(silent)})
    return found
