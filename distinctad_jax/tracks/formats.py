"""Tracks and dialogue by the suffix of their file."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

from distinctad_jax.errors import BadUsage
from distinctad_jax.files import write_text
from distinctad_jax.movie.movie import Line, Track
from distinctad_jax.tracks import jsonl, master, srt, webvtt
from distinctad_jax.tracks.cues import Cue, Warnings, read_lines, without

_FORMATS: dict[str, ModuleType] = {".vtt": webvtt, ".srt": srt, ".json": master, ".jsonl": jsonl}


def write_track(path: Path, track: Track) -> None:
    """Writes `.json`, `.vtt`, `.srt` or `.jsonl`, whole or not at all.

    JSON keeps everything. WebVTT and SRT keep milliseconds and one line of text without mark-up; SRT keeps nothing of
    the track but that, and JSON lines keep scores and notes besides.

    Errors: BadUsage for another suffix; ValueError if descriptions overlap, are empty or too short for a player.
    """
    write_text(path, _format(path, tuple(_FORMATS)).text_of(track))


def read_track(path: Path, *, encoding: str = "utf-8", problems: list[str] | None = None) -> Track:
    """Reads `.json`, `.vtt`, `.srt` or `.jsonl`, in order of time; overlaps stay, as people write them.

    Cues that cannot be read are left out, each with a sentence in `problems` (or in a Python warning).

    Errors: BadInput if it is missing, no such file or in another encoding; BadUsage for another suffix.
    """
    form = _format(path, tuple(_FORMATS))
    found = Warnings(path)
    track = form.track_of(read_lines(path, encoding, found), path.stem, found)
    found.tell(problems)
    return track


def read_dialogue(
    path: Path, *, speech_only: bool = True, encoding: str = "utf-8", problems: list[str] | None = None
) -> tuple[Line, ...]:
    """The lines of a subtitle file, `.srt` or `.vtt`, in order of time; errors and `problems` as in `read_track`.

    With `speech_only`, cues in which nobody speaks are left out: sounds in brackets, and songs marked by notes.
    """
    form = _format(path, (".srt", ".vtt"))
    found = Warnings(path)
    cues = form.cues_of(read_lines(path, encoding, found), found)
    spoken = [cue for cue in cues if any(cue.lines) and (not speech_only or is_speech(cue))]
    if not spoken:
        found.add(1, "no dialogue: the whole film is one gap")
    found.tell(problems)
    lines = [Line(cue.span, " ".join(line for line in cue.lines if line)) for cue in spoken]
    return tuple(sorted(lines, key=lambda line: line.span))


def is_speech(cue: Cue) -> bool:
    """True if some line of the cue is more than a sound in brackets (`[DOOR SLAMS]`, `(music)`) or a song (`♪`)."""
    joined = "\n".join(cue.lines)  # a bracket may close on the next line
    lines = without(without(joined, "[", "]"), "(", ")").split("\n")
    return any(
        any(character.isalnum() for character in line)
        and not any(note in line for note in "♪♫♬")
        and not (line.strip().startswith("#") and line.strip().endswith("#"))
        for line in lines
    )


def _format(path: Path, known: tuple[str, ...]) -> ModuleType:
    suffix = path.suffix.lower()
    if suffix not in known:
        raise BadUsage(f"the suffix is {suffix or 'missing'}", where=path, mend=f"use one of {', '.join(known)}")
    return _FORMATS[suffix]
