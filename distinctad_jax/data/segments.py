"""When somebody speaks, as another program found it: segments in JSON, RTTM or label files."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from distinctad_jax.errors import BadInput, BadUsage
from distinctad_jax.files import read_bytes
from distinctad_jax.movie.span import Span

SUFFIXES = (".json", ".rttm", ".lab", ".txt")
NO_SPEECH = frozenset(
    (
        *("music", "song", "singing", "noise", "noises", "sfx", "applause", "laughter"),
        *("silence", "silent", "sil", "pause", "noenergy", "nonspeech", "nospeech", "notspeech"),
    )
)
"""Labels of stretches in which nobody speaks, in small letters and without what is no letter.

Source: what inaSpeechSegmenter, Kaldi, MUSAN and AVA-Speech call them. Audacity's own `Sound 1` may be speech.
"""
_MEND = "write start and end in seconds, 0 <= start < end"
_LATEST = 3.6e9  # s, a million hours, as in subtitles
_SHOWN = 40


def read_segments(path: Path, *, problems: list[str] | None = None) -> list[Span]:
    """The stretches of speech in a file, in order of time; they may overlap.

    JSON: a list of `[start, end]` or of objects with `start` and `end`, or an object that has such a list as
    `segments` (as whisper and many detectors write). RTTM: lines `SPEAKER file channel start duration ...`. Labels
    (`.lab`, `.txt`): lines `start end [label]`, as Audacity writes. All in seconds. What is labelled as no speech
    (`NO_SPEECH`, or a sound or song as captions mark them) is passed over, as are RTTM's other types. A segment that
    ends where it starts is left out, with a sentence in `problems`.

    Errors: BadInput, with line or place, for what is no such file or no such time; BadUsage for another suffix.
    """
    readers = {".json": _json, ".rttm": _rttm, ".lab": _labels, ".txt": _labels}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise BadUsage("is no list of segments", where=path, mend=f"use one of {', '.join(SUFFIXES)}")
    data = read_bytes(path)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(f"not UTF-8 at byte {error.start}", where=path, mend="save it as UTF-8") from None
    spans = []
    for where, start, end in reader(text, path):
        if start == end:
            if problems is not None:
                problems.append(f"{where}: a segment of no length at {start:g} s was left out")
        elif not 0 <= start < end <= _LATEST:
            raise BadInput(f"from {start:g} to {end:g} s is no segment", where=where, mend=_MEND)
        else:
            spans.append(Span(start, end))
    if not spans and problems is not None:
        problems.append(f"{path}: no speech: the whole film is one gap")
    return sorted(spans)


def _json(text: str, path: Path) -> list[tuple[str, float, float]]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        place = f"{path}:{error.lineno}:{error.colno}" if isinstance(error, json.JSONDecodeError) else path
        raise BadInput("not valid JSON", where=place, mend="correct the file") from None
    lead = ""
    if isinstance(value, dict):
        value, lead = value.get("segments"), "segments"
    if not isinstance(value, list):
        raise BadInput("no list of segments", where=path, mend='write [{"start": 1.5, "end": 2.5}, ...]')
    found = []
    for place, one in enumerate(value):
        where = f"{path}:{lead}[{place}]"
        if isinstance(one, dict):
            ends = (one.get("start"), one.get("end"))
        elif isinstance(one, list) and len(one) >= 2:
            ends = (one[0], one[1])
        else:
            raise BadInput(f"{_short(one)} is no segment", where=where, mend=_MEND)
        found.append((where, *(_number(end, where) for end in ends)))
    return found


def _rttm(text: str, path: Path) -> list[tuple[str, float, float]]:
    found = []
    for line, row in _rows(text):
        if row[0].startswith(";") or row[0].upper() != "SPEAKER":
            continue  # comments, and the other types of the format
        if len(row) < 5:
            raise BadInput("a SPEAKER line needs start and duration", where=f"{path}:{line}", mend=_MEND)
        start, lasts = (_number(cell, f"{path}:{line}") for cell in row[3:5])
        found.append((f"{path}:{line}", start, start + lasts))
    if not found and text.strip():
        raise BadInput("no SPEAKER line", where=path, mend="give an RTTM file, or name it .lab if it holds labels")
    return found


def _labels(text: str, path: Path) -> list[tuple[str, float, float]]:
    found = []
    for line, row in _rows(text):
        if row[0].startswith("#") or row[0] == "\\":
            continue  # comments, and the frequencies that Audacity writes below a label
        if len(row) < 2:
            raise BadInput("a line needs start and end", where=f"{path}:{line}", mend=_MEND)
        start, end = (_number(cell, f"{path}:{line}") for cell in row[:2])
        if _speech(" ".join(row[2:])):
            found.append((f"{path}:{line}", start, end))
    return found


def _speech(label: str) -> bool:
    """False for a label that says that nobody speaks; labels may also say who or what, or nothing."""
    sound = label[:1] in tuple("[(") and label[-1:] in tuple("])")
    song = any(note in label for note in "♪♫♬")
    return not sound and not song and "".join(filter(str.isalpha, label.lower())) not in NO_SPEECH


def _rows(text: str) -> list[tuple[int, list[str]]]:
    return [(number, line.split()) for number, line in enumerate(text.splitlines(), start=1) if line.split()]


def _number(value: Any, where: str) -> float:
    number = math.nan
    if isinstance(value, str) and value.isascii() and "_" not in value:
        try:
            number = float(value)
        except ValueError:
            number = math.nan
    elif isinstance(value, int | float) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
    if not math.isfinite(number):
        raise BadInput(f"{_short(value)} is no time in seconds", where=where, mend=_MEND)
    return number


def _short(value: Any) -> str:
    told = repr(value)
    return told if len(told) <= _SHOWN else told[:_SHOWN] + "..."
