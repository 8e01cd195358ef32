"""Tracks and dialogue by the format of their file, which its suffix tells."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from distinctad_jax.errors import BadUsage
from distinctad_jax.files import write_text, written_name
from distinctad_jax.movie.language import listed, tagged
from distinctad_jax.movie.movie import Line, Track
from distinctad_jax.tracks import captions, dapt, jsonl, markdown, master, srt, table, transcript, webvtt
from distinctad_jax.tracks.cues import Cue
from distinctad_jax.tracks.reading import Warnings, read_text


@dataclass(frozen=True)
class Format:
    """A kind of file.

    Args:
      name: what people call it on a command line.
      suffixes: of its files, the one it is written with first; `.dapt.ttml` is found by its last part, too.
      module: has `text_of(track)` if it is written, and `track_of(text, name, found)` if it is read.
      lossy: bytes that are no UTF-8 are replaced, any number of them, because its standard says so.
      extended: descriptions for which the film waits go to a file of their own, `.extended` before the suffix.
    """

    name: str
    suffixes: tuple[str, ...]
    module: ModuleType
    lossy: bool = False
    extended: bool = False

    @property
    def read(self) -> bool:
        """Whether a track can be read from it."""
        return hasattr(self.module, "track_of")

    @property
    def written(self) -> bool:
        """Whether a track can be written to it."""
        return hasattr(self.module, "text_of")


FORMATS = {
    one.name: one
    for one in (
        Format("vtt", (".vtt",), webvtt, lossy=True, extended=True),
        Format("srt", (".srt",), srt, extended=True),
        Format("dapt", (".dapt.ttml", ".ttml", ".dapt.xml", ".dapt", ".xml"), dapt),
        Format("csv", (".csv",), table),
        Format("json", (".json",), master),
        Format("jsonl", (".jsonl",), jsonl),
        Format("txt", (".txt",), transcript),
        Format("md", (".md",), markdown),
    )
}
"""All formats by name."""

_SUBTITLES = {"srt": srt, "vtt": webvtt}


def write_track(path: Path, track: Track) -> None:
    """Writes a track in the format of the suffix, whole or not at all.

    JSON keeps everything; what the others keep, docs/formats.md tells. Where extended descriptions need a file of
    their own, and there are any, it is written beside: `film.extended.vtt`.

    Errors: BadUsage for another suffix; ValueError if descriptions overlap, are empty or too short for a player.
    """
    for place, text in texts_of(path, track).items():
        write_text(place, text)


def texts_of(path: Path, track: Track) -> dict[Path, str]:
    """The files that `write_track` writes, and their texts. Errors as there."""
    form = format_of(path, [one.name for one in FORMATS.values() if one.written])
    texts = {path: form.module.text_of(track)}
    if form.extended and any(one.kind == "extended" for one in track.descriptions):
        texts[path.with_suffix(f".extended{path.suffix}")] = form.module.text_of(track, "extended")
    return texts


def read_track(path: Path, *, encoding: str = "utf-8", problems: list[str] | None = None) -> Track:
    """Reads a track in the format of the suffix, in order of time; overlaps stay, as people write them.

    Its language is that which the file tells, or else the name of the file (`film.de.srt`); English is supposed.
    Cues that cannot be read are left out, each with a sentence in `problems` (or in a Python warning).

    Errors: BadInput if it is missing, no such file or in another encoding; BadUsage for another suffix.
    """
    found = Warnings(path)
    track = track_in(path, found, encoding)
    found.tell(problems)
    return track


def track_in(path: Path, found: Warnings, encoding: str = "utf-8") -> Track:
    """As `read_track`, with what was mended in `found`."""
    form = format_of(path, [one.name for one in FORMATS.values() if one.read])
    text = read_text(path, encoding, found, lossy=form.lossy)
    track = form.module.track_of(text, written_name(stem(path)), found)
    if track.language_told or not (language := language_in_name(path)):
        return track
    return dataclasses.replace(track, language=language, language_told=True)


def read_cues(path: Path, *, encoding: str = "utf-8", problems: list[str] | None = None) -> list[Cue]:
    """The cues of a subtitle file, `.srt` or `.vtt`, in the order of the file and as a player has them.

    Those of WebVTT are what the parser of the W3C yields, cues without duration or text included.
    Errors and `problems` as in `read_track`.
    """
    found = Warnings(path)
    cues = _cues(path, encoding, found)
    found.tell(problems)
    return cues


def read_dialogue(
    path: Path, *, speech_only: bool = True, encoding: str = "utf-8", problems: list[str] | None = None
) -> tuple[Line, ...]:
    """The lines of a subtitle file, `.srt` or `.vtt`, in order of time; errors and `problems` as in `read_track`.

    With `speech_only`, cues in which nobody speaks are left out: sounds in brackets, and songs marked by notes.
    """
    found = Warnings(path)
    lines = captions.lines_of(_cues(path, encoding, found), found)
    spoken = tuple(line for line in lines if line.spoken or not speech_only)
    if not spoken:
        found.add(1, "no dialogue: the whole film is one gap")
    found.tell(problems)
    return spoken


def _cues(path: Path, encoding: str, found: Warnings) -> list[Cue]:
    form = format_of(path, list(_SUBTITLES))
    return _SUBTITLES[form.name].cues_of(read_text(path, encoding, found, lossy=form.lossy), found)


def stem(path: Path) -> str:
    """The name of a file without the suffix of its format: `film` of `film.dapt.ttml`."""
    name = path.name.lower()
    endings = sorted((end for form in FORMATS.values() for end in form.suffixes), key=len, reverse=True)
    ending = next((end for end in endings if name.endswith(end) and len(name) > len(end)), path.suffix)
    return path.name[: len(path.name) - len(ending)] if ending else path.name


def language_in_name(path: Path, film: str = "") -> str:
    """The tag of the language that the name of a file ends with, as players read it: `de` of `film.de.srt`.

    With `film`, the stem of the film's file, all that follows it is searched: `film.de.forced.srt`.
    Empty if no language is told.
    """
    name = stem(path)
    known = film and name.startswith(f"{film}.")
    parts = name.removeprefix(f"{film}.").split(".") if known else name.split(".")[1:][-1:]
    return next((tagged(part) for part in parts if name != film and listed(part)), "")


def format_of(path: Path, known: list[str]) -> Format:
    """The format of a file, which must be one of `known`. Errors: BadUsage."""
    suffix = path.suffix.lower()
    for name in known:
        if suffix in FORMATS[name].suffixes:
            return FORMATS[name]
    endings = [FORMATS[name].suffixes[0] for name in known]
    raise BadUsage(f"the suffix is {suffix or 'missing'}", where=path, mend=f"use one of {', '.join(endings)}")
