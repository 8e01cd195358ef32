"""A film in, a track out: every cue lies in a gap of the dialogue, and players and our own readers read the files."""

import itertools
import json
import re
import shutil

import pytest

from distinctad_jax.data.video import probe
from distinctad_jax.movie.span import gaps
from distinctad_jax.tracks import read_dialogue, read_track

SUFFIXES = ("vtt", "srt", "jsonl")
ROUNDING = 0.0011
"""Seconds: files keep milliseconds."""


@pytest.fixture
def narrate(workdir, command):
    """Runs the recipe; the folder it made and what it found out."""
    shutil.rmtree(workdir / "narrate")

    def run(*arguments):
        assert command("narrate:tiny", workdir, *arguments) == 0
        about = next(workdir.glob("narrate/*/artefact.json"))
        return about.parent, json.loads(about.read_text())["results"]

    return run


def cues(folder):
    """The cues of the three tracks, which are equal, read by our readers without a complaint."""
    found = []
    for suffix in SUFFIXES:
        problems = []
        track = read_track(next(folder.glob(f"*.{suffix}")), problems=problems)
        assert not problems
        found.append([(each.span.start, each.span.end, each.text) for each in track.descriptions])
    for other in found[1:]:
        assert [text for *_, text in other] == [text for *_, text in found[0]]
        assert [time for cue in other for time in cue[:2]] == pytest.approx(
            [time for cue in found[0] for time in cue[:2]], abs=ROUNDING
        )
    return found[0]


def assert_in(silences, found):
    for start, end, _ in found:
        assert any(gap.start - ROUNDING <= start < end <= gap.end + ROUNDING for gap in silences), (start, end)


def webvtt_times(path):
    """The times of a WebVTT file by its grammar alone: a player's reading, not ours."""
    lines = path.read_text(encoding="utf-8").split("\n")
    assert lines[0].startswith("WEBVTT") and lines[1] == ""
    stamp = r"(?:(\d{2,}):)?([0-5]\d):([0-5]\d)\.(\d{3})"
    found = []
    for line in lines[2:]:
        match = re.fullmatch(rf"{stamp} --> {stamp}(?: .*)?", line)
        assert match or "-->" not in line
        if match:
            parts = [int(part or 0) for part in match.groups()]
            found.append(tuple(h * 3600 + m * 60 + s + ms / 1000 for h, m, s, ms in (parts[:4], parts[4:])))
    assert found == sorted(found) and all(start < end for start, end in found)
    return found


def test_a_toy_movie_is_described_in_the_gaps_of_its_dialogue(workdir, narrate):
    films = next(workdir.glob("render/*/artefact.json")).parent
    key = json.loads((films / "splits.json").read_text())["test"][0]
    folder, results = narrate()
    dialogue = read_dialogue(films / "subtitles" / f"{key}.srt")
    silences = gaps([line.span for line in dialogue], probe(films / "movies" / f"{key}.mp4").duration)
    found = cues(folder)
    assert len(silences) == results["gaps"] > 1 and dialogue
    assert_in(silences, found)
    assert 0 < len(found) == results["cues"] == results["clips"] - results["dropped"]
    for start, end, _ in found:
        assert not any(line.span.start < end and start < line.span.end for line in dialogue)
    for (_, end, _), (start, *_) in itertools.pairwise(found):
        assert start >= end
    dropped = json.loads((folder / "dropped.json").read_text())
    assert len(dropped) == results["dropped"] and all(each["reason"] for each in dropped)


def test_told_twice_it_is_the_same_to_the_byte(narrate, workdir):
    folder, _ = narrate()
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "artefact.json"}
    shutil.rmtree(folder)
    narrate()
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "artefact.json"} == before


def test_a_film_without_subtitles_is_one_gap(shared, narrate):
    video = shared / "data" / "videos" / "tears_of_steel_battle_clip.webm"
    folder, results = narrate(f"--config.narrate.video={video}")
    assert results["video"] == video.name and results["duration"] == pytest.approx(70.5, abs=0.1)
    assert results["gaps"] == 1 and results["clips"] == 12  # none longer than 6 s
    found = cues(folder)
    assert len(found) == results["cues"] > 0 and results["cues"] + results["dropped"] == 12
    assert_in(gaps([], results["duration"]), found)
    assert webvtt_times(folder / f"{video.stem}.vtt") == [
        (pytest.approx(start, abs=ROUNDING), pytest.approx(end, abs=ROUNDING)) for start, end, _ in found
    ]


def test_a_film_that_is_all_talk_has_a_track_that_is_empty_and_valid(shared, narrate, capsys):
    video = shared / "data" / "videos" / "his_girl_friday_6s.mp4"
    folder, results = narrate(
        f"--config.narrate.video={video}", f"--config.narrate.subtitles={video.with_suffix('.en.vtt')}"
    )
    assert (results["gaps"], results["clips"], results["cues"], results["dropped"]) == (0, 0, 0, 0)
    assert cues(folder) == [] and webvtt_times(folder / f"{video.stem}.vtt") == []
    assert "0 gaps" in capsys.readouterr().err
