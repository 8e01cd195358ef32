"""Rows, videos, subtitles and cast become movies."""

import pytest

from distinctad_jax.data.annotations import movies_from, read_annotations
from distinctad_jax.errors import BadInput
from distinctad_jax.movie.movie import Line, Person
from distinctad_jax.movie.span import Span


def rows_of(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("movie,start,end,text\nb,5,6,late\nb,1,9,long\nb,1,2,early\na,1,2,x\n")
    return read_annotations(path)


def test_clips_are_sorted_and_counted(tmp_path):
    dialogue = {"b": (Line(Span(3, 4), "Hello."),)}
    first, second = movies_from(rows_of(tmp_path), subtitles=dialogue, cast={"a": (Person("Ada"),)})
    assert [(clip.index, clip.span.start, clip.text) for clip in first.clips] == [
        (0, 1.0, "early"),
        (1, 1.0, "long"),
        (2, 5.0, "late"),
    ]
    assert (first.key, first.dialogue, first.cast, first.video) == ("b", dialogue["b"], (), None)
    assert (second.key, second.cast) == ("a", (Person("Ada"),))


def test_videos_are_found_by_name(tmp_path):
    (tmp_path / "videos").mkdir()
    for name in ("a.MKV", "b.mp4"):
        (tmp_path / "videos" / name).touch()
    found = movies_from(rows_of(tmp_path), videos=tmp_path / "videos")
    assert [movie.video for movie in found] == [tmp_path / "videos" / "b.mp4", tmp_path / "videos" / "a.MKV"]


def test_a_missing_video_is_an_error_or_a_counted_loss(tmp_path):
    (tmp_path / "videos").mkdir()
    with pytest.raises(BadInput, match="no video for 2 of 2"):
        movies_from(rows_of(tmp_path), videos=tmp_path / "videos", on_missing="drop")
    (tmp_path / "videos" / "a.mkv").touch()
    with pytest.raises(BadInput, match=r"rows\.csv:2: no video for 1 of 2 movies \(b\).*b\.mp4"):
        movies_from(rows_of(tmp_path), videos=tmp_path / "videos")
    problems = []
    (only,) = movies_from(rows_of(tmp_path), videos=tmp_path / "videos", on_missing="drop", problems=problems)
    assert only.key == "a" and len(problems) == 1 and "3 rows dropped" in problems[0]
    with pytest.raises(ValueError, match="on_missing"):
        movies_from(rows_of(tmp_path), on_missing="keep")


def test_a_video_outside_its_folder_is_refused(tmp_path):
    (tmp_path / "videos").mkdir()
    (tmp_path / "secret.mp4").touch()
    (tmp_path / "videos" / "b.mp4").symlink_to(tmp_path / "secret.mp4")
    with pytest.raises(BadInput, match="link out of"):
        movies_from(rows_of(tmp_path), videos=tmp_path / "videos")
