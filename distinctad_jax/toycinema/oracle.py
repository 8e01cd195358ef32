"""Oracle features: what a frame of a made-up movie shows, told by its screenplay instead of seen by a tower.

With them a narrator is judged by itself: whatever it does not say is not for want of sight. Nothing is told that the
drawing does not show: no prop before the light falls on it, nobody acting where the camera is away, no action before
who enters has walked in. An action, which a picture alone does not give away, is told.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable, Iterator

import numpy as np
from jaxtyping import Float

from distinctad_jax.toycinema.motion import ACTIONS
from distinctad_jax.toycinema.script import Beat, Placed, Scene, Screenplay
from distinctad_jax.toycinema.stage import ENTRY, acted, lit

WIDTH = 96
PLAIN = 0.5  # of its light, from which on a prop is plain to see
Fact = tuple[str | int | bool, ...]


@functools.cache
def vector(fact: Fact) -> Float[np.ndarray, " width"]:
    """The direction of a fact: of length 1, random, and the same everywhere."""
    seed = int.from_bytes(hashlib.sha256(repr(fact).encode()).digest()[:8], "little")
    drawn = np.random.default_rng(seed).standard_normal(WIDTH)
    return drawn / np.linalg.norm(drawn)


def stands(scene: Scene, people: Iterable[int], props: Iterable[Placed]) -> Iterator[Fact]:
    """Where it plays, in what light, who stands there, and what."""
    yield "place", scene.place
    yield "light", scene.light
    for person in people:
        yield "person", scene.cast[person]
        yield "person", scene.cast[person], scene.slots[person]
    for prop in props:
        yield "prop", prop.prop
        yield "prop", prop.prop, prop.large
        yield "prop", prop.prop, "at", prop.spot


def acts(scene: Scene, beat: Beat, here: bool) -> Iterator[Fact]:
    """Who acts, and once they are here, what they do and with what in their hands."""
    yield "acts", scene.cast[beat.actor]
    if not here:
        yield ("enters",)
        return
    yield "action", beat.action
    yield "action", beat.action, beat.tempo
    yield "way", beat.direction
    if beat.event and ACTIONS[beat.action].holds:
        yield "held", beat.event.prop
        yield "held", beat.event.prop, beat.event.large


def facts(scene: Scene, beat: Beat, frame: int, count: int) -> Iterator[Fact]:
    """What frame `frame` of `count` shows of a clip, each fact once, as `stage.clip_frames` draws it."""
    first, last = acted(beat, count)
    if not first <= frame < last:
        yield from stands(scene, (person for person in beat.present if person != beat.actor), beat.dressing)
        return
    frame, count = frame - first, last - first
    event = [beat.event] if beat.event and not ACTIONS[beat.action].holds else []
    plain = (prop for prop in (*beat.dressing, *event) if lit(prop.shown, frame, count) > PLAIN)
    yield from stands(scene, beat.present, plain)
    yield from acts(scene, beat, here=not beat.entering or frame >= round(ENTRY * count))


def features(play: Screenplay, rate: int, times: Float[np.ndarray, " frames"]) -> Float[np.ndarray, "frames width"]:
    """The sum of the facts' directions in each frame.

    Units: rate in frames a second; times in seconds, each of a frame of the movie; in between clips people only stand
      there.
    Errors: ValueError for a time that the movie does not have.
    """
    return np.stack([sum(map(vector, _at(play, rate, float(time))), np.zeros(WIDTH)) for time in times])


def _at(play: Screenplay, rate: int, time: float) -> Iterator[Fact]:
    if not 0 <= time <= play.duration:
        raise ValueError(f"the movie lasts from 0 to {play.duration:g} s, got {time:g} s")
    for scene in play.scenes:
        for beat in scene.beats:
            if time < beat.after.end or beat is play.scenes[-1].beats[-1]:
                frame = int(np.floor((time - beat.span.start) * rate + 1e-3))  # times are kept as float32
                count = round(beat.span.seconds * rate)
                if 0 <= frame < count:
                    return facts(scene, beat, frame, count)
                return stands(scene, beat.present, beat.dressing)
    raise AssertionError("a screenplay has beats")
