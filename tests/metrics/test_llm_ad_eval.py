import pytest

from distinctad_jax.metrics.llm_ad_eval import llm_ad_eval, rating_of


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
