import pytest

from distinctad_jax.metrics.repetition import (
    repeated_share,
    same_as_neighbour,
)
from distinctad_jax.metrics.variety import distinct_n


def test_repeated_share_is_a_mean_over_descriptions_with_content_words():
    texts = ["Anna opens the door.", "Anna reads.", "He is there."]  # 1 of 3, 1 of 2, none
    assert repeated_share(texts, ["m"] * 3, 16) == pytest.approx((1 / 3 + 1 / 2) / 2)
    assert repeated_share(texts, ["a", "b", "b"], 16) == 0
    assert repeated_share(["He is there."], ["m"], 16) is None


def test_only_neighbours_in_the_window_count():
    texts = ["Anna runs.", "A dog.", "A letter.", "A door.", "Anna waits."]
    assert repeated_share(texts, ["m"] * 5, 3) == 0
    assert repeated_share(texts, ["m"] * 5, 5) == pytest.approx(2 * (1 / 2) / 5)


def test_same_as_neighbour_looks_one_row_back_and_ahead_within_the_movie():
    texts = ["He looks.", "he looks", "She waits.", "He looks."]
    assert same_as_neighbour(texts, ["m"] * 4) == 2 / 4
    assert same_as_neighbour(texts, ["a", "b", "b", "b"]) == 0


def test_distinct_n():
    assert distinct_n(["the dog the dog"], 1) == 2 / 4
    assert distinct_n(["the dog the dog", "the dog"], 2) == 2 / 4
    assert distinct_n(["dog"], 2) is None
    with pytest.raises(ValueError, match="n=0"):
        distinct_n(["dog"], 0)


def test_people_repeat_about_as_much_as_was_measured(published):
    # The reference counts pairs of rows and windows with another stop-word list: .361 and .393.
    assert repeated_share(published.references, published.groups, 16) == pytest.approx(0.377, abs=0.03)
