"""The TFDS dataset `distinctad_jax`, in array_record files, written and read without TensorFlow.

`tfds.builder("distinctad_jax/pixels", data_dir=folder)` and `tfds.builder_from_directory` open what was written, with
or without this package; `import distinctad_jax.data.builder` registers the class itself.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from tensorflow_datasets.core import writer
from tensorflow_datasets.proto import tf_example_pb2

from distinctad_jax.data.ledger import ClipRecord, Variant, milliseconds, stretch
from distinctad_jax.files import write_json
from distinctad_jax.movie.movie import Line
from distinctad_jax.movie.span import Span

NAME = "distinctad_jax"
VERSION = "1.0.0"
VARIANTS = {"pixels": "JPEG frames of each clip", "features": "float16 frame features of each clip"}

MakeClips = Callable[[], Iterable[ClipRecord]]
"""Makes the clips of one shard, anew at each call."""


class _Info(tfds.core.DatasetInfo):
    def initialize_from_bucket(self) -> None:
        """Nothing: these datasets are not published, and TFDS would leave a temporary folder behind."""


@functools.cache
def clip_features(variant: Variant) -> tfds.features.FeaturesDict:
    """What a record of a variant holds."""
    kind = tfds.features
    features: dict[str, Any] = {
        "movie": kind.Text(),
        "index": np.int32,
        "start_ms": np.int64,
        "end_ms": np.int64,
        "text": kind.Text(),
        "frames_ms": kind.Tensor(shape=(None,), dtype=np.int64),
        "cast": kind.Sequence(kind.Text()),
        "seen": kind.Sequence(kind.Text()),
        "dialogue": kind.Sequence({"start_ms": np.int64, "end_ms": np.int64, "text": kind.Text()}),
    }
    if variant == "pixels":
        features["frames"] = kind.Sequence(kind.Image(shape=(None, None, 3), encoding_format="jpeg"))
    else:
        features["features"] = kind.Tensor(shape=(None, None), dtype=np.float16, encoding="bytes")
    return kind.FeaturesDict(features)


class DistinctadJax(tfds.core.ShardBasedBuilder):
    """Described clips, as `pixels` (JPEG frames) or `features` (float16 vectors); movies contiguous, in time order.

    `info.metadata["movies"]` has, for each split, the first row of each movie and the row after its last.

    Args:
      shards: for each split a maker of clips per shard; nothing to only read what is there.
    Source: TFDS 4.9. JPEG bytes are passed in and out undecoded, and times are whole milliseconds: TFDS encodes
      arrays with TensorFlow and stores float64 as float32.
    """

    name = NAME
    VERSION = tfds.core.Version(VERSION)
    BUILDER_CONFIGS = [  # noqa: RUF012  (TFDS reads a class attribute)
        tfds.core.BuilderConfig(name=variant, description=what) for variant, what in VARIANTS.items()
    ]

    def __init__(self, *, shards: Mapping[str, Sequence[MakeClips]] | None = None, about: str = "", **settings: Any):
        self._shards, self._about = dict(shards or {}), about
        settings.setdefault("file_format", "array_record")  # the default of TFDS needs TensorFlow
        super().__init__(**settings)

    @property
    def variant(self) -> Variant:
        config: Any = self.builder_config
        return config.name

    def _info(self) -> tfds.core.DatasetInfo:
        return _Info(
            builder=self,
            description=self._about or "Clips of movies with the audio description of each.",
            features=clip_features(self.variant),
            metadata=tfds.core.MetadataDict(),
            disable_shuffling=True,  # clips of one movie stay neighbours
        )

    def _shard_iterators_per_split(self, dl_manager: Any) -> dict[str, list[Callable[[], Iterator[Any]]]]:
        return {
            split: [functools.partial(_keyed, make, self.variant) for make in makers]
            for split, makers in self._shards.items()
        }

    def _example_writer(self) -> writer.ExampleWriter:
        kind: Any = self.info.file_format
        return _SteadyWriter(kind)

    def _log_download_bytes(self) -> None:
        """Nothing: TFDS prints here, and our recipes show their own progress."""

    def _log_download_done(self) -> None:
        """Nothing, as above."""


class _SteadyWriter(writer.ExampleWriter):
    """Writes records as `serialized` makes them, whichever process writes."""

    def write(self, path: Any, examples: Iterable[Any]) -> Any:
        return super().write(path, ((key, _steady(record)) for key, record in examples))


def _steady(record: bytes) -> bytes:
    proto: Any = tf_example_pb2  # its classes are made at run time
    return proto.Example.FromString(record).SerializeToString(deterministic=True)


def serialized(clip: ClipRecord, variant: Variant) -> bytes:
    """A clip as the bytes of its record: those that TFDS's own serializer makes of `example`, in a fixed order of
    fields, which TFDS leaves to chance; its feature classes take longer for a clip than to decode its pictures."""
    proto: Any = tf_example_pb2  # its classes are made at run time
    made = proto.Example()
    for name, value in _flat(example(clip, variant), variant):
        whole = isinstance(value, np.ndarray)
        kind = made.features.feature[name].int64_list if whole else made.features.feature[name].bytes_list
        kind.SetInParent()  # an empty list is written as well
        kind.value.extend(value.tolist() if whole else value)
    return made.SerializeToString(deterministic=True)


def _flat(example: Mapping[str, Any], variant: Variant) -> Iterator[tuple[str, Any]]:
    """The fields of a record: an array of integers or a list of bytes each."""
    for name in ("index", "start_ms", "end_ms"):
        yield name, np.array([example[name]], np.int64)
    for name in ("movie", "text"):
        yield name, [example[name].encode()]
    for name in ("cast", "seen"):
        yield name, [text.encode() for text in example[name]]
    yield "frames_ms", example["frames_ms"]
    for name in ("start_ms", "end_ms"):
        yield f"dialogue/{name}", np.array([line[name] for line in example["dialogue"]], np.int64)
    yield "dialogue/text", [line["text"].encode() for line in example["dialogue"]]
    if variant == "pixels":
        yield "frames", example["frames"]
    else:
        vectors = np.ascontiguousarray(example["features"], np.float16)
        yield "features/shape", np.array(vectors.shape, np.int64)
        yield "features/value", [vectors.tobytes()]


def _keyed(make: MakeClips, variant: Variant) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, clip in enumerate(make()):
        yield number, example(clip, variant)


def data_folder(folder: Path, variant: str) -> Path:
    """Where the dataset of a records folder lies."""
    return folder / NAME / variant / VERSION


def shard_path(folder: Path, variant: str, split: str, number: int, of: int) -> Path:
    """The file of a shard, as TFDS names it."""
    template = _template(data_folder(folder, variant), split)
    return Path(template.sharded_filepath(shard_index=number, num_shards=of))


def _template(data: Path, split: str) -> tfds.core.ShardedFileTemplate:
    folder: Any = data  # any path does, whatever the annotation says
    return tfds.core.ShardedFileTemplate(
        data_dir=folder, dataset_name=NAME, split=split, filetype_suffix="array_record"
    )


def describe_dataset(
    folder: Path,
    variant: Variant,
    shards: Mapping[str, Sequence[tuple[int, int]]],
    description: str,
    metadata: Mapping[str, Any],
) -> None:
    """Writes TFDS's own papers beside finished shards; `shards`: (clips, bytes) of each shard of each split."""
    builder: Any = DistinctadJax(config=variant, data_dir=str(folder), about=description)
    data = data_folder(folder, variant)
    splits = []
    for split, counts in shards.items():
        lengths = [clips for clips, _ in counts]
        splits.append(
            tfds.core.SplitInfo(
                name=split,
                shard_lengths=lengths,
                num_bytes=sum(size for _, size in counts),
                filename_template=_template(data, split),
            )
        )
    builder.info.set_splits(tfds.core.SplitDict(splits))
    builder.info.metadata.update(metadata)
    builder.info.write_to_directory(data)
    # What TFDS opens when no config is named: the one that is there.
    write_json(folder / NAME / ".config" / "metadata.json", {"default_config_name": variant})


def example(clip: ClipRecord, variant: Variant) -> dict[str, Any]:
    """A clip as TFDS takes it."""
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
        "seen": list(clip.seen),
        "dialogue": [{"start_ms": a, "end_ms": b, "text": text} for a, b, text in lines],
        **content,
    }


def clip_of(record: bytes) -> ClipRecord:
    """A clip out of the bytes of its record, with JPEG frames left as files.

    TFDS reads the same, field by field through its feature classes; that takes longer than to decode a picture.
    Errors: any, if the bytes are no such record.
    """
    proto: Any = tf_example_pb2  # its classes are made at run time
    fields = proto.Example.FromString(record).features.feature

    def texts(name: str) -> tuple[str, ...]:
        return tuple(text.decode() for text in fields[name].bytes_list.value)

    def numbers(name: str) -> list[int]:
        return list(fields[name].int64_list.value)

    vectors = None
    if "features/value" in fields:
        values = fields["features/value"].bytes_list.value[0]
        vectors = np.frombuffer(values, np.float16).reshape(numbers("features/shape"))
    lines = zip(numbers("dialogue/start_ms"), numbers("dialogue/end_ms"), texts("dialogue/text"), strict=True)
    return ClipRecord(
        movie=texts("movie")[0],
        index=numbers("index")[0],
        start=numbers("start_ms")[0] / 1000,
        end=numbers("end_ms")[0] / 1000,
        text=texts("text")[0],
        frame_times=tuple(time / 1000 for time in numbers("frames_ms")),
        frames=tuple(fields["frames"].bytes_list.value) if "frames" in fields else None,
        features=vectors,
        cast=texts("cast"),
        seen=texts("seen"),
        dialogue=tuple(Line(Span(a / 1000, b / 1000), text) for a, b, text in lines),
    )
