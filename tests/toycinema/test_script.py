"""The screenplay: what stays in a scene, what is new in a clip, and what cannot be seen in one clip alone."""

import itertools

import numpy as np
import pytest

from distinctad_jax.movie.span import gaps
from distinctad_jax.toycinema.dialogue import title
from distinctad_jax.toycinema.motion import ACTIONS, POSES, moments, poses_of
from distinctad_jax.toycinema.script import RESTS, write
from distinctad_jax.toycinema.studio import CinemaConfig, screenplay
from distinctad_jax.toycinema.world import CHARACTERS, PLACES, PROPS, SPOTS

CONFIG = CinemaConfig()


@pytest.fixture(scope="module")
def plays():
    return [screenplay(CONFIG, index) for index in range(12)]


def test_the_world_is_as_large_as_promised():
    assert len(PLACES) >= 10 and len(CHARACTERS) == 12 and len(PROPS) >= 12 and len(ACTIONS) >= 10
    assert sum(person.woman for person in CHARACTERS) == 6
    assert len({(p.hair, p.hair_style, p.coat) for p in CHARACTERS}) == 12
    assert len({person.actor for person in CHARACTERS}) == len({person.coat for person in CHARACTERS}) == 12


def test_a_script_follows_from_its_seed():
    def one(seed):
        return write(np.random.default_rng(seed), (2, 3), (3, 5), 8)

    assert one(3) == one(3)
    assert one(3) != one(4)
    assert screenplay(CONFIG, 2) == screenplay(CinemaConfig(train=9, stills=1, workers=1), 2)


def test_scenes_and_clips_keep_to_their_bounds(plays):
    assert {len(play.scenes) for play in plays} <= {4, 5, 6}
    counts = [len(scene.beats) for play in plays for scene in play.scenes]
    assert min(counts) >= 6 and max(counts) <= 14
    for play in plays:
        assert len({scene.place for scene in play.scenes}) == len(play.scenes)
        for beat in (beat for scene in play.scenes for beat in scene.beats):
            assert 2.9 <= beat.span.seconds <= 4.1 and 2.4 <= beat.after.seconds <= 5.0


def test_the_silences_are_the_clips(plays):
    for play in plays:
        clips = [beat.span for scene in play.scenes for beat in scene.beats]
        assert not any(clip.overlaps(line.span) for clip in clips for line in play.dialogue)
        silent = gaps([line.span for line in play.dialogue], play.duration)
        np.testing.assert_allclose([(s.start, s.end) for s in silent], [(c.start, c.end) for c in clips], atol=1e-6)


def test_spans_begin_and_end_on_frames(plays):
    for span in (beat.span for play in plays for scene in play.scenes for beat in scene.beats):
        assert (span.start * 8).is_integer() and (span.end * 8).is_integer()


def test_neighbouring_clips_share_cast_and_dressing_and_no_event_is_dressing(plays):
    for scene in (scene for play in plays for scene in play.scenes):
        standing = {tuple((p.prop, p.spot, p.large) for p in beat.dressing) for beat in scene.beats}
        assert len(standing) == 1
        (kept,) = standing
        assert 2 <= len(kept) <= 3 and 2 <= len(scene.cast) <= 3
        for beat in scene.beats:
            assert beat.actor in beat.present
            if beat.event:
                assert beat.event.prop not in [prop for prop, _, _ in kept]
                assert beat.event.spot not in [spot for _, spot, _ in kept]
            if ACTIONS[beat.action].holds:
                assert beat.event is not None
        for before, after in itertools.pairwise(scene.beats):
            assert set(before.present) <= set(after.present)  # people come in, nobody leaves
            assert after.entering == (before.present != after.present)


def test_a_prop_is_no_news_twice_within_six_events(plays):
    for scene in (scene for play in plays for scene in play.scenes):
        news = [beat.event.prop for beat in scene.beats if beat.event]
        for start in range(len(news)):
            window = news[start : start + 6]
            assert len(set(window)) == len(window)


def test_dressing_and_events_look_alike_in_one_clip(plays):
    """Where they stand, how large they are and how long they are lit gives nothing away."""
    beats = [beat for play in plays for scene in play.scenes for beat in scene.beats]
    dressing = [prop for beat in beats for prop in beat.dressing]
    events = [beat.event for beat in beats if beat.event and not ACTIONS[beat.action].holds]

    def measured(props):
        lit = [prop.shown[1] - prop.shown[0] for prop in props]
        return np.mean([p.large for p in props]), np.mean(lit), np.mean([SPOTS[p.spot].high for p in props])

    np.testing.assert_allclose(measured(dressing), measured(events), atol=0.12)
    assert {p.spot for p in dressing} == {p.spot for p in events} == set(range(len(SPOTS)))


def test_most_events_stand_next_to_the_actor(plays):
    near = [
        scene.slots[beat.actor] in SPOTS[beat.event.spot].adjoins
        for play in plays
        for scene in play.scenes
        for beat in scene.beats
        if beat.event
    ]
    assert np.mean(near) > 0.6


def test_no_action_comes_back_at_once(plays):
    for play in plays:
        actions = [beat.action for scene in play.scenes for beat in scene.beats if not beat.entering]
        for start in range(len(actions) - 1):
            assert actions[start] != actions[start + 1]
    assert RESTS >= 1


def test_a_single_frame_leaves_the_action_open():
    doing = {pose: [action for action in ACTIONS if pose in poses_of(action)] for pose in POSES}
    assert all(len(actions) >= 2 for actions in doing.values()), doing


def test_the_sequence_of_poses_tells_the_action():
    def course(action, tempo):
        travel = ACTIONS[action].travel[tempo]
        return tuple((m.pose, m.mirrored, round(m.done * travel)) for m in moments(action, tempo, 28))

    courses = [course(action, tempo) for action in ACTIONS if not ACTIONS[action].holds for tempo in (0, 1)]
    assert len(set(courses)) == len(courses)
    assert course("lift", 0) != course("lower", 0)


@pytest.mark.parametrize("count", [1, 5, 28])
def test_a_motion_has_as_many_frames_as_asked(count):
    for action in ACTIONS:
        seen = moments(action, 1, count)
        assert len(seen) == count and all(0 <= m.done <= 1 and m.pose in POSES for m in seen)


def test_titles_differ():
    assert len({title(index) for index in range(200)}) == 200
