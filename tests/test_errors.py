"""A problem is one line with a place and a mend, and has an exit code."""

import pytest

from distinctad_jax import errors
from distinctad_jax.errors import BadInput, Problem, counted, printable

CODES = {
    "BadUsage": 2,
    "BadInput": 3,
    "BadEnvironment": 4,
    "BadResume": 5,
    "SomeSkipped": 6,
    "NonFinite": 7,
    "Stopped": 75,
}


def test_every_class_has_the_exit_code_of_the_contract():
    classes = {
        name: each.code
        for name, each in vars(errors).items()
        if isinstance(each, type) and issubclass(each, Problem) and each is not Problem
    }
    assert classes == CODES
    assert Problem.code == 70


def test_a_problem_says_where_what_and_what_to_do():
    problem = BadInput("found 'x', needed a number", where="clips.csv:12:start", mend="correct the row")
    assert str(problem) == "clips.csv:12:start: found 'x', needed a number; correct the row"
    assert str(BadInput("nothing")) == "nothing"


@pytest.mark.parametrize("sign", ["\n", "\r", "\x1b[31m", "\x00", "\u2028", "\x85", "\u202e"])
def test_a_name_cannot_forge_a_second_line_or_move_the_cursor(sign):
    line = str(BadInput("bad", where=f"film{sign}error: all is well"))
    assert len(line.splitlines()) == 1 and line.isprintable()
    assert printable(f"a{sign}b").startswith("a\\")


def test_words_of_any_script_stay_readable():
    assert printable("Amélie / 七人の侍 🎬") == "Amélie / 七人の侍 🎬"


def test_counts_are_told_in_the_singular_and_the_plural():
    assert [counted(number, "gap") for number in (0, 1, 2)] == ["0 gaps", "1 gap", "2 gaps"]
