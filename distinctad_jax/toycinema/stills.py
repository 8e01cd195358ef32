"""Stills: clean, bright single pictures with plain captions; the toy towers and toy language model start on them."""

from __future__ import annotations

import numpy as np
from PIL import Image

from distinctad_jax.toycinema.camera import shoot
from distinctad_jax.toycinema.language import article, caption, light_word, looks, place_noun, prop_phrase, sentence
from distinctad_jax.toycinema.motion import ACTIONS, CROSSING, Moment, moments
from distinctad_jax.toycinema.script import Placed
from distinctad_jax.toycinema.sprites import Sprites
from distinctad_jax.toycinema.stage import CLOSER, FRAMED, LOWERED, paste, put_person, put_prop
from distinctad_jax.toycinema.world import CHARACTERS, LIGHTS, PLACES, PROPS, SLOTS, SPOTS, Character

EVER = (0.0, 1.0)
PLACED = 0.15  # share of pictures of an action whose caption says where it is
CLUTTERED = 0.6  # share of pictures of an action with bystanders and things that nobody speaks of
DIM = {"day": (1.0, 1.0, 1.0), "dusk": (0.95, 0.78, 0.68), "night": (0.5, 0.58, 0.8)}
KINDS = ("action", "looks", "place", "things", "portrait", "pair")
SHARES = (0.68, 0.05, 0.05, 0.14, 0.03, 0.05)


def _any(rng: np.random.Generator, count: int) -> int:
    return int(rng.integers(count))


def _ground(rng: np.random.Generator, sprites: Sprites, place: int | None) -> Image.Image:
    if place is not None:
        return sprites.place(place)
    shade = 255 - _any(rng, 24)
    return Image.new("RGB", sprites.size, (shade, shade, shade))


def _some_place(rng: np.random.Generator) -> int | None:
    return _any(rng, len(PLACES)) if rng.random() < 0.7 else None


def _action(rng: np.random.Generator, sprites: Sprites, named: bool) -> tuple[Image.Image, str, float]:
    """One person in one instant of an action, maybe with a prop, and how far from the middle (units)."""
    number, slot = _any(rng, len(CHARACTERS)), _any(rng, len(SLOTS))
    action, tempo = list(ACTIONS)[_any(rng, len(ACTIONS))], _any(rng, 2)
    held = ACTIONS[action].holds
    near = [s for s in range(len(SPOTS)) if slot in SPOTS[s].adjoins or rng.random() < 0.15]
    spot = near[_any(rng, len(near))]
    placed = Placed(_any(rng, len(PROPS)), spot, bool(rng.random() < 0.5), EVER)
    if not held and rng.random() < 0.3:
        placed = None
    where = _some_place(rng)
    canvas = _ground(rng, sprites, where)
    instant = moments(action, tempo, 24)[_any(rng, 24)]
    way = 1 if slot == 0 or (slot == 1 and rng.random() < 0.5) else -1
    x = SLOTS[slot] + way * ACTIONS[action].travel[tempo] * instant.done
    if rng.random() < CLUTTERED:
        _clutter(canvas, rng, sprites, (number, slot), (placed.prop if placed else None, spot))
    if placed and not held and SPOTS[spot].high:
        put_prop(canvas, sprites, placed)
    put_person(canvas, sprites, number, x, instant, way, placed if held else None)
    if placed and not held and not SPOTS[spot].high:
        put_prop(canvas, sprites, placed)
    side = ("on the left", "in the middle", "on the right")[slot] if not placed else ""
    if side and action in CROSSING:
        side = "to the right" if way > 0 else "to the left"
    who = _called(rng, CHARACTERS[number], where, named)
    place = None if where is None else PLACES[where]
    placing = bool(rng.random() < PLACED)
    text = caption(who, action, tempo, placed=placed, slot=slot, place=place, side=side, placing=placing)
    return canvas, text, x - 48


def _clutter(
    canvas: Image.Image,
    rng: np.random.Generator,
    sprites: Sprites,
    actor: tuple[int, int],
    event: tuple[int | None, int],
) -> None:
    """People who only stand by and things that only lie about: in the picture, but not in its caption."""
    for slot in range(len(SLOTS)):
        if slot != actor[1] and rng.random() < 0.6:
            person = (actor[0] + 1 + _any(rng, len(CHARACTERS) - 1)) % len(CHARACTERS)
            put_person(canvas, sprites, person, SLOTS[slot], Moment("stand", False, 0.0), 1, None)
    for spot in range(len(SPOTS)):
        prop = _any(rng, len(PROPS))
        if spot != event[1] and prop != event[0] and rng.random() < 0.3:
            put_prop(canvas, sprites, Placed(prop, spot, bool(rng.random() < 0.5), EVER))


def _called(rng: np.random.Generator, person: Character, where: int | None, named: bool) -> str:
    """How a caption begins: mostly with the name, at times with a pronoun, or as of somebody who just came."""
    if not named:
        return article(looks(person))
    luck = rng.random()
    if luck < 0.25:
        return person.pronoun
    if luck < 0.32 and where is not None:
        return f"{person.name} {'comes in' if PLACES[where].indoors else 'arrives'} and"
    return person.name


def _place(rng: np.random.Generator, sprites: Sprites) -> tuple[Image.Image, str]:
    """An empty place at some time of day; some with what stands in it."""
    number, light = _any(rng, len(PLACES)), LIGHTS[_any(rng, len(LIGHTS))]
    place = PLACES[number]
    canvas = sprites.place(number)
    red, green, blue = DIM[light]
    canvas = canvas.convert("RGB", (red, 0, 0, 0, 0, green, 0, 0, 0, 0, blue, 0))
    return canvas, sentence(f"an empty {light_word(place, light)} {place_noun(place, light)}")


def _things(rng: np.random.Generator, sprites: Sprites) -> tuple[Image.Image, str]:
    """One or two props, on plain ground or in a place."""
    where = _some_place(rng)
    canvas = _ground(rng, sprites, where)
    spots = rng.permutation(len(SPOTS))[: 1 + _any(rng, 2)]
    indoors = where is None or PLACES[where].indoors
    named = []
    for prop, spot in zip(rng.permutation(len(PROPS)), spots, strict=False):
        placed = Placed(int(prop), int(spot), bool(rng.random() < 0.5), EVER)
        put_prop(canvas, sprites, placed)
        named.append(prop_phrase(placed.prop, placed.large, indoors))
    around = "" if where is None else f" {PLACES[where].where} {article(place_noun(PLACES[where], 'day'))}"
    said = " and ".join(named) + around
    return canvas, sentence(f"a photo of {said}" if rng.random() < 0.5 else said)


def portrait(sprites: Sprites, person: int, size: int) -> Image.Image:
    """Head and shoulders on plain ground, as a square of `size` pixels."""
    canvas = Image.new("RGB", sprites.size, (236, 238, 240))
    paste(canvas, sprites.person(person, "stand", False), sprites.pixel(48, 84))
    left, top = sprites.pixel(48 - 21, 30)
    right, bottom = sprites.pixel(48 + 21, 72)
    return canvas.crop((left, top, right, bottom)).resize((size, size), Image.Resampling.BICUBIC)


def _pair(rng: np.random.Generator, sprites: Sprites) -> tuple[Image.Image, str]:
    """Two people who stand, somewhere."""
    where = _some_place(rng)
    canvas = _ground(rng, sprites, where)
    people, slots = rng.permutation(len(CHARACTERS))[:2], rng.permutation(len(SLOTS))[:2]
    for person, slot in zip(people, slots, strict=True):
        way = 1 if rng.random() < 0.5 else -1
        put_person(canvas, sprites, int(person), SLOTS[slot], Moment("stand", False, 0.0), way, None)
    first, second = (CHARACTERS[int(p)] for p in (people if slots[0] < slots[1] else people[::-1]))
    around = "" if where is None else f" {PLACES[where].where} {article(place_noun(PLACES[where], 'day'))}"
    return canvas, sentence(f"{first.name} and {second.name} stand{around}")


def still(rng: np.random.Generator, sprites: Sprites, size: int) -> tuple[Image.Image, str]:
    """One picture of `size` x `size` pixels, and its caption."""
    kind = KINDS[int(rng.choice(len(KINDS), p=SHARES))]
    if kind == "portrait":
        person = _any(rng, len(CHARACTERS))
        who = CHARACTERS[person]
        said = who.name if rng.random() < 0.5 else f"{who.name}, {article(looks(who))}"
        return portrait(sprites, person, size), sentence(f"a portrait of {said}")
    if kind in ("action", "looks"):
        canvas, text, aside = _action(rng, sprites, kind == "action")
    else:
        canvas, text = {"place": _place, "things": _things, "pair": _pair}[kind](rng, sprites)
        aside = 0.0
    # Some pictures are taken from nearer; the camera then turns to the person.
    near = float(rng.uniform(0.4, 1)) if kind in ("action", "looks") else 0.0
    x, y = float(rng.uniform(-2, 2)) + near * FRAMED * aside, float(rng.uniform(-2, 2)) + near * LOWERED
    view = (x, y, float(rng.uniform(1.0, 1.08)) * (1 + near * (CLOSER - 1)))
    return shoot(canvas, view, sprites, (size, size)), text
