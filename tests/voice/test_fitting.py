"""Descriptions fitted into their pauses with measured lengths, by a voice that speaks 10 characters a second."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from distinctad_jax.movie.description import Alternative, Description
from distinctad_jax.movie.movie import FilmFile, Line, Track
from distinctad_jax.movie.practice import Practice
from distinctad_jax.movie.span import Span
from distinctad_jax.voice.clips import Clips
from distinctad_jax.voice.engines import Unspoken
from distinctad_jax.voice.fitting import FASTER, voiced
from distinctad_jax.voice.loudness import RATE
from distinctad_jax.voice.sound import write_sound

EVEN = Practice(rate=160, fastest=220)


@dataclass
class Ten:
    """Ten characters a second at rate 1, a tone."""

    has_rates: bool = True
    identity: str = "ten"
    asked: list = field(default_factory=list)

    def speak(self, text, rate, wav):
        self.asked.append((text, rate))
        if "FAIL" in text:
            raise Unspoken("out of breath")
        time = np.arange(round(len(text) / 10 / rate * RATE)) / RATE
        write_sound(wav, [(0.3 * np.sin(2 * np.pi * 300 * time)).astype(np.float32)[None]])


def speak(tmp_path, *descriptions, practice=EVEN, engine=None, **more):
    clips = Clips(tmp_path / "clips", engine or Ten())
    return voiced(Track("film", descriptions, **more), clips, practice, beside=tmp_path)


def one(start, text, gap=None, **more):
    return Description(Span(start, start + 0.1), text, gap=gap, **more)


def test_what_fits_is_spoken_as_it_is_and_lasts_as_long_as_it_was_measured(tmp_path):
    track = speak(tmp_path, one(2.0, "x" * 30, Span(1, 6)))
    said = track.descriptions[0]
    assert said.span.start == 2.0 and said.span.seconds == pytest.approx(3.0, abs=0.01)
    assert said.speech.measured and said.speech.rate == 1.0 and said.notes == ()
    assert (tmp_path / said.speech.clip).is_file()


def test_a_shorter_text_is_taken_first(tmp_path):
    others = (Alternative("z" * 60), Alternative("y" * 20))
    said = speak(tmp_path, one(1.0, "x" * 31, Span(1, 4), alternatives=others)).descriptions[0]
    assert said.text == "y" * 20 and said.speech.rate == 1.0 and said.notes[0].startswith("shorter text")


@pytest.mark.parametrize("status", ["edited", "approved"])
def test_what_a_person_wrote_is_not_replaced_but_spoken_faster(tmp_path, status):
    said = speak(
        tmp_path, one(1.0, "x" * 33, Span(1, 4), alternatives=(Alternative("y" * 20),), status=status)
    ).descriptions[0]
    assert said.text == "x" * 33 and 1.1 <= said.speech.rate <= FASTER and said.span.end <= 4.0


def test_only_as_much_faster_as_it_must_be(tmp_path):
    said = speak(tmp_path, one(1.0, "x" * 31, Span(1, 4))).descriptions[0]
    assert said.speech.rate == pytest.approx(1.04) and said.notes == ("spoken 4% faster",)


def test_half_of_the_lead_out_is_borrowed_where_dialogue_follows(tmp_path):
    more = {"film": FilmFile("film", 60.0), "dialogue": (Line(Span(0, 0.7), "a"), Line(Span(4.3, 5), "b"))}
    said = speak(tmp_path, one(1.0, "x" * 35, Span(1, 4)), **more).descriptions[0]
    assert 4.0 < said.span.end <= 4.15 + 1e-3 and "ends closer to the dialogue than the lead-out" in said.notes


def test_then_it_begins_earlier_and_after_the_one_before(tmp_path):
    track = speak(tmp_path, one(1.0, "x" * 10, Span(1, 6)), one(4.0, "y" * 25, Span(1, 6)))
    first, second = track.descriptions
    assert second.span.end <= 6.15 and second.span.start < 4.0
    assert second.span.start >= first.span.end + EVEN.pause and second.notes[-1].endswith("earlier")


def test_what_cannot_fit_is_dropped_with_the_reason_or_extended(tmp_path):
    track = speak(tmp_path, one(1.0, "x" * 60, Span(1, 4)))
    assert not track.descriptions and "3.0 s longer" in track.dropped[0].reason
    assert track.dropped[0].speech.seconds == pytest.approx(6.0, abs=0.01)
    track = speak(tmp_path, one(1.0, "x" * 60, Span(1, 4)), practice=Practice(fastest=220, extended=8.0))
    assert track.descriptions[0].kind == "extended"


def test_one_failure_loses_no_other(tmp_path):
    gap = Span(0, 30)
    track = speak(tmp_path, one(1.0, "x" * 10, gap), one(5.0, "FAIL", gap), one(9.0, "y" * 10, gap))
    assert [bool(said.speech) for said in track.descriptions] == [True, False, True]
    assert [check.name for check in track.descriptions[1].checks] == ["not_voiced"]
    assert "out of breath" in track.descriptions[1].checks[0].sentence


def test_a_rate_over_the_highest_is_flagged_with_its_number(tmp_path):
    said = speak(tmp_path, one(1.0, "x" * 33, Span(1, 4)), practice=Practice(rate=120, fastest=120), engine=Ten())
    assert not said.descriptions or said.descriptions[0].speech.rate <= 0.75 * FASTER + 1e-6
    quick = speak(tmp_path, one(1.0, "x" * 20, Span(1, 9)), practice=Practice(rate=200, fastest=200))
    assert quick.descriptions[0].checks == ()
    flagged = speak(tmp_path / "b", one(1.0, "x" * 40, Span(1, 9)), practice=Practice(rate=200, fastest=200))
    assert flagged.descriptions[0].checks == ()


def test_a_voice_without_rates_is_not_asked_to_hurry(tmp_path):
    engine = Ten(has_rates=False)
    track = speak(tmp_path, one(1.0, "x" * 32, Span(1, 4)), engine=engine)
    assert not track.descriptions and {rate for _, rate in engine.asked} == {1.0}


def test_without_a_gap_the_pause_of_the_dialogue_is_the_room_else_its_own_span(tmp_path):
    more = {"film": FilmFile("film", 20.0), "dialogue": (Line(Span(0, 1), "a"), Line(Span(8, 9), "b"))}
    track = speak(tmp_path, one(2.0, "x" * 50), **more)
    assert track.descriptions[0].span.end <= 7.7
    assert not speak(tmp_path, one(2.0, "x" * 50)).descriptions


def test_voicing_again_changes_nothing_and_speaks_nothing(tmp_path):
    engine = Ten()
    first = speak(tmp_path, one(1.0, "x" * 31, Span(1, 4)), one(9.0, "y" * 10, Span(8, 12)), engine=engine)
    asked = len(engine.asked)
    again = voiced(first, Clips(tmp_path / "clips", engine), EVEN, beside=tmp_path)
    assert again == first and len(engine.asked) == asked
