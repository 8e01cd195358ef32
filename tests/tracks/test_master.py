"""The JSON master: nothing of a track is lost, and whatever stands in a file that we did not write is judged."""

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distinctad_jax.errors import BadInput
from distinctad_jax.movie.description import (
    KINDS,
    STATUSES,
    Alternative,
    Check,
    Description,
    Duck,
    Provenance,
    Speech,
)
from distinctad_jax.movie.movie import FilmFile, Line, Person, Track
from distinctad_jax.movie.span import Span
from distinctad_jax.tracks import read_track, write_track
from distinctad_jax.tracks.fields import legible

words = st.text(max_size=12).map(legible)
name = words.filter(bool)
number = st.floats(-1e6, 1e6)
share = st.none() | st.floats(0, 1)
spans = st.tuples(st.floats(0, 1e5), st.floats(0.001, 1e3)).map(lambda pair: Span(pair[0], pair[0] + pair[1]))
some = st.lists(words, max_size=2).map(tuple)
maybe = st.none() | number
duck = st.builds(lambda span, depth: Duck(span, depth, span.seconds / 4, span.seconds / 2), spans, st.floats(0, 20))


@st.composite
def descriptions(draw, id):
    kind = draw(st.sampled_from(KINDS))
    return Description(
        draw(spans),
        draw(words),
        draw(maybe),
        draw(some),
        id,
        kind,
        draw(st.sampled_from(STATUSES)),
        draw(words) if kind == "dropped" else "",
        draw(st.sampled_from(["visual.nonText", "visual.text.title"])),
        draw(st.sampled_from(["", "de"])),
        draw(share),
        draw(share),
        draw(st.none() | spans),
        draw(some),
        draw(st.lists(st.builds(Check, name, number, words), max_size=2).map(tuple)),
        draw(st.lists(st.builds(Alternative, words, maybe, share, maybe, words), max_size=2).map(tuple)),
        draw(st.none() | st.builds(Speech, st.floats(0, 20), words, st.floats(0.5, 2), words)),
        draw(st.none() | duck),
        draw(
            st.builds(
                Provenance,
                st.none() | spans,
                st.lists(st.floats(0, 1e5), max_size=3).map(tuple),
                st.lists(spans, max_size=2).map(tuple),
                some,
                words,
            )
        ),
        draw(words),
    )


@st.composite
def tracks(draw):
    entries = [draw(descriptions(f"ad{count}")) for count in range(draw(st.integers(0, 4)))]
    entries.sort(key=lambda one: one.span)
    json_values = st.dictionaries(
        words, number | words | st.none() | st.booleans() | st.lists(number, max_size=2), max_size=2
    )
    return Track(
        draw(words),
        tuple(one for one in entries if one.kind != "dropped"),
        draw(st.sampled_from(["en", "de-AT"])),
        draw(words),
        tuple(one for one in entries if one.kind == "dropped"),
        draw(
            st.none()
            | st.builds(
                FilmFile, words, maybe, st.none() | st.integers(1, 9999), st.none() | st.just(7), maybe, words
            )
        ),
        draw(st.lists(spans, max_size=2).map(tuple)),
        draw(st.lists(spans, max_size=2).map(tuple)),
        draw(st.lists(st.builds(Line, spans, words, words, st.booleans()), max_size=2).map(tuple)),
        draw(st.lists(st.builds(Person, words, words, st.none(), words), max_size=2).map(tuple)),
        draw(json_values),
        draw(json_values),
        draw(st.dictionaries(words, words, max_size=2)),
    )


@settings(max_examples=12, deadline=None)
@given(track=tracks())
def test_nothing_is_lost(tmp_path_factory, track):
    path = tmp_path_factory.getbasetemp() / "movie.json"
    problems = []
    write_track(path, track)
    assert read_track(path, problems=problems) == track
    assert problems == []


def test_an_entry_without_an_id_gets_a_free_one_and_keeps_it(tmp_path):
    first, second = Description(Span(0, 1), "One."), Description(Span(2, 3), "Two.", id="ad1")
    dropped = Description(Span(5, 6), "Three.", kind="dropped", reason="too long")
    write_track(tmp_path / "a.json", Track("m", (second, first), dropped=(dropped,)))
    read = read_track(tmp_path / "a.json")
    assert [one.id for one in read.entries] == ["ad2", "ad1", "ad3"]
    write_track(tmp_path / "b.json", read)
    assert (tmp_path / "b.json").read_bytes() == (tmp_path / "a.json").read_bytes()


def test_the_shape_of_the_file_is_what_the_docs_say(tmp_path):
    entry = Description(Span(1, 2), "She waits.", -0.5, speech=Speech(0.9, "espeak-ng en", 1.1, "clips/001.wav"))
    write_track(tmp_path / "a.json", Track("m", (entry,), gaps=(Span(0.5, 4),), made_by="us"))
    found = json.loads((tmp_path / "a.json").read_text())
    assert (found["format"], found["version"]) == ("distinctad track", 1)
    assert found["gaps"] == [[0.5, 4.0]] and found["provenance"] == {"made_by": "us", "models": {}}
    (one,) = found["entries"]
    assert (one["start"], one["end"], one["text"], one["kind"], one["status"]) == (
        1.0,
        2.0,
        "She waits.",
        "inline",
        "draft",
    )
    assert one["speak_seconds"] == 0.9 and one["voice"] == {
        "name": "espeak-ng en",
        "rate": 1.1,
        "clip": "clips/001.wav",
    }


HEAD = '{"format": "distinctad track", "version": 1'
ENTRY = '{"id": "a", "start": 0, "end": 1, "text": "She waits."'
ONE = HEAD + ', "entries": [' + ENTRY
DUCK = ', "duck": {"start": 0, "end": 1, "decibels": 9, "down": 1, "up": 1}}]}'


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("", "a.json:1:1: not valid JSON"),
        (HEAD + ', "movie": }', "a.json:1:55: not valid JSON"),
        ("[" * 100_000, "a.json: not valid JSON"),
        ('{"a":' * 100_000, "a.json: not valid JSON"),
        (HEAD + ', "entries": [{"start": ' + "9" * 5000 + "}]}", "a.json: not valid JSON"),
        ("[]", "a.json: is no object"),
        ("{}", "a.json:format: is not 'distinctad track'"),
        ('{"format": "distinctad track", "version": 2}', "a.json:version: is not 1 to 1"),
        ('{"format": "distinctad track", "version": true}', "a.json:version"),
        (HEAD + ', "movie": 5}', "a.json:movie: is no text"),
        (HEAD + ', "entries": {}}', "a.json:entries: is no list"),
        (HEAD + ', "entries": [5]}', "a.json:entries[0]: is no object"),
        (HEAD + ', "entries": [{"start": 0, "text": ""}]}', "a.json:entries[0].end: is no number"),
        (HEAD + ', "entries": [{"start": 2, "end": 1, "text": ""}]}', "a.json:entries[0].end: from 2.0 to 1.0"),
        (HEAD + ', "entries": [{"start": NaN, "end": 1}]}', "a.json:entries[0].start: is no finite number"),
        (HEAD + ', "entries": [{"start": 0, "end": 1e999}]}', "a.json:entries[0].end: is no finite number"),
        (HEAD + ', "entries": [{"start": 0, "end": 1e11}]}', "a.json:entries[0].end: from 0.0"),
        (HEAD + ', "entries": [{"start": 0, "end": "1"}]}', "a.json:entries[0].end: is no number"),
        (ONE + ', "kind": "loud"}]}', "a.json:entries[0].kind: is 'loud'"),
        (ONE + ', "reason": "x"}]}', "a.json:entries[0].reason"),
        (ONE + ', "confidence": 2}]}', "a.json:entries[0].confidence: is 2.0"),
        (ONE + ', "gap": [1]}]}', "a.json:entries[0].gap: is no span"),
        (ONE + ', "checks": [{"name": "x"}]}]}', "entries[0].checks[0].value"),
        (ONE + ', "speak_seconds": -1}]}', "a.json:entries[0].speak_seconds"),
        (ONE + DUCK, "a.json:entries[0].duck: The ramps"),
        (ONE + ', "provenance": {"frames": [-1]}}]}', "entries[0].provenance.frames"),
        (ONE + "}, " + ENTRY + "}]}", "a.json:entries: Track 'a': two descriptions"),
        (HEAD + ', "gaps": [[0, 1], [1, 0]]}', "a.json:gaps[1]: from 1.0 to 0.0"),
        (HEAD + ', "options": {"a": 1e999}}', "a.json:options: holds a number that is not finite"),
        (HEAD + ', "options": ' + '{"a":' * 60 + "1" + "}" * 60 + "}", "a.json:options: is nested deeper"),
        (HEAD + ', "film": {"name": "x", "width": 0.5}}', "a.json:film.width: is 0.5"),
        (HEAD + ', "dialogue": [{"start": 0, "end": 1, "text": "x", "spoken": 1}]}', "dialogue[0].spoken"),
    ],
)  # fmt: skip
def test_what_is_no_track_is_refused_with_its_place(tmp_path, text, where):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(BadInput) as caught:
        read_track(tmp_path / "a.json")
    assert where in str(caught.value) and "\n" not in str(caught.value)


def test_fields_of_another_time_are_told_and_left_out(tmp_path):
    (tmp_path / "a.json").write_text(HEAD + ', "mood": 1, "entries": [' + ENTRY + ', "smell": 2}]}')
    problems = []
    track = read_track(tmp_path / "a.json", problems=problems)
    assert track.movie == "a" and [one.text for one in track.descriptions] == ["She waits."]
    assert [problem.split(": ")[0].split(":")[-1] for problem in sorted(problems)] == ["entries[0].smell", "mood"]


def test_halves_of_characters_and_controls_do_not_go_on(tmp_path):
    (tmp_path / "a.json").write_text(HEAD + ', "movie": "a\\ud800\\u0000b\\u202e", "entries": []}')
    track = read_track(tmp_path / "a.json")
    assert track.movie == "a\ufffd b\u202e"
    write_track(tmp_path / "b.json", track)
    assert read_track(tmp_path / "b.json") == track


@pytest.mark.parametrize(
    "make",
    [
        lambda: Description(Span(0, 1), "x", kind="loud"),
        lambda: Description(Span(0, 1), "x", status="lost"),
        lambda: Description(Span(0, 1), "x", reason="too long"),
        lambda: Description(Span(0, 1), "x", confidence=1.5),
        lambda: Description(Span(0, 1), "x", distinctiveness=math.nan),
        lambda: Check("", 1.0, "x"),
        lambda: Check("too_fast", math.inf, "x"),
        lambda: Speech(-1.0),
        lambda: Speech(1.0, rate=0.0),
        lambda: Duck(Span(0, 1), -3.0),
        lambda: Duck(Span(0, 0.5), 9.0, 0.3, 0.5),
        lambda: Alternative("x", score=math.nan),
        lambda: Provenance(frames=(-1.0,)),
        lambda: Track("m", (Description(Span(0, 1), "x", kind="dropped"),)),
        lambda: Track("m", (), dropped=(Description(Span(0, 1), "x"),)),
        lambda: Track("m", (Description(Span(0, 1), "x", id="a"), Description(Span(2, 3), "y", id="a"))),
    ],
)
def test_values_that_make_no_sense_are_refused(make):
    with pytest.raises(ValueError):
        make()
