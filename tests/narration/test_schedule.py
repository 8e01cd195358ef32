"""The plan of most worth: it keeps every rule, is the best there is, and neither silence nor repetition wins."""

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distinctad_jax.movie.practice import Practice, preset
from distinctad_jax.movie.span import Span
from distinctad_jax.narration.schedule import (
    TOO_ALIKE,
    WEIGHTS,
    Candidate,
    Moment,
    Taste,
    _Planner,
    extended,
    plan,
    shared,
)

PRACTICE = Practice()
NOUNS = ["dog", "cat", "car", "tree", "boy", "lamp", "river", "stone"]
texts = st.lists(st.sampled_from(NOUNS), min_size=1, max_size=9).map(lambda nouns: f"The {' '.join(nouns)}.")
candidates = st.builds(Candidate, texts, st.floats(-3, 0))


@st.composite
def films(draw, most=6):
    """Moments in gaps, several to a gap at times."""
    moments, moment = [], 0.0
    for _ in range(draw(st.integers(0, most // 2))):
        gap = Span(moment, moment + draw(st.sampled_from([1.0, 2.0, 3.7, 9.0])))
        for part in range(draw(st.integers(1, 2))):
            some = tuple(draw(st.lists(candidates, max_size=2)))
            moments.append(Moment(gap, gap.start + part * 1.5, some, draw(st.floats(0, 1))))
        moment = gap.end + 1.0
    return moments


@settings(max_examples=60, deadline=None)
@given(films(10), st.floats(0, 1), st.floats(0.1, 1))
def test_a_plan_keeps_every_rule(moments, distinctiveness, density):
    found = plan(moments, PRACTICE, Taste(distinctiveness, density))
    assert {one.moment for one in found.placed} | set(found.left) == set(range(len(moments)))
    assert all(found.left.values()) and len(found.placed) + len(found.left) == len(moments)
    for one in found.placed:
        moment = moments[one.moment]
        text = moment.candidates[one.candidate].text
        assert one.span.within(Span(moment.gap.start, moment.gap.end + 1e-6))
        assert one.span.start >= moment.wanted
        assert PRACTICE.shortest - 1e-6 <= one.span.seconds <= PRACTICE.longest + 1e-6
        assert len(text) / one.span.seconds <= PRACTICE.fastest_characters_per_second + 1e-6
        rate = PRACTICE.characters_per_second
        assert one.hurried == (max(len(text) / rate, 1.0) > one.span.seconds + 1e-9)
    for before, after in itertools.pairwise(found.placed):
        assert after.span.start >= before.span.end + PRACTICE.pause - 1e-6
        said, heard = (moments[one.moment].candidates[one.candidate].text for one in (after, before))
        assert distinctiveness == 0 or shared(said, heard) <= TOO_ALIKE
    usable = sum(gap.seconds for gap in {moment.gap for moment in moments})
    assert sum(one.span.seconds for one in found.placed) <= density * usable + 1e-6


def brute_force(moments, taste):
    """The worth of the best plan, by trying every choice of texts."""
    planner = _Planner(moments, PRACTICE, taste, frozenset(), WEIGHTS)
    best = 0.0
    for choice in itertools.product(*[range(-1, len(moments[at].candidates)) for at in planner.order]):
        worth, ready, ended, recent = 0.0, 0.0, 0.0, ()
        for at, number in zip(planner.order, choice, strict=True):
            if number < 0:
                continue
            moment, (usual, hurried) = moments[at], planner.lengths[at][number]
            repeats = planner.repeats(recent, (at, number))
            least = max(moment.gap.start, ready, moment.wanted)
            if repeats > 1 or least + hurried > moment.gap.end + 1e-9 or hurried > PRACTICE.longest:
                break
            start = max(least, min(moment.wanted, moment.gap.end - usual))
            end = min(start + usual, moment.gap.end, start + PRACTICE.longest)
            worth += planner.static[at][number] - WEIGHTS.repeat * taste.distinctiveness * repeats
            worth -= WEIGHTS.hurry * (usual / (end - start) - 1) + WEIGHTS.away * abs(start - moment.wanted)
            worth += WEIGHTS.waiting * min((start - ended) / 30.0, 1.0)
            ready, ended, recent = end + PRACTICE.pause, end, (*recent, (at, number))[-taste.memory :]
        else:
            best = max(best, worth)
    return best


@settings(max_examples=60, deadline=None)
@given(films(), st.floats(0, 1), st.integers(1, 3))
def test_no_other_choice_of_texts_is_worth_more(moments, distinctiveness, memory):
    taste = Taste(distinctiveness, 1.0, memory, width=2000)
    planner = _Planner(moments, PRACTICE, taste, frozenset(), WEIGHTS)
    assert planner.best(0.0).worth == pytest.approx(brute_force(moments, taste), abs=1e-6)


def film(*lines, gap=4.0):
    """A gap each 10 s, each with the texts of a line, the first the model's favourite by far."""
    return [
        Moment(
            Span(10 * at, 10 * at + gap), 10.0 * at, tuple(Candidate(text, -float(n)) for n, text in enumerate(some))
        )
        for at, some in enumerate(lines)
    ]


def said(moments, **taste):
    found = plan(moments, PRACTICE, Taste(density=1.0, **taste))
    return [moments[one.moment].candidates[one.candidate].text for one in found.placed], found


def test_repetition_does_not_win_and_neither_does_silence():
    favourite = "A man walks along the street."
    moments = film(
        *[(favourite, f"A {noun} waits near the {other}.") for noun, other in zip(NOUNS, NOUNS[::-1], strict=True)]
    )
    texts, found = said(moments)
    assert len(texts) == len(moments) and not found.left  # something is said each time
    assert texts.count(favourite) <= 2 and len(set(texts)) >= len(moments) - 1
    texts, _ = said(moments, distinctiveness=0.0)
    assert texts == [favourite] * len(moments)  # the knob at 0: what the model likes best


def test_what_only_repeats_is_left_out_with_the_shared_words():
    _, found = said(film(["A man walks along the street."], ["A man walks the street."], ["Snow falls."]))
    assert list(found.left) in ([0], [1])
    assert "says again" in next(iter(found.left.values())) and "street" in next(iter(found.left.values()))
    assert said(film(["Jake waits."], ["Jake runs."]))[0]  # two texts that share a name
    assert len(plan(film(["Jake waits."], ["Jake waves."]), PRACTICE, names=["Jake Sully"]).placed) == 2


def test_the_density_is_a_bound_and_the_best_is_kept():
    verbs = ["stands", "falls", "waits", "glows", "turns", "breaks", "fades", "shakes"]
    moments = film(*[[f"The {noun} {verb} over there."] for noun, verb in zip(NOUNS, verbs, strict=True)])
    for density in (0.2, 0.35, 0.6, 1.0):
        found = plan(moments, PRACTICE, Taste(density=density))
        assert sum(one.span.seconds for one in found.placed) <= density * 4.0 * len(moments) + 1e-9
    assert len(plan(moments, PRACTICE, Taste(density=0.2)).placed) == 3
    assert "left silent" in next(iter(plan(moments, PRACTICE, Taste(density=0.2)).left.values()))


def test_a_long_text_is_hurried_or_left_out_and_a_measured_voice_counts():
    long = "a" * 66  # 4.1 s at 16, 3.7 s at 18 characters a second
    (one,) = plan(film([long]), PRACTICE, Taste(density=1.0)).placed
    assert one.hurried and one.span == Span(0, 4)
    reason = plan(film(["a" * 80]), PRACTICE, Taste(density=1.0)).left[0]
    assert reason == "needs 4.4 s at the highest rate, the gap leaves 4.0 s"
    assert plan(film(["..."]), PRACTICE).left[0] == "no words"
    measured = Moment(Span(0, 4), 0.0, (Candidate("a" * 80, 0.0, 3.0),))
    assert plan([measured], PRACTICE, Taste(density=1.0)).placed[0].span == Span(0, 3)
    assert "a description lasts" in plan([Moment(Span(0, 60), 0.0, (Candidate("a" * 400),))], PRACTICE).left[0]


def test_what_finds_no_room_may_be_told_while_the_film_waits():
    moments = film(["a" * 80], ["b" * 300])
    practice = preset("broadcast", {"extended": 4.0})
    found = extended(plan(moments, practice), moments, practice)
    assert found == {0: (0, Span(0, 4), 5.0)}
    assert extended(plan(moments, PRACTICE), moments, PRACTICE) == {}


@pytest.mark.parametrize("wrong", [{"distinctiveness": 1.1}, {"density": 0.0}, {"memory": 0}, {"density": math.nan}])
def test_a_taste_that_means_nothing_is_refused(wrong):
    with pytest.raises(ValueError, match="needs"):
        Taste(**wrong)
