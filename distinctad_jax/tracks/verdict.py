"""What is in a file of any format, and what is wrong with it: the work of `distinctad validate`."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from distinctad_jax.errors import BadInput
from distinctad_jax.movie.movie import Track
from distinctad_jax.movie.span import clock
from distinctad_jax.tracks import dapt, dapt_rules, srt, table, webvtt, webvtt_rules
from distinctad_jax.tracks.cues import Cue
from distinctad_jax.tracks.faults import Fault
from distinctad_jax.tracks.formats import FORMATS, format_of, stem
from distinctad_jax.tracks.reading import Warnings, read_text
from distinctad_jax.tracks.ttml import TT, is_event
from distinctad_jax.tracks.xml_tree import document_of

CHECKED = tuple(one.name for one in FORMATS.values() if one.read)
"""Names of the formats that can be judged."""

MOST = 1000
"""How many faults of a file are listed; a hostile one could have millions."""

_MARKS = (b"\xff\xfe", b"\xfe\xff")


@dataclass
class Verdict:
    """Faults of a file, and what was found in it.

    `cues` counts what a player would read, `first` is the first moment of them and `last` the last, in seconds; None
    if there is none. `rows` counts those of a table, `people` those of a cast.
    """

    path: Path
    format: str
    faults: list[Fault] = field(default_factory=list)
    cues: int = 0
    first: float | None = None
    last: float | None = None
    rows: int | None = None
    people: int | None = None

    @property
    def valid(self) -> bool:
        """Whether nothing is wrong; risks do not count."""
        return not any(fault.grave for fault in self.faults)


def judge(path: Path, *, encoding: str = "utf-8") -> Verdict:
    """Reads a file as its standard has it, and lists what is wrong.

    Errors: BadInput only if it cannot be read at all: missing, too large, or no text; BadUsage for a suffix that no
      reader knows.
    """
    form = format_of(path, list(CHECKED))
    verdict, found = Verdict(path, form.name), Warnings(path)
    text = read_text(path, encoding, found, lossy=True)
    if found.damaged:
        verdict.faults.append(Fault(1, "is not UTF-8"))
    if form.name in ("vtt", "dapt"):
        with path.open("rb") as file:
            head = file.read(3)
        if head.startswith(_MARKS):
            verdict.faults.append(Fault(1, "is UTF-16, and the standard asks for UTF-8"))
        elif head.startswith(b"\xef\xbb\xbf"):
            strict = form.name == "dapt"  # among the documents that the W3C's suite of DAPT has as invalid
            told = "and DAPT has none" if strict else "which not every player reads"
            verdict.faults.append(Fault(1, f"begins with a byte-order mark, {told}", grave=strict))
    try:
        _OF_FORMAT[form.name](text, verdict, found)
    except BadInput as problem:
        place = problem.where.removeprefix(str(path)).lstrip(":") or 1
        verdict.faults.append(Fault(int(place) if str(place).isdecimal() else place, problem.what))
    known = {(fault.place, fault.what) for fault in verdict.faults}
    for line, _ in found.lines:
        place, _, what = line.removeprefix(f"{path}:").lstrip().partition(": ")
        fault = Fault(int(place) if place.isdecimal() else place, what, grave=what.startswith("cue skipped"))
        if (fault.place, fault.what.removeprefix("cue skipped: ")) not in known:
            verdict.faults.append(fault)
    verdict.faults.sort(key=lambda fault: fault.place if isinstance(fault.place, int) else 0)
    return verdict


def _webvtt(text: str, verdict: Verdict, found: Warnings) -> None:
    _count(verdict, [block.cue for block in webvtt.blocks_of(text, Warnings(found.path)) if block.cue])
    verdict.faults += itertools.islice(webvtt_rules.faults_of(text, found), MOST)


def _srt(text: str, verdict: Verdict, found: Warnings) -> None:
    cues = srt.cues_of(text, found)
    _count(verdict, cues)
    before: Cue | None = None
    for number, cue in enumerate(cues, start=1):
        if cue.id != str(number):
            told = f"the number of cue {number} is {cue.id or 'missing'}; some editors then renumber or stop"
            verdict.faults.append(Fault(cue.place, told, grave=False))
        if before is not None and cue.start < before.start:
            verdict.faults.append(Fault(cue.place, f"the cue starts at {clock(cue.start)}, before the one above it"))
        elif before is not None and cue.start < before.end:
            verdict.faults.append(Fault(cue.place, "the cue overlaps the one above it", grave=False))
        if not cue.spoken():
            verdict.faults.append(Fault(cue.place, "the cue has no text", grave=False))
        before = cue


def _dapt(text: str, verdict: Verdict, found: Warnings) -> None:
    document = document_of(text, found.path, TT)
    verdict.faults += itertools.islice(dapt_rules.faults_of(document), MOST)
    if not any(fault.grave for fault in verdict.faults):
        _track(dapt.track_of(text, stem(found.path), Warnings(found.path)), verdict)
    verdict.cues = sum(is_event(node) for node in document.root.walk())


def _table(text: str, verdict: Verdict, found: Warnings) -> None:
    verdict.rows = table.rows_in(text, Warnings(found.path))
    _of_track(text, verdict, found)


def _of_track(text: str, verdict: Verdict, found: Warnings) -> None:
    _track(FORMATS[verdict.format].module.track_of(text, stem(found.path), found), verdict)


def _track(track: Track, verdict: Verdict) -> None:
    verdict.cues = len(track.descriptions)
    spans = [one.span for one in (*track.descriptions, *([] if track.descriptions else track.dialogue))]
    _moments(verdict, [span.start for span in spans], [span.end for span in spans])
    verdict.people = len(track.cast) if track.cast else None
    for before, after in zip(track.descriptions, track.descriptions[1:], strict=False):
        if before.kind == after.kind and after.span.start < before.span.end:
            told = (
                f"the description at {clock(after.span.start)} overlaps the one above it: players speak one of them"
            )
            verdict.faults.append(Fault(after.id or clock(after.span.start), told, grave=False))


def _count(verdict: Verdict, cues: Sequence[Cue]) -> None:
    verdict.cues = len(cues)
    _moments(verdict, [cue.start for cue in cues], [cue.end for cue in cues])
    if not cues:
        verdict.faults.append(Fault(1, "holds no cue", grave=False))


def _moments(verdict: Verdict, starts: Sequence[float], ends: Sequence[float]) -> None:
    if starts:
        verdict.first, verdict.last = min(starts), max(ends)


_OF_FORMAT = {"vtt": _webvtt, "srt": _srt, "dapt": _dapt, "csv": _table, "json": _of_track, "jsonl": _of_track}
