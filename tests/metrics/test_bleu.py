import math

import pytest

from distinctad_jax.metrics.bleu import bleu


def test_by_hand():
    # Four of five words, two of four pairs ("a man", "the door"), one word too few.
    one, two, three, _ = bleu(["A man shuts the door."], [["A man opens the red, open door."]])
    brief = math.exp(1 - 7 / 5)
    assert one == pytest.approx(4 / 5 * brief)
    assert two == pytest.approx(math.sqrt(4 / 5 * 1 / 4) * brief)
    assert three < 1e-4


def test_a_word_counts_no_more_often_than_the_reference_has_it():
    assert bleu(["the the the"], [["the dog runs"]])[0] == pytest.approx(1 / 3)


def test_counts_are_summed_over_rows_before_they_are_divided():
    assert bleu(["a b", "c"], [["a x"], ["c"]])[0] == pytest.approx(2 / 3)


def test_refused_input_says_what_it_needs():
    with pytest.raises(ValueError, match="1 predictions and 0 lists"):
        bleu(["a"], [])


@pytest.mark.parametrize("name", ["mix", "decorated", "empty10"])
def test_equals_the_established_tool(published_tv, name):
    found = bleu(published_tv.predictions(name), [[text] for text in published_tv.references])
    assert found == pytest.approx([published_tv.scores[name][f"Bleu_{n}"] for n in (1, 2, 3, 4)], abs=1e-9)
