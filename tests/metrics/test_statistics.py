import numpy as np
import pytest

from distinctad_jax.metrics.statistics import difference, draws, interval, permutation
from distinctad_jax.metrics.tally import Tally, mean_of_rows, mean_over_movies, of_movies, quotient


def tally(*means: float, rows: int = 10) -> Tally:
    """Movies of as many rows each, with these means."""
    return Tally(np.array([[mean * rows, rows] for mean in means]), quotient)


def test_a_score_is_that_of_its_rows_whatever_movies_they_stand_in():
    rows = np.array([0.0, 1.0, np.nan, 0.5])
    found = mean_of_rows(rows, [range(1), range(1, 3), range(3, 4)])
    assert found.value == 0.5 and found.by_movie.tolist() == [0, 1, 0.5]
    assert mean_of_rows(rows, [range(4)]).value == 0.5
    assert np.isnan(mean_of_rows(np.array([np.nan]), [range(1)]).value)


def test_movies_can_count_alike():
    found = Tally(np.array([[10.0, 10], [0, 30], [0, 0]]), quotient)
    assert found.value == 0.25 and mean_over_movies(found).value == 0.5


def test_an_interval_holds_the_score_and_narrows_with_agreement():
    drawn = draws(8, 500, 0)
    wide, narrow = (interval(tally(*means), drawn) for means in ([0.1, 0.9] * 4, [0.45, 0.55] * 4))
    assert wide.low < 0.5 < wide.high and narrow.high - narrow.low < (wide.high - wide.low) / 4
    assert (draws(8, 500, 0) == drawn).all() and (drawn.sum(1) == 8).all()


def test_one_movie_or_a_score_that_does_not_add_up_has_no_interval():
    assert interval(tally(0.5), draws(1, 100, 0)) is None
    assert interval(of_movies([0.1, 0.2], 0.3), draws(2, 100, 0)) is None
    assert permutation(tally(0.5), tally(0.6)) is None


def test_a_paired_difference_is_surer_than_its_parts():
    means = [0.1, 0.3, 0.5, 0.7, 0.9]
    found = difference(tally(*means), tally(*(mean + 0.05 for mean in means)), draws(5, 300, 1))
    assert found.low == pytest.approx(0.05) and found.high == pytest.approx(0.05)


def test_few_movies_are_exchanged_in_all_ways():
    one, other = tally(*[0.1] * 6), tally(*[0.2] * 6)
    assert permutation(one, other) == pytest.approx(2 / 2**6)  # only all and none differ as much
    assert permutation(one, one) == 1


def test_many_movies_are_exchanged_by_a_sample():
    draw = np.random.default_rng(0)
    same = [tally(*draw.random(40)) for _ in range(2)]
    assert permutation(*same, samples=500) > 0.02
    assert permutation(tally(*[0.1] * 40), tally(*[0.2] * 40), samples=500) == pytest.approx(1 / 501)
