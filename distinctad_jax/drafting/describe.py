"""A film in, a draft of its description track out."""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from distinctad_jax.drafting.checks import checked
from distinctad_jax.drafting.drafts import Asked, Draft, Drafter, Report, Store
from distinctad_jax.drafting.names import Names
from distinctad_jax.drafting.survey import Survey, seen_in
from distinctad_jax.errors import BadInput, counted
from distinctad_jax.movie.description import Alternative, Description, Provenance, Speech
from distinctad_jax.movie.movie import Line, Person, Track
from distinctad_jax.movie.practice import Practice
from distinctad_jax.movie.span import Span, clock
from distinctad_jax.narration.schedule import Candidate, Moment, Placed, Plan, Taste, extended, plan, seconds

MOST_CLIPS = 30_000
"""Told in one run. Two days of film have as many; a file of three pictures that claims a year has more."""
LONGEST_CLIP = 6.0
"""Seconds that one description tells of, unless asked otherwise."""
_LATEST = 6.0  # s after the start of what it tells that a description may begin
_LEAST_CLIP = 2.0  # s; a shorter shot is told with its neighbour
_NEAR = 30.0  # s; dialogue so near belongs to a check
_MOST_CHARACTERS = 400  # of a text; no gap holds more


@dataclass(frozen=True)
class Wishes:
    """What a draft is to be like; `names` is a policy of `names.POLICIES`, `longest_clip` in seconds."""

    practice: Practice = field(default_factory=Practice)
    taste: Taste = field(default_factory=Taste)
    names: str = "after-intro"
    language: str = "en"
    longest_clip: float = LONGEST_CLIP

    def __post_init__(self) -> None:
        if not (math.isfinite(self.longest_clip) and self.longest_clip >= _LEAST_CLIP):
            raise ValueError(f"needs a longest_clip of {_LEAST_CLIP} s or more, got {self.longest_clip}")


def clips(silences: Sequence[Span], shots: Sequence[Span], longest: float) -> list[tuple[Span, Span]]:
    """`(clip, gap)`: the stretches of the gaps that are told one by one, in order.

    A clip begins with its gap, with a shot, or where the clip before would grow longer than `longest`; shots of less
    than two seconds are told with what stands beside them.
    """
    found = []
    cuts = [shot.start for shot in shots[1:]]
    for gap in silences:
        bounds = [gap.start]
        inside = cuts[bisect.bisect_right(cuts, gap.start) : bisect.bisect_left(cuts, gap.end)]
        for cut in inside:
            if cut - bounds[-1] >= _LEAST_CLIP and gap.end - cut >= _LEAST_CLIP:
                bounds.append(cut)
        for start, end in itertools.pairwise([*bounds, gap.end]):
            count = max(math.ceil((end - start) / longest - 1e-9), 1)
            edges = [start + (end - start) * part / count for part in range(count)] + [end]
            found += [(Span(a, b), gap) for a, b in itertools.pairwise(edges)]
    return found


def describe(
    seen: Survey,
    cast: Sequence[Person],
    drafter: Drafter,
    wishes: Wishes,
    store: Store,
    *,
    report: Report = lambda done, count, note: None,
    made_by: str = "",
    problems: list[str] | None = None,
) -> Track:
    """The draft of a film: texts of the drafter, chosen and placed together, checked; what is left out with reasons.

    Errors: BadInput if the film cannot be read, or has more than `MOST_CLIPS` clips; what of it cannot be decoded is
      told in `problems`.
    """
    problems = problems if problems is not None else []
    practice, names = wishes.practice, Names(cast, wishes.names, seen.heard.lines, drafter.names)
    told = clips(seen.silences, seen.shots, wishes.longest_clip)
    if len(told) > MOST_CLIPS:
        what = f"{len(told)} clips to tell, in {clock(seen.facts.duration)}; at most {MOST_CLIPS} in one run"
        raise BadInput(what, where=seen.video, mend="describe a part of it (--start, --end)")
    fastest = practice.fastest_characters_per_second
    asked = Asked(
        seen.video,
        tuple(clip for clip, _ in told),
        tuple(names.allowed(clip.start) for clip, _ in told),
        tuple(int(min(gap.end - clip.start, practice.longest) * fastest) for clip, gap in told),
    )
    drafts = drafter.draft(asked, store, report, problems) if told else []
    gap_of = dict(told)
    moments = [_moment(draft, gap_of[draft.clip], names) for draft in drafts]
    chosen = plan(moments, practice, wishes.taste, names=[one.character for one in cast])
    spoken, dropped = entries(moments, chosen, practice)
    made = {number: _provenance(draft, seen, drafter) for number, draft in enumerate(drafts)}
    track = Track(
        movie=seen.video.stem,
        descriptions=tuple(replace(one, provenance=made[at]) for at, one in spoken),
        language=wishes.language,
        made_by=made_by,
        dropped=tuple(replace(one, provenance=made[at]) for at, one in dropped),
        film=seen.film(),
        gaps=seen.silences,
        shots=seen.shots,
        dialogue=seen.heard.lines,
        cast=tuple(replace(one, portrait=None) for one in cast),
        options=options(wishes, drafter),
        models=dict(drafter.models),
    )
    track = reviewed(track, practice, names)
    return replace(track, metrics=metrics(track))


def options(wishes: Wishes, drafter: Drafter | None) -> dict[str, Any]:
    """What was asked for, as JSON has it."""
    asked = {"practice": asdict(wishes.practice), "taste": asdict(wishes.taste)}
    asked |= {"names": wishes.names, "language": wishes.language, "longest_clip": wishes.longest_clip}
    return asked | ({"drafter": dict(drafter.options)} if drafter is not None else {})


def _moment(draft: Draft, gap: Span, names: Names) -> Moment:
    """A draft with its texts as they may be spoken: tidied, named by policy, each once.

    Texts that name strangers are used only where there are no others, with the names replaced.
    """
    said = [replace(one, text=one.text[: 2 * _MOST_CHARACTERS]) for one in draft.candidates]
    honest = [one for one in said if not names.strangers(one.text)]
    found: dict[str, Candidate] = {}
    for one in honest or said:
        text = tidied(names.written(one.text, draft.clip.start))
        found.setdefault(text, replace(one, text=text))
    return Moment(gap, draft.clip.start, tuple(found.values()), draft.change, late=_LATEST)


def tidied(text: str) -> str:
    """A text as a sentence: blanks in rows made one, a capital first, a full stop last; at most 400 characters.

    A longer text ends with its last whole sentence or word. Signs that players take for mark-up are left out.
    """
    text = " ".join(text.replace("<", " ").replace(">", " ").split())
    if len(text) > _MOST_CHARACTERS:
        cut = text[:_MOST_CHARACTERS]
        stop = max(cut.rfind(mark) for mark in ".!?")
        text = cut[: stop + 1] if stop > 0 else cut.rpartition(" ")[0] or cut
    if not any(map(str.isalnum, text)):
        return ""
    text = text[0].upper() + text[1:]
    return text if text[-1] in ".!?…\"'”" else text.rstrip(",;:-– ") + "."


def entries(
    moments: Sequence[Moment], chosen: Plan, practice: Practice
) -> tuple[list[tuple[int, Description]], list[tuple[int, Description]]]:
    """What is spoken and what is left out, each with the number of its moment, in order of time."""
    waiting = extended(chosen, moments, practice)
    spoken = [(one.moment, _spoken(moments[one.moment], one, chosen, practice)) for one in chosen.placed]
    for at, (number, span, lasts) in waiting.items():
        one = _entry(moments[at], number, span, chosen.distinct[at], practice)
        notes = (f"the film waits {max(lasts - span.seconds, 0.0):.1f} s",)
        spoken.append((at, replace(one, kind="extended", speech=Speech(lasts), notes=notes)))
    dropped = [
        (at, _dropped(moments[at], reason, chosen.distinct[at], practice))
        for at, reason in chosen.left.items()
        if at not in waiting
    ]
    return sorted(spoken, key=lambda pair: pair[1].span), sorted(dropped, key=lambda pair: pair[1].span)


def _spoken(moment: Moment, placed: Placed, chosen: Plan, practice: Practice) -> Description:
    one = _entry(moment, placed.candidate, placed.span, chosen.distinct[placed.moment], practice)
    pace = len(one.text) / placed.span.seconds * 10
    return replace(one, notes=(f"fast: {pace:.0f} words a minute",)) if placed.hurried else one


def _entry(moment: Moment, number: int, span: Span, distinct: Sequence[float], practice: Practice) -> Description:
    one = moment.candidates[number]
    lasts = one.seconds if one.seconds is not None else seconds(one.text, practice.characters_per_second, practice)
    return Description(
        span,
        one.text,
        score=one.score,
        confidence=_share(one.score),
        distinctiveness=distinct[number],
        gap=moment.gap,
        alternatives=_alternatives(moment, number, distinct, practice),
        speech=Speech(lasts),
    )


def _dropped(moment: Moment, reason: str, distinct: Sequence[float], practice: Practice) -> Description:
    start = min(max(moment.wanted, moment.gap.start), moment.gap.end - 1e-3)
    best = max(range(len(moment.candidates)), key=lambda at: moment.candidates[at].score, default=None)
    if best is None:
        return Description(Span(start, moment.gap.end), "", kind="dropped", reason=reason, gap=moment.gap)
    length = seconds(moment.candidates[best].text, practice.characters_per_second, practice)
    one = _entry(
        moment, best, Span(start, max(min(start + length, moment.gap.end), start + 1e-3)), distinct, practice
    )
    return replace(one, kind="dropped", reason=reason)


def _alternatives(
    moment: Moment, taken: int, distinct: Sequence[float], practice: Practice
) -> tuple[Alternative, ...]:
    order = sorted(range(len(moment.candidates)), key=lambda at: -moment.candidates[at].score)
    found = []
    for at in order:
        one = moment.candidates[at]
        if at == taken:
            continue
        length = seconds(one.text, practice.characters_per_second, practice)
        hurried = seconds(one.text, practice.fastest_characters_per_second, practice)
        room = moment.gap.end - moment.wanted
        if not any(map(str.isalnum, one.text)):
            reason = "no words"
        elif hurried > room:
            reason = f"needs {hurried:.1f} s at the highest rate, the gap leaves {room:.1f} s"
        else:
            reason = "worth less where it would stand"
        found.append(Alternative(one.text, one.score, distinct[at], length, reason))
    return tuple(found)


def _share(score: float) -> float:
    """The mean probability of a token, from the mean of their logarithms."""
    return min(math.exp(min(score, 0.0)), 1.0)


def _provenance(draft: Draft, seen: Survey, drafter: Drafter) -> Provenance:
    return Provenance(
        clip=draft.clip,
        frames=tuple(round(time, 3) for time in draft.frames),
        shots=seen_in(seen.shots, draft.clip),
        model=drafter.models.get("narrator", ""),
    )


def reviewed(track: Track, practice: Practice, names: Names) -> Track:
    """The track with the checks and the characters of each entry worked out anew, and an id for each."""
    lines = sorted(track.dialogue, key=lambda line: line.span)
    starts = [line.span.start for line in lines]
    longest = max((line.span.seconds for line in lines), default=0.0)

    def near(one: Description) -> list[Line]:
        first = bisect.bisect_left(starts, one.span.start - _NEAR - longest)
        return lines[first : bisect.bisect_right(starts, one.span.end + _NEAR)]

    def review(one: Description, before: Description | None) -> Description:
        found = checked(one, before, near(one), practice, names)
        return replace(one, checks=found, characters=names.named(one.text))

    ordered = sorted(track.descriptions, key=lambda one: one.span)
    spoken = [review(one, before) for before, one in zip([None, *ordered], ordered, strict=False)]
    dropped = [replace(one, characters=names.named(one.text)) for one in track.dropped]
    return replace(track, descriptions=tuple(spoken), dropped=tuple(dropped)).numbered()


def metrics(track: Track) -> dict[str, Any]:
    """Counts and shares of a track, for its summary."""
    spoken = [one for one in track.descriptions if one.kind == "inline"]
    usable = sum(gap.seconds for gap in track.gaps)
    lasts = sum(one.span.seconds for one in spoken)
    characters = sum(len(one.text) for one in spoken)
    speech = [line.span for line in track.dialogue if line.spoken]
    flagged: dict[str, int] = {}
    for check in (check for one in track.descriptions for check in one.checks):
        flagged[check.name] = flagged.get(check.name, 0) + 1
    return {
        "gaps": len(track.gaps),
        "usable_seconds": round(usable, 3),
        "described": len(track.descriptions),
        "extended": len(track.descriptions) - len(spoken),
        "dropped": len(track.dropped),
        "spoken_seconds": round(lasts, 3),
        "spoken_share": round(lasts / usable, 4) if usable else 0.0,
        "words_a_minute": round(characters / lasts * 10, 1) if lasts else 0.0,
        "overlaps": overlaps([one.span for one in spoken], speech),
        "checks": flagged,
    }


def overlaps(spoken: Sequence[Span], speech: Sequence[Span]) -> int:
    """How many of the spans of one list overlap some span of the other. Takes O(n log n)."""
    ordered = sorted(speech)
    starts = [span.start for span in ordered]
    ends = list(itertools.accumulate((span.end for span in ordered), max))
    found = 0
    for span in spoken:
        last = bisect.bisect_left(starts, span.end)
        found += last > 0 and ends[last - 1] > span.start
    return found


def summary(track: Track) -> str:
    """One line: what was found, described, left out, and how fast it is spoken."""
    found: Mapping[str, Any] = track.metrics
    flagged = sum(found["checks"].values())
    return (
        f"{counted(found['gaps'], 'gap')}, {found['described']} described, {found['dropped']} dropped; "
        f"{found['words_a_minute']:.0f} wpm; {counted(found['overlaps'], 'overlap')}; {flagged} to look at"
    )


def work_folder(output: Path, film: Path) -> Path:
    """Where what a model said is kept until the film is done: hidden, beside what is made."""
    return output / f".{film.stem}.drafts"
