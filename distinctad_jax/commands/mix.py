"""Mix a film with its narration: as sound, and as the film with everything inside, its own packets copied.

FILM is a film or a folder of films. The track is that of `distinctad voice` (STEM.voiced.json), whose clips are used;
of any other track the texts are spoken first. STEM.mix.json holds what was measured: loudness of film, dialogue and
narration as they are in the mix, the difference at every description, and the true peak.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Any

from distinctad_jax.commands.batch import each, ended, films, paper, tell
from distinctad_jax.commands.language import in_language, language_option
from distinctad_jax.commands.practice import MIXING, SPEAKING, practice_of, practice_options
from distinctad_jax.commands.sources import film_options, reads_films
from distinctad_jax.commands.speak import engine_of, engine_options, read, spoken
from distinctad_jax.commands.targets import folder_of, formats_of, target_options, wanted
from distinctad_jax.commands.voice import Voice
from distinctad_jax.errors import BadUsage, counted
from distinctad_jax.files import write_json
from distinctad_jax.movie.language import alike, code
from distinctad_jax.movie.movie import Line, Track
from distinctad_jax.movie.practice import Practice
from distinctad_jax.movie.span import Span
from distinctad_jax.tracks import read_dialogue
from distinctad_jax.tracks.formats import language_in_name
from distinctad_jax.voice.mixing import Mix, mixed, parts_of
from distinctad_jax.voice.remux import TextTrack, named, write_film
from distinctad_jax.voice.sound import Programme, programme, write_sound

FORMATS = ("mkv", "mp4", "wav", "flac", "m4a")
TRACKS = (".edited.voiced.json", ".voiced.json", ".edited.json", ".json", ".vtt", ".srt")
"""What the track of a film is called after its stem, the furthest on first."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """The films, their tracks, and how to mix."""
    parser.add_argument("films", type=Path, nargs="+", metavar="FILM")
    parser.add_argument(
        "--track", type=Path, required=True, metavar="FILE", help="or the folder of the films' tracks"
    )
    parser.add_argument(
        "--subtitles", type=Path, metavar="FILE", help="or a folder of NAME.srt: captions to put in, and dialogue"
    )
    parser.add_argument(
        "--audio-track", default="", metavar="N|LANG", help="of the film's own; default: that of the track's language"
    )
    language_option(parser)
    parser.add_argument("--encoding", default="utf-8", help="of files that have no mark; default utf-8")
    parser.add_argument("--loudness", type=float, metavar="LUFS", help="bring the film to -23, -24, -27 or -16")
    parser.add_argument("--title", metavar="TEXT", help="of the new tracks; default: English (audio description)")
    film_options(parser)
    engine_options(parser)
    target_options(parser, FORMATS, ("mkv",))
    practice_options(parser, (*MIXING, *SPEAKING))


@reads_films
def run(given: argparse.Namespace, voice: Voice) -> dict[str, Any]:
    """Mixes each film; returns what was measured."""
    practice, formats = practice_of(given), formats_of(given, FORMATS)
    if given.loudness is not None and not -40 <= given.loudness <= -10:
        raise BadUsage(f"{given.loudness:g} LUFS", where="--loudness", mend="give -40 to -10")

    def one(path: Path) -> dict[str, Any]:
        sound = programme(path, given.audio_track)  # first of all: whether it is a film, and has such a track
        folder = folder_of(given, path)
        kinds = {form: "ad" if form in ("mkv", "mp4") else "mix" for form in formats}
        targets = [folder / f"{path.stem}.{kind}.{form}" for form, kind in kinds.items()]
        figures = folder / f"{path.stem}.mix.json"
        left = wanted(given, targets, voice)
        if not left:
            return {}
        track, beside = _track(given, path, folder, practice, voice)
        if not given.audio_track and track.language_told:
            sound = sound.spoken_in(track.language)
        made, problems = _mix(given, sound, track, beside, practice, voice)
        for target in left:
            if target.suffix in (".mkv", ".mp4"):
                made = _film(given, target, made, track, practice, problems, voice)
            else:
                write_sound(target, made.pieces(), made.programme.layout)
        found = _figures(made, track)
        write_json(figures, found)
        tell(voice, problems)
        _say(found, made.programme, voice)
        return {name: value for name, value in found.items() if name != "entries"}

    return ended(*each(films(given.films), one, voice))


def _track(
    given: argparse.Namespace, path: Path, folder: Path, practice: Practice, voice: Voice
) -> tuple[Track, Path]:
    """The track of a film, spoken if it was not before, and the folder that its clips are named from."""
    file = given.track
    if file.is_dir():
        beside = [file / f"{path.stem}{suffix}" for suffix in TRACKS]
        file = next((one for one in beside if one.is_file()), beside[0])
    track = in_language(read(file, _subtitles(given, path), voice, given.encoding), given)
    if any(one.speech and one.speech.clip for one in track.descriptions):
        return track, file.parent
    return spoken(track, engine_of(given, track.language), folder, practice, voice), folder


def _subtitles(given: argparse.Namespace, film: Path) -> Path | None:
    """The subtitles of a film: the file that was named, that of a folder, or one beside a film of a folder."""
    return paper(given.subtitles, film, given.films)


def _mix(
    given: argparse.Namespace, sound: Programme, track: Track, beside: Path, practice: Practice, voice: Voice
) -> tuple[Mix, list[str]]:
    path = sound.path
    parts, silent = parts_of(track, beside)
    problems = [] if given.audio_track else _foreign(sound, track)
    problems += [f"{path.name}: {one.id} is {one.kind} or has no clip, and is not in the mix" for one in silent]
    dialogue = [line.span for line in track.dialogue if line.spoken]
    with voice.bar("mixing") as bar:
        made = mixed(sound, parts, dialogue, practice, loudness=given.loudness, problems=problems, report=bar)
    for part, margin in zip(made.parts, made.balance.margins, strict=True):
        if margin < practice.duck:
            problems.append(f"{path.name}: {part.description.id} is only {margin:.1f} LU above the film")
    return made, problems


def _foreign(sound: Programme, track: Track) -> list[str]:
    """A warning, if the film has several languages and what was taken is not known to be that of the narration."""
    told = [str(one) for one in sound.tracks if not one.aside]
    if sound.track is None or len(told) < 2 or not track.language_told or alike(sound.track.language, track.language):
        return []
    what = f"the narration is in {track.language}, and is mixed with audio track {sound.track} of {', '.join(told)}"
    return [f"{sound.path.name}: {what}; choose by --audio-track"]


def _film(
    given: argparse.Namespace,
    target: Path,
    made: Mix,
    track: Track,
    practice: Practice,
    problems: list[str],
    voice: Voice,
) -> Mix:
    code, title = named(track.language)
    title = given.title or title
    texts = [
        TextTrack([(one.span, one.text) for one in track.descriptions if one.kind == "inline"], title, code, True)
    ]
    subtitles = _subtitles(given, made.programme.path)
    if subtitles is not None:
        lines = read_dialogue(subtitles, speech_only=False, encoding=given.encoding, problems=[])
        texts.insert(0, TextTrack(_apart(lines), "Captions", _captioned(subtitles, made.programme), False))
    voice.say(f"writing {target}")
    return write_film(target, made, texts, title=title, language=code, ceiling=practice.true_peak, problems=problems)


def _captioned(subtitles: Path, sound: Programme) -> str:
    """The language of captions: that in the name of their file (`film.de.srt`), else that of the sound."""
    told = language_in_name(subtitles, sound.path.stem) or (sound.track.language if sound.track else "")
    return code(told) or "und"


def _apart(lines: tuple[Line, ...]) -> list[tuple[Span, str]]:
    """Captions that do not overlap: each ends where the next begins."""
    found: list[tuple[Span, str]] = []
    for line in lines:
        if found and found[-1][0].end > line.span.start:
            before, text = found.pop()
            if before.start < line.span.start:
                found.append((Span(before.start, line.span.start), text))
        found.append((line.span, line.text))
    return found


def _figures(made: Mix, track: Track) -> dict[str, Any]:
    dialogue = [line.span for line in track.dialogue if line.spoken]
    entries = [
        {
            "id": part.description.id,
            "start": part.description.span.start,
            "end": part.description.span.end,
            "duck_decibels": _round(duck.decibels),
            "above_film": _round(margin),
        }
        for part, duck, margin in zip(made.parts, made.balance.ducks, made.balance.margins, strict=True)
    ]
    return {
        "cues": len(entries),
        "first": entries[0]["start"] if entries else None,
        "last": entries[-1]["end"] if entries else None,
        "duration": _round(made.programme.seconds),
        "audio_track": str(made.programme.track) if made.programme.track else None,
        "film_loudness": _round(made.film.integrated() + made.gain),
        "dialogue_loudness": _round(made.film.integrated(dialogue) + made.gain) if dialogue else None,
        "narration_loudness": _round(made.balance.level + made.gain),
        "gain": _round(made.gain),
        "true_peak": _round(made.peak),
        "least_above_film": _round(min(made.balance.margins)) if made.balance.margins else None,
        "entries": entries,
    }


def _round(value: float) -> float | None:
    return round(value, 3) if math.isfinite(value) else None


def _say(found: dict[str, Any], sound: Programme, voice: Voice) -> None:
    def told(name: str, unit: str) -> str:
        return "silent" if found[name] is None else f"{found[name]:.1f} {unit}"

    which = f" (audio track {sound.track}, one of {len(sound.tracks)})" if len(sound.tracks) > 1 else ""
    levels = f"film{which} {told('film_loudness', 'LUFS')}, narration {told('narration_loudness', 'LUFS')}"
    moved = f", all by {found['gain']:+.1f} dB" if abs(found["gain"]) >= 0.05 else ""
    above, peak = told("least_above_film", "LU"), told("true_peak", "dBTP")
    said = f"{counted(found['cues'], 'description')}, at least {above} above the film"
    voice.say(f"{sound.path.name}: {said}; in the mix: {levels}, peak {peak}{moved}")
