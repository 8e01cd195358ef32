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
_LONGEST_NUMBER = 10  # digits; Python refuses to read thousands of them
_USUAL = re.compile(r"([0-9]{1,3}):([0-5][0-9]):([0-5][0-9])[,.:]([0-9]{3})")
"""Nearly all times; those with a third colon are not taken for times in frames, which have two digits."""
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>")
_ARROWS = re.compile("[-\u2010-\u2015\u2212]{1,4}>{1,2}|\u2192")  # as people type them and word processors mend them
_UNSEEN = " \t\v\f\xa0\u3000\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"
"""Blanks, marks of direction and of byte order: they stand around numbers and times, and mean nothing there."""


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
    lines = lines_of(text.replace("\r\r\n", "\n"))  # a CRLF that was written as text once more
    tell_controls(lines, found)
    heads = [index for index in range(len(lines)) if _is_head(lines, index)]
    if not heads and any(line.strip() for line in lines):
        raise BadInput("no line of times with -->", where=found.path, mend="give a subtitle file, .srt or .vtt")
    for index in range(heads[0] if heads else 0):
        if (line := lines[index].strip(_UNSEEN)) and not _is_number(line):
            found.add(index + 1, f"text without times left out: {plain(line)[:60]!r}")
    cues: list[Cue] = []
    for index, following in zip(heads, [*heads, len(lines)][1:], strict=True):
        number, times = _number_above(lines, index), _times(lines[index])
        if times is None:
            found.add(index + 1, f"cue skipped: {plain(lines[index])[:60]!r} gives no two times")
        elif times[1] <= times[0]:
            found.add(index + 1, f"cue skipped: it ends at {clock(times[1])}, not after its start {clock(times[0])}")
        else:
            said = _said(lines, index + 1, following, number)
            bare = tuple(line for line in map(_plain, said) if line)
            cues.append(Cue(*times, "\n".join(said), bare, index + 1, number))
    return cues


def _said(lines: list[str], first: int, following: int, number: str) -> list[str]:
    """The lines of a cue called `number`, without the number of the next one, whose times stand at `following`.

    That number stands right above those times. Behind an empty line it may also stand apart from them, where every
    line of a file was followed by an empty one, or at the end of a file that was cut; then it must count on.
    """
    last = following
    while last > first and not lines[last - 1].strip(_UNSEEN):
        last -= 1
    said = lines[first:last]
    if not said or not _is_number(end := said[-1].strip(_UNSEEN)):
        return said
    if last < following or following == len(lines):
        short = number and max(len(number), len(end)) < _LONGEST_NUMBER
        if not short or int(end) != int(number) + 1 or len(said) < 2 or said[-2].strip(_UNSEEN):
            return said
    said.pop()
    while said and not said[-1].strip(_UNSEEN):
        said.pop()
    return said


def _number_above(lines: list[str], index: int) -> str:
    """The number of the cue whose times stand at `index`: right above them, or between empty lines; else nothing."""
    place = index - 1
    while place > 0 and not lines[place].strip(_UNSEEN):
        place -= 1
    apart = 0 < place < index - 1 and lines[place - 1].strip(_UNSEEN)  # then it is the end of a text
    above = lines[place].strip(_UNSEEN) if place >= 0 and not apart else ""
    return above if _is_number(above) else ""


def track_of(text: str, name: str, found: Warnings) -> Track:
    """The track in a file, in order of time, as that of movie `name`. Errors as `cues_of`."""
    return Track(name, descriptions_of(cues_of(text, found), found), language_told=False)


def seconds(stamp: str) -> float | None:
    """`hh:mm:ss.mmm`, hours optional, comma or dot, the fraction optional -> seconds; None if it is no such time.

    `hh:mm:ss:mmm` is read too.
    """
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
    before, *after = _ARROWS.split(line, maxsplit=1)
    ends = after[0].split(None, 1) if after else []
    if not ends:
        return None
    start, end = seconds(before.strip(_UNSEEN)), seconds(ends[0].strip(_UNSEEN))
    return None if start is None or end is None else (start, end)


def _is_head(lines: list[str], index: int) -> bool:
    """Whether an arrow stands where times do, and not in the middle of a text."""
    line = lines[index]
    if ARROW not in line:
        return (">" in line or "\u2192" in line) and _times(line) is not None
    above = lines[index - 1].strip(_UNSEEN) if index else ""
    return not above or _is_number(above) or _times(line) is not None


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _plain(line: str) -> str:
    return plain(without(_TAG.sub(_blank, line), "{\\", "}") if "<" in line or "{" in line else line)


def _blank(tag: re.Match[str]) -> str:
    return " " if tag[0][:3].lower() == "<br" else ""
