"""The describer: a screenplay in, audio descriptions out; and the plain captions of stills.

A description names what is new: the place when a scene begins, a person on coming into the story, the action, the
prop of the event. Which of two words or sentence shapes is used follows from what can be seen (tempo, direction,
light, place, sides), but for a few coin flips, so that what is said can be learnt from what is shown.
"""

from __future__ import annotations

from dataclasses import dataclass

from distinctad_jax.toycinema.motion import ACTIONS, CROSSING
from distinctad_jax.toycinema.script import Beat, Placed, Scene, Screenplay
from distinctad_jax.toycinema.world import CHARACTERS, PLACES, PROPS, SPOTS, Character, Place

VOWELS = "aeiou"
HAND_TAILS = {("lift", 0): "from the ground", ("lift", 1): "with both hands"}
VERBS = frozenset(verb.split()[0] for action in ACTIONS.values() for pair in action.verbs for verb in pair)
"""The forms that main verbs take, by their first words."""
LIGHT_WORDS = {True: ("bright", "dim", "dark"), False: ("sunny", "misty", "moonlit")}


def article(phrase: str) -> str:
    """`phrase` with `a` or `an` in front."""
    return f"{'an' if phrase[0].lower() in VOWELS else 'a'} {phrase}"


def sentence(text: str) -> str:
    """With a capital letter and a full stop."""
    return f"{text[0].upper()}{text[1:]}."


def prop_phrase(prop: int, large: bool, indoors: bool, unusual: bool = False) -> str:
    """The noun, indoors and outdoors not the same, with its adjective if it is large."""
    thing = PROPS[prop]
    noun = thing.nouns[int(indoors == unusual)]
    return article(f"{thing.large} {noun}" if large else noun)


def place_noun(place: Place, light: str) -> str:
    return place.nouns[int(light != "day")]


def light_word(place: Place, light: str) -> str:
    return LIGHT_WORDS[place.indoors][("day", "dusk", "night").index(light)]


def relation(spot: int, slot: int, large: bool) -> str:
    """How a prop stands to a person: over them, at their left or right, or away from them."""
    there = SPOTS[spot]
    if slot not in there.adjoins:
        return "opposite" if large else "across from"
    if there.high:
        return "under" if large else "below"
    return "beside" if spot == 3 else "near"


def verb_phrase(action: str, tempo: int, indoors: bool, thing: str | None) -> str:
    """The verb, indoors and outdoors not the same, with the object of an action that takes one in hand."""
    verb = ACTIONS[action].verbs[tempo][int(not indoors)]
    return f"{verb} {thing}" if thing and ACTIONS[action].holds else verb


@dataclass(frozen=True)
class Said:
    """The parts of a sentence about somebody; an empty part is left out."""

    subject: str
    verb: str
    manner: str = ""
    where: str = ""


def _parts(beat: Beat, scene: Scene, subject: str) -> Said:
    place, action = PLACES[scene.place], ACTIONS[beat.action]
    slot = scene.slots[beat.actor]
    event = beat.event
    thing = prop_phrase(event.prop, event.large, place.indoors, beat.free[0]) if event else None
    verb = verb_phrase(beat.action, beat.tempo, place.indoors, thing)
    manner = action.manners[beat.tempo]
    if action.holds:
        return Said(subject, verb, manner)
    if beat.action in CROSSING:
        side = "to the right" if beat.direction > 0 else "to the left"
        return Said(subject, verb, "" if event else manner, f"past {thing}" if thing else side)
    if event and thing:
        return Said(subject, verb, "", f"{relation(event.spot, slot, event.large)} {thing}")
    if beat.companion is None:
        return Said(subject, verb, manner, ("on the left", "in the middle", "on the right")[slot])
    other = CHARACTERS[scene.cast[beat.companion]].name
    side = scene.slots[beat.companion] < slot
    return Said(subject, verb, manner, f"{'beside' if side else 'near'} {other}")


def _join(*parts: str) -> str:
    return " ".join(part for part in parts if part)


def _subject(scene: Scene, number: int) -> str:
    """The name of who was not the last to act in this scene, else a pronoun."""
    beat = scene.beats[number]
    person = CHARACTERS[scene.cast[beat.actor]]
    if number and scene.beats[number - 1].actor == beat.actor:
        return person.pronoun
    return person.name


def describe_beat(scene: Scene, number: int, length: int = 1) -> str:
    """The description of one clip, given the clips before it in its scene; `length` is that of `dials`."""
    beat, place = scene.beats[number], PLACES[scene.place]
    said = _parts(beat, scene, _subject(scene, number))
    if length != 1:
        return _told(said, beat, scene, length)
    verb = said.verb
    if beat.entering:
        verb = f"comes in and {verb}" if place.indoors else f"arrives and {verb}"
    body = _join(said.subject, verb, said.manner, said.where)
    noun = place_noun(place, scene.light)
    if number == 0:
        if scene.light == "night":
            return sentence(
                _join(said.subject, verb, said.manner, place.where, "the", light_word(place, "night"), noun)
            )
        return sentence(f"{place.where} the {light_word(place, scene.light)} {noun}, {body}")
    fronted = (scene.slots[beat.actor] == 2) != beat.free[1]
    if fronted and beat.event and not ACTIONS[beat.action].holds and not beat.entering:
        return sentence(f"{said.where}, {_join(said.subject, verb, said.manner)}")
    if fronted and ACTIONS[beat.action].holds and not beat.entering:
        return sentence(f"{said.manner}, {_join(said.subject, verb)}")
    return sentence(body)


def _told(said: Said, beat: Beat, scene: Scene, length: int) -> str:
    """Who does what, and nothing else, or all there is: how, where, beside whom and in which place."""
    place = PLACES[scene.place]
    verb = f"{'comes in' if place.indoors else 'arrives'} and {said.verb}" if beat.entering else said.verb
    if not length:
        return sentence(_join(said.subject, verb))
    manner = said.manner or ACTIONS[beat.action].manners[beat.tempo]
    noun = f"{place.where} the {light_word(place, scene.light)} {place_noun(place, scene.light)}"
    return sentence(_join(said.subject, verb, manner, said.where, noun))


def describe(play: Screenplay) -> list[str]:
    """One description per clip, in order of time."""
    return [describe_beat(scene, number, play.length) for scene in play.scenes for number in range(len(scene.beats))]


def looks(person: Character) -> str:
    """`woman with long red hair in a green coat`, without an article."""
    style = {"bald": "", "bun": "tied"}.get(person.hair_style, person.hair_style)
    hair = f"{person.hair} beard" if person.hair_style == "bald" else _join(style, person.hair, "hair")
    if person.hair_style == "bald":
        hair = f"a {hair}"
    hat = f" and {article(f'{person.hat} hat')}" if person.hat else ""
    return f"{'woman' if person.woman else 'man'} with {hair} in {article(f'{person.coat} coat')}{hat}"


def caption(
    who: str,
    action: str,
    tempo: int,
    *,
    placed: Placed | None,
    slot: int,
    place: Place | None,
    side: str = "",
    placing: bool = True,
) -> str:
    """A plain caption of one person: `Mara waves gently beside a tall lamp in a kitchen.` if `placing`, else without
    the place."""
    indoors = place is None or place.indoors
    thing = prop_phrase(placed.prop, placed.large, indoors) if placed else None
    verb = verb_phrase(action, tempo, indoors, thing)
    manner = ACTIONS[action].manners[tempo]
    where = ""
    if placed and thing and not ACTIONS[action].holds:
        where = f"past {thing}" if action in CROSSING else f"{relation(placed.spot, slot, placed.large)} {thing}"
    around = f"{place.where} {article(place_noun(place, 'day'))}" if place and placing else ""
    return sentence(_join(who, verb, manner, where or side, around))
