import pytest

from distinctad_jax.metrics.baselines import constant, copy_neighbour, nearest, shuffled
from distinctad_jax.metrics.cider import cider_d


def test_constant_is_the_frequent_description_that_scores_best():
    training = ["a dog runs"] * 2 + [
        "a man opens the door",
        "a man shuts the door",
        "a man sees the door",
        "she waits",
    ]
    best = constant(training)
    wanted = [[text] for text in training]
    scores = {text: cider_d([text] * len(training), wanted)[0] for text in training}
    assert scores[best] == max(scores.values())
    assert constant(training, candidates=1) == "a dog runs"


def test_copies_stay_in_their_movie():
    groups = ["m", "m", "m", "n", "n", "o"]
    assert copy_neighbour(list("abcdef"), groups, -1) == ["b", "a", "b", "e", "d", ""]
    assert copy_neighbour(list("abcdef"), groups, 1) == ["b", "c", "b", "e", "d", ""]


def test_no_row_copies_itself():
    texts = [str(row) for row in range(20)]
    for offset in (-1, 1):
        assert not any(a == b for a, b in zip(copy_neighbour(texts, ["m"] * 20, offset), texts, strict=True))


def test_refused_input_says_what_it_needs():
    with pytest.raises(ValueError, match="got 2"):
        copy_neighbour(["a"], ["m"], 2)
    with pytest.raises(ValueError, match="got none"):
        constant([])


def test_shuffling_stays_within_the_movie_and_loses_nothing():
    texts = [f"t{at}" for at in range(20)]
    found = shuffled(texts, ["a"] * 8 + ["b"] * 12, seed=3)
    assert found != texts and sorted(found[:8]) == sorted(texts[:8]) and sorted(found[8:]) == sorted(texts[8:])
    assert shuffled(texts, ["a"] * 8 + ["b"] * 12, seed=3) == found


def test_the_nearest_training_description_shares_the_rare_words():
    training = ["He looks at her.", "He opens the red door.", "She looks at the dog."]
    assert nearest(["A red door.", "The dog looks up.", "Nothing alike!"], training) == [
        training[1], training[2], training[0],
    ]  # fmt: skip
    assert nearest(training, training) == training
    with pytest.raises(ValueError, match="got none"):
        nearest(["a"], [])
