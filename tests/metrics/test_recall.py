import doctest

import numpy as np
import pytest

from distinctad_jax.metrics import recall
from distinctad_jax.metrics.recall import hits, recall_at_k, windows_of
from distinctad_jax.metrics.similarity import SIMILARITIES, given, unigram_f1


def ranked(own_rank: list[int], window: int) -> np.ndarray:
    """A block whose own reference stands at the given rank (0: first) in each row."""
    block = np.zeros((window, window))
    for row, rank in enumerate(own_rank):
        others = [column for column in range(window) if column != row]
        for place, column in enumerate([*others[:rank], row, *others[rank:]]):
            block[row, column] = -place
    return block


def test_a_hit_is_an_own_reference_among_the_k_most_similar():
    block = ranked([0, 1, 2, 3], 4)
    assert hits(block, 1, "expected").tolist() == [1, 0, 0, 0]
    assert hits(block, 3, "expected").tolist() == [1, 1, 1, 0]


def test_ties():
    block = np.zeros((4, 4))
    assert hits(block, 1, "expected").tolist() == [0.25] * 4
    assert hits(block, 1, "first").tolist() == [1, 0, 0, 0]
    assert hits(block, 1, "optimistic").tolist() == [1] * 4
    assert hits(block, 3, "pessimistic").tolist() == [0] * 4


@pytest.mark.parametrize(("k", "window"), [(1, 5), (5, 16), (16, 16)])
def test_a_constant_prediction_scores_exactly_k_over_n(k, window):
    references = [f"word{row} and word{row % 7}" for row in range(40)]
    found = recall_at_k(unigram_f1(["and word3"] * 40, references), k, window, ["one"] * 25 + ["two"] * 15)
    constant = recall_at_k(unigram_f1(["nothing"] * 40, references), k, window, ["one"] * 25 + ["two"] * 15)
    assert constant.value == pytest.approx(k / window)
    assert found.value == pytest.approx(k / window)  # the same order of references for every row of a window


def test_windows_are_half_shared_and_the_tail_is_a_matter_of_policy():
    movie = range(100, 109)
    assert windows_of(movie, 4, "drop", "skip") == [range(100, 104), range(102, 106), range(104, 108)]
    assert windows_of(movie, 4, "flush", "skip")[-1] == range(105, 109)
    assert windows_of(range(8), 4, "flush", "skip") == windows_of(range(8), 4, "drop", "skip")
    assert windows_of(range(3), 5, "drop", "skip") == []
    assert windows_of(range(3), 5, "drop", "single") == [range(3)]


def test_a_window_never_spans_two_movies():
    seen = []

    def compare(rows):
        seen.append(rows)
        return np.eye(len(rows))

    found = recall_at_k(compare, 1, 4, ["a"] * 6 + ["b"] * 3 + ["c"] * 4)
    assert seen == [range(4), range(2, 6), range(9, 13)]
    assert found == (1.0, 10, 3, 3, 1)


def test_the_worked_example_of_the_docstring():
    """The decisions of the published script's example, 8 and 11 of 12; its similarities need published weights."""
    found = doctest.testmod(recall)
    assert found.attempted == 3
    assert found.failed == 0


def test_pooled_counts_windows_and_per_group_counts_movies():
    similarity = np.block([[np.eye(6), np.zeros((6, 4))], [np.zeros((4, 6)), 1 - np.eye(4)]])
    groups = ["a"] * 6 + ["b"] * 4
    assert recall_at_k(given(similarity), 1, 4, groups).value == pytest.approx(2 / 3)
    assert recall_at_k(given(similarity), 1, 4, groups, mean="per_group").value == pytest.approx(1 / 2)


def test_no_window_is_no_value():
    assert recall_at_k(given(np.eye(3)), 1, 5, ["a"] * 3).value is None


def test_refused_input_says_what_it_needs():
    with pytest.raises(ValueError, match="k=6, N=5"):
        recall_at_k(given(np.eye(5)), 6, 5, ["a"] * 5)
    with pytest.raises(ValueError, match="finite"):
        recall_at_k(given(np.full((5, 5), np.nan)), 1, 5, ["a"] * 5)
    with pytest.raises(ValueError, match="follow each other"):
        recall_at_k(given(np.eye(3)), 1, 2, ["a", "b", "a"])


@pytest.mark.parametrize(
    ("similarity", "name", "policies", "ties"),
    [
        ("unigram_f1", "mix", ("drop", "skip"), ("expected", "first", "pessimistic", "optimistic")),
        ("unigram_f1", "mix", ("flush", "single"), ("expected",)),
        ("unigram_f1", "first3", ("drop", "skip"), ("expected",)),
        ("unigram_f1", "constant", ("flush", "single"), ("expected", "pessimistic")),
        ("tfidf_cosine", "mix", ("drop", "skip"), ("expected",)),
        ("trigram_greedy_f1", "mix", ("drop", "skip"), ("expected",)),
    ],
)
@pytest.mark.parametrize("window", [5, 16])
def test_equals_the_reference_values(published_tv, similarity, name, policies, ties, window):
    tail, short = policies
    wanted = published_tv.recall[f"{similarity}|{name}|N={window}|tail={tail}|short={short}"]
    compare = SIMILARITIES[similarity](published_tv.predictions(name), published_tv.references)
    for tie in ties:
        for setting, means in wanted[tie].items():
            k = int(setting.removeprefix("R@").split("/")[0])
            pooled = recall_at_k(compare, k, window, published_tv.groups, tail=tail, short=short, ties=tie)
            assert pooled.value == pytest.approx(means["pooled"], abs=1e-9)
            assert pooled.rows == wanted["rows_in_a_window"]
            assert pooled.windows == wanted["windows"]
            assert pooled.groups_without_window == wanted["sequences_without_window"]
        averaged = recall_at_k(
            compare, k, window, published_tv.groups, tail=tail, short=short, ties=tie, mean="per_group"
        )
        assert averaged.value == pytest.approx(means["per_sequence"], abs=1e-9)


def test_a_whole_benchmark_equals_the_reference_value(published):
    wanted = published.recall["unigram_f1|mix|N=16|tail=drop|short=skip"]["expected"]["R@5/16"]
    compare = unigram_f1(published.predictions("mix"), published.references)
    found = recall_at_k(compare, 5, 16, published.groups)
    assert found.value == pytest.approx(wanted["pooled"], abs=1e-9)
