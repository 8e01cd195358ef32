"""WebVTT, for `<track kind="descriptions">`.

Source: W3C WebVTT, narrowed to what every player that was tried reads alike: hours always, three decimals, numbers as
identifiers, one line of text, no overlaps, no mark-up, one NOTE with the provenance and nothing else in the header.
"""

from __future__ import annotations

import html
from collections.abc import Sequence

from distinctad_jax.errors import BadInput
from distinctad_jax.movie.movie import Description, Track
from distinctad_jax.tracks.cues import ARROW, Cue, Warnings, plain, strict, times, without

_SKIPPED = ("NOTE", "STYLE", "REGION")
_LEADS = {"movie": "Audio description of ", "language": "Language: ", "made_by": "Made by: "}


def text_of(track: Track) -> str:
    """The file's text. Errors: ValueError if descriptions overlap, are empty or too short."""
    note = [f"{lead}{plain(getattr(track, name), '<>')}".rstrip() for name, lead in _LEADS.items()]
    blocks = ["WEBVTT", "\n".join(["NOTE", *note])]
    for number, (start, end, text) in enumerate(strict(track, "<>"), start=1):
        blocks.append(f"{number}\n{start} {ARROW} {end}\n{text.replace('&', '&amp;')}")
    return "\n\n".join(blocks) + "\n\n"


def cues_of(lines: Sequence[str], found: Warnings) -> list[Cue]:
    """The cues of a file, as far as they can be read; the others are told in `found`.

    Errors: BadInput if the first line does not say WEBVTT.
    """
    if not _is_signature(lines[0]):
        mend = "begin the file with a line WEBVTT, or name it .srt if it is one"
        raise BadInput("the first line does not say WEBVTT", where=f"{found.path}:1", mend=mend)
    cues: list[Cue] = []
    for first, block in _blocks(lines, 1):
        if block[0].split(maxsplit=1)[0] in _SKIPPED and ARROW not in block[0]:
            continue
        arrows = [index for index, line in enumerate(block) if ARROW in line]
        if not arrows:
            if first > 1:  # lines directly below the signature are an old kind of header
                found.add(first + 1, f"text without times left out: {block[0][:60]!r}")
            continue
        for arrow, following in zip(arrows, [*arrows[1:], len(block)], strict=True):
            text = block[arrow + 1 : following]
            if following < len(block) and text and text[-1].strip().isdecimal():
                text.pop()  # the number of the next cue, where the empty line between the two was forgotten
            span = times(block[arrow], first + arrow + 1, found)
            if span is not None:
                cues.append(Cue(span, tuple(_plain(line) for line in text), first + arrow + 1))
    return cues


def track_of(lines: Sequence[str], name: str, found: Warnings) -> Track:
    """The track in a file, in order of time; the movie is `name` unless the file says which. Errors as `cues_of`."""
    cues = cues_of(lines, found)
    noted = next((_noted(block) for _, block in _blocks(lines, 1) if _is_ours(block)), {})
    descriptions = [Description(cue.span, " ".join(line for line in cue.lines if line)) for cue in cues]
    descriptions = sorted((one for one in descriptions if one.text), key=lambda one: one.span)
    return Track(noted.get("movie", name), tuple(descriptions), noted.get("language", "en"), noted.get("made_by", ""))


def _is_ours(block: list[str]) -> bool:
    return block[0] == "NOTE" and len(block) > 1 and block[1].startswith(_LEADS["movie"].rstrip())


def _noted(block: list[str]) -> dict[str, str]:
    """What `text_of` wrote into its note."""
    noted = {}
    for line in block[1:]:
        for name, lead in _LEADS.items():
            if line.startswith(lead.rstrip()):
                noted[name] = line[len(lead.rstrip()) :].strip()
    return noted


def _is_signature(line: str) -> bool:
    return line == "WEBVTT" or line.startswith(("WEBVTT ", "WEBVTT\t"))


def _blocks(lines: Sequence[str], start: int) -> list[tuple[int, list[str]]]:
    """`(index of first line, lines)` of what stands between empty lines."""
    blocks: list[tuple[int, list[str]]] = []
    block: list[str] = []
    for index, line in enumerate([*lines[start:], ""], start=start):
        if line.strip():
            block.append(line)
        elif block:
            blocks.append((index - len(block), block))
            block = []
    return blocks


def _plain(line: str) -> str:
    return " ".join(html.unescape(without(line, "<", ">")).split())
