"""METEOR and SPICE through Java, where there is one, and a clear word where there is none."""

import json
from pathlib import Path

import pytest

from distinctad_jax.errors import BadEnvironment
from distinctad_jax.metrics.java import find_jar
from distinctad_jax.metrics.meteor import meteor
from distinctad_jax.metrics.spice import spice
from distinctad_jax.metrics.tokenise import tokenised


def test_a_missing_java_or_jar_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name: "/bin/java")
    with pytest.raises(BadEnvironment, match="pip install pycocoevalcap"):
        find_jar("spice", tmp_path / "spice.jar")
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(BadEnvironment, match="no Java"):
        find_jar("meteor", tmp_path / "meteor.jar")


@pytest.fixture
def java(tmp_path, monkeypatch):
    """A program called java that stands first in the path."""

    def make(script: str) -> Path:
        program = tmp_path / "java"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
        (tmp_path / "tool.jar").touch()
        return tmp_path / "tool.jar"

    return make


def test_meteor_speaks_the_programs_language(java):
    jar = java(
        'while read line; do case "$line" in EVAL*) echo 0.5; echo 0.25; echo 0.4;; *) echo "1 2 3";; esac; done'
    )
    assert meteor(["a", "||| b"], [["a"], ["b", "c"]], jar) == (0.4, [0.5, 0.25])


def test_spice_speaks_the_programs_language(java, tmp_path):
    """It is asked with rows as JSON, in the program's own folder, and answers in any order."""
    answer = [{"image_id": row, "scores": {"All": {"f": f}}} for row, f in ((1, 0.25), (0, 0.75))]
    (tmp_path / "answer.json").write_text(json.dumps(answer))
    jar = java('cp "$4" asked.json; [ "$5" = -out ] && cp answer.json "$6"')
    assert spice(["a dog", 'a "cat"'], [["one dog"], ["x", "y"]], jar) == (0.5, [0.75, 0.25])
    assert json.loads((tmp_path / "asked.json").read_text()) == [
        {"image_id": 0, "test": "a dog", "refs": ["one dog"]},
        {"image_id": 1, "test": 'a "cat"', "refs": ["x", "y"]},
    ]


def test_spice_finds_what_a_sentence_says():
    """With the real program: the same sentence is a whole match, another scene none."""
    try:
        whole, rows = spice(
            ["a man opens a red door", "a dog"], [["a man opens a red door"], ["snow"]], find_jar("spice")
        )
    except BadEnvironment as error:
        pytest.skip(str(error))
    assert rows == [1.0, 0.0]
    assert whole == 0.5


def test_a_program_that_ends_early_is_no_score(java):
    with pytest.raises(BadEnvironment, match=r"ended early|no score"):
        meteor(["a"], [["a"]], java("exit 1"))
    with pytest.raises(BadEnvironment, match="no models here"):
        spice(["a"], [["a"]], java("echo no models here >&2; exit 1"))


def test_meteor_equals_the_reference_value(published_tv):
    try:
        jar = find_jar("meteor")
    except BadEnvironment as error:
        pytest.skip(str(error))
    rows = published_tv.rows[:50]
    said = [tokenised(text) for text in published_tv.predictions("mix")[:50]]
    whole, _ = meteor(said, [[tokenised(row["reference"])] for row in rows], jar)
    assert whole == pytest.approx(published_tv.scores["mix"]["first50"]["METEOR"], abs=1e-9)
