"""Spans, their unions and the silences between them."""

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distinctad_jax.movie.span import Span, clock, gaps, merge

ticks = st.integers(0, 400)
spans = st.lists(
    st.tuples(ticks, ticks)
    .filter(lambda pair: pair[0] != pair[1])
    .map(lambda pair: Span(min(pair) / 4, max(pair) / 4)),
    max_size=12,
)
quick = settings(max_examples=60, deadline=None)


@pytest.mark.parametrize(
    ("start", "end"), [(-0.1, 1), (1, 1), (2, 1), (math.nan, 1), (0, math.nan), (0, math.inf), (-math.inf, 0)]
)
def test_a_span_that_is_no_stretch_of_time_is_refused(start, end):
    with pytest.raises(ValueError, match="start < end"):
        Span(start, end)


def test_spans_that_touch_do_not_overlap():
    assert not Span(0, 1).overlaps(Span(1, 2))
    assert Span(0, 1.1).overlaps(Span(1, 2)) and Span(1, 2).overlaps(Span(0, 1.1))
    assert Span(0, 9).overlaps(Span(3, 4)) and Span(3, 4).within(Span(0, 9)) and not Span(0, 9).within(Span(3, 4))
    assert Span(0, 9).within(Span(0, 9))


def test_spans_sort_by_start_then_end():
    assert sorted([Span(1, 3), Span(0, 9), Span(1, 2)]) == [Span(0, 9), Span(1, 2), Span(1, 3)]


@quick
@given(spans)
def test_merging_keeps_every_moment_and_adds_none(given_spans):
    merged = merge(given_spans)
    assert all(before.end < after.start for before, after in itertools.pairwise(merged))
    for tick in range(801):  # moments between the quarter seconds on which the spans begin and end
        moment = Span(tick / 8, tick / 8 + 0.0625)
        assert any(moment.within(span) for span in merged) == any(moment.within(span) for span in given_spans)


@quick
@given(spans, st.sampled_from([0.0, 0.25, 0.5]), st.sampled_from([0.25, 1.0, 2.0]))
def test_gaps_keep_their_distance_and_leave_no_room_unused(occupied, lead, shortest):
    found = gaps(occupied, 101.0, shortest=shortest, lead_in=lead, lead_out=lead)
    assert all(gap.seconds >= shortest and gap.end <= 101.0 for gap in found)
    for gap in found:
        for span in occupied:
            assert gap.end + lead <= span.start or gap.start - lead >= span.end
    for tick in range(808):  # wherever a description of the shortest length would be clear of speech, there is a gap
        moment = Span(tick / 8, tick / 8 + shortest)
        clear = moment.end <= 101.0 and all(
            moment.end + lead <= span.start or moment.start - lead >= span.end for span in occupied
        )
        assert clear == any(moment.within(gap) for gap in found)


def test_gaps_count_the_opening_and_the_end():
    assert gaps([Span(5, 6)], 20.0) == [Span(0, 4.7), Span(6.3, 20.0)]
    assert gaps([], 3.0) == [Span(0, 3.0)]
    assert gaps([], 1.9) == []
    assert gaps([Span(0, 50)], 20.0) == []
    assert gaps([Span(30, 50)], 20.0) == [Span(0, 20.0)]  # a line past the end bounds nothing


def test_gaps_that_leads_make_too_short_are_left_out():
    lines = [Span(0, 10), Span(12.5, 20)]
    assert gaps(lines, 20.0) == []
    assert gaps(lines, 20.0, lead_in=0.25, lead_out=0.25) == [Span(10.25, 12.25)]


@pytest.mark.parametrize("wrong", [{"duration": 0.0}, {"duration": math.inf}, {"lead_in": -1.0}, {"shortest": 0.0}])
def test_gaps_refuse_settings_that_mean_nothing(wrong):
    with pytest.raises(ValueError, match="Gaps need"):
        gaps([], **({"duration": 10.0} | wrong))


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "00:00:00.000"), (62.5, "00:01:02.500"), (59.9996, "00:01:00.000"), (360_000.001, "100:00:00.001")],
)
def test_clock(seconds, shown):
    assert clock(seconds) == shown


@pytest.mark.parametrize("seconds", [-1, math.nan, math.inf])
def test_clock_refuses_what_no_clock_shows(seconds):
    with pytest.raises(ValueError, match="clock"):
        clock(seconds)
