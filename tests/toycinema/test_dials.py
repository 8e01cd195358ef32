"""The dials: the default world is what it was, each dial moves what it says it moves, as measured on files."""

import hashlib
from itertools import pairwise

import numpy as np
import pytest

from distinctad_jax.errors import BadInput
from distinctad_jax.toycinema import CinemaConfig, Dials, render
from distinctad_jax.toycinema.camera import grade, regraded
from distinctad_jax.toycinema.dials import PRESET_NAMES, PRESETS, RANGES, Turned
from distinctad_jax.toycinema.language import VERBS, describe
from distinctad_jax.toycinema.measure import measure
from distinctad_jax.toycinema.motion import ACTIONS
from distinctad_jax.toycinema.script import Lexicon
from distinctad_jax.toycinema.studio import clips_drawn, rows, screenplay, shots

SMALL = {"train": 3, "val": 0, "test": 0, "stills": 64, "still_size": 32, "scenes": (3, 3), "clips": (3, 3)}
SMALL |= {"frames_per_second": 4, "workers": 1}


def test_the_default_world_is_what_it_was_before_there_were_dials():
    """The annotation rows of twelve movies, as made by commit 5c76362."""
    config = CinemaConfig()
    told = "".join(repr(rows(screenplay(config, index), index)) for index in range(12))
    assert hashlib.sha256(told.encode()).hexdigest()[:16] == "e0ee02d2caa281a5"
    plain = grade("dusk", 3)
    assert regraded(plain, 1.0) is plain
    assert {beat.seen for scene in screenplay(config, 0).scenes for beat in scene.beats} == {(0.0, 1.0)}


def test_presets_are_sound_and_a_dial_overrules_its_preset():
    assert Dials().turned() == Turned() == PRESETS["default"] and set(PRESETS) == set(PRESET_NAMES)
    assert Dials("hard", gap=0.0).turned() == Turned(evidence=0.4, gap=0.0, length=2)
    for turned in PRESETS.values():
        assert all(least <= getattr(turned, name) <= most for name, (least, most) in RANGES.items())


@pytest.mark.parametrize(
    "wrong", [{"preset": "brutal"}, {"redundancy": 1.1}, {"evidence": 0.0}, {"gap": -1.0}, {"vocabulary": 0.2}]
)
def test_a_dial_out_of_its_range_is_refused(wrong):
    with pytest.raises(ValueError, match="got"):
        Dials(**wrong)


def test_a_smaller_world_still_has_all_that_a_movie_needs():
    half, whole = Lexicon.of(0.5), Lexicon.of(1.0)
    assert [len(kind) for kind in (*half.people, half.props, half.places, half.actions)] == [3, 3, 6, 6, 6]
    assert whole.actions == tuple(ACTIONS) and {"walk", "wave", "turn"} <= set(half.actions)
    assert any(ACTIONS[action].holds for action in half.actions)
    with pytest.raises(ValueError, match="at most 6 scenes, for there are 6 places; got"):
        CinemaConfig(dials=Dials(vocabulary=0.5), scenes=(4, 7))


def test_each_clip_has_a_set_of_its_own_without_redundancy():
    play = screenplay(CinemaConfig(dials=Dials(redundancy=0.0)), 0)
    assert {len(scene.beats) for scene in play.scenes} == {1}
    places = [scene.place for scene in play.scenes]
    assert all(one != other for one, other in pairwise(places))


def test_length_says_less_or_more_of_the_same():
    short, middle, long = (describe(screenplay(CinemaConfig(dials=Dials(length=length)), 0)) for length in (0, 1, 2))
    counts = [[len(text.split()) for text in texts] for texts in (short, middle, long)]
    assert np.mean(counts[0]) + 2 < np.mean(counts[1]) < np.mean(counts[2]) - 2
    for few, many in zip(short, long, strict=True):
        assert many.startswith(few.removesuffix(".")) and few.endswith(".")
        assert set(few.lower().strip(".").split()) & VERBS


def test_away_frames_show_the_set_and_grain_alone():
    config = CinemaConfig(dials=Dials(evidence=0.5), **SMALL)
    play = screenplay(config, 0)
    clips = list(shots(config, play, 0))[1::2]
    for told, (acting, away) in zip(clips, clips_drawn(config, play, 0), strict=True):
        assert told.shape == acting.shape == away.shape
        apart = np.abs(told.astype(int) - away).mean(axis=(1, 2, 3))
        assert 0.3 < (apart == 0).mean() < 0.7 and (np.abs(acting.astype(int) - away).mean(axis=(1, 2, 3)) > 0).all()


def test_every_dial_is_found_again_on_what_was_rendered(tmp_path):
    turned = {
        "default": Dials(),
        "other": Dials(redundancy=0.0, evidence=0.4, gap=0.0, vocabulary=0.5, length=2),
    }
    found = {}
    for name, dials in turned.items():
        config = CinemaConfig(dials=dials, **SMALL)
        render(config, tmp_path / name, lambda *what: None)
        found[name] = {key: each.measured for key, each in measure(config, tmp_path / name).items()}
    here, there = found["default"], found["other"]
    assert here["redundancy"] > 0.3 > there["redundancy"] + 0.1
    assert here["evidence"] > 0.95 and there["evidence"] == pytest.approx(0.4, abs=0.08)
    assert here["gap"] > 0.25 and abs(there["gap"]) < 0.15
    assert here["vocabulary"] > there["vocabulary"] and here["length"] + 2 < there["length"]
    assert here["clips"] == there["clips"] == 9


def test_one_film_alone_cannot_be_measured(tmp_path):
    with pytest.raises(BadInput, match="found 1 films and 64 stills"):
        measure(CinemaConfig(**{**SMALL, "train": 1}), tmp_path)
