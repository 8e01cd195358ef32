"""gaps, describe and fit as users call them: what they write, what they refuse, and what they say in one line."""

import json
import os
import subprocess
import sys

import pytest
from film_maker import write_film, write_srt
from places import REPOSITORY
from stubs import StubDrafter

from distinctad_jax import api
from distinctad_jax.commands import describe
from distinctad_jax.commands.book import main
from distinctad_jax.errors import BadUsage
from distinctad_jax.tracks import read_track

SPEECH = [(4, 6), (9.5, 11), (12, 15.5)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Films with subtitles and a cast: `a.mp4` and `b.mp4` with theirs beside them, `c.mp4` broken."""
    made = tmp_path_factory.mktemp("films")
    write_film(made / "a.mp4", 20, SPEECH)
    (made / "b.mp4").write_bytes((made / "a.mp4").read_bytes())
    for name in ("a.srt", "b.en.srt"):
        write_srt(made / name, [(start, end, "Hello Jake.") for start, end in SPEECH])
    (made / "cast.json").write_text('[{"character": "Jake Sully"}]')
    return made


@pytest.fixture
def stub(monkeypatch):
    """A drafter that stands for the model."""
    made = StubDrafter()
    monkeypatch.setattr(describe, "_drafter", lambda given, voice: made)
    return made


def said(capsys, arguments, code=0):
    """The last line of standard output as JSON, and standard error; the exit code is checked."""
    assert main([str(one) for one in arguments]) == code
    told = capsys.readouterr()
    lines = told.out.splitlines()
    assert "Traceback" not in told.err
    return (json.loads(lines[-1]) if "--json" in arguments and code == 0 else None), told.err


def test_one_command_makes_tracks_that_are_read_again(folder, stub, tmp_path, capsys):
    out = tmp_path / "out"
    line = ["describe", folder / "a.mp4", "--subtitles", folder / "a.srt", "--cast", folder / "cast.json", "-o", out]
    found, told = said(capsys, [*line, "--json", "--density", "1"])
    assert sorted(path.name for path in out.iterdir()) == ["a.json", "a.srt", "a.vtt"]
    assert (found["cues"], found["people"], found["gaps"], found["frames"]) == (3, 1, 3, 120)
    assert (found["width"], found["height"]) == (64, 48) and found["duration"] == pytest.approx(20, abs=0.2)
    assert found["overlaps"] == 0 and found["described"] + found["dropped"] >= found["described"] > 0
    track = read_track(out / "a.json", problems=[])
    assert len(track.descriptions) == found["described"] == len(read_track(out / "a.vtt", problems=[]).descriptions)
    assert f"{found['gaps']} gaps, {found['described']} described" in told and "0 overlaps" in told
    asked = stub.asked

    _, told = said(capsys, line, 2)  # files are there
    assert told.startswith("error: ") and "--overwrite" in told and told.count("\n") == 1
    (out / "a.srt").unlink()
    found, _ = said(capsys, [*line, "-f", "json,vtt,srt,html", "--skip-existing", "--json"])
    assert (
        found["written"] == ["a.srt", "a.review.html"] and stub.asked == asked
    )  # made from the master, without a model
    assert said(capsys, [*line, "--skip-existing", "--json"])[0] == {"file": "a.mp4", "skipped": 3}
    before = (out / "a.json").read_bytes()
    said(capsys, [*line, "--overwrite", "--density", "1"])
    assert (out / "a.json").read_bytes() == before  # twice the same: to the byte


def test_what_is_read_is_never_written_over(folder, stub, tmp_path, capsys):
    """The subtitles of a film are called as its track would be."""
    for name in ("a.mp4", "a.srt"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    for given in ([tmp_path / "a.mp4", "--subtitles", tmp_path / "a.srt"], [tmp_path]):
        _, told = said(capsys, ["describe", *given, "--overwrite"], 2)
        assert "a.srt: is read, and would be written over; name another folder" in told
    assert (tmp_path / "a.srt").read_bytes() == (folder / "a.srt").read_bytes() and stub.asked == 0
    assert said(capsys, ["describe", tmp_path, "-f", "vtt,json", "--json"])[0]["described"]


def test_nothing_is_written_through_a_link_or_into_a_folder_that_is_not_there(folder, stub, tmp_path, capsys):
    line = ["describe", folder / "a.mp4", "--subtitle-track", "none"]
    (tmp_path / "a.vtt").symlink_to(tmp_path / "elsewhere")
    _, told = said(capsys, [*line, "-o", tmp_path, "-f", "vtt", "--overwrite"], 2)
    assert "is a link" in told and not (tmp_path / "elsewhere").exists()
    assert "parent folder" in said(capsys, [*line, "-o", tmp_path / "x" / "y"], 4)[1]
    assert not (tmp_path / "x").exists() and stub.asked == 0


def test_a_folder_is_done_film_by_film_with_the_papers_beside_them(folder, stub, tmp_path, capsys):
    found, _ = said(capsys, ["describe", folder, "-o", tmp_path, "-f", "vtt", "--json"])
    assert [one["file"] for one in found["files"]] == ["a.mp4", "b.mp4"]
    assert all(one["cues"] == 3 for one in found["files"]) and found["cues"] == 6
    broken = folder / "c.mp4"
    broken.write_bytes(b"no film")
    try:
        _, told = said(capsys, ["describe", folder, "-o", tmp_path, "-f", "srt"], 6)
    finally:
        broken.unlink()
    errors = [line for line in told.splitlines() if line.startswith("error: ")]
    assert len(errors) == 2 and "c.mp4" in errors[0] and "1 of 3" in errors[1]
    assert (tmp_path / "b.srt").exists()


def test_without_a_model_a_dry_run_works_and_the_rest_says_how_to_get_one(folder, tmp_path, capsys):
    found, told = said(capsys, ["describe", folder / "a.mp4", "--dry-run", "--json", "-o", tmp_path])
    assert found["gaps"] == 1 and found["clips"] >= 3 and not list(tmp_path.iterdir())
    _, told = said(capsys, ["describe", folder / "a.mp4", "-o", tmp_path / "out"], 5)
    last = told.splitlines()[-1]
    assert last.startswith("error: --model: no model is given") and "configs/demo.py" in last
    _, told = said(capsys, ["describe", folder / "a.mp4", "-o", tmp_path / "out", "--model", "openai/clip"], 3)
    assert "no such model folder" in told


def test_an_interrupted_run_goes_on(folder, monkeypatch, tmp_path, capsys):
    line = ["describe", folder / "a.mp4", "--subtitles", folder / "a.srt", "-o", tmp_path, "-f", "vtt"]
    first, second = StubDrafter(stop_after=2), StubDrafter()
    monkeypatch.setattr(describe, "_drafter", lambda given, voice: first)
    said(capsys, line, 130)
    assert not (tmp_path / "a.vtt").exists() and (tmp_path / ".a.drafts").is_dir()
    monkeypatch.setattr(describe, "_drafter", lambda given, voice: second)
    said(capsys, line)
    assert first.asked == 2 and second.asked > 0 and [path.name for path in tmp_path.iterdir()] == ["a.vtt"]


def test_progress_is_json_if_wanted(folder, stub, tmp_path, capsys):
    _, told = said(capsys, ["gaps", folder / "a.mp4", "--json-progress", "--subtitle-track=none"])
    assert all(json.loads(line)["stage"] == "looking" for line in told.splitlines())


def test_fit_places_a_script_again(folder, stub, tmp_path, capsys):
    script = tmp_path / "a.srt"
    write_srt(script, [(3, 7, "A man waits there."), (16.2, 18, "A car stops near the old house.")])
    found, _ = said(capsys, ["fit", script, "--film", folder / "a.mp4", "--subtitles", folder / "a.srt", "--json"])
    assert found["overlaps"] == 0 and found["described"] == 2 and found["dropped"] == 0
    track = read_track(tmp_path / "a.fitted.vtt", problems=[])
    assert track.descriptions[0].span.end <= 3.7 + 1e-3
    assert "no gaps" in said(capsys, ["fit", script, "--overwrite"], 3)[1]


def test_the_commands_are_functions_too(folder):
    found = api.gaps(folder / "a.mp4", subtitles=folder / "a.srt", preset="research")
    assert found["cues"] == 3 and found["gaps"] == 3
    assert set(dir(api)) >= {"gaps", "describe", "fit"}
    with pytest.raises(BadUsage, match="minimum_gap must lie"):
        api.gaps(folder / "a.mp4", minimum_gap=0.1)
    with pytest.raises(AttributeError, match="no nobody"):
        api.nobody  # noqa: B018


@pytest.mark.parametrize(
    "name", ["a\nb.mp4", "<b>&.mp4", "%d.mp4", "-i.mp4", "http:.mp4", "\U0001f3ac.mp4", "a'b\".mp4"]
)
def test_odd_names_of_films_work_and_forge_no_line(folder, stub, tmp_path, capsys, name):
    film = tmp_path / name
    film.write_bytes((folder / "a.mp4").read_bytes())
    options = ["--shots", "none", "--subtitle-track", "none", "-o", tmp_path / "out", "--json", "-q"]
    found, told = said(capsys, ["describe", film, *options])
    assert told == "" and found["file"] == name
    assert read_track(tmp_path / "out" / f"{film.stem}.vtt", problems=[]).descriptions


SECRET = "THE-SECRET"
VIDEOS = {
    "empty.mp4": b"",
    "noise.mp4": bytes(range(256)) * 64,
    "page.mp4": b"<!DOCTYPE html><html><body>not found</body></html>",
    "list.mp4": b"#EXTM3U\n#EXTINF:1,\nsecret.mp4\n",
    "list.m3u8": b"#EXTM3U\n#EXTINF:1,\nsecret.mp4\n",
    "concat.mp4": b"ffconcat version 1.0\nfile secret.mp4\n",
    "sdp.mp4": b"v=0\no=- 0 0 IN IP4 127.0.0.1\nm=video 9 RTP/AVP 96\n",
    "bomb.mp4": b"GIF89a\x80\x3e\x80\x3e\x00\x00\x00,\x00\x00\x00\x00\x80\x3e\x80\x3e\x00\x02\x02D\x01\x00;",
}


@pytest.mark.parametrize(
    "name", [*VIDEOS, "missing.mp4", "pipe.mp4", "null.mp4", "cut.mp4", "http://127.0.0.1:9/a.mp4"]
)
def test_what_is_no_film_is_one_line(folder, tmp_path, capsys, name):
    path = tmp_path / name if "/" not in name else name
    if name in VIDEOS:
        path.write_bytes(VIDEOS[name])
    elif name == "pipe.mp4":
        os.mkfifo(path)
    elif name == "null.mp4":
        path.symlink_to("/dev/zero")
    elif name == "cut.mp4":
        path.write_bytes((folder / "a.mp4").read_bytes()[:600])
    (tmp_path / "secret.mp4").write_bytes((folder / "a.mp4").read_bytes())
    _, told = said(capsys, ["describe", path, "-o", tmp_path / "out"], 3)
    assert told.startswith("error: ") and told.count("\n") == 1 and "secret" not in told


def test_a_film_that_breaks_off_is_described_as_far_as_it_goes(tmp_path, stub, capsys):
    whole = write_film(tmp_path / "film.mkv", 20).read_bytes()
    (tmp_path / "cut.mkv").write_bytes(whole[: len(whole) // 2])
    found, told = said(capsys, ["describe", tmp_path / "cut.mkv", "-o", tmp_path, "--json"])
    assert "warning: " in told and "decoded to" in told and 0 < found["frames"] < 120
    assert said(capsys, ["gaps", tmp_path / "cut.mkv", "--strict"], 3)[1].startswith("error: ")
    last = read_track(tmp_path / "cut.json", problems=[]).descriptions[-1]
    assert last.span.end <= found["usable_seconds"] + 1e-6


CUE = "1\n00:00:04,000 --> 00:00:06,000\nHello\n"
SUBTITLES = {  # name: (bytes, exit codes, cues, whether it is warned)
    "bom.srt": (b"\xef\xbb\xbf" + CUE.encode(), (0,), 1, False),
    "crlf.srt": (CUE.replace("\n", "\r\n").encode(), (0,), 1, False),
    "utf16.srt": (CUE.encode("utf-16"), (0,), 1, False),
    "latin.srt": ((CUE * 3).replace("Hello", "\xe9t\xe9 \xe0 No\xebl").encode("latin-1"), (3,), 0, False),
    "null.srt": (CUE.replace("Hello", "Hel\0lo").encode(), (0,), 1, True),
    "reversed.srt": (CUE.replace("06,0", "03,0").encode() + b"\n" + CUE.encode(), (0,), 1, True),
    "minute.srt": (CUE.replace("00:00:06", "00:61:06").encode() + b"\n" + CUE.encode(), (0,), 1, True),
    "digits.srt": (CUE.replace("00:00:06", "9" * 400 + ":00:06").encode() + b"\n" + CUE.encode(), (0,), 1, True),
    "script.srt": (CUE.replace("00:00:06", "\u0660\u0660:\u0660\u0660:\u0660\u0666").encode(), (0, 3), 0, True),
    "empty.srt": (b"", (0,), 0, True),
    "words.srt": (b"no subtitles\n", (3,), 0, False),
    "signature.vtt": (CUE.replace(",", ".").encode(), (3,), 0, False),
    "style.vtt": (b"WEBVTT\n\nSTYLE\n::cue {}\n\n" + CUE.replace(",", ".").encode(), (0,), 1, False),
    "markup.srt": (CUE.replace("Hello", "<script>alert(1)</script>" + "<i>" * 5000 + "Hi").encode(), (0,), 1, False),
    "long.srt": (CUE.replace("Hello", "a" * 1_000_000).encode(), (0,), 1, False),
    "zlib.srt": (b"x\x9c" + bytes(range(255, 0, -1)) * 20, (3,), 0, False),
}


@pytest.mark.parametrize("name", SUBTITLES)
def test_subtitles_from_anywhere(folder, tmp_path, capsys, name):
    data, codes, cues, warned = SUBTITLES[name]
    path = tmp_path / name
    path.write_bytes(data)
    line = ["gaps", folder / "a.mp4", "--shots", "none", "--subtitles", path, "--no-offset-check", "--json"]
    code = main([str(one) for one in line])
    told = capsys.readouterr()
    assert code in codes and "Traceback" not in told.err
    if code == 0:
        found = json.loads(told.out.splitlines()[-1])
        assert ("warning: " in told.err) == warned
        assert found["cues"] == cues and found["gaps"] == (2 if cues else 1)
    else:
        assert told.err.startswith("error: ") and told.err.count("\n") == 1 and name in told.err


def test_a_hundred_thousand_cues_are_no_trouble(tmp_path):
    cues = "\n".join(f"{n}\n00:{n // 60 % 60:02d}:{n % 60:02d},000 --> 01:10:00,000\nx\n" for n in range(100_000))
    (tmp_path / "many.srt").write_text(cues)
    line = [sys.executable, "-m", "distinctad_jax", "gaps", str(tmp_path / "many.srt"), "--json", "-q"]
    done = subprocess.run(line, check=True, cwd=REPOSITORY, capture_output=True, text=True, timeout=60)
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["cues"] == 100_000 and found["gaps"] == 0


def test_hostile_text_reaches_no_file_as_markup(folder, monkeypatch, tmp_path, capsys):
    attack = "</script><img src=x onerror=alert(1)> --> \u2028 & \x00 {\\an8}"
    stub = StubDrafter(lambda *_: [f"A man {attack} runs", "A man runs."])
    monkeypatch.setattr(describe, "_drafter", lambda given, voice: stub)
    subtitles = write_srt(tmp_path / "a.srt", [(4, 6, attack)])
    cast = tmp_path / "cast.json"
    cast.write_text(json.dumps([{"character": attack}, {"character": "Ann", "photo": "/etc/passwd"}]))
    line = ["describe", folder / "a.mp4", "--subtitles", subtitles, "--cast", cast, "-o", tmp_path / "out"]
    found, told = said(capsys, [*line, "--json", "--density", "1"])
    assert "cannot be a name" in told and found["people"] == 1
    for name in ("a.vtt", "a.srt"):
        text = (tmp_path / "out" / name).read_text(encoding="utf-8")
        assert "<img" not in text and "</script" not in text and "\x00" not in text
        assert len(read_track(tmp_path / "out" / name, problems=[]).descriptions) == found["described"] > 0


def test_what_no_format_holds_is_refused_before_any_is_written(tmp_path, capsys):
    script = {"format": "distinctad track", "version": 1, "language": "<b>", "film": {"name": "f", "duration": 20}}
    script["entries"] = [{"start": 1, "end": 3, "text": "He runs."}]
    (tmp_path / "a.json").write_text(json.dumps(script))
    told = said(capsys, ["fit", tmp_path / "a.json", "-f", "all", "-o", tmp_path / "out"], 3)[1]
    assert "a.json: DAPT needs a language tag" in told and not (tmp_path / "out").exists()


def test_options_are_used_or_refused_where_there_are_only_subtitles(tmp_path, capsys):
    write_srt(tmp_path / "a.srt", [(1, 2, "Hello."), (8, 9, "Bye.")])
    line = ["gaps", tmp_path / "a.srt", "--duration=20", "--json"]
    (tmp_path / "s.json").write_text("[[4, 5]]")
    found, _ = said(capsys, [*line, "--speech-segments", tmp_path / "s.json"])
    assert found["gaps_at"] == [[5.3, 7.7], [9.3, 20.0]]
    assert said(capsys, [*line, "--start=3", "--end=11"])[0]["gaps_at"] == [[3.0, 7.7]]
    (tmp_path / "s.json").write_text("[[4, NaN]]")
    assert "s.json:[0]: nan" in said(capsys, [*line, "--speech-segments", tmp_path / "s.json"], 3)[1]
    assert "s.json" in said(capsys, [*line, "--shots", tmp_path / "s.json"], 3)[1]
    for flag in ("--speech-detector", "--subtitles", "--subtitle-track"):
        assert f"{flag}: is of no use to a.srt" in said(capsys, [*line, f"{flag}=x"], 2)[1]
    assert said(capsys, [*line, "--subtitle-track=none", "--shots=none"])[0]["gaps"] == 2
