import numpy as np
import pytest

from distinctad_jax.metrics.action_score import action_score


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
