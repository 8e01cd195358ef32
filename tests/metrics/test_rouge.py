import pytest

from distinctad_jax.metrics.rouge import longest_shared, rouge_l


def test_by_hand():
    # Shared in order: "a man the door"; precision 4/5, recall 4/6, beta 1.2.
    (mean, rows) = rouge_l(["A man shuts the door."], [["A man opens the red door."]])
    assert mean == rows[0] == pytest.approx(2.44 * (4 / 5) * (4 / 6) / (4 / 6 + 1.44 * 4 / 5))


def test_order_counts_and_gaps_do_not():
    assert longest_shared("abcd", "axbxcxd") == 4
    assert longest_shared("abcd", "dcba") == 1


def test_the_best_of_several_references_counts():
    assert rouge_l(["the dog runs"], [["a cat", "the dog runs"]])[0] == pytest.approx(1)


def test_empty_sentences_agree_with_each_other_only():
    assert rouge_l(["", ""], [[""], ["a man"]])[1] == [1, 0]


def test_refused_input_says_what_it_needs():
    with pytest.raises(ValueError, match="0 predictions"):
        rouge_l([], [])


@pytest.mark.parametrize("name", ["mix", "decorated", "empty10"])
def test_equals_the_established_tool(published_tv, name):
    mean, _ = rouge_l(published_tv.predictions(name), [[text] for text in published_tv.references])
    assert mean == pytest.approx(published_tv.scores[name]["ROUGE_L"], abs=1e-9)
