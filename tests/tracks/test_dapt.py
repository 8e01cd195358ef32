"""DAPT: what is written passes our rules and comes back; each rule has a document that breaks it and nothing else."""

import dataclasses
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distinctad_jax.errors import BadInput
from distinctad_jax.movie.description import Check, Description, Duck, Speech
from distinctad_jax.movie.movie import Line, Person, Track
from distinctad_jax.movie.span import Span
from distinctad_jax.tracks import read_track, write_track
from distinctad_jax.tracks.ttml import Clock, is_descriptor
from distinctad_jax.tracks.verdict import judge

FIRST = Description(
    Span(10.3, 12.7),
    "A woman & a <boy> climb into a boat. ]]>",
    id="ad1",
    confidence=0.71,
    characters=("EMO",),
    notes=("slowly",),
    checks=(Check("too_fast", 19.25, "It is too fast."),),
    duck=Duck(Span(10, 13), 8.2, 0.3, 0.5),
)
SECOND = Description(Span(13.2, 15), "Second.", id="2 x", duck=Duck(Span(13, 15.2), 8.2, 0, 0.2))
TITLE = Description(Span(18, 20), "Elephants Dream", id="t", represents="visual.text.title", status="approved")
TRACK = Track(
    "A & B <x>", (FIRST, SECOND, TITLE), "de-AT", "us", cast=(Person("EMO", "Tygo Gernandt"), Person("PROOG"))
)


def test_cast_confidence_and_ducking_come_back(tmp_path):
    write_track(tmp_path / "a.dapt.ttml", TRACK)
    assert judge(tmp_path / "a.dapt.ttml").faults == []
    assert read_track(tmp_path / "a.dapt.ttml") == TRACK


def test_the_event_spans_what_is_ducked_and_the_span_what_is_spoken(tmp_path):
    write_track(tmp_path / "a.dapt.ttml", TRACK)
    text = (tmp_path / "a.dapt.ttml").read_text()
    assert '<div xml:id="ad1" begin="10.000s" end="13.000s">' in text
    assert '<span begin="0.300s" end="2.700s" tta:speak="normal">A woman &amp; a &lt;boy&gt; climb' in text
    assert '<animate begin="0.000s" end="0.300s" tta:gain="1;0.3890" fill="freeze"/>' in text
    assert '<animate begin="2.500s" end="3.000s" tta:gain="0.3890;1"/>' in text


def test_a_recording_is_named_and_makes_the_script_one_as_recorded(tmp_path):
    voiced = dataclasses.replace(FIRST, speech=Speech(2.4, "espeak-ng", 1.1, "clips/00 1.wav"))
    write_track(tmp_path / "a.ttml", Track("m", (voiced,)))
    text = (tmp_path / "a.ttml").read_text()
    assert 'daptm:scriptType="asRecorded"' in text and '<audio src="clips/00%201.wav" type="audio/wave"/>' in text
    assert "tta:speak" not in text  # or a player would say it twice
    assert judge(tmp_path / "a.ttml").faults == []
    assert read_track(tmp_path / "a.ttml").descriptions[0].speech.clip == "clips/00 1.wav"


def test_a_title_whose_language_is_no_tag_is_taken_for_one_of_the_track(tmp_path):
    write_track(tmp_path / "a.ttml", Track("m", (dataclasses.replace(TITLE, language="Old Dutch"),), "nl"))
    assert 'daptm:langSrc="nl"' in (tmp_path / "a.ttml").read_text() and judge(tmp_path / "a.ttml").faults == []


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 9000), st.text(min_size=1)), max_size=4))
def test_any_text_makes_a_valid_document_with_the_same_cues(tmp_path_factory, cues):
    path = tmp_path_factory.getbasetemp() / "any.ttml"
    entries = [
        Description(Span(a / 1000, (a + b) / 1000), f"x{text}") for a, b, text in sorted(cues, key=lambda c: c[:2])
    ]
    write_track(path, Track("m\x00<", tuple(entries)))
    assert judge(path).valid
    assert [one.span for one in read_track(path).descriptions] == [one.span for one in entries]


@pytest.mark.parametrize("change", [{"text": " \x00"}, {"represents": "smell"}, {"span": Span(1, 1.0001)}])
def test_what_cannot_stand_in_a_script_is_not_written(tmp_path, change):
    with pytest.raises(ValueError, match="00:00:"):
        write_track(tmp_path / "a.ttml", Track("m", (dataclasses.replace(TITLE, **change),)))
    assert list(tmp_path.iterdir()) == []


NAMES = (
    'xmlns="http://www.w3.org/ns/ttml" xmlns:ttm="http://www.w3.org/ns/ttml#metadata" '
    'xmlns:ttp="http://www.w3.org/ns/ttml#parameter" xmlns:daptm="http://www.w3.org/ns/ttml/profile/dapt#metadata" '
    'xmlns:tta="http://www.w3.org/ns/ttml#audio" '
)
ROOT = (
    'ttp:contentProfiles="http://www.w3.org/ns/ttml/profile/dapt1.0/content" xml:lang="en" '
    'daptm:scriptType="asRecorded" daptm:scriptRepresents="visual" daptm:represents="visual.nonText" '
    'ttp:frameRate="25"'
)
HEAD = (
    '<metadata><ttm:agent type="person" xml:id="p1"><ttm:name type="full">A. Actor</ttm:name></ttm:agent>'
    '<ttm:agent type="character" xml:id="c1"><ttm:name type="alias">EMO</ttm:name><ttm:actor agent="p1"/></ttm:agent>'
    "<daptm:daptOriginTimecode>10:00:00:24</daptm:daptOriginTimecode></metadata>"
)
BODY = (
    '<div xml:id="d1" begin="1s" end="3s" daptm:onScreen="OFF"><ttm:desc daptm:descType="scene">1</ttm:desc>'
    '<p xml:id="t1" daptm:langSrc="zxx"><span>She waits.</span><audio src="a.wav" type="audio/wave"/></p></div>'
)
SOUND = '<audio src="a.wav" type="audio/wave"/>'
DOCUMENT = f'<?xml version="1.0" encoding="UTF-8"?>\n<tt {NAMES}{ROOT}><head>{HEAD}</head><body>{BODY}</body></tt>\n'

BROKEN = {
    "no DAPT profile": ("dapt1.0/content", "imsc1.1/text"),
    "no profile": ('ttp:contentProfiles="http://www.w3.org/ns/ttml/profile/dapt1.0/content" ', ""),
    "TTML1 profile": ("ttp:frameRate", 'ttp:profile="x" ttp:frameRate'),
    "smpte": ("ttp:frameRate", 'ttp:timeBase="smpte" ttp:frameRate'),
    "drop mode": ("ttp:frameRate", 'ttp:dropMode="nonDrop" ttp:frameRate'),
    "empty language": ('xml:lang="en"', 'xml:lang=""'),
    "no language": ('xml:lang="en" ', ""),
    "odd language": ('xml:lang="en"', 'xml:lang="#x"'),
    "language of one letter": ('xml:lang="en"', 'xml:lang="e"'),
    "language of too many countries": ('xml:lang="en"', 'xml:lang="en-GB-US"'),
    "empty source language": ("ttp:frameRate", 'daptm:langSrc="" ttp:frameRate'),
    "odd source language": ("ttp:frameRate", 'daptm:langSrc="#x" ttp:frameRate'),
    "no script type": ('daptm:scriptType="asRecorded" ', ""),
    "odd script type": ("asRecorded", "draft"),
    "no script represents": ('daptm:scriptRepresents="visual" ', ""),
    "odd script represents": ('daptm:scriptRepresents="visual"', 'daptm:scriptRepresents="visual smell"'),
    "commas": ('daptm:scriptRepresents="visual"', 'daptm:scriptRepresents="audio, visual"'),
    "no represents": ('daptm:represents="visual.nonText" ', ""),
    "odd represents": ("visual.nonText", "visual.smell"),
    "represents elsewhere": ("visual.nonText", "audio.dialogue"),
    "represents by half a name": ("visual.nonText", "visuals"),
    "text represents elsewhere": ("<p ", '<p daptm:represents="audio.dialogue" '),
    "part represents elsewhere": ("<span>", '<span daptm:represents="audio.dialogue">'),
    "on screen": ('"OFF"', '"MAYBE"'),
    "description type": ('"scene"', '"mood"'),
    "origin": ("10:00:00:24", "10:00:00"),
    "origin too long": ("10:00:00:24", "10:00:00:25"),
    "origin without rate": ('ttp:frameRate="25"', ""),
    "origin twice": ("</metadata>", "<daptm:daptOriginTimecode>10:00:00:24</daptm:daptOriginTimecode></metadata>"),
    "actor of nobody": ('agent="p1"', 'agent="p2"'),
    "actor no agent": ('agent="p1"', 'agent="d1"'),
    "actor of itself": ('agent="p1"', 'agent="c1"'),
    "actor no person": ('type="person"', 'type="group"'),
    "actor without full name": ('type="full"', 'type="given"'),
    "character without alias": ('type="alias"', 'type="full"'),
    "agent without id": (' xml:id="p1"', ""),
    "agent with odd id": ('xml:id="c1"', 'xml:id="1c"'),
    "agent without name": ('<ttm:name type="full">A. Actor</ttm:name>', ""),
    "agent of odd type": ('type="person"', 'type="dog"'),
    "name of odd type": ('type="full"', 'type="nick"'),
    "spoken by nobody": ("<p ", '<p ttm:agent="x" '),
    "id twice": ('xml:id="t1"', 'xml:id="d1"'),
    "id with a digit": ('xml:id="d1"', 'xml:id="1d"'),
    "id with a colon": ('xml:id="d1"', 'xml:id="d:1"'),
    "p in body": ("<body>", "<body><p>x</p>"),
    "unknown element": ("<p ", "<q/><p "),
    "text in a div": ("<p ", "lost<p "),
    "two bodies": ("</body>", "</body><body/>"),
    "body before head": ("<head>", "<body/><head>"),
    "source in data": ("<audio ", '<audio><source><data type="x"><source/></data></source></audio><audio '),
    "sound of another language": ("<audio ", '<audio xml:lang="fr" '),
    "sound that is not there": ('src="a.wav"', 'src="#nowhere"'),
    "sound that is no resource": ('"a.wav"', '"a.wav" xml:id="s1"', "</p>", '<audio src="#s1"/></p>'),
    "resource without type": (SOUND, '<audio src="#s"/>',
                              "<head>", '<head><resources><data xml:id="s">UklGRg==</data></resources>'),
    "sound named twice": ('type="audio/wave"/>', 'type="audio/wave"><source src="b.wav" type="audio/wave"/></audio>'),
    "sound not named": ('src="a.wav" ', ""),
    "empty data": (SOUND, '<audio><source><data type="audio/wave"> </data></source></audio>'),
    "clip at no time": ("<audio ", '<audio clipBegin="soon" '),
    "animation out of line": ("</head>", "<animation/></head>"),
    "animation by name": ("<p ", '<p animate="a1" '),
    "one after the other": ("<body>", '<body timeContainer="seq">'),
    "a byte-order mark": ("<?xml", "\ufeff<?xml"),
    "no time": ('begin="1s"', 'begin="soon"'),
    "frames in a clock time": ('begin="1s"', 'begin="00:00:01:00"'),
    "another encoding": ("UTF-8", "ISO-8859-1"),
    "XML 1.1": ('version="1.0"', 'version="1.1"'),
    "a DTD": ("<tt ", "<!DOCTYPE tt [<!ENTITY e 'x'>]><tt "),
    "an entity": ("She", "&e;She"),
    "cut": ("</body></tt>", ""),
    "another root": ("<tt ", "<svg "),
}  # fmt: skip


def judged(tmp_path, text):
    (tmp_path / "a.ttml").write_bytes(text if isinstance(text, bytes) else text.encode())
    return judge(tmp_path / "a.ttml")


def test_the_whole_document_is_valid(tmp_path):
    verdict = judged(tmp_path, DOCUMENT)
    assert (verdict.faults, verdict.cues, verdict.first, verdict.last, verdict.people) == ([], 1, 1.0, 3.0, 1)


@pytest.mark.parametrize("name", BROKEN)
def test_a_document_that_breaks_one_rule_is_not(tmp_path, name):
    text = DOCUMENT
    for old, new in zip(BROKEN[name][::2], BROKEN[name][1::2], strict=True):
        assert old in text
        text = text.replace(old, new, 1)
    verdict = judged(tmp_path, text)
    assert not verdict.valid and all(fault.place for fault in verdict.faults)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("dapt1.0/content", "dapt1.0/content http://www.w3.org/ns/ttml/profile/imsc1.2/text"),
        ('daptm:scriptRepresents="visual"', 'daptm:scriptRepresents="audio visual"'),
        ("visual.nonText", "visual.x-smell"),
        ("visual.nonText", "visual.text.credit"),
        ('"scene"', '"x-mood"'),
        (' daptm:descType="scene"', ""),
        ("ttp:frameRate", 'daptm:langSrc="zxx" ttp:frameRate'),
        (BODY, f"<div><div>{BODY}</div></div>"),
        (BODY, f'<div xml:id="group"><div xml:id="scene">{BODY}</div></div>'),
        ('xml:lang="en"', 'xml:lang="sl-Latn-IT-nedis"'),
        ('langSrc="zxx"', 'langSrc=""'),
        ('langSrc="zxx"', 'langSrc="i-klingon"'),
        ('xml:id="d1"', 'xml:id="d\u0301·1"'),
        (BODY, "<div/><div><p>no event</p></div>"),
        (f"<head>{HEAD}</head><body>{BODY}</body>", ""),
        ("She", "&lt;&#233;“She"),
        ("<p ", '<x:y xmlns:x="urn:x">any</x:y><p '),
        ("<p ", '<x:y xmlns:x="urn:x" xml:id="1 2" xml:lang="#"><p begin="never" /></x:y><p '),
        ("<audio ", '<audio xml:lang="en" '),
    ],
)
def test_what_the_standard_allows_is_valid(tmp_path, old, new):
    assert old in DOCUMENT
    assert judged(tmp_path, DOCUMENT.replace(old, new, 1)).valid


RISKY = {
    "source language not said": ('langSrc="zxx"', 'langSrc=""', "daptm:langSrc is not said, in texts: 1"),
    "source language not known": ('langSrc="zxx"', 'langSrc="und"', "daptm:langSrc is not said, in texts: 1"),
    "text beside a div": ("<p ", "<div/><p ", "p stands in no script event"),
    "text in a div without id": ("<body>", "<body><div><p>No event.</p></div>", "p stands in no script event"),
    "on screen elsewhere": ("<p ", '<p daptm:onScreen="ON" ', "daptm:onScreen means nothing on p"),
    "unknown attribute": ("<p ", '<p daptm:eventType="x" ', "daptm:eventType means nothing on p"),
    "agent elsewhere": ("<p ", '<ttm:agent type="group" xml:id="g"><ttm:name type="full">A</ttm:name></ttm:agent><p ',
                        "the agent 'g' stands elsewhere"),
    "time container": ("<p ", '<p timeContainer="par" ', "timeContainer is par, and better left out"),
    "recorded before": ("asRecorded", "preRecording", "preRecording, and there are texts that have a recording: 1"),
    "not recorded": (SOUND, "", "asRecorded, and there are texts that have no recording: 1"),
    "recorded and spoken": ("<span>", '<span tta:speak="fast">', "that have a recording and tta:speak: 1"),
}  # fmt: skip


@pytest.mark.parametrize("name", RISKY)
def test_what_should_not_be_is_a_warning(tmp_path, name):
    old, new, says = RISKY[name]
    assert old in DOCUMENT
    verdict = judged(tmp_path, DOCUMENT.replace(old, new, 1))
    assert verdict.valid and any(says in fault.what for fault in verdict.faults)


@pytest.mark.parametrize(("kind", "source", "says"), [
    ("originalTranscript", "fr", ["that are translations: 1"]),
    ("originalTranscript", "EN", []),
    ("translatedTranscript", "zxx", ["that are no translations: 1"]),
    ("translatedTranscript", "fr", []),
])  # fmt: skip
def test_translations_stand_in_translated_transcripts(tmp_path, kind, source, says):
    verdict = judged(tmp_path, DOCUMENT.replace("asRecorded", kind).replace('"zxx"', f'"{source}"'))
    assert [fault.what.rpartition("texts ")[2] for fault in verdict.faults] == says


def test_a_div_around_events_is_no_event_but_moves_them(tmp_path):
    group = f'<div xml:id="group" begin="10s">{BODY}</div>'
    verdict = judged(tmp_path, DOCUMENT.replace(BODY, group))
    assert (verdict.faults, verdict.cues, verdict.first, verdict.last) == ([], 1, 11.0, 13.0)


def test_of_several_sources_the_first_outside_is_read(tmp_path):
    several = '<audio><source src="b%20c.wav" type="audio/wave"/><source src="b.mp3" type="audio/mpeg"/></audio>'
    verdict = judged(tmp_path, DOCUMENT.replace(SOUND, several))
    (one,) = read_track(tmp_path / "a.ttml").descriptions
    assert verdict.faults == [] and one.speech.clip == "b c.wav"


def test_what_stands_in_foreign_elements_is_not_read(tmp_path):
    foreign = f'<x:old xmlns:x="urn:x">{BODY}</x:old>'
    (tmp_path / "a.ttml").write_text(DOCUMENT.replace(BODY, foreign))
    assert read_track(tmp_path / "a.ttml").descriptions == ()


def test_sound_that_stands_in_the_file_is_valid(tmp_path):
    inside = '<audio><source><data type="audio/wave">UklGRg==</data></source></audio>'
    assert judged(tmp_path, DOCUMENT.replace('<audio src="a.wav" type="audio/wave"/>', inside)).valid


BOMB = "<!DOCTYPE tt [<!ENTITY a 'lol'>" + "".join(
    f"<!ENTITY {b} '{('&' + a + ';') * 10}'>" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f"{BOMB}]><tt>&i;</tt>", "a.ttml:1: has a document type"),
        ('<!DOCTYPE tt SYSTEM "secret.dtd"><tt/>', "has a document type"),
        ('<!DOCTYPE tt [<!ENTITY x SYSTEM "secret.txt">]><tt>&x;</tt>', "has a document type"),
        ('<!DOCTYPE tt [<!ENTITY % x SYSTEM "http://127.0.0.1:9/x"> %x;]><tt/>', "has a document type"),
        ("<tt>" + "<div>" * 50_000, "a.ttml:1: is nested deeper than 100"),
        ("", "is no well-formed XML"),
        ("<tt", "a.ttml:1:1: is no well-formed XML"),
        ("<tt>\x01</tt>", "is no well-formed XML"),
        ("<tt>\x00</tt>", "is no well-formed XML"),
        ("<html/>", "a.ttml:1: is no TTML"),
        ('{"a": 1}', "is no well-formed XML"),
    ],
)
def test_hostile_xml_is_refused_and_nothing_else_is_opened(tmp_path, text, says):
    (tmp_path / "secret.txt").write_text("the secret")
    (tmp_path / "a.ttml").write_text(text)
    begin = time.process_time()
    with pytest.raises(BadInput) as caught:
        read_track(tmp_path / "a.ttml")
    assert says in str(caught.value) and "secret" not in str(caught.value).replace(str(tmp_path), "")
    assert time.process_time() - begin < 2


@pytest.mark.parametrize(
    ("times", "span"),
    [
        ('begin="00:00:01.5" end="00:00:03"', (1.5, 3.0)),
        ('begin="500ms" end="1m"', (0.5, 60.0)),
        ('begin="50f" end="1h"', (2.0, 3600.0)),
        ('begin="1s" dur="2s"', (1.0, 3.0)),
        ('begin="1s" dur="9s" end="3s"', (1.0, 3.0)),
        ('begin="00:00:01:05" end="3s"', (1.2, 3.0)),
    ],
)
def test_times_are_read_as_ttml_writes_them(tmp_path, times, span):
    (tmp_path / "a.ttml").write_text(DOCUMENT.replace('begin="1s" end="3s"', times))
    (one,) = read_track(tmp_path / "a.ttml").descriptions
    assert (one.span.start, one.span.end, one.text) == (*span, "She waits.")


@pytest.mark.parametrize(
    "times", ["", 'begin="3s" end="1s"', 'begin="1s"', 'begin="-1s" end="9s"', 'begin="9f" end="9s"']
)
def test_an_event_without_times_is_left_out_with_its_line(tmp_path, times):
    text = DOCUMENT.replace('begin="1s" end="3s"', times).replace('ttp:frameRate="25"', "")
    (tmp_path / "a.ttml").write_text(text)
    problems = []
    assert read_track(tmp_path / "a.ttml", problems=problems).descriptions == ()
    assert len(problems) == 1 and problems[0].startswith(f"{tmp_path / 'a.ttml'}:2: event skipped")


def test_what_represents_sound_is_dialogue(tmp_path):
    (tmp_path / "a.ttml").write_text(DOCUMENT.replace("visual", "audio").replace("audio.nonText", "audio.dialogue"))
    track = read_track(tmp_path / "a.ttml")
    assert track.descriptions == () and track.dialogue == (Line(Span(1, 3), "She waits."),)


def test_who_speaks_is_the_agent_of_the_event(tmp_path):
    text = DOCUMENT.replace("visual", "audio").replace("audio.nonText", "audio.dialogue")
    (tmp_path / "a.ttml").write_text(text.replace('<div xml:id="d1"', '<div xml:id="d1" ttm:agent="c1"'))
    assert read_track(tmp_path / "a.ttml").dialogue == (Line(Span(1, 3), "She waits.", "EMO"),)


def test_of_two_languages_that_of_the_script_is_taken(tmp_path):
    two = '<p xml:lang="fr">Elle attend.</p><p>She waits.</p>'
    (tmp_path / "a.ttml").write_text(DOCUMENT.replace(BODY, f'<div xml:id="d" begin="1s" end="2s">{two}</div>'))
    assert [one.text for one in read_track(tmp_path / "a.ttml").descriptions] == ["She waits."]


def test_descriptors_and_times():
    assert [is_descriptor(one) for one in ("visual", "visual.text.title", "x-mine", "visual.x-a:b.any")] == [True] * 4
    assert [is_descriptor(one) for one in ("", ".", "visual.", "visual.smell", "x", "a b")] == [False] * 6
    assert (
        Clock().seconds("9" * 400 + "s") is None and Clock().seconds("5f") is None and Clock().seconds("1:2") is None
    )
