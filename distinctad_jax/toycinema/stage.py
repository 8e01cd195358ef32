"""From a scene of the screenplay to frames: who and what stands where in each frame, pasted onto the place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from distinctad_jax.toycinema.camera import Grade, Grain, Move, developed, move, shoot
from distinctad_jax.toycinema.motion import ACTIONS, POSES, Moment, moments
from distinctad_jax.toycinema.script import Beat, Placed, Scene
from distinctad_jax.toycinema.sprites import Sprite, Sprites
from distinctad_jax.toycinema.world import CHARACTERS, GROUND, SLOTS, SPOTS, Number

FADE = 2  # frames in which the light comes up on a prop
FRAMED = 0.9  # how far the camera turns to who acts, of the way from the middle of the set
CLOSER = 1.5  # and how much nearer it is than when people talk
LOWERED = 10.0  # units: people stand on the ground, not in the middle of the picture
ENTRY = 0.35  # share of a clip in which a newcomer walks in
AWAY = 70.0  # units from the middle: out of the picture


def paste(canvas: Image.Image, sprite: Sprite, where: tuple[int, int], share: Number = 1.0) -> None:
    """Pastes with the sprite's origin at `where`; `share` below 1 lets the ground shine through."""
    opacity = sprite.opacity if share >= 1 else sprite.opacity.point(lambda value: value * share)
    canvas.paste(sprite.colour, (where[0] + sprite.left, where[1] + sprite.top), opacity)


def lit(shown: tuple[float, float], frame: int, count: int) -> float:
    """How much of a prop is seen in this frame: 1 within its stretch, less in the frames where it comes and goes."""
    first, last = shown[0] * count, shown[1] * count
    if shown[0] > 0 and frame < first + FADE:
        return max(0.0, min(1.0, (frame - first + 1) / (FADE + 1)))
    if shown[1] < 1 and frame > last - FADE:
        return max(0.0, min(1.0, (last - frame + 1) / (FADE + 1)))
    return 1.0


def put_prop(canvas: Image.Image, sprites: Sprites, prop: Placed, share: Number = 1.0) -> None:
    if share > 0:
        spot = SPOTS[prop.spot]
        paste(canvas, sprites.prop(prop.prop, prop.large), sprites.pixel(spot.x, spot.y), share)


def put_person(
    canvas: Image.Image, sprites: Sprites, person: int, x: Number, moment: Moment, direction: int, held: Placed | None
) -> None:
    """A person with feet at `x`, and the prop in the hand if there is one."""
    mirrored = (direction < 0) != moment.mirrored
    paste(canvas, sprites.person(person, moment.pose, mirrored), sprites.pixel(x, GROUND))
    if held:
        right, down = POSES[moment.pose].hand
        tall = CHARACTERS[person].stature
        at = sprites.pixel(x + (-right if mirrored else right) * tall, GROUND + down * tall)
        paste(canvas, sprites.prop(held.prop, held.large), at)


@dataclass(frozen=True)
class Set:
    """All that drawing a scene needs besides the beat: pictures, grade, grain, size of a frame, black bars."""

    sprites: Sprites
    scene: Scene
    grade: Grade
    grain: Grain
    size: tuple[int, int]
    bar: int

    def stand(self, canvas: Image.Image, people: tuple[int, ...]) -> None:
        """The people of the scene who only stand there."""
        for p in people:
            x, facing = SLOTS[self.scene.slots[p]], self.scene.facing[p]
            put_person(canvas, self.sprites, self.scene.cast[p], x, Moment("stand", False, 0.0), facing, None)

    def seen(self, canvas: Image.Image, view: tuple[float, float, float]) -> UInt8[np.ndarray, "height width 3"]:
        """What the camera sees, with the grade's mixture of colours."""
        return np.asarray(shoot(canvas, view, self.sprites, self.size).convert("RGB", self.grade.matrix))

    def printed(
        self, frames: UInt8[np.ndarray, "frames height width 3"], rng: np.random.Generator
    ) -> UInt8[np.ndarray, "frames height width 3"]:
        """The frames as the lab gives them out: tones, black bars, grain."""
        return self.grain.add(developed(frames, self.grade, self.bar), self.grade.grain, rng)


def _position(beat: Beat, slot: int, moment: Moment, entry: float) -> float:
    """Where the actor stands, in units; `entry` is how much of the way in is done."""
    if entry < 1:
        side = -1 if slot == 0 or (slot == 1 and beat.direction > 0) else 1
        start = 48 + side * AWAY
        return start + (SLOTS[slot] - start) * entry
    return SLOTS[slot] + beat.direction * ACTIONS[beat.action].travel[beat.tempo] * moment.done


def _timeline(beat: Beat, count: int) -> list[tuple[Moment, float]]:
    """Per frame the moment of the action and the share of the way in; who enters first walks, then acts."""
    if not beat.entering:
        return [(moment, 1.0) for moment in moments(beat.action, beat.tempo, count)]
    walk = round(ENTRY * count)
    steps = [(m, (i + 1) / (walk + 1)) for i, m in enumerate(moments("walk", 0, walk))]
    return steps + [(m, 1.0) for m in moments(beat.action, beat.tempo, count - walk)]


def acted(beat: Beat, count: int) -> tuple[int, int]:
    """Of a clip's `count` frames the first, and the one after the last, in which the camera is on who acts."""
    if beat.seen == (0.0, 1.0):
        return 0, count
    first = round(beat.seen[0] * count)
    return first, min(count, first + round((beat.seen[1] - beat.seen[0]) * count))


def clip_frames(
    stage: Set, beat: Beat, count: int, rng: np.random.Generator
) -> UInt8[np.ndarray, "frames height width 3"]:
    """The frames of one clip: one person acts, the others stand, props are lit in their stretch of the clip.

    Before and after `beat.seen` the camera is away: it shows the set, with nobody acting and no prop of the event.
    """
    camera, jolts = move(rng), rng.uniform(-1, 1, (count, 2))
    first, last = acted(beat, count)
    pictures = _acted(stage, beat, last - first, camera, jolts[first:last]) if last > first else []
    if len(pictures) < count:
        away = _set_alone(
            stage, beat, tuple(p for p in beat.present if p != beat.actor), camera.view(0.5, (0.0, 0.0))
        )
        pictures = [away] * first + pictures + [away] * (count - last)
    return stage.printed(np.stack(pictures), rng)


def _acted(
    stage: Set, beat: Beat, count: int, camera: Move, jolts: Float[np.ndarray, "frames two"]
) -> list[UInt8[np.ndarray, "height width 3"]]:
    scene, sprites = stage.scene, stage.sprites
    plate = sprites.place(scene.place)
    props = [*beat.dressing, *([beat.event] if beat.event and not ACTIONS[beat.action].holds else [])]
    high = [prop for prop in props if SPOTS[prop.spot].high]
    low = [prop for prop in props if not SPOTS[prop.spot].high]
    others = tuple(p for p in beat.present if p != beat.actor)
    middle = SLOTS[scene.slots[beat.actor]] + beat.direction * ACTIONS[beat.action].travel[beat.tempo] / 2 - 48
    held = beat.event if ACTIONS[beat.action].holds else None
    pictures = []
    for frame, (moment, entry) in enumerate(_timeline(beat, count)):
        canvas = plate.copy()
        for prop in high:
            put_prop(canvas, sprites, prop, lit(prop.shown, frame, count))
        stage.stand(canvas, others)
        x = _position(beat, scene.slots[beat.actor], moment, entry)
        way = beat.direction
        if entry < 1:
            way = 1 if x < SLOTS[scene.slots[beat.actor]] else -1
        put_person(canvas, sprites, scene.cast[beat.actor], x, moment, way, held if entry >= 1 else None)
        for prop in low:
            put_prop(canvas, sprites, prop, lit(prop.shown, frame, count))
        view = camera.view(frame / max(1, count - 1), (float(jolts[frame, 0]), float(jolts[frame, 1])))
        view = (view[0] + FRAMED * middle, view[1] + LOWERED, view[2] * CLOSER)
        pictures.append(stage.seen(canvas, view))
    return pictures


def _set_alone(
    stage: Set, beat: Beat, people: tuple[int, ...], view: tuple[float, float, float]
) -> UInt8[np.ndarray, "height width 3"]:
    """The set with its dressing lit, and people who only stand there."""
    sprites = stage.sprites
    canvas = sprites.place(stage.scene.place)
    for prop in beat.dressing:
        if SPOTS[prop.spot].high:
            put_prop(canvas, sprites, prop)
    stage.stand(canvas, people)
    for prop in beat.dressing:
        if not SPOTS[prop.spot].high:
            put_prop(canvas, sprites, prop)
    return stage.seen(canvas, view)


def talk_frames(
    stage: Set, beat: Beat, count: int, rng: np.random.Generator
) -> UInt8[np.ndarray, "frames height width 3"]:
    """The frames of the dialogue after (or before the first of) the clips: all stand, the set dressing is lit."""
    view = move(rng).view(0.5, (0.0, 0.0))
    return stage.printed(np.repeat(_set_alone(stage, beat, beat.present, view)[None], count, axis=0), rng)
