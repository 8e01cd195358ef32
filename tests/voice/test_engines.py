"""Programs that speak: what they are handed, what they may not do, and clips that are made once."""

import shutil
import stat
import sys
import textwrap

import numpy as np
import pytest

from distinctad_jax.errors import BadEnvironment, BadUsage
from distinctad_jax.voice import engines
from distinctad_jax.voice.clips import Clips, trimmed
from distinctad_jax.voice.engines import Unspoken, command, espeak, spoken_form
from distinctad_jax.voice.loudness import RATE

needs_espeak = pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")

SPEAKER = """
    import struct, sys, wave
    text, out, rate = sys.argv[1:4]
    open(out + ".told", "w").write(repr(sys.argv[1:]))
    if "FAIL" in text:
        sys.exit("no such \\x1b[31mword")
    with wave.open(out, "wb") as file:
        file.setnchannels(1), file.setsampwidth(2), file.setframerate(8000)
        count = int(8000 * 0.05 * len(text) / float(rate))
        file.writeframes(struct.pack(f"<{count}h", *(9000 * (n % 40 > 19) for n in range(count))))
"""


@pytest.fixture
def speaker(tmp_path):
    """A program that speaks 20 characters a second, as a command line, and the file it writes what it was told to."""
    program = tmp_path / "my tts.py"
    program.write_text(textwrap.dedent(SPEAKER))
    return f"{sys.executable} '{program}' {{text}} {{wav}} {{rate}}"


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("He runs.", "He runs."),
        ("--config=/etc/passwd", "config=/etc/passwd"),
        ("-w out.wav\nHe runs", "w out.wav He runs"),
        ("[[fu:]] <voice name='x'>He</voice> {runs}", "((fu:)) voice name='x' He /voice (runs)"),
        ("He\x00 \u2028runs\x1b[0m", "He runs (0m"),
        ("@file", "file"),
    ],
)
def test_no_text_is_taken_for_an_option_or_a_command(text, spoken):
    assert spoken_form(text) == spoken


@pytest.mark.parametrize("text", ["", "  ", "...", "🎉", "--"])
def test_a_text_without_words_is_not_spoken(text):
    with pytest.raises(Unspoken):
        spoken_form(text)


def test_a_text_is_one_argument_whatever_stands_in_it(speaker, tmp_path):
    hostile = "a; touch canary $(touch canary) `touch canary` {wav} {rate} '\" && b"
    command(speaker).speak(hostile, 1.0, tmp_path / "a.wav")
    told = eval_list((tmp_path / "a.wav.told").read_text())
    assert told[0] == spoken_form(hostile) and len(told) == 3 and told[2] == "1"
    assert not list(tmp_path.glob("canary*"))


def eval_list(text):
    import ast

    return ast.literal_eval(text)


def test_a_program_that_fails_says_why_in_one_line(speaker, tmp_path):
    with pytest.raises(Unspoken, match=r"ended with 1: no such \\x1b\[31mword"):
        command(speaker).speak("FAIL", 1.0, tmp_path / "a.wav")


def test_a_program_that_hangs_is_stopped_with_all_that_it_started(tmp_path, monkeypatch):
    monkeypatch.setattr(engines, "SECONDS", 0.5)
    with pytest.raises(Unspoken, match="took longer"):
        command("sh -c 'sleep 60 & sleep 60; : {wav}'").speak("He runs.", 1.0, tmp_path / "a.wav")


@pytest.mark.parametrize("noise", [b"", b"RIFF", b"#EXTM3U\nsecret.wav\n", b"\x00" * 5000])
def test_what_is_no_sound_is_no_clip(noise, tmp_path):
    (tmp_path / "noise").write_bytes(noise)
    clips = Clips(tmp_path / "clips", command(f"cp {tmp_path}/noise {{wav}}"))
    with pytest.raises(Unspoken):
        clips.spoken("He runs.", 1.0)
    assert not (tmp_path / "clips").exists()


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("", BadUsage),
        ("say '{wav}", BadUsage),
        ("say {text}", BadUsage),
        ("say {wav} {home}", BadUsage),
        ("{text} {wav}", BadUsage),
        ("no-such-program {wav}", BadEnvironment),
    ],
)
def test_a_wrong_command_line_is_refused_before_anything_is_spoken(line, problem):
    with pytest.raises(problem):
        command(line)


def test_a_clip_is_made_once_for_its_text_voice_and_rate(speaker, tmp_path):
    clips = Clips(tmp_path / "clips", command(speaker, voice="ann"))
    first = clips.spoken("He runs away.", 1.0)
    assert clips.spoken(" He runs  away. ", 1.0) == first and clips.made == 1
    assert clips.spoken("He runs away.", 1.1).seconds < first.seconds and clips.made == 2
    assert Clips(tmp_path / "clips", command(speaker, voice="bob")).spoken("He runs away.", 1.0).path != first.path
    first.path.write_bytes(b"damaged")
    assert clips.spoken("He runs away.", 1.0) == first and clips.made == 3
    assert first.seconds == pytest.approx(13 * 0.05, abs=0.02)


def test_silence_at_the_ends_is_cut_and_the_edges_do_not_click():
    voice = np.zeros(2 * RATE, np.float32)
    voice[RATE // 2 : RATE] = 0.5
    kept = trimmed(voice)
    assert len(kept) / RATE == pytest.approx(0.52, abs=1e-3)
    assert abs(kept[0]) < 1e-3 and abs(kept[-1]) < 1e-3
    assert len(trimmed(np.zeros(100, np.float32))) == len(trimmed(np.zeros(0, np.float32))) == 0


@needs_espeak
def test_espeak_speaks_at_about_the_rate_that_it_is_asked_for(tmp_path):
    text = "Two people stand on a small bridge between tall machines, and one of them looks down into the dark."
    clips = Clips(tmp_path, espeak())
    slow, fast = clips.spoken(text, 1.0), clips.spoken(text, 1.15)
    assert len(text) / slow.seconds == pytest.approx(16, rel=0.15)
    assert slow.seconds / fast.seconds == pytest.approx(1.15, rel=0.03)
    assert "espeak-ng 1" in slow.voice and slow.voice.endswith("en-gb")


@needs_espeak
@pytest.mark.parametrize("voice", ["xx", "-w/tmp/x", "../x", ""])
def test_espeak_has_to_have_the_voice(voice):
    with pytest.raises(BadUsage):
        espeak(voice)


def test_espeak_that_is_missing_is_said_with_what_to_do(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(BadEnvironment, match="--voice-command"):
        espeak()


def test_a_program_may_read_the_text_from_its_input(tmp_path):
    program = tmp_path / "tts.sh"
    program.write_text(f"#!/bin/sh\ncat > {tmp_path}/said\ntouch $1\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    command([str(program), "{wav}"]).speak("He runs.", 1.0, tmp_path / "a.wav")
    assert (tmp_path / "said").read_text() == "He runs."
