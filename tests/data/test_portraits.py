"""People are found by their portraits with a threshold that is measured, not by having a portrait."""

import numpy as np
import pytest
from PIL import Image

from distinctad_jax.data.portraits import (
    RecogniseConfig,
    agreement,
    best_threshold,
    likeness,
    read_portraits,
    seen_roles,
    shares,
    write_portraits,
)
from distinctad_jax.errors import BadInput
from distinctad_jax.movie.movie import Movie, Person

ROLES = ("Ada", "Bo", "Cleo")


def scene(rng, clips=40, width=32):
    """Frames that add up whoever is there, over a place that all share; three portraits; who is there."""
    people = rng.normal(size=(3, width))
    there = rng.random((3, clips)) < 0.4
    frames = there.T @ people + 3 * rng.normal(size=width) + 0.3 * rng.normal(size=(clips, width))
    return people + 0.3 * rng.normal(size=people.shape), frames, there


@pytest.mark.parametrize("exemplars", [0, 3])
def test_who_is_there_is_found_in_another_film_with_the_threshold_of_the_first(exemplars):
    rng, config = np.random.default_rng(1), RecogniseConfig(exemplars=exemplars)
    scores, truths = [], []
    for _ in range(2):
        portraits, frames, there = scene(rng)
        scores.append(likeness(portraits, frames, 4.0 * np.arange(40), config))
        truths.append(there)
    threshold = best_threshold(scores[0].ravel(), truths[0].ravel())
    found = agreement(scores[1] >= threshold, truths[1])
    assert found.precision > 0.7 and found.recall > 0.7
    everybody = agreement(np.ones_like(truths[1]), truths[1])  # what cos > -1 gives
    assert everybody.recall == 1 and everybody.precision == pytest.approx(truths[1].mean())
    assert found.f1 > everybody.f1


def test_a_portrait_like_everything_and_a_clip_like_everybody_win_nothing():
    likenesses = np.array([[0.9, 0.9, 0.95, 0.9], [0.1, 0.5, 0.2, 0.1], [0.2, 0.2, 0.3, 0.8]])
    found = shares(likenesses, 3.0)
    np.testing.assert_allclose(found.sum(axis=0), 1.0)
    assert found.argmax(axis=0).tolist()[1:] == [1, 0, 2]
    np.testing.assert_allclose(shares(likenesses * 5 + 2, 3.0), found)
    even = shares(np.ones((3, 2)), 3.0)
    np.testing.assert_allclose(even, 1 / 3)


def test_the_threshold_is_the_one_with_the_best_f1():
    scores, true = np.array([0.9, 0.8, 0.7, 0.2]), np.array([True, False, True, False])
    assert best_threshold(scores, true) == 0.7
    assert best_threshold(scores, np.zeros(4, bool)) == float("inf")


def test_roles_are_seen_in_the_order_of_the_cast():
    scores = np.array([[0.1, 0.9], [0.8, 0.7], [0.9, 0.0]])
    assert seen_roles(ROLES, scores, 0.5) == [("Bo", "Cleo"), ("Ada", "Bo")]


def test_a_film_without_any_difference_is_no_fault():
    same = np.ones((4, 8))
    assert np.isfinite(likeness(np.ones((1, 8)), same, np.arange(4.0), RecogniseConfig())).all()


def test_portraits_are_kept_once_and_read_back(tmp_path):
    files = []
    for number, colour in enumerate(("red", "blue")):
        files.append(tmp_path / f"{number}.png")
        Image.new("RGB", (30, 40), colour).save(files[-1])
    casts = [(Person("Ada", portrait=files[0]), Person("Bo", portrait=files[1]), Person("Cleo"))]
    casts.append((Person("Dan", portrait=files[0]),))
    movies = [Movie(f"m{n}", None, (), cast=cast) for n, cast in enumerate(casts)]
    assert write_portraits(tmp_path / "kept", movies, 16) == 2
    roles, pictures = read_portraits(tmp_path / "kept")
    assert roles == {"m0": {"Ada": 0, "Bo": 1}, "m1": {"Dan": 0}}
    assert pictures.shape == (2, 16, 16, 3) and pictures[1, 8, 8].tolist() == [0, 0, 255]
    with pytest.raises(BadInput, match="no portraits"):
        read_portraits(tmp_path)
    (tmp_path / "kept" / "portraits.npy").write_bytes(b"noise")
    with pytest.raises(BadInput, match="damaged"):
        read_portraits(tmp_path / "kept")
