"""WebVTT, for `<track kind="descriptions">`.

Reading follows the parser of W3C WebVTT (sections 6.1 to 6.4) step by step, so that a file means here what it means
in a browser. Writing is narrower than the syntax, to what every player that was tried reads alike: hours always,
three decimals, numbers as identifiers, one line of text, no overlaps, no mark-up, one NOTE with the provenance and
nothing else in the header.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from distinctad_jax.errors import BadInput
from distinctad_jax.movie.movie import Track
from distinctad_jax.tracks.cue_text import parsed
from distinctad_jax.tracks.cues import ARROW, LONGEST_HOURS, Cue, descriptions_of, strict
from distinctad_jax.tracks.reading import Warnings, lines_of, plain, tell_controls

_SIGNATURE = "WEBVTT"
_STAMP = r"(?:([0-9]+):)?([0-9]{2}):([0-9]{2})\.([0-9]{3})"
# After the third digit of a fraction anything may stand but a fourth; between the parts, blanks or nothing.
_TIMES = re.compile(rf"[ \t\f]*{_STAMP}(?![0-9])[ \t\f]*-->[ \t\f]*{_STAMP}(?![0-9])(.*)")
_LEADS = {"movie": "Audio description of ", "language": "Language: ", "made_by": "Made by: "}


class Block(NamedTuple):
    """What stands between empty lines: a cue, or lines that are no cue (`kind` NOTE, STYLE, REGION or nothing).

    `place` is the line that it begins with, from 1; `fault` says why times with an arrow gave no cue.
    """

    place: int
    lines: tuple[str, ...]
    cue: Cue | None = None
    kind: str = ""
    fault: str = ""


def text_of(track: Track, kind: str = "inline") -> str:
    """The file's text, with the descriptions of one kind.

    Errors: ValueError if descriptions overlap, are empty or too short.
    """
    note = [f"{lead}{plain(getattr(track, name), '<>')}".rstrip(" ") for name, lead in _LEADS.items()]
    blocks = [_SIGNATURE, "\n".join(["NOTE", *note])]
    wanted = [one for one in track.descriptions if one.kind == kind]
    for number, (start, end, text) in enumerate(strict(wanted, "<>"), start=1):
        blocks.append(f"{number}\n{start} {ARROW} {end}\n{text.replace('&', '&amp;')}")
    return "\n\n".join(blocks) + "\n\n"


def blocks_of(text: str, found: Warnings) -> list[Block]:
    """All of a file but its header.

    Errors: BadInput if it does not begin with WEBVTT.
    """
    if not (text.startswith(_SIGNATURE) and text[6:7] in ("", " ", "\t", "\n", "\r")):
        mend = "begin the file with a line WEBVTT, or name it .srt if it is one"
        raise BadInput("the first line does not say WEBVTT", where=f"{found.path}:1", mend=mend)
    lines = lines_of(text)
    tell_controls(lines, found)
    lines = [line.replace("\0", "\ufffd") for line in lines] if "\0" in text else lines
    place = 1
    if len(lines) > 1 and lines[1]:  # a header: it ends at an empty line, or where times stand
        while place < len(lines) and lines[place] and ARROW not in lines[place]:
            place += 1
    return list(_blocks(lines, place))


def _blocks(lines: list[str], place: int) -> Iterator[Block]:
    while place < len(lines):
        if not lines[place]:
            place += 1
            continue
        first, timed, identifier, buffer = place, -1, "", []
        while place < len(lines) and (line := lines[place]):
            if ARROW in line:
                if timed >= 0 or place - first > 1:
                    break
                timed, identifier, buffer = place, "".join(buffer), []
            else:
                buffer.append(line)
            place += 1
        block = tuple(lines[first:place])
        if timed < 0:
            yield Block(first + 1, block, None, _kind_of(block[0]))
            continue
        cue, fault = _cue(identifier, lines[timed], "\n".join(buffer), timed + 1)
        yield Block(first + 1, block, cue, "", fault)


def _kind_of(line: str) -> str:
    if line == "NOTE" or line.startswith(("NOTE ", "NOTE\t")):
        return "NOTE"
    word = line.rstrip(" \t\f")
    return word if word in ("STYLE", "REGION") else ""


def _cue(identifier: str, times: str, text: str, place: int) -> tuple[Cue | None, str]:
    """The cue, or why there is none."""
    match = _TIMES.fullmatch(times)
    if match is None:
        return None, f"{plain(times)[:60]!r} gives no two times"
    parts = match.groups()
    start, end = _seconds(*parts[:4]), _seconds(*parts[4:8])
    if start is None or end is None:
        return None, f"{plain(times)[:60]!r}: minutes and seconds go to 59, hours have at most {LONGEST_HOURS} digits"
    bare, speaker = parsed(text) if "<" in text or "&" in text else (text, "")
    lines = tuple(bare.split("\n"))
    return Cue(start, end, text, lines, place, identifier, parts[8].strip(" \t\f"), speaker), ""


def _seconds(hours: str | None, minutes: str, seconds: str, thousandths: str) -> float | None:
    """Digits as seconds; None if a part is too large. Minutes and seconds have two digits, thousandths three."""
    hours = (hours or "").lstrip("0")
    if minutes > "59" or seconds > "59" or len(hours) > LONGEST_HOURS:
        return None
    whole = int(minutes) * 60 + int(seconds) + (int(hours) * 3600 if hours else 0)
    return (whole * 1000 + int(thousandths)) / 1000  # one division, so that 28.2 is the float 28.2


def cues_of(text: str, found: Warnings) -> list[Cue]:
    """The cues of a file, as a browser has them; what is lost is told in `found`.

    Errors: BadInput if it does not begin with WEBVTT.
    """
    return _cues(blocks_of(text, found), found)


def _cues(blocks: Sequence[Block], found: Warnings) -> list[Cue]:
    cues: list[Cue] = []
    for block in blocks:
        if block.cue:
            cues.append(block.cue)
        elif block.fault:
            found.add(block.place + (ARROW not in block.lines[0]), f"cue skipped: {block.fault}")
        elif not block.kind:
            found.add(block.place, f"text without times left out: {plain(block.lines[0])[:60]!r}")
    return cues


def track_of(text: str, name: str, found: Warnings) -> Track:
    """The track in a file, in order of time; the movie is `name` unless the file says which. Errors as `cues_of`."""
    noted: dict[str, str] = {}
    blocks = blocks_of(text, found)
    for block in blocks:
        if block.cue:
            break
        if block.lines[0] == "NOTE" and len(block.lines) > 1 and block.lines[1].startswith(_LEADS["movie"].rstrip()):
            noted = _noted(block.lines)
            break
    descriptions = descriptions_of(_cues(blocks, found), found)
    movie, language, made_by = noted.get("movie", name), noted.get("language", "en"), noted.get("made_by", "")
    return Track(movie, descriptions, language, made_by, language_told="language" in noted)


def _noted(block: tuple[str, ...]) -> dict[str, str]:
    """What `text_of` wrote into its note."""
    noted = {}
    for line in block[1:]:
        for name, lead in _LEADS.items():
            if line.startswith(lead.rstrip()):
                noted[name] = plain(line[len(lead.rstrip()) :])
    return noted
