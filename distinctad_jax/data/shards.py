"""Shards: a records folder is written shard by shard, by whoever has time, and put together at the end.

Which movies stand in which shard is planned beforehand, so a shard's bytes depend on nothing but its movies: threads
of one machine, workers of a Beam pipeline and a run that was killed and started again all write the same files. A
finished shard is known by its *account*, a small JSON file that is written after it; a run that goes on keeps those.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from array_record.python.array_record_module import ArrayRecordWriter

from distinctad_jax.data.builder import VERSION, data_folder, describe_dataset, serialized, shard_path
from distinctad_jax.data.card import write_card
from distinctad_jax.data.ledger import NAME, ClipRecord, Ledger, Variant
from distinctad_jax.errors import BadEnvironment, BadInput
from distinctad_jax.files import read_json, write_json
from distinctad_jax.movie.movie import Movie

CLIPS_PER_SHARD = 128
ACCOUNTS = "accounts"
MEND = "free space or choose a folder that can be written"


@dataclass(frozen=True)
class BadClip:
    """A clip that was left out, or kept though some of its frames are lost, and why; `start`, `end` in seconds."""

    movie: str
    file: str
    start: float
    end: float
    why: str
    kept: bool = False

    def __str__(self) -> str:
        what = "damaged at" if self.kept else "no frame of"
        return f"{self.file}: {what} {self.start:.3f}-{self.end:.3f} s ({self.why})"


MakeClips = Callable[[Movie, list[BadClip]], Iterable[ClipRecord]]
"""Makes the clips of a movie in time order; those without a frame go to the list. Beam pickles it."""


@dataclass(frozen=True)
class Shard:
    """One file to be written: number `number` of the `of` shards of a split."""

    split: str
    number: int
    of: int
    movies: tuple[Movie, ...]

    @property
    def name(self) -> str:
        return f"{self.split}-{self.number:05d}-of-{self.of:05d}"

    @property
    def clips(self) -> int:
        return sum(len(movie.clips) for movie in self.movies)


@dataclass(frozen=True)
class Store:
    """Where shards go and what they hold; all that a worker on another machine needs to know beside its shard."""

    folder: Path
    variant: Variant
    feature_width: int = 0


class Written(NamedTuple):
    """The clips and bytes of each shard by split, the splits as the index tells them, and what was left out."""

    shards: dict[str, list[tuple[int, int]]]
    ledger: Ledger
    bad: list[BadClip]


def plan(splits: Mapping[str, Sequence[Movie]], clips: int = CLIPS_PER_SHARD) -> list[Shard]:
    """Whole movies in order, in shards that are closed when they hold at least so many clips."""
    shards = []
    for split, movies in splits.items():
        groups: list[list[Movie]] = [[]]
        for movie in movies:
            if sum(len(found.clips) for found in groups[-1]) >= clips:
                groups.append([])
            groups[-1].append(movie)
        shards += [Shard(split, number, len(groups), tuple(group)) for number, group in enumerate(groups)]
    return shards


def write_shard(
    store: Store, shard: Shard, make: MakeClips, heard: Callable[[int], None] = lambda clips: None
) -> dict[str, Any]:
    """Writes a shard and its account, unless both are there, and returns the account; `heard` counts clips."""
    path = shard_path(store.folder, store.variant, shard.split, shard.number, shard.of)
    account = store.folder / ACCOUNTS / f"{shard.name}.json"
    with contextlib.suppress(BadInput, OSError, KeyError, TypeError):
        kept = read_json(account)
        if path.stat().st_size == kept["size"]:
            heard(shard.clips)
            return kept
    bad: list[BadClip] = []
    damaged: list[BadClip] = []
    ledger = Ledger(store.variant, store.feature_width)

    def clips() -> Iterator[ClipRecord]:
        for movie in shard.movies:
            for clip in make(movie, bad):
                if clip.lost:
                    damaged.append(_damaged(movie, clip))
                heard(1)
                yield clip

    size = write_file(path, store.variant, ledger.watch(shard.split, clips()))
    heard(len(bad))
    told = {
        "split": shard.split,
        "movies": ledger.splits[shard.split],
        "bad": [asdict(clip) for clip in bad + damaged],
    }
    told |= {"clips": ledger.clips, "bytes": size, "size": path.stat().st_size}
    write_json(account, told)
    return told


def _damaged(movie: Movie, clip: ClipRecord) -> BadClip:
    own = next((found.footage.path for found in movie.clips if found.index == clip.index and found.footage), None)
    why = f"{clip.lost} of {len(clip.frame_times)} frames cannot be decoded, others stand for them"
    return BadClip(movie.key, str(movie.video or own), clip.start, clip.end, why, kept=True)


def write_file(path: Path, variant: Variant, clips: Iterable[ClipRecord]) -> int:
    """Writes one array_record file, whole or not at all; returns the bytes of its records."""
    size = 0
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        writer = ArrayRecordWriter(str(partial), "group_size:1")  # as TFDS writes them: cheap random access
        try:
            for clip in clips:
                record = serialized(clip, variant)
                writer.write(record)
                size += len(record)
        finally:
            writer.close()
        with partial.open("rb") as written:
            os.fsync(written.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return size


def on_threads(
    store: Store,
    shards: Sequence[Shard],
    make: MakeClips,
    workers: int,
    heard: Callable[[int], None],
    check: Callable[[Sequence[BadClip]], None],
) -> list[dict[str, Any]]:
    """The accounts of all shards, written by threads; `check` sees what is bad so far, and may raise."""
    accounts: dict[str, dict[str, Any]] = {}
    pool = ThreadPoolExecutor(workers)
    try:
        running = {pool.submit(write_shard, store, shard, make, heard): shard for shard in shards}
        while running:
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                accounts[running.pop(future).name] = future.result()
            check([BadClip(**clip) for account in accounts.values() for clip in account["bad"]])
    finally:
        pool.shutdown(cancel_futures=True)
    return [accounts[shard.name] for shard in shards]


def on_beam(store: Store, shards: Sequence[Shard], make: MakeClips, options: Sequence[str]) -> list[dict[str, Any]]:
    """The accounts of all shards, written by the workers of a Beam pipeline; they need to share the folder.

    `options` are Beam's own (`--runner=DataflowRunner`, `--project=...`); without a runner it is the DirectRunner.
    Errors: BadEnvironment if Beam is not installed.
    """
    try:
        import apache_beam as beam  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise BadEnvironment(
            "Apache Beam is not installed", mend='install it in an environment of its own: pip install ".[beam]"'
        ) from None
    arguments = beam.options.pipeline_options.PipelineOptions(list(options))
    with beam.Pipeline(options=arguments) as pipeline:
        _ = (
            pipeline
            | "shards" >> beam.Create(list(shards))
            | "spread" >> beam.Reshuffle()
            | "pack" >> beam.Map(lambda shard: write_shard(store, shard, make)["clips"])
        )
    return [read_json(store.folder / ACCOUNTS / f"{shard.name}.json") for shard in shards]


def gathered(store: Store, accounts: Iterable[Mapping[str, Any]]) -> Written:
    """One account of all shards, in order."""
    written = Written({}, Ledger(store.variant, store.feature_width), [])
    for account in accounts:
        written.shards.setdefault(account["split"], []).append((account["clips"], account["bytes"]))
        written.ledger.add(account["split"], account["movies"])
        written.bad.extend(BadClip(**clip) for clip in account["bad"])
    return written


def put_together(store: Store, written: Written, description: str, metadata: Mapping[str, Any]) -> None:
    """Writes what stands beside the shards: TFDS's papers, the index and the card. Errors: BadInput for no clips."""
    ledger = written.ledger
    ledger.check()
    told = {**metadata, "movies": ledger.rows()}
    describe_dataset(store.folder, store.variant, written.shards, description, told)
    write_card(store.folder, store.variant, ledger, description, metadata)
    shutil.rmtree(store.folder / ACCOUNTS, ignore_errors=True)
    data = data_folder(store.folder, store.variant)
    ledger.write(store.folder, data, VERSION, description, metadata)


@contextlib.contextmanager
def whole_folder(folder: Path, identity: str = "") -> Iterator[Path]:
    """Yields a folder beside `folder` that takes its name at the end.

    With an `identity` what a killed run of the same identity has left is still there; without, or with another, the
    folder is empty. If the block ends with an error it vanishes, unless another try may go on from it: after an
    interruption, and where the machine and not the input was at fault.
    """
    partial, old = (folder.with_name(f".{folder.name}.{word}") for word in ("partial", "old"))
    if folder.exists() and not (folder / NAME).is_file():
        raise BadInput(
            "exists and is not a records folder", where=folder, mend="move it away or choose another folder"
        )
    leave = False
    try:
        _begin(partial, identity)
        shutil.rmtree(old, ignore_errors=True)
        yield partial
        (partial / "identity").unlink(missing_ok=True)
        if folder.exists():
            folder.rename(old)
        partial.rename(folder)
    except OSError as error:
        leave = bool(identity)
        ours = error.filename is not None and Path(str(error.filename)).is_relative_to(folder.parent)
        if not ours and error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
            raise
        raise BadEnvironment(f"cannot write: {error.strerror}", where=folder, mend=MEND) from error
    except (KeyboardInterrupt, BadEnvironment):
        leave = bool(identity)
        raise
    finally:
        if old.exists() and not folder.exists():
            old.rename(folder)
        for leftover in (old,) if leave else (partial, old):
            shutil.rmtree(leftover, ignore_errors=True)


def _begin(partial: Path, identity: str) -> None:
    mark, digest = partial / "identity", hashlib.sha256(identity.encode()).hexdigest()
    if not (identity and mark.is_file() and mark.read_text() == digest):
        shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True, exist_ok=True)
    for leftover in partial.rglob(".*.partial*"):
        leftover.unlink()
    if identity:
        mark.write_text(digest)
