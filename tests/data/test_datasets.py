import json
import os
import pickle
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import simplejpeg
import tensorflow_datasets as tfds

from distinctad_jax.data.datasets import ClipRecord, Records, split_names, write_records
from distinctad_jax.errors import BadEnvironment, BadInput, NonFinite
from distinctad_jax.movie.movie import Line
from distinctad_jax.movie.span import Span

LINE = Line(Span(3661.123, 3662.5), "Où est-il?")


def jpeg(value):
    return simplejpeg.encode_jpeg(np.full((16, 16, 3), value, np.uint8), quality=95)


def clip(movie, index, **changes):
    made = {
        "movie": movie,
        "index": index,
        "start": 7200.1 + 3.0 * index,
        "end": 7202.357 + 3.0 * index,
        "text": f"Zoë walks, {movie} {index}.",
        "frame_times": [7200.1 + 3.0 * index, 7201.0 + 3.0 * index],
        "frames": [jpeg(index), jpeg(index + 100)],
        "cast": ("Zoë", "Dr. Bell"),
        "dialogue": (LINE,) * (index % 2),
    }
    return ClipRecord(**{**made, **changes})


def feature_clip(movie, index, frames=3, **changes):
    values = (np.arange(frames * 4, dtype=np.float16) + index).reshape(frames, 4)
    times = np.linspace(index, index + 1, frames)
    return clip(movie, index, frames=None, features=values, frame_times=times, **changes)


def write_pixels(folder, count=5, **changes):
    splits = {"train": [clip(m, i) for m in ("b", "a") for i in range(count)], "val": iter([clip("c", 0)])}
    write_records(folder, "pixels", splits, description="test", metadata={"made_by": "test"}, **changes)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("records") / "pixels"
    write_pixels(folder)
    return folder


def test_what_is_read_is_what_was_written(folder):
    records = Records(folder, "train")
    assert len(records) == 10 and records.metadata == {"made_by": "test"} and records.variant == "pixels"
    rows = [9, 0, 3]
    expected = [clip("a", 4), clip("b", 0), clip("b", 3)]
    for found, wanted in zip(records.get(rows), expected, strict=True):
        for field in ("movie", "index", "text", "cast", "dialogue"):
            assert getattr(found, field) == getattr(wanted, field), field
        assert list(found.frames) == list(wanted.frames)  # the very bytes
        assert (found.start, found.end) == (wanted.start, wanted.end)  # an hour in, to the millisecond
        assert found.frame_times == pytest.approx(wanted.frame_times, abs=5e-4)
        assert found.features is None


def test_the_index_agrees_with_the_records(folder):
    records = Records(folder, "train")
    assert records.movies == {"b": range(5), "a": range(5, 10)}
    for entry, record in zip(records.index, records.get(range(10)), strict=True):
        for field in ("movie", "index", "start", "end", "text", "cast"):
            assert getattr(entry, field) == getattr(record, field), field
    assert split_names(folder) == ("train", "val")


def test_features_are_kept_exactly_and_may_differ_in_length(tmp_path):
    clips = [feature_clip("m", 0), feature_clip("m", 1, frames=1, cast=())]
    write_records(tmp_path / "f", "features", {"train": clips}, description="", metadata={}, feature_width=4)
    records = Records(tmp_path / "f", "train")
    assert records.feature_width == 4 and [entry.cast for entry in records.index] == [clips[0].cast, ()]
    for found, wanted in zip(records.get([0, 1]), clips, strict=True):
        assert found.features.dtype == np.float16 and found.frames is None
        np.testing.assert_array_equal(found.features, wanted.features)


def test_plain_tfds_reads_the_folder(folder):
    for builder in (
        tfds.builder_from_directory(folder / "distinctad_jax" / "pixels" / "1.0.0"),
        tfds.builder("distinctad_jax/pixels", data_dir=folder),
    ):
        source = builder.as_data_source("train")
        assert len(source) == 10 and source[2]["movie"] == b"b"
        assert source[2]["frames"][0].shape == (16, 16, 3)


def test_records_survive_pickling_and_threads(folder):
    records = Records(folder, "train")
    found = {}

    def read(row):
        found[row] = records.get([row])[0].text

    threads = [threading.Thread(target=read, args=(row,)) for row in range(10)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert [found[row] for row in range(10)] == [entry.text for entry in records.index]
    copy = pickle.loads(pickle.dumps(records))  # noqa: S301
    assert copy.get([1])[0].text == found[1]


def test_a_failure_leaves_nothing_behind_and_keeps_the_old_folder(tmp_path):
    def failing():
        yield clip("m", 0)
        raise BadInput("the video ends early", where="m.mp4")

    with pytest.raises(BadInput, match="ends early"):
        write_records(tmp_path / "new", "pixels", {"train": failing()}, description="", metadata={})
    assert list(tmp_path.iterdir()) == []
    write_pixels(tmp_path / "old", count=1)
    with pytest.raises(BadInput, match="ends early"):
        write_records(tmp_path / "old", "pixels", {"train": failing()}, description="", metadata={})
    assert len(Records(tmp_path / "old", "train").get([0, 1])) == 2
    write_pixels(tmp_path / "old", count=2)
    assert len(Records(tmp_path / "old", "train")) == 4
    assert [path.name for path in tmp_path.iterdir()] == ["old"]


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("x")
    with pytest.raises(BadInput, match="not a records folder"):
        write_pixels(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_an_environment_fault(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(BadEnvironment, match="cannot write"):
        write_pixels(tmp_path / "new")


def test_a_file_in_the_way_is_an_environment_fault(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(BadEnvironment, match="cannot write"):
        write_pixels(tmp_path / "file" / "new")


@pytest.mark.parametrize(
    ("clips", "message"),
    [
        ([clip("a", 0), clip("b", 0), clip("a", 1)], "stand together"),
        ([clip("a", 1), clip("a", 0)], "time order"),
        ([clip("a", 0, frames=[])], "needs frames"),
        ([clip("a", 0, frames=[jpeg(0)])], "needs frames"),
    ],
)
def test_clips_out_of_order_or_without_frames_are_refused(tmp_path, clips, message):
    with pytest.raises(ValueError, match=message):
        write_records(tmp_path / "r", "pixels", {"train": clips}, description="", metadata={})
    assert list(tmp_path.iterdir()) == []


def test_features_of_another_width_are_refused(tmp_path):
    with pytest.raises(ValueError, match="needs features"):
        write_records(
            tmp_path / "r", "features", {"t": [feature_clip("a", 0)]}, description="", metadata={}, feature_width=5
        )
    with pytest.raises(ValueError, match="feature_width"):
        write_records(tmp_path / "r", "features", {"t": []}, description="", metadata={})


def test_an_empty_split_is_an_input_fault(tmp_path):
    with pytest.raises(BadInput, match="split val: no clips"):
        write_records(tmp_path / "r", "pixels", {"train": [clip("a", 0)], "val": []}, description="", metadata={})
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_split_or_row_is_named(folder, tmp_path):
    with pytest.raises(BadInput, match=r"index\.json"):
        Records(tmp_path, "train")
    with pytest.raises(BadInput, match="no split 'test', found train, val"):
        Records(folder, "test")
    with pytest.raises(IndexError, match=r"rows 0 \.\. 9"):
        Records(folder, "train").get([10])
    with pytest.raises(IndexError):
        Records(folder, "train").get([-1])


def test_an_index_that_does_not_fit_is_an_input_fault(tmp_path):
    write_pixels(tmp_path / "r", count=2)
    path = tmp_path / "r" / "index.json"
    index = json.loads(path.read_text())
    index["splits"]["train"][0]["clips"].pop()
    path.write_text(json.dumps(index))
    with pytest.raises(BadInput, match="4 records in split 'train', the index lists 3"):
        Records(tmp_path / "r", "train").get([0])
    index["splits"]["train"][0]["clips"].append([1, 2])
    path.write_text(json.dumps(index))
    with pytest.raises(BadInput, match="broken index"):
        Records(tmp_path / "r", "train")
    path.write_text("[]")
    with pytest.raises(BadInput, match="not an index"):
        Records(tmp_path / "r", "train")


def shard(folder, split="train"):
    (path,) = (folder / "distinctad_jax" / "pixels" / "1.0.0").glob(f"*{split}.array_record*")
    return path


@pytest.mark.parametrize("damage", ["cut", "empty", "gone"])
def test_a_damaged_shard_is_named_before_anything_is_read(tmp_path, damage):
    write_pixels(tmp_path / "r", count=2)
    path = shard(tmp_path / "r")
    content = path.read_bytes()
    path.unlink()
    if damage != "gone":
        path.write_bytes(content[: len(content) // 2] if damage == "cut" else b"")
    with pytest.raises(BadInput) as caught:
        Records(tmp_path / "r", "train")
    assert str(path) in str(caught.value) and "write the records again" in str(caught.value)


def test_a_flipped_byte_is_caught_when_its_record_is_read(tmp_path):
    write_pixels(tmp_path / "r", count=2)
    path = shard(tmp_path / "r")
    content = bytearray(path.read_bytes())
    content[1500] ^= 255  # in the middle of the records, which stand first
    path.write_bytes(content)
    records = Records(tmp_path / "r", "train")
    with pytest.raises(BadInput, match="train: one of the records 0, 1, 2, 3 cannot be read"):
        records.get(range(4))


def test_features_that_are_not_finite_are_refused(tmp_path):
    broken = feature_clip("a", 0)
    broken.features[1, 2] = np.inf
    with pytest.raises(NonFinite, match="clip 0 of 'a'"):
        write_records(tmp_path / "r", "features", {"t": [broken]}, description="", metadata={}, feature_width=4)


def test_neither_tensorflow_nor_torch_is_imported_and_nothing_is_printed(tmp_path):
    script = f"""
import builtins, sys
take = builtins.__import__
def refuse(name, *rest, **more):  # not a finder: etils asks whether there is a TensorFlow, and does not import it
    assert name.split(".")[0] not in ("tensorflow", "torch"), name
    return take(name, *rest, **more)
builtins.__import__ = refuse
sys.path.insert(0, {str(Path(__file__).parent)!r})
import pathlib
from test_datasets import write_pixels, Records
write_pixels(pathlib.Path({str(tmp_path / "r")!r}))
records = Records({str(tmp_path / "r")!r}, "train")
assert len(records.get(range(10))) == 10
assert not {{"tensorflow", "torch", "jax"}} & set(sys.modules)
"""
    repository = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", script], cwd=repository, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)
