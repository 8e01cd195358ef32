import json
import random

import pytest

from distinctad_jax.metrics.scores import Row, always, copied, in_time_order, meaning, score_rows

WORDS = ["anna", "ben", "opens", "shuts", "red", "door", "letter", "dog", "lamp", "slowly", "outside", "the", "a"]


@pytest.fixture
def rows():
    draw = random.Random(1)
    texts = [f"{' '.join(draw.sample(WORDS, 6))} thing{at}" for at in range(50)]
    return [Row(f"movie{at // 25}", float(at % 25), at % 25 + 0.5, text, text) for at, text in enumerate(texts)]


def test_every_score_has_a_meaning_and_is_json(rows):
    scores = score_rows(rows)
    assert all(meaning(name).says for name in scores)
    assert list(scores)[:2] == ["CIDEr-D", "ROUGE-L"] and {"R@1/5", "R@5/16"} <= set(scores)
    assert json.loads(json.dumps(scores, allow_nan=False)) == scores


def test_the_reference_is_best_and_the_order_of_rows_does_not_matter(rows):
    scores = score_rows(rows)
    assert scores["ROUGE-L"] == pytest.approx(100) and scores["CIDEr-D"] == pytest.approx(1000)
    assert scores["distinctive-word recall"] == 100
    shuffled = random.Random(2).sample(rows, len(rows))
    assert score_rows(shuffled) == scores
    assert in_time_order(shuffled) == rows


def test_a_constant_prediction_is_at_chance(rows):
    scores = score_rows(always(rows, "anna opens the door"))
    assert scores["R@1/5"] == pytest.approx(20) and scores["R@5/16"] == pytest.approx(31.25)
    assert scores["same as neighbour"] == scores["repeated words"] == 100


def test_a_copied_neighbour_says_no_distinctive_word(rows):
    for offset in (-1, 1):
        scores = score_rows(copied(rows, offset))
        assert scores["distinctive-word recall"] == 0
        assert scores["CIDEr-D"] < 300


def test_what_cannot_be_computed_is_left_out():
    scores = score_rows([Row("m", 0, 1, "a dog", "a dog"), Row("m", 1, 2, "a dog", "a dog")])
    assert "R@1/5" not in scores and "distinctive-word recall" not in scores
    assert "ROUGE-L" in scores


def test_recalls_and_similarities_can_be_chosen(rows):
    scores = score_rows(rows, recall=[(2, 4)], similarity="trigram_greedy_f1", tail="flush", short="single")
    assert scores["R@2/4"] == 100 and "R@1/5" not in scores


def test_refused_input_says_what_it_needs(rows):
    with pytest.raises(ValueError, match="0 rows"):
        score_rows([])
    with pytest.raises(ValueError, match="'cosine'"):
        score_rows(rows, similarity="cosine")
    with pytest.raises(KeyError):
        meaning("nobody")


def test_the_neighbour_copy_of_a_benchmark_scores_as_measured(published_tv):
    rows = [
        Row(row["group"], float(row["row"]), float(row["row"]) + 1, "", row["reference"]) for row in published_tv.rows
    ]
    assert score_rows(copied(rows, -1))["CIDEr-D"] == pytest.approx(
        100 * published_tv.scores["prev"]["CIDEr"],
        abs=0.5,  # "prev" is cyclic; ours stays beside
    )
