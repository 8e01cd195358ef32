"""Pace, coverage and dialogue."""

import math

import numpy as np
import pytest

from distinctad_jax.metrics.coverage import coverage_parts, dialogue_parts, joined, shared_seconds
from distinctad_jax.metrics.pace import fits, pace


def test_pace_is_words_a_second():
    spans = [(0.0, 2.0), (0.0, 0.0), (0.0, 1.0), (math.nan, math.nan)]
    np.testing.assert_allclose(pace(["a b c d", "a", "", "a"], spans), [2, math.inf, math.nan, math.nan])
    np.testing.assert_allclose(fits(["a b c d", "a", "", "a"], spans, 2.0), [1, 0, math.nan, math.nan])
    with pytest.raises(ValueError, match="> 0"):
        fits([], [], 0.0)


def test_seconds_are_shared_once():
    assert joined([(3.0, 4.0), (0.0, 2.0), (1.0, 3.0), (9.0, 9.0)]) == [(0.0, 4.0)]
    assert shared_seconds([(0.0, 2.0), (1.0, 5.0)], [(4.0, 9.0), (-1.0, 1.0)]) == 2
    draw = np.random.default_rng(0)
    one, other = ([(s, s + d) for s, d in draw.random((20, 2))] for _ in range(2))
    grid = np.linspace(0, 2, 20_001)
    both = [any(s <= t < e for s, e in one) and any(s <= t < e for s, e in other) for t in grid]
    assert shared_seconds(one, other) == pytest.approx(np.mean(both) * 2, abs=2e-3)


def test_coverage_is_of_what_people_describe_and_dialogue_of_what_is_said():
    assert coverage_parts([(0.0, 4.0)], [(3.0, 9.0)]).tolist() == [1, 4]
    assert dialogue_parts([(0.0, 4.0)], [(3.0, 9.0)]).tolist() == [1, 6]
