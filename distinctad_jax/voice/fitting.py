"""Each description spoken, measured, and fitted into the pause it stands in.

What is tried when it is too long, in this order: a shorter alternative (of drafts; what a person wrote or approved
stays), faster by at most 15 %, half of the air that is left before the dialogue, an earlier start within the pause.
What still does not fit is extended, if the practice allows that, or dropped with the reason. Lengths are those of the
voice itself: characters predict them to half a second only.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from distinctad_jax.movie.description import Check, Description, Speech
from distinctad_jax.movie.movie import Track
from distinctad_jax.movie.practice import Practice
from distinctad_jax.movie.span import Span, gaps
from distinctad_jax.voice.clips import Clip, Clips
from distinctad_jax.voice.engines import TARGET, Unspoken

FASTER = 1.15
"""Nothing is spoken faster than this times the chosen rate."""

LEAST_LEAD_OUT = 0.15  # s; about a breath (Jankowska 2017: 0.19)
_STEP = 50  # rates are tried in steps of 1 / 50, so that clips can be found again
_SLACK = 1e-6  # s; room that only binary fractions deny


@dataclass(frozen=True)
class Room:
    """Where a description may be spoken, in seconds: from `earliest`, from `start` if that is early enough, until
    `end`, or until `borrowed` if need be."""

    earliest: float
    start: float
    end: float
    borrowed: float


@dataclass(frozen=True)
class _Fit:
    start: float
    text: str
    clip: Clip
    notes: tuple[str, ...]


def rooms(track: Track, practice: Practice) -> list[Room]:
    """The room of each description: its gap, or else the pause of the dialogue that it lies in, or else its own span.

    A description leaves a pause before the next one of the same gap.
    """
    spoken = [line.span for line in track.dialogue if line.spoken]
    last = max([one.span.end for one in track.descriptions], default=0.0)
    duration = (track.film.duration if track.film else None) or last
    pauses = (
        gaps(spoken, duration, shortest=1e-3, lead_in=practice.lead_in, lead_out=practice.lead_out)
        if spoken and duration > 0
        else []
    )
    found = []
    for one, after in itertools.zip_longest(track.descriptions, track.descriptions[1:]):
        gap = one.gap or next((pause for pause in pauses if one.span.overlaps(pause)), one.span)
        free = practice.lead_out - LEAST_LEAD_OUT if (one.gap or gap in pauses) and gap.end < duration else 0.0
        end, borrowed = gap.end, gap.end + max(free, 0.0)
        if after is not None:
            limit = after.span.start - practice.pause
            end, borrowed = min(end, limit), min(borrowed, limit)
        found.append(Room(gap.start, max(one.span.start, gap.start), end, borrowed))
    return found


def voiced(
    track: Track,
    clips: Clips,
    practice: Practice,
    *,
    beside: Path,
    report: Callable[[int, int, str], None] = lambda done, count, note: None,
) -> Track:
    """The track as it is spoken: spans as measured, `speech` filled in, what does not fit extended or dropped.

    A text that the engine cannot speak stays as it was, with the check `not_voiced`; one failure loses no other.

    Args:
      beside: the folder of the track's file, which clips are named relative to.
    """
    track = track.numbered()
    spoken, dropped = [], list(track.dropped)
    ready = 0.0
    for number, (one, room) in enumerate(zip(track.descriptions, rooms(track, practice), strict=True)):
        report(number, len(track.descriptions), "")
        room = replace(room, earliest=max(room.earliest, ready), start=max(room.start, ready))
        try:
            told = _voiced(one, room, clips, practice, beside)
        except Unspoken as error:
            told = replace(one, speech=None, checks=_checks(one, Check("not_voiced", 1, f"Not voiced: {error}.")))
        (dropped if told.kind == "dropped" else spoken).append(told)
        if told.kind == "inline":
            ready = told.span.end + practice.pause
    report(len(track.descriptions), len(track.descriptions), "")
    return replace(track, descriptions=tuple(spoken), dropped=tuple(sorted(dropped, key=lambda one: one.span)))


def _voiced(one: Description, room: Room, clips: Clips, practice: Practice, beside: Path) -> Description:
    rate = practice.rate / TARGET
    clip = clips.spoken(one.text, rate)
    fit = None if one.kind == "extended" else _fit(one, room, clips, rate)
    if fit is None:
        needed = clip.seconds - max(room.end - room.start, 0.0)
        told = replace(one, speech=_speech(clip, beside))
        if one.kind == "extended" or needed <= practice.extended:
            return replace(told, kind="extended", checks=_checks(one))
        reason = f"spoken in {clip.seconds:.1f} s, {needed:.1f} s longer than its pause"
        return replace(told, kind="dropped", reason=reason, checks=_checks(one))
    seconds = fit.clip.seconds
    speed = len(fit.text) / seconds
    found = [Check("too_fast", round(speed, 2), f"Spoken at {speed:.1f} characters a second.")]
    return replace(
        one,
        span=Span(fit.start, fit.start + seconds),
        text=fit.text,
        speech=_speech(fit.clip, beside),
        notes=(*one.notes, *(note for note in fit.notes if note not in one.notes)),
        checks=_checks(one, *(found if speed > practice.fastest_characters_per_second else [])),
    )


def _checks(one: Description, *found: Check) -> tuple[Check, ...]:
    """The checks of others, and those that were found now in place of the older ones of their kind."""
    ours = ("too_fast", "not_voiced")
    return (*(check for check in one.checks if check.name not in ours), *found)


def _speech(clip: Clip, beside: Path) -> Speech:
    return Speech(clip.seconds, clip.voice, clip.rate, clip.path.relative_to(beside).as_posix())


def _fit(one: Description, room: Room, clips: Clips, rate: float) -> _Fit | None:
    """The first way of speaking a description within its room; None if there is none."""
    shorter = [other.text for other in one.alternatives if len(other.text) < len(one.text)]
    texts = [one.text, *(shorter if one.status == "draft" else [])]
    for end, borrowed, earlier in (
        (room.end, False, False),
        (room.borrowed, True, False),
        (room.borrowed, True, True),
    ):
        start = room.earliest if earlier else room.start
        for text, faster in _ways(texts):
            try:
                clip = _within(text, end - start, clips, rate, faster)
            except Unspoken:  # an alternative; the text itself was spoken before
                clip = None
            if clip is not None:
                begin = min(room.start, end - clip.seconds)
                late = borrowed and begin + clip.seconds > room.end + _SLACK
                return _Fit(begin, text, clip, _notes(one.text, text, clip.rate / rate, late, room.start - begin))
    return None


def _ways(texts: list[str]) -> Iterator[tuple[str, bool]]:
    """Each text as it is, then each text faster."""
    return ((text, faster) for faster in (False, True) for text in texts)


def _within(text: str, seconds: float, clips: Clips, rate: float, faster: bool) -> Clip | None:
    """The clip of `text` if it can be spoken within `seconds`, only as much faster as it must be."""
    clip = clips.spoken(text, rate)
    if not faster:
        return clip if clip.seconds <= seconds + _SLACK else None
    if seconds <= 0 or not clips.engine.has_rates or clip.seconds > seconds * FASTER * 1.05:
        return None
    least = math.ceil(clip.seconds / seconds * _STEP) / _STEP
    for factor in sorted({min(least, FASTER), min(least + 2 / _STEP, FASTER), FASTER}):
        clip = clips.spoken(text, rate * factor)
        if clip.seconds <= seconds + _SLACK:
            return clip
    return None


def _notes(written: str, text: str, factor: float, borrowed: bool, earlier: float) -> tuple[str, ...]:
    notes = []
    if text != written:
        notes.append(f"shorter text in place of: {written}")
    if factor > 1 + 1e-3:
        notes.append(f"spoken {factor - 1:.0%} faster")
    if borrowed:
        notes.append("ends closer to the dialogue than the lead-out")
    if earlier > 1e-3:
        notes.append(f"starts {earlier:.1f} s earlier")
    return tuple(notes)
