"""What is said: only what is new, in a small vocabulary that the captions of stills teach."""

import re
from dataclasses import replace

import numpy as np
import pytest

from distinctad_jax.toycinema.language import article, describe, describe_beat, relation
from distinctad_jax.toycinema.sprites import Sprites
from distinctad_jax.toycinema.stills import still
from distinctad_jax.toycinema.studio import STILLS, CinemaConfig, draw, screenplay
from distinctad_jax.toycinema.world import CHARACTERS, PLACES, PROPS, SPOTS

CONFIG = CinemaConfig()


def types(text):
    return {re.sub(r"'s$", "", word) for word in re.findall(r"[a-z][a-z'-]*", text.lower())}


@pytest.fixture(scope="module")
def plays():
    return [screenplay(CONFIG, index) for index in range(CONFIG.movies)]


@pytest.fixture(scope="module")
def captions():
    sprites = Sprites(32 / 96, 1.0)  # small: only the words are asked for
    return [still(draw(CONFIG, STILLS, index), sprites, 32)[1] for index in range(6000)]


def test_the_share_of_distinctive_words_is_that_of_real_descriptions(plays):
    kept = seen = 0
    for play in plays:
        said = [types(text) for text in describe(play)]
        for start in range(len(said) - 7):
            window = said[start : start + 8]
            for position, own in enumerate(window):
                others = set().union(*(w for other, w in enumerate(window) if other != position))
                kept, seen = kept + len(own - others), seen + len(own)
    assert 0.50 <= kept / seen <= 0.70, kept / seen


def test_the_vocabulary_is_small_and_captions_teach_it(plays, captions):
    said = set().union(*(types(text) for play in plays for text in describe(play)))
    taught = set().union(*(types(text) for text in captions))
    assert said <= taught, said - taught
    assert 200 <= len(said | taught) <= 400, len(said | taught)


def test_descriptions_are_sentences_of_4_to_14_words(plays):
    for text in (text for play in plays for text in describe(play)):
        assert 4 <= len(text.split()) <= 14 and text[0].isupper() and text.endswith(".") and "  " not in text, text


def test_the_place_is_named_when_a_scene_begins_and_not_again(plays):
    for scene in (scene for play in plays for scene in play.scenes):
        nouns = set(PLACES[scene.place].nouns)
        told = [bool(nouns & types(describe_beat(scene, number))) for number in range(len(scene.beats))]
        assert told == [True] + [False] * (len(told) - 1)


def test_dressing_is_never_mentioned_and_the_event_is(plays):
    for scene in (scene for play in plays for scene in play.scenes):
        for number, beat in enumerate(scene.beats):
            said = types(describe_beat(scene, number))
            for prop in beat.dressing:
                assert not said & set(PROPS[prop.prop].nouns)
            if beat.event and number:
                assert said & set(PROPS[beat.event.prop].nouns)


def test_who_goes_on_is_a_pronoun_and_who_takes_over_has_a_name(plays):
    for scene in (scene for play in plays for scene in play.scenes):
        for number, beat in enumerate(scene.beats):
            person = CHARACTERS[scene.cast[beat.actor]]
            said = types(describe_beat(scene, number))
            same = number > 0 and scene.beats[number - 1].actor == beat.actor
            assert (person.pronoun in said) == same
            assert (person.name.lower() in said) != same


def test_a_sentence_depends_on_the_neighbours(plays):
    scene = next(s for s in plays[0].scenes if s.beats[1].actor != s.beats[0].actor)
    handed_on = replace(scene, beats=(replace(scene.beats[0], actor=scene.beats[1].actor), *scene.beats[1:]))
    assert describe_beat(scene, 1) != describe_beat(handed_on, 1)


def test_few_choices_are_free(plays):
    flips = np.array([beat.free for play in plays for scene in play.scenes for beat in scene.beats])
    assert (flips.mean(axis=0) < 0.15).all() and flips.any()


def test_most_sentences_differ(plays):
    said = [text for play in plays for text in describe(play)]
    assert len(set(said)) > 0.8 * len(said)


def test_relations_say_where_a_prop_is():
    assert relation(0, 0, False) == "below" and relation(0, 2, False) == "across from"
    assert relation(3, 1, False) == "beside" and relation(4, 1, False) == "near"
    assert all(relation(spot, slot, True) for spot in range(len(SPOTS)) for slot in range(3))


def test_articles_fit_the_next_sound():
    assert (
        article("old lamp") == "an old lamp" and article("lamp") == "a lamp" and article("umbrella") == "an umbrella"
    )
