"""Which descriptions a film gets, and when each is spoken: chosen together, over the whole film.

Every moment that could be described brings several texts. A plan picks at most one of them for each moment and gives
it a time in its gap; its worth adds what each text is worth where it stands and takes off what it repeats. Dynamic
programming over the moments finds the plan of most worth. Speaking has a worth of its own, so silence does not win; a
text that says again what was just said loses more than it has, so repetition does not win either.

Source: draft everything first, then optimise placement and length together (Rescribe, UIST 2020); the terms of the
worth are those of practice (fit, model score, visual change, time since the last description) and of DistinctAD
(words that the neighbours do not use). Their weights are our defaults.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from distinctad_jax.movie.practice import Practice
from distinctad_jax.movie.span import Span
from distinctad_jax.text.distinct import STOP_WORDS, stem, words

TOO_ALIKE = 0.5
"""Share of the content words of a description that the one before may use as well."""
_ROUNDING = 1e-9  # s; room that only binary fractions deny
_PRICES = 7  # halvings of the price of a second of speech, to meet the density


@dataclass(frozen=True)
class Taste:
    """What a plan is to be like.

    Args:
      distinctiveness: 0 takes the model's likeliest texts, repetition or not; 1 the ones unlike their neighbours.
      density: share of the usable time of the gaps that may be spoken.
      memory: how many descriptions back a repetition is noticed.
      neighbours: how many moments to each side count as neighbours.
      width: how many plans are kept alive; the best plan is found for certain if there are no more states.
    Errors: ValueError for shares outside 0..1 or counts below 1.
    """

    distinctiveness: float = 0.5
    density: float = 0.6
    memory: int = 3
    neighbours: int = 4
    width: int = 12

    def __post_init__(self) -> None:
        if not (0 <= self.distinctiveness <= 1 and 0 < self.density <= 1):
            raise ValueError(f"needs distinctiveness in 0..1 and density in 0..1 but not 0, got {self}")
        if min(self.memory, self.neighbours, self.width) < 1:
            raise ValueError(f"needs memory, neighbours and width >= 1, got {self}")


class Weights(NamedTuple):
    """What the parts of a text's worth count."""

    speaking: float = 1.0
    change: float = 0.5
    model: float = 1.0
    distinct: float = 1.0
    repeat: float = 4.0
    waiting: float = 0.5
    hurry: float = 2.0
    away: float = 0.15  # for each second that it is spoken from its moment


WEIGHTS = Weights()
_WAITED = 30.0  # s; who has waited so long waits no harder afterwards


@dataclass(frozen=True)
class Candidate:
    """A text for a moment; a larger `score` of the model is better; `seconds` is measured by a voice, else None."""

    text: str
    score: float = 0.0
    seconds: float | None = None


@dataclass(frozen=True)
class Moment:
    """A stretch of the film to be told.

    Args:
      gap: the silence in which it must be spoken.
      wanted: when it is best spoken, usually the start of what it tells.
      candidates: its texts, in any order.
      change: how new the picture is, 0 to 1.
      early, late: how many seconds before and after `wanted` it may begin.
    """

    gap: Span
    wanted: float
    candidates: tuple[Candidate, ...]
    change: float = 0.0
    early: float = 0.0
    late: float = math.inf


@dataclass(frozen=True)
class Placed:
    """A text that is spoken: which candidate of which moment, when, and how its worth came about."""

    moment: int
    candidate: int
    span: Span
    hurried: bool
    repeats: float


@dataclass(frozen=True)
class Plan:
    """What is spoken in order of time; for each moment that is not, the reason; distinctiveness of all candidates."""

    placed: tuple[Placed, ...]
    left: dict[int, str]
    distinct: tuple[tuple[float, ...], ...]


@lru_cache(maxsize=1 << 14)
def content(text: str, names: frozenset[str] = frozenset()) -> frozenset[str]:
    """The stems of the words of a text that carry meaning: no function words, no words of `names`."""
    return frozenset(
        stem(word.text) for word in words(text) if word.text not in STOP_WORDS and word.text not in names
    )


def shared(text: str, before: str, names: frozenset[str] = frozenset()) -> float:
    """Share of the content words of `text` that `before` has as well; 0 for a text without any."""
    own = content(text, names)
    return len(own & content(before, names)) / len(own) if own else 0.0


def seconds(text: str, characters_per_second: float, practice: Practice) -> float:
    """How long a text takes to speak at a rate, and at least the shortest description."""
    return max(len(text.strip()) / characters_per_second, practice.shortest)


_Saying = tuple[int, int, float, float]
"""Moment, candidate, start and end."""


class _State(NamedTuple):
    """A plan so far: what it is worth, when the next description may begin, and what was said last."""

    worth: float
    ready: float
    recent: tuple[tuple[int, int], ...]  # (moment, candidate), the last one last
    ended: float
    last: Any  # (moment, candidate, start, end, what was said before) or None


def plan(
    moments: Sequence[Moment],
    practice: Practice,
    taste: Taste | None = None,
    *,
    names: Collection[str] = (),
    weights: Weights = WEIGHTS,
) -> Plan:
    """The plan of most worth whose spoken share of the gaps does not exceed the density.

    Moments need not be in order. A candidate is never spoken out of its gap, before `wanted - early` or after
    `wanted + late`, faster than the highest rate, for longer than the longest description, or within a pause of the
    one before. `names` are no content words: a name that comes again is no repetition.
    """
    taste = taste or Taste()
    planner = _Planner(moments, practice, taste, frozenset(w.text for name in names for w in words(name)), weights)
    limit = taste.density * sum(gap.seconds for gap in {moment.gap for moment in moments}) + _ROUNDING
    said = planner.said(planner.best(0.0))
    if _seconds(said) > limit:
        said = _bounded(planner, said, limit)
    return Plan(planner.listed(said), planner.reasons(planner.listed(said)), planner.distinct)


def _bounded(planner: _Planner, over: list[_Saying], limit: float) -> list[_Saying]:
    """The best plan of at most `limit` seconds: a second of speech is priced until little enough is worth saying.

    Prices leave out several equally good texts at once, so the last plan above the limit, without what is worth least
    a second, is tried as well.
    """
    low, high, best = 0.0, 8.0, []  # at 8 a second nothing is worth saying
    for _ in range(_PRICES):
        price = (low + high) / 2
        found = planner.said(planner.best(price))
        if _seconds(found) > limit:
            low, over = price, found
        else:
            high, best = price, found
    trimmed = planner.trimmed(over, limit)
    return max((best, trimmed), key=lambda said: sum(planner.static[at][number] for at, number, *_ in said))


def _seconds(said: Sequence[_Saying]) -> float:
    return sum((end - start for *_, start, end in said), 0.0)


class _Planner:
    """The moments in order, with all that is worked out once for all prices."""

    def __init__(
        self, moments: Sequence[Moment], practice: Practice, taste: Taste, names: frozenset[str], weights: Weights
    ):
        self.moments, self.practice, self.taste, self.weights = moments, practice, taste, weights
        self.order = sorted(range(len(moments)), key=lambda at: (moments[at].gap, moments[at].wanted))
        self.bags = [[content(one.text, names) for one in moment.candidates] for moment in moments]
        self.lengths = [[self._lengths(one) for one in moment.candidates] for moment in moments]
        self.distinct = self._distinct()
        self.static = self._static()
        self.known: dict[tuple[tuple[int, int], tuple[int, int]], float] = {}

    def _lengths(self, one: Candidate) -> tuple[float, float]:
        """Seconds at the target rate and at the highest; a measured voice may speak up by as much as texts may."""
        practice = self.practice
        if not any(character.isalnum() for character in one.text):
            return math.inf, math.inf
        if one.seconds is not None:
            usual = max(one.seconds, practice.shortest)
            return usual, max(one.seconds * practice.rate / practice.fastest, practice.shortest)
        return (
            seconds(one.text, practice.characters_per_second, practice),
            seconds(one.text, practice.fastest_characters_per_second, practice),
        )

    def _distinct(self) -> tuple[tuple[float, ...], ...]:
        """Share of each candidate's content words that no neighbouring moment's likeliest text has."""
        likeliest = [
            max(range(len(moment.candidates)), key=lambda at: moment.candidates[at].score, default=None)
            for moment in self.moments
        ]
        heads = [self.bags[at][one] if one is not None else frozenset() for at, one in enumerate(likeliest)]
        found: list[tuple[float, ...]] = [()] * len(self.moments)
        reach = self.taste.neighbours
        for place, at in enumerate(self.order):
            around = [*self.order[max(place - reach, 0) : place], *self.order[place + 1 : place + 1 + reach]]
            used = Counter(word for other in around for word in heads[other])
            found[at] = tuple(
                sum(word not in used for word in bag) / len(bag) if bag else 0.0 for bag in self.bags[at]
            )
        return tuple(found)

    def _static(self) -> list[list[float]]:
        """What each candidate is worth wherever it stands."""
        scores = sorted(one.score for moment in self.moments for one in moment.candidates)
        spread = (scores[0], scores[-1]) if scores else (0.0, 0.0)
        width, weights = spread[1] - spread[0], self.weights
        return [
            [
                weights.speaking
                + weights.change * moment.change
                + weights.model * ((one.score - spread[0]) / width if width > 0 else 0.5)
                + weights.distinct * self.taste.distinctiveness * self.distinct[at][number]
                for number, one in enumerate(moment.candidates)
            ]
            for at, moment in enumerate(self.moments)
        ]

    def share(self, later: tuple[int, int], before: tuple[int, int]) -> float:
        """Share of the content words of one candidate that another has."""
        found = self.known.get((later, before))
        if found is None:
            own = self.bags[later[0]][later[1]]
            found = len(own & self.bags[before[0]][before[1]]) / len(own) if own else 0.0
            self.known[later, before] = found
        return found

    def best(self, price: float) -> _State:
        """The best state after all moments if a second of speech costs `price`."""
        states = [_State(0.0, 0.0, (), 0.0, None)]
        for at in self.order:
            found: dict[tuple[Any, int], _State] = {(s.recent, round(s.ready * 1000)): s for s in states}
            for state in states:
                for worth, number, start, end in self._sayings(state, at, price):
                    recent = (*state.recent, (at, number))[-self.taste.memory :]
                    key = recent, round((end + self.practice.pause) * 1000)
                    if key not in found or worth > found[key].worth:
                        link = at, number, start, end, state.last
                        found[key] = _State(worth, end + self.practice.pause, recent, end, link)
            states = sorted(found.values(), key=lambda state: (-state.worth, state.ready, state.recent))
            states = states[: self.taste.width]
        return states[0]

    def _sayings(self, state: _State, at: int, price: float) -> Iterator[tuple[float, int, float, float]]:
        """`(worth of the plan, candidate, start, end)` for each text of a moment that fits after a state."""
        moment, weights, longest = self.moments[at], self.weights, self.practice.longest
        last, wanted = moment.gap.end, moment.wanted
        least = max(moment.gap.start, state.ready, wanted - moment.early)
        room = min(last - least, longest) + _ROUNDING
        knob = weights.repeat * self.taste.distinctiveness
        for number, (usual, hurried) in enumerate(self.lengths[at]):
            if hurried > room:
                continue
            repeats = self.repeats(state.recent, (at, number))
            if repeats > 1:
                continue
            start = max(least, min(wanted, last - usual))
            if start > wanted + moment.late + _ROUNDING:
                continue
            end = min(start + usual, last, start + longest)
            worth = state.worth + self.static[at][number] - price * (end - start) - knob * repeats
            worth -= weights.hurry * (usual / (end - start) - 1) + weights.away * abs(start - wanted)
            yield worth + weights.waiting * min((start - state.ended) / _WAITED, 1.0), number, start, end

    def repeats(self, recent: tuple[tuple[int, int], ...], said: tuple[int, int], strict: bool = True) -> float:
        """How much of a text was said lately, 0 to 1; 2 if it is more than anybody wants to hear twice."""
        most = 0.0
        for back, before in enumerate(reversed(recent)):
            share = self.share(said, before)
            if strict and back == 0 and share > TOO_ALIKE and self.taste.distinctiveness > 0:
                return 2.0
            most = max(most, share * 0.8**back)
        return most

    @staticmethod
    def said(state: _State) -> list[_Saying]:
        """What a state has said, in order of time."""
        found, link = [], state.last
        while link is not None:
            *one, link = link
            found.append(tuple(one))
        return found[::-1]

    def trimmed(self, said: Sequence[_Saying], limit: float) -> list[_Saying]:
        """Without what is worth least a second, until the rest lasts `limit` s; nothing alike comes together."""
        kept = list(said)
        while _seconds(kept) > limit:

            def loss(place: int) -> tuple[bool, float]:
                at, number, start, end = kept[place]
                inner = 0 < place < len(kept) - 1
                alike = inner and self.share(kept[place + 1][:2], kept[place - 1][:2]) > TOO_ALIKE
                return alike and self.taste.distinctiveness > 0, self.static[at][number] / (end - start)

            del kept[min(range(len(kept)), key=loss)]
        return kept

    def listed(self, said: Sequence[_Saying]) -> tuple[Placed, ...]:
        """A plan as it is handed out."""
        found: list[Placed] = []
        for place, (at, number, start, end) in enumerate(said):
            recent = tuple(one[:2] for one in said[max(place - self.taste.memory, 0) : place])
            hurried = self.lengths[at][number][0] > end - start + _ROUNDING
            found.append(
                Placed(at, number, Span(start, end), hurried, self.repeats(recent, (at, number), strict=False))
            )
        return tuple(found)

    def reasons(self, placed: Sequence[Placed]) -> dict[int, str]:
        """Why each moment that is not spoken is not."""
        spoken = {one.moment: one for one in placed}
        before: dict[int, Placed | None] = {}
        after: dict[int, Placed | None] = {}
        last: Placed | None = None
        for at in self.order:
            before[at], last = last, spoken.get(at, last)
        last = None
        for at in reversed(self.order):
            after[at], last = last, spoken.get(at, last)
        return {at: self._reason(at, before[at], after[at]) for at in self.order if at not in spoken}

    def _reason(self, at: int, before: Placed | None, after: Placed | None) -> str:
        moment, practice = self.moments[at], self.practice
        lengths = [hurried for _, hurried in self.lengths[at] if math.isfinite(hurried)]
        if not lengths:
            return "no words"
        start = max(moment.gap.start, moment.wanted - moment.early)
        room = moment.gap.end - start
        if min(lengths) > practice.longest + _ROUNDING:
            return (
                f"needs {min(lengths):.1f} s at the highest rate, a description lasts {practice.longest:g} s at most"
            )
        if min(lengths) > room + _ROUNDING:
            return f"needs {min(lengths):.1f} s at the highest rate, the gap leaves {max(room, 0.0):.1f} s"
        for one, where in ((before, "before"), (after, "after")):
            if one is None:
                continue
            other = (one.moment, one.candidate)
            shares = [
                self.share((at, n), other) if where == "before" else self.share(other, (at, n))
                for n in range(len(moment.candidates))
            ]
            if shares and min(shares) > TOO_ALIKE and self.taste.distinctiveness > 0:
                bag = self.bags[at][shares.index(min(shares))] & self.bags[other[0]][other[1]]
                return f"says again what the description {where} it says: {', '.join(sorted(bag))}"
        free = self._free(moment, start, before, after)
        if min(lengths) > free + _ROUNDING:
            return f"needs {min(lengths):.1f} s at the highest rate, its neighbours leave {max(free, 0.0):.1f} s"
        return f"left silent: a share of {self.taste.density:g} of the gaps may be spoken, and others are worth more"

    def _free(self, moment: Moment, start: float, before: Placed | None, after: Placed | None) -> float:
        """Seconds that its neighbours leave of a moment's gap."""
        if before is not None:
            start = max(start, before.span.end + self.practice.pause)
        end = moment.gap.end
        if after is not None and after.span.start < end:
            end = after.span.start - self.practice.pause
        return end - start


def extended(plan: Plan, moments: Sequence[Moment], practice: Practice) -> dict[int, tuple[int, Span, float]]:
    """Moments left out for want of room that can be told while the film waits: (candidate, span, seconds of speech).

    The span is the free time of the gap before the moment's neighbours, at least the shortest description; the film
    waits for the rest, at most `practice.extended` s. Of each gap at most one is told so.
    """
    if not practice.extended:
        return {}
    found: dict[int, tuple[int, Span, float]] = {}
    taken = {moments[one.moment].gap for one in plan.placed}
    for at in sorted(plan.left, key=lambda at: moments[at].wanted):
        moment = moments[at]
        if moment.gap in taken or not plan.left[at].startswith("needs"):
            continue
        start = max(moment.gap.start, moment.wanted - moment.early)
        room = min(moment.gap.end - start, practice.longest)
        for number, one in sorted(enumerate(moment.candidates), key=lambda pair: -pair[1].score):
            usual = one.seconds or seconds(one.text, practice.characters_per_second, practice)
            if any(map(str.isalnum, one.text)) and room >= practice.shortest and usual - room <= practice.extended:
                found[at] = (number, Span(start, start + min(room, usual)), usual)
                taken.add(moment.gap)
                break
    return found
