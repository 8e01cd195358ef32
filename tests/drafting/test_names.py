"""Casts from outside, and who may be named."""

import json

import pytest

from distinctad_jax.drafting.names import Names, read_people
from distinctad_jax.errors import BadInput
from distinctad_jax.movie.movie import Line, Person
from distinctad_jax.movie.span import Span


def cast_file(tmp_path, value):
    path = tmp_path / "cast.json"
    path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
    return path


PEOPLE = [{"character": "Jake Sully", "actor": "Sam", "photo": "../../secret.jpg"}, "Grace", {"role": "Max(voice)"}]


@pytest.mark.parametrize("value", [PEOPLE, {"cast": PEOPLE}, {"film": PEOPLE, "other": ["Nobody"]}, {"tt1": PEOPLE}])
def test_each_shape_of_a_cast_is_read(tmp_path, value):
    found = read_people(cast_file(tmp_path, value), "film")
    assert [one.character for one in found] == ["Jake Sully", "Grace", "Max"] and found[0].actor == "Sam"
    assert all(one.portrait is None for one in found)  # and nothing was opened


@pytest.mark.parametrize(
    ("value", "where"),
    [
        ("", "cast.json:1:1"),
        ('[{"character": "A"},]', "cast.json:1:"),
        ('[{"character": NaN}]', "JSON"),
        ('[{"character": "A", "id": ' + "9" * 5000 + "}]", "JSON"),
        ("[" * 100_000, "JSON"),
        ([{"character": 3}], r"\[0\]\.character"),
        ([{"character": ["A"]}], r"\[0\]\.character"),
        ([{}], r"\[0\]\.character"),
        (["A", 7], r"\[1\]"),
        ("3", "list of people"),
        ({"other": [], "another": []}, "no cast of 'film'"),
        (["x"] * 2000, "2000 people"),
    ],
)
def test_what_is_no_cast_is_refused_with_its_place(tmp_path, value, where):
    with pytest.raises(BadInput, match=where):
        read_people(cast_file(tmp_path, value), "film")


def test_pickles_are_refused_and_strange_names_left_out(tmp_path):
    (tmp_path / "cast.pkl").write_bytes(b"\x80\x04.")
    with pytest.raises(BadInput, match="pickle"):
        read_people(tmp_path / "cast.pkl")
    strange = ["<script>alert(1)</script>", "a --> b", "http://x.y", "N" * 500, "...", "{{x}}"]
    problems = []
    assert read_people(cast_file(tmp_path, [*strange, "Ann\nLee\u2028"]), problems=problems) == (Person("Ann Lee"),)
    assert len(problems) == len(strange)


CAST = (Person("Jake Sully"), Person("Dr. Grace Augustine"), Person("Norm"))


def test_names_come_with_their_first_mention():
    lines = [Line(Span(10, 12), "Grace! Wait."), Line(Span(20, 21), "It's Jake Sully."), Line(Span(5, 6), "Norm")]
    lines[2] = Line(Span(5, 6), "[Norm coughs]", spoken=False)
    names = Names(CAST, "after-intro", lines)
    assert names.introduced == {"Grace": 12, "Jake": 21}
    assert names.allowed(11) == () and names.allowed(12) == ("Grace",) and names.allowed(99) == ("Jake", "Grace")
    assert Names(CAST, "always").allowed(0) == ("Jake", "Grace", "Norm") and Names(CAST, "never").allowed(99) == ()
    with pytest.raises(ValueError, match="policies"):
        Names(CAST, "sometimes")


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("Jake waits for Grace.", "Someone waits for someone."),
        ("Jake and Grace wait.", "People wait."),
        ("Jake Sully waits. Norm's hat falls.", "Someone waits. Someone's hat falls."),
        ("A man grins at a norm.", "A man grins at a norm."),
    ],
)
def test_names_that_may_not_be_said_become_someone(text, written):
    assert Names(CAST, "never").written(text, 0.0) == written


def test_strangers_are_known_by_their_capital():
    names = Names(CAST, "always")
    assert names.strangers("The man sees Neytiri on Monday. Jake laughs.") == ("Neytiri",)
    assert names.strangers("Bob runs. Dogs bark. Snow falls.") == ("Bob",)
    learnt = Names(CAST, "always", learnt=("nell", "jake"))
    assert learnt.strangers("Nell runs. Jake waits. Snow falls.") == ("Nell",)
    assert learnt.written("Nell runs. Then Nell and Jake wait.", 0.0) == "Someone runs. Then someone and Jake wait."
    assert names.named("Sully and Augustine meet Norm.") == ("Jake", "Grace", "Norm")
