import math

import pytest

from distinctad_jax.metrics.cider import cider_d

REFERENCES = [["a man opens the red door"], ["a woman reads a letter"], ["the dog runs"]]


def test_the_reference_itself_scores_ten_and_a_short_one_less():
    mean, rows = cider_d([each for (each,) in REFERENCES], REFERENCES)
    rounded = [round(value, 9) for value in rows]
    assert rounded == [10, 10, 7.5]  # three words have no 4-gram
    assert mean == pytest.approx(27.5 / 3)


def test_a_row_by_hand():
    # "dog" is in one reference of three, "the" in two; the 1-grams of "the dog" are weighted ln 3/2 and ln 3.
    rare, common = math.log(3), math.log(1.5)
    ones = (rare**2 + common**2) / math.sqrt(rare**2 + common**2) / math.sqrt(2 * rare**2 + common**2)
    twos = 1 / math.sqrt(2)  # "the dog" of "the dog", "dog runs"
    brief = math.exp(-1 / 72)  # one bigram fewer
    assert cider_d(["the dog", "", ""], REFERENCES[2:] + REFERENCES[:2])[1][0] == pytest.approx(
        10 * (ones + twos) / 4 * brief
    )


def test_saying_a_word_twice_does_not_count_twice():
    once = cider_d(["the dog", "", ""], [REFERENCES[2], *REFERENCES[:2]])[1][0]
    twice = cider_d(["the dog the dog", "", ""], [REFERENCES[2], *REFERENCES[:2]])[1][0]
    assert twice < once


def test_one_row_or_an_empty_prediction_scores_zero():
    assert cider_d(["a man"], [["a man"]])[0] == 0
    assert cider_d(["", "...", "?"], REFERENCES)[1] == [0, 0, 0]


def test_rarity_comes_from_all_references_pooled():
    alone = cider_d(["the dog", ""], REFERENCES[1:][::-1])[1][0]
    assert cider_d(["the dog", "", ""], REFERENCES[::-1])[1][0] != pytest.approx(alone)


def test_refused_input_says_what_it_needs():
    with pytest.raises(ValueError, match="2 predictions and 1 lists"):
        cider_d(["a", "b"], [["a"]])
    with pytest.raises(ValueError, match="1 of them empty"):
        cider_d(["a"], [[]])


@pytest.mark.parametrize("name", ["decorated", "empty10", "repeat"])
def test_equals_the_established_tool(published_tv, name):
    mean, _ = cider_d(published_tv.predictions(name), [[text] for text in published_tv.references])
    assert mean == pytest.approx(published_tv.scores[name]["CIDEr"], abs=1e-9)


def test_a_whole_benchmark_equals_the_established_tool(published):
    mean, _ = cider_d(published.predictions("mix"), [[text] for text in published.references])
    assert mean == pytest.approx(published.scores["mix"]["CIDEr"], abs=1e-9)


def test_two_references_a_row_equal_the_established_tool(published_tv):
    rows = published_tv.rows
    ends = [at for at, row in enumerate(rows) if at + 1 == len(rows) or rows[at + 1]["group"] != row["group"]]
    following = {end: start for start, end in zip([0] + [end + 1 for end in ends], ends, strict=False)}  # cyclic
    texts = published_tv.references
    pairs = [[text, texts[following.get(at, at + 1)]] for at, text in enumerate(texts)]
    mean, _ = cider_d(published_tv.predictions("drop3"), pairs)
    assert mean == pytest.approx(published_tv.scores["drop3_two_refs"]["CIDEr"], abs=1e-9)
