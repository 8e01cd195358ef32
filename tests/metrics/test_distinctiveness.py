import random

import pytest

from distinctad_jax.metrics.distinctiveness import content_words, distinctiveness, stretches_of
from distinctad_jax.metrics.neighbours import around
from distinctad_jax.text.distinct import distinctive

REFERENCES = ["Anna opens the red door.", "Anna reads a letter.", "Ben's dog runs to the door."]
ONE = ["m"] * 3


def test_by_hand():
    # Distinctive: {opens, red}, {reads, letter}, {ben, dog, runs}. Said: {anna, opens}, {ben}, {dog, runs, fast}.
    found = distinctiveness(["Anna opens.", "Ben!", "A dog runs fast."], REFERENCES, ONE, 3)
    assert found == (3 / 7, 3 / 6, 7, 6)


def test_the_reference_says_all_and_a_neighbours_reference_nothing():
    assert distinctiveness(REFERENCES, REFERENCES, ONE, 3).recall == 1
    assert distinctiveness(REFERENCES[1:] + REFERENCES[:1], REFERENCES, ONE, 3).recall == 0


def test_neighbours_of_another_movie_take_no_word_away():
    alone = distinctiveness(["Anna"] * 2, ["Anna runs."] * 2, ["a", "b"], 16)
    together = distinctiveness(["Anna"] * 2, ["Anna runs."] * 2, ["a", "a"], 16)
    assert (alone.wanted, together.wanted) == (4, 0)
    assert together.recall is None


def test_what_is_distinctive_agrees_with_the_rule_that_training_uses():
    draw = random.Random(0)
    vocabulary = ["anna", "ben", "door", "the", "red", "dog's", "it", "runs", "doesn't", "slowly", "half-open"]
    texts = [" ".join(draw.choices(vocabulary, k=4)) for _ in range(12)]
    expected = 0
    for row in range(12):
        rows = around(row, 5, range(12))
        expected += len(distinctive([texts[each] for each in rows])[rows.index(row)])
    assert distinctiveness(texts, texts, ["m"] * 12, 5).wanted == expected


def test_each_row_stands_among_as_many_rows_as_its_movie_has():
    movie = range(10, 20)
    for row in movie:
        rows = around(row, 4, movie)
        assert row in rows and len(rows) == 4 and rows.start >= 10 and rows.stop <= 20
    assert around(15, 4, movie) == range(13, 17)
    assert around(11, 16, movie) == movie


def test_content_words_have_no_stop_words():
    assert content_words("He looks at Anna's door; it isn't open.") == {"looks", "anna", "door", "open"}


def test_refused_input_says_what_it_needs():
    with pytest.raises(ValueError, match="2, 3, 3 and window 3"):
        distinctiveness(["a", "b"], REFERENCES, ONE, 3)


def test_a_marked_text_is_the_text_again():
    text = "  Mara's lantern-light; the lantern. "
    pieces = stretches_of(text, {"mara", "lantern"})
    assert "".join(piece for piece, _ in pieces) == text
    assert [piece for piece, marked in pieces if marked] == ["Mara", "lantern"]
    assert stretches_of("", {"mara"}) == []
