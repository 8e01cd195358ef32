"""What a movie promises about its clips."""

import math

import pytest

from distinctad_jax.movie.movie import Clip, Description, Movie
from distinctad_jax.movie.span import Span


def clip(movie, index, start):
    return Clip(movie, index, Span(start, start + 2), "She waits.")


def test_a_movie_takes_clips_that_are_counted_in_order_of_time():
    movie = Movie("m", None, (clip("m", 0, 0), clip("m", 1, 1), clip("m", 2, 1)))
    assert [c.index for c in movie.clips] == [0, 1, 2]


@pytest.mark.parametrize(
    "clips",
    [
        (clip("other", 0, 0),),
        (clip("m", 1, 0),),
        (clip("m", 0, 5), clip("m", 1, 1)),
        (clip("m", 0, 0), clip("m", 0, 1)),
    ],
    ids=["of another movie", "not from 0", "unsorted", "counted twice"],
)
def test_a_movie_refuses_clips_out_of_place(clips):
    with pytest.raises(ValueError, match="'m'"):
        Movie("m", None, clips)


def test_a_score_is_a_number():
    with pytest.raises(ValueError, match="score"):
        Description(Span(0, 1), "She waits.", score=math.nan)
    with pytest.raises(ValueError, match="index"):
        clip("m", -1, 0)
