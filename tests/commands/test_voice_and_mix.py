"""`distinctad voice`, `mix` and `report` on files: what they write, what they refuse, and hostile input."""

import json
import os
import sys
import textwrap

import av
import numpy as np
import pytest
from av.stream import Disposition

from distinctad_jax.commands.book import main
from distinctad_jax.movie.description import Description
from distinctad_jax.movie.language import alike
from distinctad_jax.movie.movie import FilmFile, Line, Track
from distinctad_jax.movie.span import Span
from distinctad_jax.tracks import read_track, write_track
from distinctad_jax.voice.loudness import RATE, measured

SPEAKER = """
    import math, struct, sys, wave
    text, out, rate = sys.argv[1:4]
    if "FAIL" in text:
        sys.exit("out of breath")
    with wave.open(out, "wb") as file:
        file.setnchannels(1), file.setsampwidth(2), file.setframerate(8000)
        count = int(8000 * len(text) / 16 / float(rate))
        file.writeframes(struct.pack(f"<{count}h", *(int(9000 * math.sin(n / 3)) for n in range(count))))
"""
PAUSE = Span(3.3, 7.7)
HOSTILE = """<script>alert(1)</script> --> & "x" ]]> {{7*7}}"""


@pytest.fixture
def engine(tmp_path):
    """A voice that speaks 16 characters a second, as an option."""
    program = tmp_path / "tts.py"
    program.write_text(textwrap.dedent(SPEAKER))
    return f"--voice-command={sys.executable} {program} {{text}} {{wav}} {{rate}}"


@pytest.fixture
def film(tmp_path):
    """Twelve seconds: noise as dialogue from 0 to 3 and from 8 to 12, softer noise between."""
    path = tmp_path / "film.mp4"
    rng = np.random.default_rng(0)
    with av.open(str(path), "w") as box:
        pictures, sound = box.add_stream("libx264", rate=12), box.add_stream("aac", rate=RATE)
        pictures.width, pictures.height, pictures.pix_fmt = 64, 48, "yuv420p"
        pictures.options, sound.layout = {"preset": "ultrafast"}, "stereo"
        for second in range(12):
            loud = 0.05 if second < 3 or second >= 8 else 0.02
            wave = rng.normal(0, loud, (2, RATE)).astype(np.float32)
            frame = av.AudioFrame.from_ndarray(wave, format="fltp", layout="stereo")
            frame.sample_rate, frame.pts = RATE, second * RATE
            box.mux(sound.encode(frame))
            for _ in range(12):
                grey = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 20 * second, np.uint8), format="rgb24")
                box.mux(pictures.encode(grey))
        box.mux([*sound.encode(None), *pictures.encode(None)])
    return path


def track(*texts, gap=PAUSE):
    spans = [Span(3.5 + 2 * number, 4.5 + 2 * number) for number in range(len(texts))]
    said = [Description(span, text, gap=gap) for span, text in zip(spans, texts, strict=True)]
    lines = (Line(Span(0, 3), "Hello."), Line(Span(8, 12), "Goodbye."))
    return Track("film", tuple(said), film=FilmFile("film.mp4", 12.0), dialogue=lines)


def test_from_a_track_to_a_film_that_speaks(tmp_path, film, engine, capsys):
    write_track(tmp_path / "film.json", track("He runs away fast.", "A door & a lamp."))
    out = tmp_path / "out"
    assert main(["voice", str(tmp_path / "film.json"), "-o", str(out), "-f", "json,flac,vtt", engine, "--json"]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["cues"] == 2 and told["dropped"] == 0 and told["duration"] == 12.0
    spoken = read_track(out / "film.voiced.json")
    assert all((out / one.speech.clip).is_file() for one in spoken.descriptions)
    subtitles = tmp_path / "film.srt"
    subtitles.write_text("1\n00:00:00,000 --> 00:00:03,000\nHello.\n\n2\n00:00:08,000 --> 00:00:12,000\nGoodbye.\n")
    line = ["mix", str(film), "--track", str(out), "--subtitles", str(subtitles), "-o", str(out), "-f", "mp4,flac"]
    assert main([*line, "--json"]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["least_above_film"] >= 10 and told["true_peak"] <= -1
    figures = json.loads((out / "film.mix.json").read_text())
    assert [entry["above_film"] >= 10 for entry in figures["entries"]] == [True, True]
    with av.open(str(out / "film.ad.mp4")) as box:
        assert box.streams.audio[1].disposition & Disposition.visual_impaired
        assert len(box.streams.subtitles) == 2
    with av.open(str(out / "film.mix.flac")) as box:
        frames = [frame.to_ndarray().reshape(-1, 2).T / 2**31 for frame in box.decode(audio=0)]
    assert measured(np.concatenate(frames, axis=1), ("FL", "FR")).true_peak <= -1
    assert main(line) == 2  # nothing is written over
    assert main([*line, "--skip-existing"]) == 0
    capsys.readouterr()


def test_a_recording_in_place_of_a_clip_is_mixed_and_a_missing_one_is_named(tmp_path, film, engine, capsys):
    write_track(tmp_path / "film.json", track("He runs."))
    assert main(["voice", str(tmp_path / "film.json"), "-f", "json", engine]) == 0
    clip = tmp_path / read_track(tmp_path / "film.voiced.json").descriptions[0].speech.clip
    clip.unlink()
    line = ["mix", str(film), "--track", str(tmp_path / "film.voiced.json"), "-f", "wav"]
    capsys.readouterr()
    assert main(line) == 3
    assert capsys.readouterr().err.splitlines()[-1].startswith(f"error: {clip}: no such file")


def test_what_fails_is_flagged_and_loses_no_other(tmp_path, engine, capsys):
    write_track(tmp_path / "film.json", track("He FAILs.", "She runs."))
    assert main(["voice", str(tmp_path / "film.json"), "-f", "json,wav", engine]) == 6
    told = capsys.readouterr().err
    assert "out of breath" in told and "Traceback" not in told
    first, second = read_track(tmp_path / "film.voiced.json").descriptions
    assert first.checks[-1].name == "not_voiced" and second.speech is not None


def test_what_is_longer_than_its_pause_is_left_out_with_the_reason(tmp_path, engine, capsys):
    write_track(tmp_path / "film.json", track("word " * 40))
    assert main(["voice", str(tmp_path / "film.json"), "-f", "json", engine, "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["dropped"] == 1
    assert "longer than its pause" in read_track(tmp_path / "film.voiced.json").dropped[0].reason


@pytest.mark.parametrize("text", [HOSTILE, "-w /tmp/x", "$(touch canary)", "‮right to left", "🎉 party", "a" * 300])
def test_hostile_text_stays_text_from_voice_to_page(tmp_path, engine, text, capsys):
    write_track(tmp_path / "film.json", track(text, gap=Span(3.3, 40.0)))
    assert main(["voice", str(tmp_path / "film.json"), "-f", "json,vtt,wav", engine]) == 0
    assert main(["report", str(tmp_path / "film.voiced.json")]) == 0
    page = (tmp_path / "film.voiced.review.html").read_text()
    assert page.count("<script") == 2 and page.count("</script") == 2 and "alert(1)<" not in page
    assert read_track(tmp_path / "film.voiced.json").descriptions[0].text == text
    assert not list(tmp_path.glob("**/canary"))
    capsys.readouterr()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("list.mp4", b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nsecret.mp4\n"),
        ("concat.mp4", b"ffconcat version 1.0\nfile secret.mp4\n"),
        ("empty.mp4", b""),
        ("noise.mp4", bytes(range(256)) * 40),
        ("page.mp4", b"<!DOCTYPE html><title>404</title>"),
    ],
)
def test_a_film_that_is_none_is_refused_in_one_line_and_nothing_is_written(tmp_path, name, content, engine, capsys):
    (tmp_path / name).write_bytes(content)
    write_track(tmp_path / "film.json", track("He runs."))
    before = {path.name for path in tmp_path.iterdir()}
    assert main(["mix", str(tmp_path / name), "--track", str(tmp_path / "film.json"), engine]) == 3
    told = capsys.readouterr().err
    assert told.splitlines()[-1].startswith(f"error: {tmp_path / name}: ") and "Traceback" not in told
    assert {path.name for path in tmp_path.iterdir()} == before


def test_a_pipe_a_folder_and_an_address_are_no_films(tmp_path, engine, capsys):
    write_track(tmp_path / "film.json", track("He runs."))
    os.mkfifo(tmp_path / "pipe.mp4")
    for path in (tmp_path / "pipe.mp4", "http://127.0.0.1:9/film.mp4", "concat:a.mp4"):
        assert main(["mix", str(path), "--track", str(tmp_path / "film.json"), engine]) == 3
    capsys.readouterr()


def test_a_track_that_names_other_files_as_clips_is_refused(tmp_path, film, capsys):
    secret = tmp_path / "secret.wav"
    secret.write_bytes(b"RIFF")
    (tmp_path / "inner").mkdir()
    write_track(tmp_path / "inner" / "film.json", track("He runs."))
    value = json.loads((tmp_path / "inner" / "film.json").read_text())
    value["entries"][0] |= {"speak_seconds": 1.0, "voice": {"name": "v", "rate": 1.0, "clip": "../secret.wav"}}
    (tmp_path / "inner" / "film.json").write_text(json.dumps(value))
    assert main(["mix", str(film), "--track", str(tmp_path / "inner" / "film.json"), "-o", str(tmp_path)]) == 3
    assert "lies elsewhere" in capsys.readouterr().err


def test_nothing_is_written_through_a_link_or_into_a_folder_that_nobody_made(tmp_path, engine, capsys):
    write_track(tmp_path / "film.json", track("He runs."))
    (tmp_path / "film.voiced.json").symlink_to(tmp_path / "elsewhere")
    assert main(["voice", str(tmp_path / "film.json"), "-f", "json", "--force", engine]) == 2
    assert not (tmp_path / "elsewhere").exists()
    assert main(["report", str(tmp_path / "film.json"), "-o", str(tmp_path / "a" / "b")]) == 4
    assert main(["voice", str(tmp_path / "film.json"), "-f", "mp5", engine]) == 2
    capsys.readouterr()


def test_a_page_with_pictures_is_the_same_twice_and_names_no_path(tmp_path, film, capsys):
    write_track(tmp_path / "film.json", track("He runs.", "She runs."))
    for folder in ("one", "two"):
        line = ["report", str(tmp_path / "film.json"), "--film", str(film), "-o", str(tmp_path / folder), "--json"]
        assert main(line) == 0
        assert json.loads(capsys.readouterr().out.splitlines()[-1])["frames"] == 8
    one, two = ((tmp_path / folder / "film.review.html").read_bytes() for folder in ("one", "two"))
    assert one == two and str(tmp_path).encode() not in one and b'src="../film.mp4"' in one


def test_the_same_voice_and_mix_give_the_same_bytes(tmp_path, film, engine, capsys):
    write_track(tmp_path / "film.json", track("He runs."))
    for folder in ("one", "two"):
        out = ["-o", str(tmp_path / folder)]
        assert main(["voice", str(tmp_path / "film.json"), "-f", "json,wav", engine, *out]) == 0
        spoken = str(tmp_path / folder / "film.voiced.json")
        assert main(["mix", str(film), "--track", spoken, "-f", "mkv,wav", *out]) == 0
    for name in ("film.voiced.json", "film.narration.wav", "film.ad.mkv", "film.mix.wav", "film.mix.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name
    capsys.readouterr()


@pytest.fixture
def two_languages(tmp_path, film):
    """The same with its sound twice: German, the default, and English."""
    path = tmp_path / "two.mkv"
    with av.open(str(film)) as given, av.open(str(path), "w") as box:
        pictures = box.add_stream_from_template(given.streams.video[0])
        sounds = [box.add_stream_from_template(given.streams.audio[0]) for _ in range(2)]
        for stream, language, flags in zip(
            sounds, ("ger", "eng"), (Disposition.default, Disposition(0)), strict=True
        ):
            stream.metadata["language"], stream.disposition = language, flags
        for packet in (one for one in given.demux() if one.size):
            for stream in [pictures] if packet.stream.type == "video" else sounds:
                copy = av.Packet(bytes(packet))
                copy.pts, copy.dts, copy.duration, copy.time_base = (
                    packet.pts,
                    packet.dts,
                    packet.duration,
                    packet.time_base,
                )
                copy.stream, copy.is_keyframe = stream, packet.is_keyframe
                box.mux(copy)
    return path


@pytest.mark.parametrize(
    ("language", "suffix", "option", "taken", "warned"),
    [
        ("en", ".json", "", "1 (eng)", False),
        ("de", ".json", "", "0 (ger)", False),
        ("fr", ".json", "", "0 (ger)", True),
        ("fr", ".json", "--audio-track=en", "1 (eng)", False),
        ("en", ".json", "--audio-track=0", "0 (ger)", False),
        ("en", ".srt", "", "0 (ger)", False),  # SRT tells no language
        ("en", ".eng.srt", "", "1 (eng)", False),  # but for the name of its file
        ("en", ".srt", "--language=en-GB", "1 (eng)", False),
    ],
)
def test_of_several_languages_one_is_mixed_and_told(
    tmp_path, two_languages, engine, capsys, language, suffix, option, taken, warned
):
    said = track("He runs away.")
    write_track(tmp_path / f"two{suffix}", Track("two", said.descriptions, language))
    out = ["-o", str(tmp_path / "out"), "-f", "mkv", "--json", *([option] if option else [])]
    assert main(["mix", str(two_languages), "--track", str(tmp_path / f"two{suffix}"), engine, *out]) == 0
    told = capsys.readouterr()
    assert json.loads(told.out.splitlines()[-1])["audio_track"] == taken
    assert f"film (audio track {taken}, one of 2)" in told.err
    assert ("is mixed with audio track 0 (ger) of 0 (ger), 1 (eng); choose by --audio-track" in told.err) == warned


def test_a_voice_is_told_the_language_that_is_given_or_named(tmp_path, capsys):
    program = tmp_path / "tts.py"
    program.write_text(textwrap.dedent(SPEAKER) + "open(sys.argv[0] + '.told', 'a').write(sys.argv[4] + ' ')\n")
    engine = f"--voice-command={sys.executable} {program} {{text}} {{wav}} {{rate}} {{language}}"
    write_track(tmp_path / "film.de.srt", track("Er rennt."))
    for number, option in enumerate([[], ["--language=pt-BR"]]):
        line = ["voice", str(tmp_path / "film.de.srt"), "-o", str(tmp_path / f"out{number}"), "-f", "json", engine]
        assert main([*line, *option]) == 0
        assert read_track(tmp_path / f"out{number}" / "film.de.voiced.json").language == ("de", "pt-BR")[number]
    told = (tmp_path / "tts.py.told").read_text().split()
    assert set(told) == {"de", "pt-BR"} and sorted(told) == told
    capsys.readouterr()
    assert main(["voice", str(tmp_path / "film.de.srt"), "--language=pt_BR", engine]) == 2
    assert capsys.readouterr().err == ("error: --language: 'pt_BR' is no language; give a tag such as en or pt-BR\n")


@pytest.mark.parametrize(
    ("name", "language"),
    [("two.en.srt", "eng"), ("x.fr.srt", "fre"), ("two.srt", "ger"), ("two.de-AT.sdh.srt", "ger")],
)
def test_captions_are_in_the_language_of_their_name_before_that_of_the_sound(
    tmp_path, two_languages, engine, capsys, name, language
):
    write_track(tmp_path / "two.json", Track("two", track("Elle court.").descriptions, "fr"))
    (tmp_path / name).write_text("1\n00:00:00,000 --> 00:00:03,000\nHello.\n")
    line = ["mix", str(two_languages), "--track", str(tmp_path / "two.json"), "--subtitles", str(tmp_path / name)]
    assert main([*line, "-f", "mkv", engine]) == 0
    with av.open(str(tmp_path / "two.ad.mkv")) as box:
        captions, descriptions = box.streams.subtitles
        assert alike(captions.language, language) and alike(descriptions.language, "fr")
    capsys.readouterr()


def test_the_levels_that_are_told_are_those_of_the_mix(tmp_path, film, engine, capsys):
    write_track(tmp_path / "film.json", track("He runs away."))
    line = ["mix", str(film), "--track", str(tmp_path / "film.json"), "-f", "wav", engine, "--json"]
    assert main([*line, "--loudness=-35", "-o", str(tmp_path / "soft")]) == 0
    soft = capsys.readouterr()
    assert main([*line, "-o", str(tmp_path / "kept")]) == 0
    found = [json.loads(told.out.splitlines()[-1]) for told in (soft, capsys.readouterr())]
    assert found[0]["film_loudness"] == pytest.approx(-35, abs=0.01) and "film -35.0 LUFS" in soft.err
    assert f"all by {found[0]['gain']:+.1f} dB" in soft.err and "1 description," in soft.err
    for name in ("film_loudness", "dialogue_loudness", "narration_loudness"):
        lowered = (found[0][name] - found[0]["gain"], found[1][name] - found[1]["gain"])
        assert lowered[0] == pytest.approx(lowered[1], abs=0.01)
    with av.open(str(tmp_path / "soft" / "film.mix.wav")) as box:
        wave = np.concatenate([one.to_ndarray().reshape(-1, 2).T / 2**31 for one in box.decode(audio=0)], axis=1)
    dialogue = measured(wave, ("FL", "FR")).integrated([Span(0.1, 2.9), Span(8.6, 12)])
    assert dialogue == pytest.approx(found[0]["dialogue_loudness"], abs=0.2)


def test_a_track_without_descriptions_or_with_overlaps_is_told_in_one_line(tmp_path, engine, capsys):
    write_track(tmp_path / "none.json", Track("none", ()))
    assert main(["voice", str(tmp_path / "none.json"), engine]) == 3
    overlapping = [Description(Span(0, 3), "He FAILs."), Description(Span(1, 4), "She FAILs.")]
    write_track(tmp_path / "both.json", Track("both", tuple(overlapping)))
    assert main(["voice", str(tmp_path / "both.json"), "-f", "vtt", engine]) == 3
    assert all(line.startswith(("error: ", "warning: ")) for line in capsys.readouterr().err.splitlines())


def test_a_narration_of_years_is_refused_before_a_word_is_spoken(tmp_path, engine, capsys):
    for name, late, length in (("cue", 1e8, 12.0), ("film", 1.0, 3.6e9)):
        said = Description(Span(late, late + 5), "He runs.")
        write_track(tmp_path / f"{name}.json", Track("film", (said,), film=FilmFile("film.mp4", length)))
        assert main(["voice", str(tmp_path / f"{name}.json"), "-o", str(tmp_path / "out"), engine]) == 3
        assert "a narration at most 24 hours; correct its times" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_track_that_a_format_refuses_leaves_no_other_format(tmp_path, engine, capsys):
    write_track(tmp_path / "film.json", track("He runs.", "{}"))
    out = ["-o", str(tmp_path / "out"), "-f", "json,wav,srt", engine]
    assert main(["voice", str(tmp_path / "film.json"), *out]) == 3
    assert "write no srt" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["clips"]
