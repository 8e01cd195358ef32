"""validate of WebVTT: what the syntax forbids inside a cue, and what it allows."""

import pytest

from distinctad_jax.tracks import read_cues
from distinctad_jax.tracks.verdict import judge


def faults(path, text, settings=""):
    path.write_bytes(f"WEBVTT\n\n1\n00:00:01.000 --> 00:00:02.000 {settings}\n{text}\n".encode())
    return [fault.what for fault in judge(path).faults if fault.grave]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("&#0;", "&#0; is the number of no character"),
        ("&#x1;", "&#x1; is the number of no character"),
        ("&#13;", "is the number of no character"),
        ("&#128;", "is the number of no character"),
        ("&#xD800;", "is the number of no character"),
        ("&#xFDD0;", "is the number of no character"),
        ("&#x1FFFF;", "is the number of no character"),
        ("&#1114112;", "is the number of no character"),
        ("&#;", "no reference to a character"),
        ("&amp", "no reference to a character"),
        ("<b\n>a</b>", "no tag of WebVTT"),
        ("<v Roger\nBingham>a", "no tag of WebVTT"),
    ],
)
def test_a_text_that_the_syntax_forbids_is_an_error(tmp_path, text, says):
    found = faults(tmp_path / "a.vtt", text)
    assert found and says in found[0]


@pytest.mark.parametrize(
    "text", ["&#9;&#65;&#x41;&#X10FFFD;", "&amp;&nbsp;&eacute;", "<v.loud Roger  Bingham>a", "<v\tB>a"]
)
def test_what_the_syntax_allows_is_none(tmp_path, text):
    assert faults(tmp_path / "a.vtt", text) == []


def test_settings_are_parted_by_blanks_and_tabs_only(tmp_path):
    assert faults(tmp_path / "a.vtt", "a", "align:start\tsize:40%  line:1") == []
    assert len(faults(tmp_path / "a.vtt", "a", "align:start\u00a0size:40%")) == 1


def test_zeros_in_front_of_hours_do_not_count(tmp_path):
    hours = ("0" * 9 + "1", "1" + "0" * 8)
    cues = "".join(f"\n{one}:00:00.000 --> {one}:00:01.000\na\n" for one in hours)
    (tmp_path / "a.vtt").write_text(f"WEBVTT\n{cues}")
    assert [cue.start for cue in read_cues(tmp_path / "a.vtt", problems=[])] == [3600.0]
