"""The oracle tells what the drawing shows, no more: by frame, by clip, and where nobody acts."""

import numpy as np
import pytest

from distinctad_jax.toycinema import oracle
from distinctad_jax.toycinema.dials import Dials
from distinctad_jax.toycinema.motion import ACTIONS
from distinctad_jax.toycinema.stage import acted
from distinctad_jax.toycinema.studio import CinemaConfig, screenplay

CONFIG = CinemaConfig()


def beats(config=CONFIG, films=4):
    plays = [screenplay(config, index) for index in range(films)]
    return [(scene, beat) for play in plays for scene in play.scenes for beat in scene.beats]


def told(scene, beat, count=24):
    return [set(oracle.facts(scene, beat, frame, count)) for frame in range(count)]


def test_a_clip_tells_who_does_what_where_and_with_what():
    for scene, beat in beats():
        frames = told(scene, beat)
        always, ever = set.intersection(*frames), set.union(*frames)
        assert {("place", scene.place), ("light", scene.light), ("acts", scene.cast[beat.actor])} <= always
        assert {fact[1] for fact in always if fact[0] == "person"} == {scene.cast[p] for p in beat.present}
        assert {fact[1] for fact in ever if fact[0] == "action"} == {beat.action}
        assert (("action", beat.action) in always) == (not beat.entering) == (("enters",) not in ever)
        if beat.event:
            kind = "held" if ACTIONS[beat.action].holds else "prop"
            assert (kind, beat.event.prop, beat.event.large) in ever


def test_a_prop_is_told_while_the_light_is_on_it_and_event_and_dressing_look_the_same():
    found = 0
    for scene, beat in beats():
        if beat.event and not ACTIONS[beat.action].holds and beat.event.shown != (0.0, 1.0):
            first, last = (share * 24 for share in beat.event.shown)
            shows = [("prop", beat.event.prop) in facts for facts in told(scene, beat)]
            assert not any(shows[: int(first)]) and not any(shows[int(last) + 1 :]) and any(shows)
            found += 1
        assert not any(fact[0] == "event" for facts in told(scene, beat) for fact in facts)
    assert found > 20


def test_where_the_camera_is_away_nobody_acts_and_no_event_is_told():
    for scene, beat in beats(CinemaConfig(dials=Dials(evidence=0.25)), films=1):
        first, last = acted(beat, 24)
        assert last - first == 6
        dressing = {prop.prop for prop in beat.dressing}
        for frame, facts in enumerate(told(scene, beat)):
            acting = {fact[0] for fact in facts} & {"acts", "action", "held", "way", "enters"}
            assert bool(acting) == (first <= frame < last)
            if not acting:
                assert {fact[1] for fact in facts if fact[0] == "prop"} == dressing


def test_features_are_sums_of_directions_at_the_times_of_frames():
    play = screenplay(CONFIG, 0)
    scene = play.scenes[1]
    beat = scene.beats[2]
    rate, count = CONFIG.frames_per_second, round(beat.span.seconds * CONFIG.frames_per_second)
    times = np.float32([beat.span.start, beat.span.start + (count - 1) / rate, beat.span.end, 0.0, play.duration])
    found = oracle.features(play, rate, times)
    stand = oracle.stands(scene, beat.present, beat.dressing)
    opening = play.scenes[0].beats[0]
    close = play.scenes[-1].beats[-1]
    wanted = [
        oracle.facts(scene, beat, 0, count),
        oracle.facts(scene, beat, count - 1, count),
        stand,  # a clip ends where the dialogue begins
        oracle.stands(play.scenes[0], opening.present, opening.dressing),
        oracle.stands(play.scenes[-1], close.present, close.dressing),
    ]
    for row, facts in zip(found, wanted, strict=True):
        np.testing.assert_allclose(row, sum(oracle.vector(fact) for fact in facts), rtol=1e-12)
    with pytest.raises(ValueError, match="the movie lasts from 0 to"):
        oracle.features(play, rate, np.array([play.duration + 1]))


def test_directions_are_of_length_one_and_nearly_at_right_angles():
    facts = {fact for scene, beat in beats() for fact in oracle.facts(scene, beat, 12, 24)}
    vectors = np.stack([oracle.vector(fact) for fact in sorted(facts, key=repr)])
    cosines = vectors @ vectors.T
    np.testing.assert_allclose(np.diag(cosines), 1.0)
    assert np.abs(cosines - np.eye(len(facts))).max() < 0.5
