"""Stretches of speech that other programs found."""

import pytest

from distinctad_jax.data.segments import read_segments
from distinctad_jax.errors import BadInput, BadUsage
from distinctad_jax.movie.span import Span

FILES = {
    "a.json": "[[3, 4.5], [1, 2]]",
    "b.json": '{"language": "en", "segments": [{"start": 1, "end": 2, "text": "Hi"}, {"start": 3, "end": 4.5}]}',
    "a.rttm": "; comment\nSPKR-INFO x 1 <NA> <NA> <NA> unknown A <NA>\nSPEAKER x 1 1.0 1.0 <NA> <NA> A <NA> <NA>\n"
    "SPEAKER x 1 3.0 1.5 <NA> <NA> B <NA> <NA>\n",
    "a.lab": "# by hand\n1.0\t2.0\tspeech\n\n3\t4.5\tspeech\n",
}


@pytest.mark.parametrize("name", FILES)
def test_each_format_gives_the_same_stretches_in_order(tmp_path, name):
    (tmp_path / name).write_text(FILES[name])
    assert read_segments(tmp_path / name) == [Span(1, 2), Span(3, 4.5)]


@pytest.mark.parametrize(
    ("label", "speech"),
    [
        *[
            (said, True)
            for said in ("", "speech", "Anna", "male", "1", "Sound 1", "speech with music", "Silence!, he said")
        ],
        *[(said, False) for said in ("music", "MUSIC 2", "silence", "Noise", "noEnergy", "NO_SPEECH", "non-speech")],
        *[(said, False) for said in ("sil", "[door slams]", "(rain)", "♪ la la ♪")],
    ],
)
def test_labels_of_what_is_no_speech_are_passed_over(tmp_path, label, speech):
    (tmp_path / "a.txt").write_text(f"1\t2\t{label}\n\\\t100.0\t2000.0\n3\t4.5\tspeech\n")
    assert read_segments(tmp_path / "a.txt") == ([Span(1, 2)] if speech else []) + [Span(3, 4.5)]


@pytest.mark.parametrize(
    ("name", "text", "where"),
    [
        ("a.json", "[", "a.json:1:2"),
        ("a.json", '{"a": 1}', "no list"),
        ("a.json", "[[1, 2], [3]]", r"\[1\]"),
        ("a.json", "[[2, 1]]", r"\[0\]"),
        ("a.json", "[[-1, 1]]", r"\[0\]"),
        ("a.json", "[[NaN, 1]]", r"\[0\]"),
        ("a.json", '[["1", "x"]]', r"\[0\]"),
        ("a.json", "[[true, 2]]", r"\[0\]"),
        ("a.json", "[[1, 1e400]]", r"\[0\]"),
        ("a.json", "[" * 100_000, "JSON"),
        ("a.json", "[[1, " + "9" * 6000 + "]]", "JSON"),
        ("a.rttm", "SPEAKER x 1 one 2 <NA>\n", "a.rttm:1"),
        ("a.rttm", "1 2 speech\n", "SPEAKER"),
        ("a.lab", "\n1\n", "a.lab:2"),
        ("a.lab", "１ ２\n", "a.lab:1"),
        ("a.lab", "5 4\n", "a.lab:1"),
    ],
)
def test_what_is_no_stretch_is_refused_with_its_place(tmp_path, name, text, where):
    (tmp_path / name).write_text(text)
    with pytest.raises(BadInput, match=where):
        read_segments(tmp_path / name)


def test_other_suffixes_encodings_and_empty_files(tmp_path):
    with pytest.raises(BadUsage, match="list of segments"):
        read_segments(tmp_path / "a.wav")
    (tmp_path / "a.lab").write_bytes(b"1 2 caf\xe9\n")
    with pytest.raises(BadInput, match="UTF-8"):
        read_segments(tmp_path / "a.lab")
    (tmp_path / "b.lab").write_text("1 1 blink\n")
    problems = []
    assert read_segments(tmp_path / "b.lab", problems=problems) == [] and len(problems) == 2
