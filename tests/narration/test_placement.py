"""Sentences in silences."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distinctad_jax.movie.span import Span
from distinctad_jax.narration.placement import PlacementConfig, cut, place, speaking_seconds

CONFIG = PlacementConfig()
sentences = st.integers(1, 200).map(lambda length: "a" * length)


@st.composite
def gaps_with_candidates(draw):
    """Gaps in order, some touching, each with candidates."""
    moment, made = 0.0, []
    for _ in range(draw(st.integers(0, 8))):
        moment += draw(st.sampled_from([0.0, 0.1, 0.6, 5.0]))
        gap = Span(moment, moment + draw(st.sampled_from([0.5, 1.0, 2.0, 3.7, 6.0])))
        made.append((gap, [(text, -float(rank)) for rank, text in enumerate(draw(st.lists(sentences, max_size=3)))]))
        moment = gap.end
    return made


@settings(max_examples=80, deadline=None)
@given(gaps_with_candidates())
def test_descriptions_stay_in_their_gaps_and_apart(pairs):
    placed, dropped = place(pairs, CONFIG)
    for before, after in itertools.pairwise(placed):
        assert after.span.start >= before.span.end + CONFIG.pause - 1e-9
    for one in placed:
        assert any(one.span.within(gap) and (one.text, one.score) in candidates for gap, candidates in pairs)
        assert one.span.seconds >= CONFIG.shortest - 1e-9
        assert len(one.text) / one.span.seconds <= CONFIG.fastest + 1e-6
        assert one.span.seconds <= speaking_seconds(one.text, CONFIG) + 1e-9
    chosen = {id(candidates) for one in placed for gap, candidates in pairs if one.span.within(gap)}
    for gap, candidates in pairs:  # nothing is lost without a word
        told = [drop.text for drop in dropped if drop.gap == gap]
        assert id(candidates) in chosen or told == [text for text, _ in candidates]


def test_the_cue_ends_when_the_sentence_is_spoken():
    text = "She opens the door slowly and waits."[:32]
    (one,), dropped = place([(Span(10, 20), [(text, 0.5)])], CONFIG)
    assert one.span == Span(10, 12) and one.score == 0.5 and one.notes == () and dropped == []
    assert speaking_seconds("Go.", CONFIG) == 1.0


def test_the_rate_rises_no_further_than_the_fastest():
    text = "a" * 36  # 2.25 s at 16, 2.0 s at 18 characters a second
    (one,), _ = place([(Span(0, 2.1), [(text, 0.0)])], CONFIG)
    assert one.span == Span(0, 2.1) and one.notes == ("fast: 17.1 characters a second",)
    assert len(place([(Span(0, 2.0), [(text, 0.0)])], CONFIG)[0]) == 1
    assert place([(Span(0, 1.99), [(text, 0.0)])], CONFIG)[0] == []


def test_the_best_that_fits_is_chosen_and_the_better_ones_are_told():
    candidates = [("a" * 90, 3.0), ("...", 2.5), ("b" * 20, 2.0), ("c" * 10, 1.0)]
    (one,), dropped = place([(Span(0, 3), candidates)], CONFIG)
    assert one.text == "b" * 20
    assert [(drop.score, drop.reason) for drop in dropped] == [
        (3.0, "needs 5.0 s at the highest rate, the gap leaves 3.0 s"),
        (2.5, "no words"),
    ]


def test_slots_that_touch_keep_a_pause_between_descriptions():
    slots = cut([Span(0, 4)], 2.0)
    placed, dropped = place([(slot, [("a" * 32, 0.0)]) for slot in slots], CONFIG)
    assert [one.span for one in placed] == [Span(0, 2)] and "leaves 1.6 s" in dropped[0].reason
    placed, _ = place([(slot, [("a" * 24, 0.0)]) for slot in slots], CONFIG)
    assert [one.span for one in placed] == [Span(0, 1.5), Span(2, 3.5)]


@settings(max_examples=50, deadline=None)
@given(st.floats(0, 1e4), st.floats(0.1, 500), st.floats(0.5, 20))
def test_slots_fill_their_gap(start, length, longest):
    gap = Span(start, start + length)
    slots = cut([gap], longest)
    assert slots[0].start == gap.start and slots[-1].end == gap.end
    assert all(before.end == after.start for before, after in itertools.pairwise(slots))
    assert max(slot.seconds for slot in slots) <= longest + 1e-6
    assert len(slots) == 1 or min(slot.seconds for slot in slots) >= longest / 2 - 1e-6


@pytest.mark.parametrize(
    "wrong", [{"characters_per_second": 0.0}, {"fastest": 15.0}, {"pause": -1.0}, {"shortest": 0.0}]
)
def test_settings_that_mean_nothing_are_refused(wrong):
    with pytest.raises(ValueError, match="Placement needs"):
        PlacementConfig(**wrong)
    with pytest.raises(ValueError, match="longest"):
        cut([], 0.0)
