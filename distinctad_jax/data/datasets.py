"""Clips on disk: TFDS datasets in array_record files, written and read without TensorFlow.

A records folder looks like this, and appears whole or not at all:

    index.json                           what is in it: per split and movie the times, texts and casts; metadata
    ad_clips/<pixels|features>/1.0.0/    a TFDS dataset: `tfds.builder("ad_clips/pixels", data_dir=folder)` reads it

The clips of a movie stand together and in time order, so neighbours in a movie are neighbours on disk.
"""

from __future__ import annotations

import contextlib
import errno
import shutil
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from distinctad_jax.data.ledger import (
    AGAIN,
    NAME,
    ClipRecord,
    Ledger,
    Variant,
    check_files,
    entries,
    milliseconds,
    read_index,
    stretch,
)
from distinctad_jax.errors import BadEnvironment, BadInput
from distinctad_jax.movie.movie import Line
from distinctad_jax.movie.span import Span

VERSION = "1.0.0"


class _Info(tfds.core.DatasetInfo):
    def initialize_from_bucket(self) -> None:
        """Nothing: these datasets are not published, and TFDS would leave a temporary folder behind."""


class AdClips(tfds.core.GeneratorBasedBuilder):
    """The TFDS dataset `ad_clips`: described clips, as `pixels` (JPEG frames) or `features` (float16 vectors).

    Source: TFDS 4.9. JPEG bytes are passed in and out undecoded, and times are whole milliseconds: TFDS encodes
      arrays with TensorFlow and stores float64 as float32.
    """

    name = "ad_clips"
    VERSION = tfds.core.Version(VERSION)
    BUILDER_CONFIGS = [  # noqa: RUF012  (TFDS reads a class attribute)
        tfds.core.BuilderConfig(name="pixels", description="JPEG frames of each clip"),
        tfds.core.BuilderConfig(name="features", description="float16 frame features of each clip"),
    ]

    def __init__(self, *, clips: Mapping[str, Iterable[ClipRecord]] | None = None, about: str = "", **settings: Any):
        self._clips = dict(clips or {})
        self._about = about
        settings.setdefault("file_format", "array_record")  # the default of TFDS needs TensorFlow
        super().__init__(**settings)

    @property
    def variant(self) -> str:
        config: Any = self.builder_config
        return config.name

    def _info(self) -> tfds.core.DatasetInfo:
        kind = tfds.features
        features: dict[str, Any] = {
            "movie": kind.Text(),
            "index": np.int32,
            "start_ms": np.int64,
            "end_ms": np.int64,
            "text": kind.Text(),
            "frames_ms": kind.Tensor(shape=(None,), dtype=np.int64),
            "cast": kind.Sequence(kind.Text()),
            "dialogue": kind.Sequence({"start_ms": np.int64, "end_ms": np.int64, "text": kind.Text()}),
        }
        if self.variant == "pixels":
            features["frames"] = kind.Sequence(kind.Image(shape=(None, None, 3), encoding_format="jpeg"))
        else:
            features["features"] = kind.Tensor(shape=(None, None), dtype=np.float16, encoding="bytes")
        return _Info(
            builder=self,
            description=self._about or "Clips of movies with the audio description of each.",
            features=kind.FeaturesDict(features),
            disable_shuffling=True,  # clips of one movie stay neighbours
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Iterator[tuple[int, dict[str, Any]]]]:
        return {split: self._generate_examples(clips) for split, clips in self._clips.items()}

    def _generate_examples(self, clips: Iterable[ClipRecord]) -> Iterator[tuple[int, dict[str, Any]]]:
        for number, clip in enumerate(clips):
            yield number, _example(clip, self.variant)

    def _log_download_bytes(self) -> None:
        """Nothing: TFDS prints here, and our recipes show their own progress."""

    def _log_download_done(self) -> None:
        """Nothing, as above."""


def _example(clip: ClipRecord, variant: str) -> dict[str, Any]:
    lines = [(*stretch(line.span.start, line.span.end), line.text) for line in clip.dialogue]
    start, end = stretch(clip.start, clip.end)
    content = {"frames": list(clip.frames or ())} if variant == "pixels" else {"features": clip.features}
    return {
        "movie": clip.movie,
        "index": clip.index,
        "start_ms": start,
        "end_ms": end,
        "text": clip.text,
        "frames_ms": np.array([milliseconds(float(time)) for time in clip.frame_times], np.int64),
        "cast": list(clip.cast),
        "dialogue": [{"start_ms": a, "end_ms": b, "text": text} for a, b, text in lines],
        **content,
    }


def _clip(example: dict[str, Any]) -> ClipRecord:
    said = example["dialogue"]
    lines = zip(said["start_ms"], said["end_ms"], said["text"], strict=True)
    return ClipRecord(
        movie=example["movie"].decode(),
        index=int(example["index"]),
        start=int(example["start_ms"]) / 1000,
        end=int(example["end_ms"]) / 1000,
        text=example["text"].decode(),
        frame_times=tuple(int(time) / 1000 for time in example["frames_ms"]),
        frames=tuple(example["frames"]) if "frames" in example else None,
        features=example.get("features"),
        cast=tuple(name.decode() for name in example["cast"]),
        dialogue=tuple(Line(Span(int(a) / 1000, int(b) / 1000), text.decode()) for a, b, text in lines),
    )


def write_records(
    folder: Path,
    variant: Variant,
    splits: Mapping[str, Iterable[ClipRecord]],
    *,
    description: str,
    metadata: Mapping[str, Any],
    feature_width: int = 0,
) -> None:
    """Writes a records folder (see above), replacing an earlier one; `folder` appears whole or not at all.

    Args:
      splits: for each split its clips, movie by movie in time order; read once, one clip at a time.
      metadata: where the clips come from and how they were made; JSON values, returned by `Records.metadata`.
      feature_width: width of the features; 0 for pixels.
    Errors: ValueError if a clip is out of order or lacks frames; BadInput if a split has no clips or `folder` holds
      something else; BadEnvironment if it cannot be written.
    """
    if (variant == "features") != (feature_width > 0):
        raise ValueError(f"features need a feature_width > 0 and pixels none, got {feature_width} for {variant}")
    ledger = Ledger(variant, feature_width)
    tfds.disable_progress_bar()
    with _whole_folder(Path(folder).absolute()) as partial:
        clips = {split: ledger.watch(split, found) for split, found in splits.items()}
        builder = AdClips(config=variant, data_dir=str(partial), clips=clips, about=description)
        builder.download_and_prepare(download_config=tfds.download.DownloadConfig(try_download_gcs=False))
        shutil.rmtree(partial / "downloads", ignore_errors=True)  # TFDS makes it, nothing is downloaded
        ledger.write(partial, _data(partial, variant), VERSION, description, metadata)


def _data(folder: Path, variant: str) -> Path:
    return folder / AdClips.name / variant / VERSION


@contextlib.contextmanager
def _whole_folder(folder: Path) -> Iterator[Path]:
    """Yields an empty folder beside `folder` that takes its name at the end, or vanishes with the error."""
    partial, old = (folder.with_name(f".{folder.name}.{word}") for word in ("partial", "old"))
    if folder.exists() and not (folder / NAME).is_file():
        raise BadInput(
            "exists and is not a records folder", where=folder, mend="move it away or choose another folder"
        )
    try:
        for leftover in (partial, old):
            shutil.rmtree(leftover, ignore_errors=True)
        partial.mkdir(parents=True)
        yield partial
        if folder.exists():
            folder.rename(old)
        partial.rename(folder)
    except OSError as error:
        ours = error.filename is not None and Path(str(error.filename)).is_relative_to(folder.parent)
        if not ours and error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
            raise
        mend = "free space or choose a folder that can be written"
        raise BadEnvironment(f"cannot write: {error.strerror}", where=folder, mend=mend) from error
    finally:
        if old.exists() and not folder.exists():
            old.rename(folder)
        for leftover in (partial, old):
            shutil.rmtree(leftover, ignore_errors=True)


class _RawBytes(tfds.decode.SkipDecoding):
    """Leaves JPEG files as they are; the stock class has no method for a batch without TensorFlow."""

    def decode_batch_example_np(self, serialized: Any) -> Any:
        return serialized


def split_names(folder: Path) -> tuple[str, ...]:
    """The splits of a records folder, in the order in which they were written.

    Errors: BadInput if the index is missing or not one.
    """
    return tuple(read_index(Path(folder))["splits"])


class Records:
    """One split of a records folder: the index at once, the records when asked for.

    `index` holds a `ClipEntry` for each row, `movies` the range of rows of each movie, `metadata` what the writer
    said. Can be pickled and used from several threads; files are opened on first use.

    Errors: BadInput if the folder, its index, the split or a shard is missing, or a shard has another size.
    """

    def __init__(self, folder: Path, split: str):
        self.folder, self.split = Path(folder), split
        about = read_index(self.folder)
        self.index, self.movies = entries(about, split, self.folder)
        self.variant: Variant = about["variant"]
        self.feature_width: int = about["feature_width"]
        self.metadata: dict[str, Any] = about["metadata"]
        self._data = _data(self.folder, self.variant)
        check_files(about, self._data)
        self._source: Any = None
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self.index)

    def __repr__(self) -> str:
        return f"Records({str(self.folder)!r}, {self.split!r})"

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_source": None, "_lock": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _lock=threading.Lock())

    def get(self, rows: Sequence[int]) -> list[ClipRecord]:
        """The records of some rows, in the order asked for.

        Errors: IndexError if there is no such row; BadInput if a file is damaged.
        """
        numbers = [int(row) for row in rows]
        wrong = [row for row in numbers if not 0 <= row < len(self)]
        if wrong:
            raise IndexError(f"{self} has rows 0 .. {len(self) - 1}, asked for {wrong[0]}")
        if not numbers:
            return []
        source = self._open()
        try:
            return [_clip(example) for example in source.__getitems__(numbers)]
        except (RuntimeError, ValueError, IndexError) as error:
            what = f"one of the records {_brief(numbers)} cannot be read ({type(error).__name__}: {error})"
            raise BadInput(what, where=f"{self._data}:{self.split}", mend=AGAIN) from error

    def _open(self) -> Any:
        with self._lock:
            if self._source is None:
                decoders = {"frames": _RawBytes()} if self.variant == "pixels" else None
                try:
                    builder: Any = tfds.builder_from_directory(self._data)
                    source = builder.as_data_source(split=self.split, decoders=decoders)
                    found = len(source)
                except (OSError, ValueError, KeyError, RuntimeError) as error:
                    what = f"not a readable TFDS dataset ({type(error).__name__}: {error})"
                    raise BadInput(what, where=self._data, mend=AGAIN) from error
                if found != len(self):
                    what = f"{found} records in split {self.split!r}, the index lists {len(self)}"
                    raise BadInput(what, where=self._data, mend=AGAIN)
                self._source = source
            return self._source


def _brief(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers[:4])) + (", ..." if len(numbers) > 4 else "")
