"""Clips on disk: TFDS datasets in array_record files, written and read without TensorFlow.

A records folder looks like this, and appears whole or not at all:

    index.json                          what is in it: per split and movie the times, texts and casts; metadata
    README.md                           the same for a person, in short
    distinctad_jax/<variant>/<version>  a TFDS dataset: `tfds.builder("distinctad_jax", data_dir=folder)` reads it

The clips of a movie stand together and in time order, so neighbours in a movie are neighbours on disk.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds

from distinctad_jax.data.builder import clip_of, data_folder, shard_path
from distinctad_jax.data.ledger import (
    AGAIN,
    ClipRecord,
    Ledger,
    Variant,
    check_files,
    entries,
    read_index,
)
from distinctad_jax.data.shards import (
    CLIPS_PER_SHARD,
    BadClip,
    MakeClips,
    Store,
    Written,
    gathered,
    on_beam,
    on_threads,
    plan,
    put_together,
    whole_folder,
    write_file,
)
from distinctad_jax.errors import BadInput
from distinctad_jax.movie.movie import Movie


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
    with whole_folder(Path(folder).absolute()) as partial:
        store = Store(partial, variant, feature_width)
        written = Written({}, Ledger(variant, feature_width), [])
        for split, clips in splits.items():
            _stream(store, split, written.ledger.watch(split, clips), written)
        put_together(store, written, description, metadata)


def _stream(store: Store, split: str, clips: Iterator[ClipRecord], written: Written) -> None:
    """Writes shards of whole movies while clips come, and names them when their number is known."""
    shards, ahead = written.shards.setdefault(split, []), next(clips, None)
    while ahead is not None:
        count = 0

        def one_shard() -> Iterator[ClipRecord]:
            nonlocal ahead, count
            while ahead is not None:
                clip, ahead = ahead, next(clips, None)
                count += 1
                yield clip
                if count >= CLIPS_PER_SHARD and ahead is not None and ahead.movie != clip.movie:
                    return

        size = write_file(store.folder / f"{split}-{len(shards)}", store.variant, one_shard())
        shards.append((count, size))
    for number in range(len(shards)):
        path = shard_path(store.folder, store.variant, split, number, len(shards))
        path.parent.mkdir(parents=True, exist_ok=True)
        (store.folder / f"{split}-{number}").rename(path)


def pack_records(
    folder: Path,
    variant: Variant,
    splits: Mapping[str, Sequence[Movie]],
    make: MakeClips,
    *,
    description: str,
    metadata: Mapping[str, Any],
    identity: str,
    feature_width: int = 0,
    workers: int = 1,
    beam: Sequence[str] | None = None,
    most_bad: float = 0.01,
    per_shard: int = CLIPS_PER_SHARD,
    progress: Callable[[int, int], None] = lambda done, count: None,
) -> list[BadClip]:
    """Writes a records folder movie by movie, in parallel; goes on from where a killed run of the same identity was.

    The bytes are the same for any number of workers, with and without Beam, and however often the run was killed.

    Args:
      splits: movies by split. make: makes the clips of one movie, see `shards.MakeClips`.
      identity: what the records depend on, beside the movies.
      workers: threads of this process; beam: options of a Beam pipeline that does the work instead.
      most_bad: the share of clips that may be left out.
      per_shard: clips after which a shard is closed.
      progress: hears (clips done, of how many).
    Returns: the clips that were left out, and those that are damaged but kept.
    Errors: as `write_records`; BadInput, naming file and time, if more clips are bad.
    """
    shards = plan({split: movies for split, movies in splits.items() if movies}, per_shard)
    count, done, lock = sum(shard.clips for shard in shards), 0, threading.Lock()

    def heard(clips: int) -> None:
        nonlocal done
        with lock:
            done += clips
            progress(done, count)

    def check(bad: Sequence[BadClip]) -> None:
        lost = [clip for clip in bad if not clip.kept]
        if len(lost) > most_bad * count + 1e-6:  # 0.29 of 100 is a little less than 29
            told = f"{lost[0]}; {len(lost)} of {count} clips are bad, {most_bad:.2%} may be"
            what = told.removeprefix(f"{lost[0].file}: ")
            raise BadInput(what, where=lost[0].file, mend="mend or leave out the video, or raise max_bad_clips")

    with whole_folder(Path(folder).absolute(), f"{identity} {variant} {feature_width} {shards!r}") as partial:
        store = Store(partial, variant, feature_width)
        if beam is None:
            accounts = on_threads(store, shards, make, workers, heard, check)
        else:
            accounts = on_beam(store, shards, make, beam)
        written = gathered(store, accounts)
        check(written.bad)
        put_together(store, written, description, metadata)
    return written.bad


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
        self._data = data_folder(self.folder, self.variant)
        check_files(about, self._data)
        self._source: Any = None
        self._shards: list[tuple[str, int]] = []
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
            # For several records array_record starts threads, which takes longer than to read one.
            read = [source[numbers[0]]] if len(numbers) == 1 else source.__getitems__(numbers)
            return [clip_of(record) for record in read]
        except Exception as error:  # array_record and protobuf have classes of errors of their own
            what = f"one of the records {_brief(numbers)} cannot be read ({type(error).__name__}: {error})"
            raise BadInput(what, where=f"{self._data}:{self.split}", mend=AGAIN) from error

    def home(self, row: int) -> str:
        """Which record of which shard a row is."""
        self._open()
        for name, rows in self._shards:
            if row < rows:
                return f"record {row} of {name}"
            row -= rows
        raise IndexError(f"{self} has no row so high")

    def _open(self) -> Any:
        with self._lock:
            if self._source is None:
                try:
                    builder: Any = tfds.builder_from_directory(self._data)
                    source = builder.as_data_source(split=self.split).data_source
                    found = len(source)
                except (OSError, ValueError, KeyError, RuntimeError) as error:
                    what = f"not a readable TFDS dataset ({type(error).__name__}: {error})"
                    raise BadInput(what, where=self._data, mend=AGAIN) from error
                if found != len(self):
                    what = f"{found} records in split {self.split!r}, the index lists {len(self)}"
                    raise BadInput(what, where=self._data, mend=AGAIN)
                info = builder.info.splits[self.split]
                self._shards = list(zip(info.filenames, info.shard_lengths, strict=True))
                self._source = source
            return self._source


def _brief(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers[:4])) + (", ..." if len(numbers) > 4 else "")
