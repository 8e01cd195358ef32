"""The screenplay: who does what, where, when, and what stands about, drawn from a seed.

A scene keeps its place, light, cast and set dressing, so its clips look alike. In each clip one person acts, often by
a prop that is in this clip only. What stands about and what is new look the same in a single clip; only the
neighbours tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from distinctad_jax.movie.movie import Line
from distinctad_jax.movie.span import Span
from distinctad_jax.toycinema.dialogue import lines_of
from distinctad_jax.toycinema.dials import Turned
from distinctad_jax.toycinema.motion import ACTIONS, CROSSING
from distinctad_jax.toycinema.world import CHARACTERS, LIGHTS, PLACES, PROPS, SLOTS, SPOTS

KEEP_ACTOR = 0.42  # chance that who acted in the last clip goes on
WITH_PROP = 0.7  # chance of an event prop, where the action does not need one
LATECOMER = 0.35  # chance that one of the cast comes in later
RESTS = 4  # an action does not come back before this many clips
LEAD = 0.3  # seconds of silence on either side of what is said
DEFAULT = Turned()
REACH = {0: (1,), 1: (-1, 1), 2: (-1,)}  # slot -> directions that lead into the picture


@dataclass(frozen=True)
class Placed:
    """A prop in view: `shown` is the part of the clip, from 0 to 1, in which the light falls on it."""

    prop: int
    spot: int
    large: bool
    shown: tuple[float, float]


@dataclass(frozen=True)
class Beat:
    """What happens in one clip; `actor`, `present` and `companion` are numbers of the scene's cast."""

    span: Span
    actor: int
    present: tuple[int, ...]
    entering: bool
    action: str
    tempo: int
    direction: int  # -1 left, 1 right
    dressing: tuple[Placed, ...]
    event: Placed | None
    companion: int | None
    free: tuple[bool, bool]  # the coin flips of the describer: an unusual noun, an unusual order
    after: Span  # the dialogue that follows
    seen: tuple[float, float] = (0.0, 1.0)  # the part of the clip, from 0 to 1, in which the camera is on who acts


@dataclass(frozen=True)
class Scene:
    """What stays the same: a place, a light, who stands in which slot, which way they face, the colour grade."""

    place: int
    light: str
    cast: tuple[int, ...]
    slots: tuple[int, ...]
    facing: tuple[int, ...]
    look: int
    beats: tuple[Beat, ...]


@dataclass(frozen=True)
class Screenplay:
    """A whole movie, before it is drawn; `opening` is the dialogue before the first clip."""

    scenes: tuple[Scene, ...]
    opening: Span
    duration: float
    dialogue: tuple[Line, ...]
    letterbox: float
    length: int = 1  # how much of what could be added to who does what is said: see `dials`

    @property
    def cast(self) -> tuple[int, ...]:
        """Who appears, most scenes first, then by number."""
        seen = [person for scene in self.scenes for person in scene.cast]
        return tuple(sorted(set(seen), key=lambda person: (-seen.count(person), person)))


def _shown(rng: np.random.Generator) -> tuple[float, float]:
    """All of the clip, or a stretch of it: set dressing and event props alike, so that this gives nothing away."""
    if rng.random() < 0.4:
        return 0.0, 1.0
    length = float(rng.uniform(0.5, 0.85))
    start = float(rng.uniform(0.0, 1.0 - length))
    return start, start + length


class _Clock:
    """Hands out spans that begin and end on frames."""

    def __init__(self, frames_per_second: int):
        self.rate, self.frame = frames_per_second, 0

    def span(self, seconds: float) -> Span:
        start = self.frame
        self.frame += round(seconds * self.rate)
        return Span(start / self.rate, self.frame / self.rate)


def _pick(rng: np.random.Generator, options: Sequence[int]) -> int:
    return options[int(rng.integers(len(options)))]


@dataclass(frozen=True)
class Lexicon:
    """What of the world a movie may use, by number or name: all of it, or a share of each kind."""

    people: tuple[tuple[int, ...], tuple[int, ...]]  # women, men
    props: tuple[int, ...]
    places: tuple[int, ...]
    actions: tuple[str, ...]

    @classmethod
    def of(cls, share: float) -> Lexicon:
        """Of actions every other one first, so that half of them still walk, hold a prop and greet."""

        def some(things: Sequence) -> tuple:
            return tuple(things[: round(share * len(things))])

        women = some([i for i, person in enumerate(CHARACTERS) if person.woman])
        men = some([i for i, person in enumerate(CHARACTERS) if not person.woman])
        kept = some([*list(ACTIONS)[::2], *list(ACTIONS)[1::2]])
        actions = tuple(action for action in ACTIONS if action in kept)
        return cls((women, men), some(range(len(PROPS))), some(range(len(PLACES))), actions)


def _stage(rng: np.random.Generator, count: int, lexicon: Lexicon) -> tuple[list[int], list[int], list[int]]:
    """Spots of the set dressing and its props, and the slots of the cast, so that most slots adjoin a free spot."""
    spots = [int(s) for s in rng.permutation(len(SPOTS))[: int(rng.integers(2, 4))]]
    props = [int(p) for p in rng.permutation(lexicon.props)[: len(spots)]]
    return spots, props, [int(s) for s in rng.permutation(len(SLOTS))[:count]]


def _event(
    rng: np.random.Generator, slot: int, taken: list[int], known: Sequence[int], lexicon: Lexicon
) -> Placed | None:
    """A prop that is not `known`, at a free spot that adjoins the actor if there is one."""
    fresh = [p for p in lexicon.props if p not in known]
    free = [s for s in range(len(SPOTS)) if s not in taken]
    near = [s for s in free if slot in SPOTS[s].adjoins]
    if not fresh or not free:
        return None
    return Placed(_pick(rng, fresh), _pick(rng, near or free), bool(rng.random() < 0.5), _shown(rng))


def _action(rng: np.random.Generator, recent: list[str], can_hold: bool, lexicon: Lexicon) -> tuple[str, int]:
    """An action that none of the last clips showed; those that hold a prop come more often."""
    options = [a for a in lexicon.actions if a not in recent[-RESTS:] and (can_hold or not ACTIONS[a].holds)]
    weights = np.array([1.6 if ACTIONS[a].holds else 1.0 for a in options])
    chosen = options[int(rng.choice(len(options), p=weights / weights.sum()))]
    return chosen, int(rng.integers(2))


class _Shoot:
    """What the writer of a scene keeps in mind from clip to clip."""

    def __init__(self, film: _Film, cast: list[int]):
        self.film, self.rng, self.clock, self.actions = film, film.rng, film.clock, film.actions
        self.spots, self.props, self.slots = _stage(film.rng, len(cast), film.lexicon)
        self.large = [bool(film.rng.random() < 0.5) for _ in self.props]
        self.last_actor: int | None = None
        self.recent: list[int] = []

    def beat(self, present: list[int], newcomer: int | None) -> Beat:
        rng = self.rng
        actor = self._actor(present, newcomer)
        slot = self.slots[actor]
        event = _event(rng, slot, self.spots, [*self.props, *self.recent[-6:]], self.film.lexicon)
        action, tempo = _action(rng, self.actions, event is not None, self.film.lexicon)
        if newcomer is not None and action in CROSSING:  # coming in is motion enough
            action = "wave" if "wave" not in self.actions[-RESTS:] else "turn"
        if not ACTIONS[action].holds and rng.random() > WITH_PROP:
            event = None
        self.actions.append(action)
        if event:
            self.recent.append(event.prop)
        others = [p for p in present if p != actor and abs(self.slots[p] - slot) == 1]
        self.last_actor = actor
        stand = tuple(
            Placed(p, s, big, _shown(rng)) for p, s, big in zip(self.props, self.spots, self.large, strict=True)
        )
        return Beat(
            span=self.clock.span(float(rng.uniform(3.0, 4.0))),
            actor=actor,
            present=tuple(present),
            entering=newcomer is not None,
            action=action,
            tempo=tempo,
            direction=_pick(rng, REACH[slot]),
            dressing=stand,
            event=event,
            companion=min(others, key=lambda p: self.slots[p], default=None),
            free=(bool(rng.random() < 0.08), bool(rng.random() < 0.08)),
            after=self.clock.span(float(rng.uniform(2.5, 4.0))),
            seen=self._seen(),
        )

    def _seen(self) -> tuple[float, float]:
        evidence = self.film.dials.evidence
        if evidence >= 1:
            return 0.0, 1.0
        start = float(self.rng.uniform(0.0, 1.0 - evidence))
        return start, start + evidence

    def _actor(self, present: list[int], newcomer: int | None) -> int:
        if newcomer is not None:
            return newcomer
        if self.last_actor is not None and self.rng.random() < KEEP_ACTOR:
            return self.last_actor
        return _pick(self.rng, [p for p in present if p != self.last_actor] or present)


class _Film:
    """What the writer of a movie keeps in mind from scene to scene."""

    def __init__(self, rng: np.random.Generator, clock: _Clock, dials: Turned):
        self.rng, self.clock, self.dials = rng, clock, dials
        self.lexicon = Lexicon.of(dials.vocabulary)
        self.actions: list[str] = []

    def cut(self, place: int, count: int) -> list[tuple[int, int]]:
        """The sets of `count` clips that begin in `place`, as (place, clips): another set where redundancy ends."""
        parts = [(place, 1)]
        for _ in range(count - 1):
            if self.dials.redundancy >= 1 or self.rng.random() < self.dials.redundancy:
                parts[-1] = (parts[-1][0], parts[-1][1] + 1)
            else:
                parts.append((_pick(self.rng, [p for p in self.lexicon.places if p != parts[-1][0]]), 1))
        return parts


def _scene(film: _Film, place: int, company: list[int], count: int) -> Scene:
    """A scene of `count` clips; one of its people may come in later."""
    rng = film.rng
    cast = [int(c) for c in rng.permutation(company)[: int(rng.integers(2, 4))]]
    shoot = _Shoot(film, cast)
    late = len(cast) - 1 if count >= 4 and rng.random() < LATECOMER else None
    enters = int(rng.integers(2, count - 1)) if late is not None else None
    beats = []
    for number in range(count):
        here = [p for p in range(len(cast)) if p != late or (enters is not None and number >= enters)]
        beats.append(shoot.beat(here, late if number == enters else None))
    return Scene(
        place=place,
        light=LIGHTS[int(rng.choice(3, p=(0.4, 0.3, 0.3)))],
        cast=tuple(cast),
        slots=tuple(shoot.slots),
        facing=tuple(int(f) for f in rng.choice((-1, 1), len(cast))),
        look=int(rng.integers(1 << 16)),
        beats=tuple(beats),
    )


def write(
    rng: np.random.Generator,
    scenes: tuple[int, int],
    clips: tuple[int, int],
    frames_per_second: int,
    dials: Turned = DEFAULT,
) -> Screenplay:
    """A screenplay; the same generator state gives the same one.

    Units: spans in seconds from the first frame, all on frames. A clip lies wholly between two lines of dialogue that
      keep `LEAD` seconds away from it, so the silences are the clips.
    """
    clock = _Clock(frames_per_second)
    film = _Film(rng, clock, dials)
    opening = clock.span(float(rng.uniform(2.5, 4.0)))
    company = [int(c) for half in film.lexicon.people for c in rng.permutation(half)[:3]]
    places = [int(p) for p in rng.permutation(film.lexicon.places)[: int(rng.integers(scenes[0], scenes[1] + 1))]]
    shot = tuple(
        _scene(film, where, company, stay)
        for place in places
        for where, stay in film.cut(place, int(rng.integers(clips[0], clips[1] + 1)))
    )
    talk = [opening, *(beat.after for scene in shot for beat in scene.beats)]
    dialogue = tuple(line for span in talk for line in lines_of(rng, span, LEAD))
    return Screenplay(
        scenes=shot,
        opening=opening,
        duration=clock.frame / frames_per_second,
        dialogue=dialogue,
        letterbox=float(rng.choice((0.0, 5.0, 8.0))),
        length=dials.length,
    )
