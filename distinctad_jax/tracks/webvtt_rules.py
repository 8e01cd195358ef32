"""What is wrong with a WebVTT file: what the W3C's syntax forbids, and what players were seen to stumble over.

Source: W3C WebVTT, sections 4.1 to 4.2; the W3C's checker (npm `webvtt-parser`); for the risks, seven parsers that
were tried on odd files.
"""

from __future__ import annotations

import html.entities
import re
from collections.abc import Iterator

from distinctad_jax.movie.span import clock
from distinctad_jax.tracks.cues import ARROW, Cue
from distinctad_jax.tracks.faults import Fault
from distinctad_jax.tracks.reading import Warnings, lines_of, plain
from distinctad_jax.tracks.webvtt import Block, blocks_of

_SPACED = re.compile(r"[0-9]{2,}[0-9:.]*[ \t]+-->[ \t]+[0-9]{2,}[0-9:.]*(?:[ \t].*)?")
_SETTING = {
    "vertical": re.compile(r"rl|lr"),
    "line": re.compile(r"(?:-?[0-9]+|[0-9]+(?:\.[0-9]+)?%)(?:,(?:start|center|end))?"),
    "position": re.compile(r"[0-9]+(?:\.[0-9]+)?%(?:,(?:line-left|center|line-right))?"),
    "size": re.compile(r"[0-9]+(?:\.[0-9]+)?%"),
    "align": re.compile(r"start|center|end|left|right"),
    "region": re.compile(r"\S+"),
}
_PERCENT = re.compile(r"([0-9]+(?:\.[0-9]+)?)%")
_TAG = re.compile(r"(/?)([^\s.]*)((?:\.[^\s.]*)*)(?:[ \t]+(.*))?")
_TAGS = frozenset({"c", "i", "b", "u", "ruby", "rt", "v", "lang"})
_ESCAPE = re.compile(r"&(?:#([0-9]{1,7}|[xX][0-9a-fA-F]{1,6})|([a-zA-Z][a-zA-Z0-9]*));")
_USUAL = frozenset({"amp", "lt", "gt", "lrm", "rlm", "nbsp"})
_STAMP = re.compile(r"(?:([0-9]{2,7}):)?([0-5][0-9]):([0-5][0-9])\.([0-9]{3})")


def faults_of(text: str, found: Warnings) -> Iterator[Fault]:
    """All faults of a file, in order of its lines. Errors: BadInput if it does not begin with WEBVTT."""
    blocks = blocks_of(text, found)
    lines = lines_of(text)
    if len(lines) > 1 and lines[1]:
        yield Fault(2, "no empty line after the header: some players then read nothing")
    cues: list[Cue] = []
    ids: set[str] = set()
    ended = 0
    for block in blocks:
        if block.place == ended:
            yield Fault(block.place, "no empty line before the times")
        ended = block.place + len(block.lines)
        if block.cue is None:
            yield from _other(block, bool(cues))
            continue
        yield from _cue(block, block.cue, cues[-1] if cues else None)
        if block.cue.id in ids:
            yield Fault(block.place, f"the cue identifier {plain(block.cue.id)[:40]!r} stands twice", grave=False)
        ids.update([block.cue.id] if block.cue.id else [])
        cues.append(block.cue)


def _other(block: Block, late: bool) -> Iterator[Fault]:
    """Of a block that is no cue."""
    if block.fault:
        yield Fault(block.place + (ARROW not in block.lines[0]), block.fault)
    elif block.kind in ("STYLE", "REGION"):
        if late:
            yield Fault(block.place, f"a {block.kind} block may not stand behind a cue")
        else:
            told = f"a {block.kind} block: older players built on FFmpeg then read no cue at all"
            yield Fault(block.place, told, grave=False)
    elif not block.kind:
        yield Fault(block.place, f"text without times: {plain(block.lines[0])[:40]!r}")


def _cue(block: Block, cue: Cue, before: Cue | None) -> Iterator[Fault]:
    times = block.lines[cue.place - block.place]
    if not _SPACED.fullmatch(times):
        yield Fault(cue.place, "times need two digits for hours and blanks around -->, and nothing in front of them")
    if cue.end <= cue.start:
        told = (
            f"the cue ends at {clock(cue.end)}, not after its start at {clock(cue.start)}; some players drop the file"
        )
        yield Fault(cue.place, told)
    if before is not None and cue.start < before.start:
        yield Fault(cue.place, f"the cue starts at {clock(cue.start)}, before the one above it")
    elif before is not None and cue.start < before.end:
        yield Fault(cue.place, "the cue overlaps the one above it: players speak one of them", grave=False)
    if cue.id and not (cue.id.isascii() and cue.id.isdigit()):
        yield Fault(block.place, "the cue identifier is no number: pysubs2 takes it for text", grave=False)
    if cue.settings:
        yield from _settings(cue)
    if not cue.spoken():
        yield Fault(cue.place, "the cue has no text", grave=False)
    yield from _text(cue)


def _settings(cue: Cue) -> Iterator[Fault]:
    yield Fault(
        cue.place, "cue settings say nothing of descriptions, and not every player reads over them", grave=False
    )
    seen: set[str] = set()
    for setting in re.split(r"[ \t]+", cue.settings):
        name, _, value = setting.partition(":")
        pattern = _SETTING.get(name)
        percent = _PERCENT.match(value)
        if pattern is None or not pattern.fullmatch(value) or (percent and float(percent[1]) > 100):
            yield Fault(cue.place, f"{plain(setting)[:40]!r} is no cue setting")
        elif name in seen:
            yield Fault(cue.place, f"the cue setting {name} stands twice")
        seen.add(name)


def _text(cue: Cue) -> Iterator[Fault]:
    """Of the mark-up of a cue."""
    if "<" not in cue.text and "&" not in cue.text and ">" not in cue.text:
        return
    inside, times, place = [], [cue.start], 0
    while (opening := cue.text.find("<", place)) >= 0:
        yield from _escapes(cue, cue.text[place:opening])
        closing = cue.text.find(">", opening)
        if closing < 0:
            yield Fault(cue.place, "a tag of the text is never closed, and swallows the rest; write &lt; for <")
            return
        tag, place = cue.text[opening + 1 : closing], closing + 1
        fault = _timestamp(tag, times, cue.end) if tag[:1].isdecimal() else _tag(tag, inside)
        if fault:
            yield Fault(cue.place, f"{plain(f'<{tag}>')[:40]!r}: {fault}")
    yield from _escapes(cue, cue.text[place:])
    if [name for name in inside if name != "v"] or len(inside) > 1:
        yield Fault(cue.place, f"the tag {inside[-1]} of the text has no end")


def _tag(tag: str, inside: list[str]) -> str:
    """What is wrong with a tag; `inside` holds those that are open, and is kept up to date."""
    match = _TAG.fullmatch(tag)
    name = match[2] if match else ""
    if match is None or name not in _TAGS:
        return "no tag of WebVTT; write &lt; for <"
    if match[1]:
        if inside[-1:] == [name]:
            inside.pop()
        elif name == "ruby" and inside[-2:] == ["ruby", "rt"]:
            del inside[-2:]
        else:
            return "ends what is not open"
        return ""
    annotation = (match[4] or "").strip()
    if name == "rt" and inside[-1:] != ["ruby"]:
        return "may stand in ruby only"
    if name == "v" and "v" in inside:
        return "stands inside of another"
    inside.append(name)
    if name == "v" and not annotation:
        return "names nobody"
    return "takes no words" if annotation and name not in ("v", "lang") else ""


def _timestamp(tag: str, times: list[float], end: float) -> str:
    match = _STAMP.fullmatch(tag)
    if match is None:
        return "no time"
    hours, minutes, seconds, thousandths = (int(part or 0) for part in match.groups())
    time = (((hours * 60 + minutes) * 60 + seconds) * 1000 + thousandths) / 1000
    if not times[-1] < time < end:
        return "not between the times around it"
    times.append(time)
    return ""


def _escapes(cue: Cue, text: str) -> Iterator[Fault]:
    for ampersand in re.finditer("&", text):
        match = _ESCAPE.match(text, ampersand.start())
        if match is None or (match[2] and f"{match[2]};" not in html.entities.html5):
            yield Fault(cue.place, "an & is no reference to a character; write &amp;")
        elif match[1] and not _is_character(int(f"0{match[1]}", 16 if match[1][0] in "xX" else 10)):
            yield Fault(cue.place, f"{match[0]} is the number of no character that a text may hold")
        elif match[2] not in _USUAL:
            told = f"{match[0]} is read by browsers but not by every player; write the character itself"
            yield Fault(cue.place, told, grave=False)


def _is_character(code: int) -> bool:
    """Whether a reference may name it. Source: HTML, section "Character references"."""
    if code < 0xA0:
        return 0x20 <= code < 0x7F or code in (0x09, 0x0A, 0x0C)
    half, kept_free = 0xD800 <= code <= 0xDFFF, 0xFDD0 <= code <= 0xFDEF or code & 0xFFFE == 0xFFFE
    return not (half or kept_free) and code <= 0x10FFFF
