import numpy as np
import pytest

from distinctad_jax.metrics.judged import action_score, llm_ad_eval, rating_of


class Fixed:
    identity = "a list of answers, temperature 0"

    def __init__(self, *answers):
        self.answers = list(answers)

    def __call__(self, prediction, reference):
        return self.answers.pop(0)


@pytest.mark.parametrize(
    ("answer", "rating"),
    [
        (3, 3), ("4", 4), ("{'score': 5}", 5), ('Sure: {"score": "2", "why": 9}', 2), ({"score": 0}, 0),
        (6, None), (-1, None), (True, None), (2.5, None),
        ("{'score': 4.8}", None), ("score: 45", None), ("none", None),
        (None, None), ({"score": None}, None),
    ],
)  # fmt: skip
def test_only_a_whole_number_up_to_five_is_a_rating(answer, rating):
    assert rating_of(answer) == rating


def test_an_answer_that_cannot_be_read_counts_as_zero_and_is_counted():
    found = llm_ad_eval(["a", "b", "c"], ["a", "b", "c"], Fixed(5, "no idea", {"score": 1}))
    assert found.value == 2 and found.failed == 1 and found.judge == Fixed.identity


class Words:
    """Phrases are halves around `and`; a cosine is the share of words; the first word is the verb."""

    identity = "words"

    def phrases(self, text):
        return text.split(" and ")

    def verb(self, phrase):
        return phrase.split()[0]

    def similarity(self, actions, phrases):
        sets = [[set(each.split()) for each in side] for side in (actions, phrases)]
        return np.array([[len(a & b) / max(len(a | b), 1) for b in sets[1]] for a in sets[0]])


def test_action_score_weighs_meaning_and_verb():
    found = action_score(["runs home and eats", "sleeps"], [["runs home", "eats soup"], []], Words())
    expected = ((0.8 * 1 + 0.2 * 1) + (0.8 * 0.5 + 0.2 * 0.5)) / 2
    np.testing.assert_allclose(found.rows, [(expected - 0.25) * 2, np.nan])
    assert found.value == pytest.approx((expected - 0.25) * 2)
