"""A script that is written already, fitted into the silences of a film; a person may have edited it before."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import replace

from distinctad_jax.drafting.describe import metrics, reviewed
from distinctad_jax.drafting.names import Names
from distinctad_jax.movie.description import Description, Speech
from distinctad_jax.movie.movie import Track
from distinctad_jax.movie.practice import Practice
from distinctad_jax.movie.span import Span, gaps
from distinctad_jax.narration.schedule import Candidate, Moment, Taste, extended, plan, seconds

FREE = Taste(distinctiveness=0.0, density=1.0)
"""A person's script is fitted, not judged: repetition and density are theirs."""
MOVED = 3.0
"""Seconds by which an entry may be moved, unless asked otherwise."""


def silences(track: Track, practice: Practice) -> tuple[Span, ...]:
    """The gaps of a track: those its dialogue leaves, or else those that it holds, or else what its film lasts.

    Errors: ValueError if it holds none of these.
    """
    last = max((one.span.end for one in track.entries), default=0.0)
    duration = (track.film.duration if track.film else None) or 0.0
    spoken = [line.span for line in track.dialogue if line.spoken]
    if spoken:
        end = duration or max(last, max(span.end for span in spoken))
        return tuple(
            gaps(spoken, end, shortest=practice.minimum_gap, lead_in=practice.lead_in, lead_out=practice.lead_out)
        )
    if track.gaps:
        return track.gaps
    if duration:
        return (Span(0.0, duration),)
    raise ValueError("the track knows no gaps, no dialogue and no film")


def fit(
    track: Track,
    practice: Practice,
    *,
    found: Sequence[Span] | None = None,
    names: Names | None = None,
    taste: Taste = FREE,
    moved: float = MOVED,
) -> Track:
    """The same script, each entry in a gap, none over dialogue or over another, none faster than the highest rate.

    An entry stays at its start if it can, and is moved by at most `moved` seconds, within the nearest gap, if it
    cannot; a draft may fall back on a shorter alternative, what a person edited or approved keeps its text. What
    fits nowhere is dropped with the reason, or, with `practice.extended`, spoken while the film waits.

    Args:
      found: the gaps; those of the track if None.
    Errors: ValueError if there are no gaps to fit into.
    """
    usable = tuple(sorted(found if found is not None else silences(track, practice)))
    homes = [(one, gap) for one in track.descriptions if (gap := _home(one.span, usable, moved)) is not None]
    homeless = [one for one in track.descriptions if _home(one.span, usable, moved) is None]
    moments = [_moment(one, gap, practice, moved) for one, gap in homes]
    cast = [one.character for one in track.cast]
    chosen = plan(moments, practice, taste, names=cast)
    waiting = extended(chosen, moments, practice)
    placed: list[Description] = []
    dropped = [replace(one, kind="dropped", reason=f"no gap within {moved:g} s of it", checks=()) for one in homeless]
    for one in chosen.placed:
        was, gap = homes[one.moment]
        placed.append(_placed(was, moments[one.moment].candidates[one.candidate], one.span, gap, practice))
    for at, (number, span, lasts) in waiting.items():
        was, gap = homes[at]
        told = _placed(was, moments[at].candidates[number], span, gap, practice)
        placed.append(replace(told, kind="extended", speech=told.speech or Speech(lasts)))
    for at, reason in chosen.left.items():
        if at not in waiting:
            was, gap = homes[at]
            dropped.append(replace(was, kind="dropped", reason=reason, gap=gap, checks=()))
    track = replace(track, descriptions=tuple(placed), dropped=(*track.dropped, *dropped), gaps=usable)
    track = reviewed(track, practice, names or Names(track.cast, "always", track.dialogue))
    return replace(track, metrics={**track.metrics, **metrics(track)})


def _home(span: Span, usable: Sequence[Span], moved: float) -> Span | None:
    """The gap that shares most with a span, or else the nearest that it can be moved into."""
    at = bisect.bisect_right(usable, span.start, key=lambda gap: gap.start)
    near = [*usable[max(at - 1, 0) : at + 1]]
    near += [gap for gap in usable[at + 1 : at + 4] if gap.start < span.end]

    def common(gap: Span) -> float:
        return min(gap.end, span.end) - max(gap.start, span.start)

    best = max(near, key=common, default=None)
    if best is None or max(best.start - span.start, span.start - best.end) > moved:
        return None
    return best


def _moment(one: Description, gap: Span, practice: Practice, moved: float) -> Moment:
    measured = one.speech.seconds if one.speech is not None and one.speech.measured else None
    own = Candidate(one.text, 0.0, measured)
    others = [Candidate(other.text, -1.0) for other in one.alternatives] if one.status == "draft" else []
    least = seconds(one.text, practice.fastest_characters_per_second, practice)
    shorter = [other for other in others if len(other.text) < len(one.text)] if least > gap.seconds else []
    wanted = min(max(one.span.start, gap.start), gap.end)
    return Moment(gap, wanted, (own, *shorter), early=moved, late=moved)


def _placed(was: Description, said: Candidate, span: Span, gap: Span, practice: Practice) -> Description:
    notes = was.notes
    if abs(span.start - was.span.start) > 5e-4:
        notes = (*notes, f"moved by {span.start - was.span.start:+.2f} s")
    if said.text != was.text:
        notes = (*notes, f"shortened from: {was.text}")
    measured = was.speech if was.speech is not None and was.speech.measured and said.text == was.text else None
    lasts = seconds(said.text, practice.characters_per_second, practice)
    return replace(was, span=span, text=said.text, gap=gap, notes=notes, speech=measured or Speech(lasts))
