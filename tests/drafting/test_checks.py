"""Each check with its number, on the texts of practice; and what it must leave alone."""

import pytest

from distinctad_jax.drafting.checks import checked
from distinctad_jax.drafting.names import Names
from distinctad_jax.movie.description import Description, Speech
from distinctad_jax.movie.movie import Line, Person
from distinctad_jax.movie.practice import Practice
from distinctad_jax.movie.span import Span

GAP, SPAN = Span(10, 20), Span(10, 14)
CAST = (Person("Jake Sully"), Person("Mary"))
LINES = (Line(Span(5, 9), "I want to see the old house."), Line(Span(30, 33), "Come here, Mary."))


def found(text, span=SPAN, *, gap=GAP, before="", policy="after-intro", lines=LINES, **fields):
    one = Description(span, text, gap=gap, **fields)
    earlier = Description(Span(1, 3), before) if before else None
    checks = checked(one, earlier, lines, Practice(), Names(CAST, policy, lines))
    assert all(check.sentence.endswith(".") for check in checks)
    return {check.name: check.value for check in checks}


def test_a_good_description_has_no_remark():
    assert found("A woman in a red coat opens the door and waits.") == {}
    assert found("The parked car is covered with snow.") == {}
    assert found("A man dressed in black stands at the closed gate.") == {}
    assert found("A boy in a felt hat turns left and puts a rose on the left seat.") == {}


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("He walked to the door.", "past_tense", 1),
        ("She was alone and he ran off.", "past_tense", 2),
        ("He left the house, and she saw him.", "past_tense", 2),
        ("We see a man who waits for us.", "not_third_person", 2),
        ("The camera follows a man.", "speaks_of_the_film", 1),
        ("A man appears to be sad, a tear is visible.", "filler", 2),
        ("She lifts 3 boxes.", "not_spelled_out", 1),
        ("A sign (red) hangs there.", "brackets", 2),
        ("A man smiles \U0001f600.", "emoji", 1),
        ("Word " * 26 + "ends.", "long_sentence", 27),
        ("A man shouts \u201cStop\u201d.", "possible_dialogue", 1),
        ("They want to see the old house.", "possible_dialogue", 4),
        ("Neytiri waits near Bob.", "not_in_cast", 1),
    ],
)
def test_language(text, name, value):
    assert found(text, Span(10, 19))[name] == value


def test_place_and_pace():
    assert found("A man runs.", Span(8, 10.5), gap=Span(8, 12))["overlaps_dialogue"] == pytest.approx(1.0)
    assert found("a" * 40, Span(10, 12))["too_fast"] == pytest.approx(200)
    assert found("a" * 40, Span(10, 12), speech=Speech(1.9, "anna")) == {}  # measured: it fits
    assert "too_fast" in found("a" * 20, Span(10, 12), speech=Speech(2.5, "anna"))
    assert found("A man runs.", Span(10, 11), gap=Span(10, 11.5))["too_short_gap"] == 1.5
    assert found("A man runs.", Span(10, 11), gap=None)["too_short_gap"] == 0
    assert found("A man runs.", Span(19, 21))["too_short_gap"] == 10


def test_repetition_names_and_evidence():
    assert found("A man opens the door.", before="The man opens a door.")["repeats_previous"] == 1.0
    assert "repeats_previous" not in found("Jake waits.", before="Jake smiles.")
    assert found("Mary waits.")["names_too_early"] == pytest.approx(23)
    assert "names_too_early" in found("Jake waits.") and found("Jake waits.", policy="always") == {}
    assert found("Mary waits.", Span(34, 36), gap=Span(33.5, 40)) == {}
    assert "names_too_early" in found("Mary waits.", policy="never")
    assert found("A man waits.", confidence=0.05) == {"no_visual_evidence": 0.05}
