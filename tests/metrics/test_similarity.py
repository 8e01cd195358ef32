import math

import numpy as np
import pytest

from distinctad_jax.metrics.similarity import SIMILARITIES, tfidf_cosine, trigram_greedy_f1, unigram_f1

PREDICTIONS = ["a man runs", "", "the the dog"]
REFERENCES = ["a man walks home", "the dog", ""]


def test_unigram_f1_by_hand():
    expected = [[4 / 7, 0, 0], [0, 0, 0], [0, 4 / 5, 0]]
    np.testing.assert_allclose(unigram_f1(PREDICTIONS, REFERENCES)(range(3)), expected, atol=1e-12)


def test_tfidf_cosine_by_hand():
    # Every word of the references is in one of three; "runs" in none, which counts as one.
    found = tfidf_cosine(PREDICTIONS, REFERENCES)(range(3))
    assert found[0, 0] == pytest.approx(2 / math.sqrt(3 * 4))
    assert found[2, 1] == pytest.approx(3 / math.sqrt(5 * 2))
    assert found[1].tolist() == [0, 0, 0]


def test_trigrams_see_that_words_are_spelled_alike():
    found = trigram_greedy_f1(["walks", "walks"], ["walked", "letter"])(range(2))
    assert found[0, 0] > 0.4 > found[0, 1]


@pytest.mark.parametrize("similarity", SIMILARITIES.values(), ids=SIMILARITIES)
def test_a_sentence_is_most_like_itself_and_blocks_are_cut_from_one_matrix(similarity):
    compare = similarity(["a man runs", "the red door", "she waits"], ["a man runs", "the red door", "she waits"])
    whole = compare(range(3))
    np.testing.assert_allclose(np.diagonal(whole), 1)
    assert (whole[~np.eye(3, dtype=bool)] < 1).all()
    np.testing.assert_allclose(compare(range(1, 3)), whole[1:, 1:])


@pytest.mark.parametrize("similarity", SIMILARITIES.values(), ids=SIMILARITIES)
def test_empty_sentences_are_like_nothing(similarity):
    assert similarity(["", "a"], ["a", ""])(range(2)).tolist()[0] == [0, 0]
