"""SRT (SubRip), the lingua franca of subtitle editors. It keeps spans and texts, and nothing else of a track.

There is no standard: the reader takes what is found in the wild, the writer writes what every tool reads.
"""

from __future__ import annotations

import re

from distinctad_jax.errors import BadInput
from distinctad_jax.movie.movie import Track
from distinctad_jax.movie.span import clock
from distinctad_jax.tracks.cues import ARROW, LONGEST_HOURS, Cue, descriptions_of, strict, without
from distinctad_jax.tracks.reading import Warnings, lines_of, plain, tell_controls

_ASCII_DIGITS = frozenset("0123456789")  # str.isdigit would take the digits of every script
_LONGEST = {"hours": LONGEST_HOURS, "minutes": 2, "seconds": 2, "fraction": 9}  # digits
_USUAL = re.compile(r"([0-9]{1,3}):([0-5][0-9]):([0-5][0-9])[,.]([0-9]{3})")
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>")


def text_of(track: Track, kind: str = "inline") -> str:
    """The file's text, with the descriptions of one kind.

    Errors: ValueError if descriptions overlap, are empty or too short.
    """
    wanted = [one for one in track.descriptions if one.kind == kind]
    blocks = [
        f"{number}\n{start.replace('.', ',')} {ARROW} {end.replace('.', ',')}\n{text}\n"
        for number, (start, end, text) in enumerate(strict(wanted, "<>{}"), start=1)
    ]
    return "\n".join(blocks)


def cues_of(text: str, found: Warnings) -> list[Cue]:
    """The cues of a file, as far as they can be read; the others are told in `found`.

    A cue goes from a line of times to the next such line, without the number above that one: so empty lines within a
    text, missing and repeated numbers are forgiven.

    Errors: BadInput if there is text but not one arrow.
    """
    lines = lines_of(text)
    tell_controls(lines, found)
    heads = [index for index, line in enumerate(lines) if ARROW in line and _is_head(lines, index)]
    if not heads and any(line.strip() for line in lines):
        raise BadInput("no line of times with -->", where=found.path, mend="give a subtitle file, .srt or .vtt")
    cues: list[Cue] = []
    for index, following in zip(heads, [*heads, len(lines)][1:], strict=True):
        said = lines[index + 1 : following]
        while said and not said[-1].strip():
            said.pop()
        if following < len(lines) and said and _is_number(said[-1].strip()) and lines[following - 1].strip():
            said.pop()
        times = _times(lines[index])
        if times is None:
            found.add(index + 1, f"cue skipped: {plain(lines[index])[:60]!r} gives no two times")
        elif times[1] <= times[0]:
            found.add(index + 1, f"cue skipped: it ends at {clock(times[1])}, not after its start {clock(times[0])}")
        else:
            bare = tuple(line for line in map(_plain, said) if line)
            number = plain(lines[index - 1]) if index and _is_number(lines[index - 1].strip()) else ""
            cues.append(Cue(*times, "\n".join(said), bare, index + 1, number))
    return cues


def track_of(text: str, name: str, found: Warnings) -> Track:
    """The track in a file, in order of time, as that of movie `name`. Errors as `cues_of`."""
    return Track(name, descriptions_of(cues_of(text, found), found))


def seconds(stamp: str) -> float | None:
    """`hh:mm:ss.mmm`, hours optional, comma or dot, the fraction optional -> seconds; None if it is no such time."""
    if usual := _USUAL.fullmatch(stamp):  # nearly all of them, and a file may have a hundred thousand
        whole = int(usual[1]) * 3600 + int(usual[2]) * 60 + int(usual[3])
        return (whole * 1000 + int(usual[4])) / 1000
    whole, mark, fraction = stamp.replace(",", ".").partition(".")
    parts = whole.split(":")
    if len(parts) not in (2, 3) or (mark and not fraction):
        return None
    named = dict(zip(("seconds", "minutes", "hours"), reversed(parts), strict=False)) | {"fraction": fraction or "0"}
    for name, digits in named.items():
        if not 0 < len(digits) <= _LONGEST[name] or not _ASCII_DIGITS.issuperset(digits):
            return None
    numbers = {name: int(digits) for name, digits in named.items()}
    if numbers["minutes"] > 59 or numbers["seconds"] > 59:
        return None
    exact = numbers.get("hours", 0) * 3600 + numbers["minutes"] * 60 + numbers["seconds"]
    scale = 10 ** len(named["fraction"])
    return (exact * scale + numbers["fraction"]) / scale  # one division, so that 28.2 is the float 28.2


def _times(line: str) -> tuple[float, float] | None:
    before, _, after = line.partition(ARROW)
    start, end = seconds(before.strip()), seconds((after.split(None, 1) or [""])[0])
    return None if start is None or end is None else (start, end)


def _is_head(lines: list[str], index: int) -> bool:
    """Whether an arrow stands where times do, and not in the middle of a text."""
    above = lines[index - 1].strip() if index else ""
    return not above or _is_number(above) or _times(lines[index]) is not None


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _plain(line: str) -> str:
    return plain(without(_TAG.sub("", line), "{\\", "}") if "<" in line or "{" in line else line)
