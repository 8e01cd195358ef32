"""SRT as people and programs leave it: numbers, marks and odd arrows never become words."""

import time

import pytest

from distinctad_jax.tracks import read_cues

BOTH = [(1.0, 2.0, ("One.",)), (3.0, 4.0, ("Two.",))]
FIRST = "1\n00:00:01,000 --> 00:00:02,000\nOne.\n"
SRT = f"{FIRST}\n2\n00:00:03,000 --> 00:00:04,000\nTwo.\n"


def read(path, text):
    path.write_bytes(text.encode())
    problems = []
    return [(cue.start, cue.end, cue.lines) for cue in read_cues(path, problems=problems)], problems


@pytest.mark.parametrize(
    "text",
    [
        SRT.replace("\n", "\r\r\n"),
        SRT.replace("\n", "\n\n"),
        f"{SRT}\n3\n\n",
        f"{SRT}\n3",
        SRT.replace("\n2\n", "\n\ufeff2\n"),
        SRT.replace("00:00:0", "\u200e00:00:0").replace("2\n", "\u202b2\u202c\n"),
        SRT.replace("-->", "->"),
        SRT.replace("-->", "\u2013>"),
        SRT.replace("-->", "\u2192"),
        SRT.replace("-->", "--->"),
        SRT.replace("One.", "One.<br/>"),
    ],
)
def test_cues_are_read_and_nothing_else(tmp_path, text):
    assert read(tmp_path / "a.srt", text) == (BOTH, [])


def test_a_text_that_is_a_number_stays(tmp_path):
    text = "00:00:01,000 --> 00:00:02,000\n1984\n\n00:00:03,000 --> 00:00:04,000\nThat is\n\n42\n"
    assert read(tmp_path / "a.srt", text)[0] == [(1.0, 2.0, ("1984",)), (3.0, 4.0, ("That is", "42"))]
    counted = "41\n00:00:01,000 --> 00:00:02,000\nThat is\n42\n\n43\n00:00:03,000 --> 00:00:04,000\nTwo.\n"
    assert read(tmp_path / "b.srt", counted)[0] == [(1.0, 2.0, ("That is", "42")), (3.0, 4.0, ("Two.",))]


def test_an_arrow_between_words_is_text(tmp_path):
    assert read(tmp_path / "a.srt", SRT.replace("One.", "A -> B"))[0][0] == (1.0, 2.0, ("A -> B",))


def test_a_break_is_a_blank(tmp_path):
    assert read(tmp_path / "a.srt", SRT.replace("One.", "A<br>b"))[0][0] == (1.0, 2.0, ("A b",))


def test_what_stands_above_the_first_times_is_told(tmp_path):
    cues, problems = read(tmp_path / "a.srt", f"\nA heading\n{SRT}")
    assert cues == BOTH
    assert problems == [f"{tmp_path / 'a.srt'}:2: text without times left out: 'A heading'"]


@pytest.mark.parametrize("trap", ["-" * 1_000_000 + " >", "->" * 500_000, "-->" * 300_000, "\n" * 300_000])
def test_traps_take_no_long_time(tmp_path, trap):
    begun = time.process_time()
    assert read(tmp_path / "a.srt", f"{SRT}\n{trap}")[0][0] == BOTH[0]
    assert time.process_time() - begun < 5
