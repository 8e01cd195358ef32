"""The W3C's file-parsing cases of WebVTT, by their rules and in our own words: what a browser reads of odd files.

Source: W3C WebVTT, sections 6.1 to 6.4; the rules that web-platform-tests checks under `webvtt/parsing/file-parsing`
and `webvtt/parsing/cue-text-parsing`. `tests/browser` asks Chromium and the W3C's own checker about the same files.
"""

import pytest
from vtt_cases import ACCEPTED, CUE_TEXT, REFUSED

from distinctad_jax.errors import BadInput
from distinctad_jax.tracks import read_cues
from distinctad_jax.tracks.cue_text import parsed


@pytest.mark.parametrize("name", ACCEPTED)
def test_a_file_has_the_cues_that_a_browser_reads(tmp_path, name):
    data, wanted = ACCEPTED[name]
    path = tmp_path / f"{name}.vtt"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    found = [(cue.start, cue.end, cue.text) for cue in read_cues(path, problems=[])]
    assert found == [(start, end, text) for start, end, text, *_ in wanted]
    for cue, (_, _, _, *more) in zip(read_cues(path, problems=[]), wanted, strict=True):
        assert not more or cue.id == more[0]


@pytest.mark.parametrize("name", REFUSED)
def test_a_file_without_the_signature_is_none(tmp_path, name):
    path = tmp_path / f"{name}.vtt"
    path.write_bytes(REFUSED[name].encode() if isinstance(REFUSED[name], str) else REFUSED[name])
    with pytest.raises(BadInput, match="WEBVTT"):
        read_cues(path)


@pytest.mark.parametrize("text", CUE_TEXT)
def test_the_text_of_a_cue_is_what_a_browser_shows(text):
    assert parsed(text)[0] == CUE_TEXT[text]
