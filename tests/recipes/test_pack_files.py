"""A user's own files are packed as the toy cinema's are: nothing downstream knows where they come from."""

import json
import shutil

import numpy as np
import pytest

from distinctad_jax.data.datasets import Records

PAPERS = {"annotations": "annotations.csv", "videos": "movies", "subtitles": "subtitles", "cast": "cast.json"}
PAPERS |= {"splits": "splits.json"}


@pytest.fixture
def films(demo, tmp_path):
    """A studio's folder, which is what the toy cinema has made, somewhere else."""
    return shutil.copytree(next(demo.glob("render/*/artefact.json")).parent, tmp_path / "films")


def arguments(films, **changes):
    paths = {name: films / path for name, path in PAPERS.items()} | changes
    return ["--config.pack.source=files", *(f"--config.pack.{name}={path}" for name, path in paths.items() if path)]


def packed(workdir):
    return next(workdir.glob("pack/*/artefact.json")).parent / "records"


def test_records_of_files_equal_those_of_the_toy_cinema(demo, films, tmp_path, command):
    assert command("pack:tiny", tmp_path / "mine", *arguments(films)) == 0
    for split in ("train", "val", "test"):
        toy, mine = Records(packed(demo), split), Records(packed(tmp_path / "mine"), split)
        assert mine.index == toy.index and mine.movies == toy.movies and mine.metadata == toy.metadata
        for ours, theirs in zip(mine.get(range(len(mine))), toy.get(range(len(toy))), strict=True):
            assert ours.frames == theirs.frames and ours.dialogue == theirs.dialogue and ours.cast == theirs.cast
            np.testing.assert_array_equal(ours.frame_times, theirs.frame_times)
    assert ours.dialogue and ours.cast and len(ours.frames) == 4


def test_subtitles_and_cast_are_optional(films, tmp_path, command):
    assert command("pack:tiny", tmp_path / "mine", *arguments(films, subtitles=None, cast=None)) == 0
    clip = Records(packed(tmp_path / "mine"), "test").get([0])[0]
    assert clip.dialogue == () and clip.cast == () and len(clip.frames) == 4


def test_a_missing_video_is_named_or_its_movie_dropped_and_counted(films, tmp_path, command, capsys):
    splits = json.loads((films / "splits.json").read_text())
    lost = splits["train"][0]
    (films / "movies" / f"{lost}.mp4").unlink()
    assert command("pack:tiny", tmp_path / "mine", *arguments(films)) == 3
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("error: ") and lost in line and "annotations.csv:" in line
    assert command("pack:tiny", tmp_path / "mine", *arguments(films), "--config.pack.missing_videos=drop") == 0
    assert f"1 movies have no video in {films / 'movies'}" in capsys.readouterr().err
    about = json.loads(next(tmp_path.glob("mine/pack/*/artefact.json")).read_text())
    assert about["results"]["movies"] == {"train": 1, "val": 1, "test": 1}
    rows = about["results"]["rows"]
    assert rows["used"] == sum(about["results"]["clips"].values()) and rows["dropped: no video"] > 0
    assert rows["used"] + sum(count for name, count in rows.items() if name.startswith("dropped")) == rows["rows"]
    assert lost not in Records(packed(tmp_path / "mine"), "train").movies


@pytest.mark.parametrize("content", [b"", b"\x00\x01noise" * 500])
def test_a_video_that_cannot_be_read_is_named_and_no_half_library_is_left(films, tmp_path, command, capsys, content):
    video = films / "movies" / f"{json.loads((films / 'splits.json').read_text())['train'][1]}.mp4"
    video.write_bytes(content)
    assert command("pack:tiny", tmp_path / "mine", *arguments(films)) == 3
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith(f"error: {video}: ") and "; " in line
    assert not [path for path in tmp_path.glob("mine/**/*") if path.is_file()]


@pytest.mark.parametrize("name", ["annotations", "videos", "subtitles", "cast", "splits"])
def test_a_path_that_is_not_there_is_named_with_its_key(films, tmp_path, command, capsys, name):
    assert command("pack:tiny", tmp_path / "mine", *arguments(films, **{name: films / "nowhere"})) == 3
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith(f"error: {films / 'nowhere'}: no such f") and line.endswith(
        f"; correct config.pack.{name}"
    )


def test_rows_of_movies_in_no_split_are_counted(films, tmp_path, command, capsys):
    splits = json.loads((films / "splits.json").read_text())
    (films / "splits.json").write_text(json.dumps({"train": splits["train"]}))
    assert command("pack:tiny", tmp_path / "mine", *arguments(films)) == 0
    results = json.loads(next(tmp_path.glob("mine/pack/*/artefact.json")).read_text())["results"]
    assert results["rows"]["used"] == results["clips"]["train"]
    assert results["rows"]["dropped: in no split"] == results["rows"]["rows"] - results["rows"]["used"] > 0
    assert f"{results['rows']['dropped: in no split']} rows dropped: " in capsys.readouterr().err


def test_changed_subtitles_are_packed_anew(films, tmp_path, command, capsys):
    assert command("pack:tiny", tmp_path / "mine", *arguments(films)) == 0
    subtitles = next((films / "subtitles").iterdir())
    subtitles.write_text(subtitles.read_text() + "\n999\n00:09:00,000 --> 00:09:01,000\nGood night.\n")
    capsys.readouterr()
    assert command("pack:tiny", tmp_path / "mine", *arguments(films)) == 0
    assert "pack: made in" in capsys.readouterr().err


def test_a_changed_table_is_packed_anew_and_the_same_one_is_kept(films, tmp_path, command, capsys):
    assert command("pack:tiny", tmp_path / "mine", *arguments(films)) == 0
    assert command("pack:tiny", tmp_path / "mine", *arguments(films)) == 0
    assert "pack: kept" in capsys.readouterr().err
    table = films / "annotations.csv"
    table.write_text("\n".join(table.read_text().splitlines()[:-1]) + "\n")
    assert command("pack:tiny", tmp_path / "mine", *arguments(films)) == 0
    assert "pack: made in" in capsys.readouterr().err
    assert len(list(tmp_path.glob("mine/pack/*"))) == 2
