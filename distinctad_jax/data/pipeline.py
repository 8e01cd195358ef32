"""Grain: records -> shuffled, padded, batched arrays that can go on from any step.

A batch is a function of the seed and the step alone: the same for any number of threads and worker processes, and
the same set of clips or windows for any number of hosts (each gets every `count`-th of them, so their order differs).
Threads are the default: they share what is in memory, and JPEG decoding does not hold them up. Worker processes cost
seconds to start and a copy of each batch; they pay on hosts with many cores.
"""

from __future__ import annotations

import contextlib
import re
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import grain
import numpy as np
import simplejpeg
from absl import flags
from jaxtyping import UInt8

from distinctad_jax.data.datasets import ClipRecord, Records
from distinctad_jax.data.windows import Arrays, Features, WindowMaker, WindowShape, frame_choice
from distinctad_jax.endurance.orphans import DiesWithParent
from distinctad_jax.errors import BadEnvironment, BadInput
from distinctad_jax.movie.window import PADDING, evaluation_windows, training_windows
from distinctad_jax.text.distinct import DistinctConfig
from distinctad_jax.text.prompt import NamesConfig
from distinctad_jax.text.tokenizers import Tokenizer, clip_ids, clip_words_real

THREADS = 4
SHUFFLES = ("window", "movie")
PLAIN_RULE = DistinctConfig()
MOST_BAD = 0.001  # of the clips; one may always be
NEIGHBOURHOOD = 8  # clips of one movie nearer than this look alike


class Batches:
    """An iterator over batches that can be sent to any step.

    `items` counts the clips or windows of one pass, `truncated` the descriptions of the split that were cut to fit,
    `step` is the batch that `next` will give. Batches for training never end; others end after `len(batches)`.

    Args:
      plan: what is in the stream of items, cheap to make; `make` makes the arrays of a whole batch of them, so that
        each picture is decoded where it will stay. Each thread makes a batch, so as many are ahead as threads.
    """

    def __init__(
        self,
        plan: Any,
        make: Callable[[Sequence[Any]], Arrays],
        batch: int,
        *,
        items: int,
        truncated: int,
        host: int,
        hosts: int,
        threads: int,
        workers: int = 0,
        ends: bool,
    ):
        if batch < 1 or batch % hosts or not 0 <= host < hosts:
            raise ValueError(f"a batch is shared evenly by the hosts: batch {batch}, host {host} of {hosts}")
        self.items, self.truncated, self.step = items, truncated, 0
        self._plan, self._make, self._batch, self._host, self._hosts = plan, make, batch, host, hosts
        self._steps = -(-items // batch) if ends else None
        self._reading = grain.ReadOptions(num_threads=threads, prefetch_buffer_size=max(threads, 1))
        self._processes = grain.MultiprocessingOptions(workers, per_worker_buffer_size=2) if workers else None
        if workers and not flags.FLAGS.is_parsed():
            flags.FLAGS.mark_as_parsed()  # Grain's worker processes ask for absl's flags, which nobody has read
        self._stream: Any = None

    def __iter__(self) -> Iterator[Arrays]:
        return self

    def __len__(self) -> int:
        if self._steps is None:
            raise TypeError("batches for training have no end")
        return self._steps

    def __next__(self) -> Arrays:
        if self._stream is None:
            mine = self._plan[self.step * self._batch + self._host :: self._hosts]
            made = mine.batch(self._batch // self._hosts, drop_remainder=True, batch_fn=self._make)
            stream = made.to_iter_dataset(self._reading)
            if self._processes:
                stream = stream.mp_prefetch(self._processes, worker_init_fn=DiesWithParent())
            self._stream = iter(stream)
        try:
            batch = next(self._stream)
        except RuntimeError as error:
            raise _told(error) from error
        self.step += 1
        return batch

    def next(self) -> Arrays:
        """The batch of this step; StopIteration after the last."""
        return next(self)

    def seek(self, step: int) -> None:
        """Makes `step` the next batch, as if all before it had been drawn."""
        if step < 0:
            raise ValueError(f"steps count from 0, got {step}")
        self.close()
        self.step = step

    def close(self) -> None:
        """Stops the reading threads."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None


def _told(error: RuntimeError) -> Exception:
    """The error, or what it says of a worker that is gone."""
    ended = re.search(r"terminated unexpectedly with exit code (-?\d+)", str(error))
    if ended is None:
        return error
    code = int(ended[1])
    how = f"was killed (signal {-code}), likely out of memory" if code < 0 else f"ended with code {code}"
    return BadEnvironment(f"a data worker {how}", where="workers", mend="lower workers or the batch")


def _drawn(seed: int | None) -> np.random.Generator | None:
    """The generator of an item, from the number that the plan has drawn for it."""
    return None if seed is None else np.random.default_rng(seed)


def _with_seed(item: Any, rng: np.random.Generator) -> tuple[Any, int]:
    return item, int(rng.integers(1 << 62))


class EpochOrder:
    """A new order of so many rows in each epoch of an endless stream, a function of the seed.

    Grain's own shuffle needs no memory, but for a split of a hundred rows takes a millisecond to find the next one.
    """

    def __init__(self, count: int, seed: int):
        self._count, self._seed = count, seed
        self._epochs: dict[int, np.ndarray] = {}
        self._lock = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_epochs": {}, "_lock": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _lock=threading.Lock())

    def __call__(self, position: int, _: int = 0) -> int:
        """The row at a position of the stream."""
        epoch, place = divmod(position, self._count)
        with self._lock:
            if epoch not in self._epochs:
                kept = {known: order for known, order in self._epochs.items() if known == epoch - 1}
                self._epochs = {**kept, epoch: self._order(epoch)}
            return int(self._epochs[epoch][place])

    def _order(self, epoch: int) -> np.ndarray:
        return np.random.default_rng((self._seed, epoch)).permutation(self._count)


class SpreadOrder(EpochOrder):
    """A new order of the rows in each epoch, in which neighbours keep out of each other's batch.

    Two clips of one movie that stand fewer than `NEIGHBOURHOOD` apart show the same scene, and would be each other's
    false negatives. A shuffled order is repaired by swaps with later rows; where none fits (the end of an epoch, a
    batch larger than the data allows) neighbours stay together. A batch that spans two epochs is checked in parts.
    """

    def __init__(self, movies: Sequence[range], batch: int, seed: int):
        self._batch = batch
        self._movie = {row: rows for rows in movies for row in rows}
        super().__init__(len(self._movie), seed)

    def _order(self, epoch: int) -> np.ndarray:
        order = super()._order(epoch)
        first = epoch * len(order)
        blocked: set[int] = set()
        for place in range(len(order)):
            if (first + place) % self._batch == 0:
                blocked = set()
            for other in range(place, min(place + 64, len(order))):
                if int(order[other]) not in blocked:
                    order[[place, other]] = order[[other, place]]
                    break
            row = int(order[place])
            movie = self._movie[row]
            near = range(max(row - NEIGHBOURHOOD + 1, movie.start), min(row + NEIGHBOURHOOD, movie.stop))
            blocked.update(near)
        return order


class MovieOrder(EpochOrder):
    """A new order of the movies in each epoch; the windows of a movie stay together and in time order.

    For models or caches that want to stay in a movie for a while; batches differ less within than with windows
    shuffled one by one.
    """

    def __init__(self, movies: Sequence[range], seed: int):
        self._movies = [rows for rows in movies if len(rows)]
        super().__init__(sum(len(rows) for rows in self._movies), seed)

    def _order(self, epoch: int) -> np.ndarray:
        shuffled = np.random.default_rng((self._seed, epoch)).permutation(len(self._movies))
        return np.concatenate([np.asarray(self._movies[movie]) for movie in shuffled])


class _ClipMaker:
    """Makes the arrays of one clip for Stage I; texts are encoded once, at the start."""

    def __init__(
        self, records: Records, tokenizer: Tokenizer, frames: int, image_size: int, length: int, skips: bool = False
    ):
        if min(frames, image_size) < 1:
            raise ValueError(f"a clip needs frames and image_size >= 1, got {frames} and {image_size}")
        self._records, self._frames, self._size = records, frames, image_size
        self._skips, self._bad = skips, set[int]()
        self._features = Features(records, frames) if records.variant == "features" else None
        texts = [entry.text for entry in records.index]
        self._ids = clip_ids(tokenizer, texts, length)
        self._words = clip_words_real(tokenizer, self._ids)
        numbers: dict[str, int] = {}
        self._same = np.array([numbers.setdefault(tokenizer.clean(text), len(numbers)) for text in texts], np.int32)
        self.truncated = sum(len(found) > length - 2 for found in tokenizer.encode_all(texts))

    def batch(self, items: Sequence[tuple[int, int | None]]) -> Arrays:
        """The arrays of some clips, each a row and what its frames are drawn with; where examples may be skipped, the
        next clip that is sound stands in for one whose pictures are damaged."""
        rows = np.array([row for row, _ in items])
        seen = self._pixels(items, rows) if self._features is None else self._vectors(self._features, rows)
        return {
            **seen,
            "text_ids": self._ids[rows],
            "words_real": self._words[rows],
            "row": rows.astype(np.int32),
            "same_text": self._same[rows],
        }

    def _pixels(self, items: Sequence[tuple[int, int | None]], rows: np.ndarray) -> Arrays:
        """Also writes into `rows` whose pictures these are."""
        frames = np.empty((len(items), self._frames, self._size, self._size, 3), np.uint8)
        real = np.zeros((len(items), self._frames), bool)
        for place, (row, seed) in enumerate(items):
            rows[place], count = self._decoded(row, seed, frames[place])
            frames[place, count:] = 0
            real[place, :count] = True
        return {"frames": frames, "frames_real": real}

    def _decoded(self, row: int, seed: int | None, out: np.ndarray) -> tuple[int, int]:
        """Decodes the frames of a row, or of the next one that is sound; which one it was, and how many."""
        source = f"{self._records.folder}:{self._records.split}"
        while True:
            clip = self._records.get([row])[0]
            chosen = frame_choice(len(clip.frames or ()), self._frames, _drawn(seed)).tolist()
            try:
                decode_frames(clip, self._size, chosen=chosen, source=source, out=out)
            except BadInput as error:
                where = f"{self._records.home(row)}, {error.where}"
                problem = BadInput(error.what, where=where, mend=error.mend)
                if not self._skips:
                    raise problem from None
                self._skip(row, problem)
                row = (row + 1) % len(self._records)
            else:
                return row, len(chosen)

    def _skip(self, row: int, problem: BadInput) -> None:
        if row in self._bad:
            return
        self._bad.add(row)
        if len(self._bad) > max(MOST_BAD * len(self._records), 1):
            what = f"{problem.what}; {len(self._bad)} of {len(self._records)} clips are bad, {MOST_BAD:.1%} may be"
            raise BadInput(what, where=problem.where, mend=problem.mend) from problem
        warnings.warn(f"{problem.where}: {problem.what}; the next clip stands in for it", stacklevel=2)

    def _vectors(self, features: Features, rows: np.ndarray) -> Arrays:
        vectors, real = features.get(rows.tolist())
        return {"features": vectors.astype(np.float32), "frames_real": real}


def decode_frames(
    clip: ClipRecord,
    size: int,
    *,
    chosen: Sequence[int] | None = None,
    source: str = "records",
    out: UInt8[np.ndarray, "slots size size 3"] | None = None,
) -> UInt8[np.ndarray, "frames size size 3"]:
    """The pictures of a clip from its JPEG files, all or the chosen ones; decoded into the head of `out`, if given.

    Errors: BadInput, with `source`, movie and clip, if a frame is no JPEG or not a square of `size` pixels.
    """
    jpegs, where = clip.frames or (), f"{source}:{clip.movie}:{clip.index}"
    numbers = range(len(jpegs)) if chosen is None else chosen
    out = np.empty((len(numbers), size, size, 3), np.uint8) if out is None else out
    for place, number in enumerate(numbers):
        try:
            found = simplejpeg.decode_jpeg(jpegs[number], colorspace="RGB", buffer=out[place])
        except ValueError as fault:  # no JPEG, or too large for its place
            raise _refusal(jpegs[number], size, where, fault) from fault
        if found.shape != (size, size, 3):
            raise _refusal(jpegs[number], size, where)
    return out[: len(numbers)]


def _refusal(jpeg: bytes, size: int, where: str, fault: ValueError | None = None) -> BadInput:
    """Why a picture is not taken: its size, if that is wrong and can be read, or what its decoder says."""
    with contextlib.suppress(ValueError):
        if (found := simplejpeg.decode_jpeg_header(jpeg)[:2]) != (size, size):
            what = f"a frame of {found[1]} x {found[0]} pixels, needed {size} x {size}"
            return BadInput(what, where=where, mend=f"set pack.image_size to {size} or use a tower of {found[1]}")
    return BadInput(f"a frame is not a JPEG: {fault}", where=where, mend="write the records again")


def _padded(items: Sequence[Any], batch: int, filler: Any) -> list[Any]:
    return [*items, *[filler] * (-len(items) % batch)]


def clip_batches(
    records: Records,
    *,
    tokenizer: Tokenizer,
    batch: int,
    frames: int,
    image_size: int,
    text_length: int,
    seed: int,
    augment_shift: bool = False,
    spread: bool = True,
    skip_bad: bool = False,
    host: int = 0,
    hosts: int = 1,
    threads: int = THREADS,
    workers: int = 0,
) -> Batches:
    """Endless shuffled clips for Stage I.

    Shapes: frames u8[batch frames size size 3], frames_real bool[batch frames], text_ids i32[batch length] (see
      `clip_ids`), words_real bool[batch length], row i32[batch], same_text i32[batch] (equal where texts are). From
      records of features: features f32[batch frames width] in place of frames.
    Args:
      augment_shift: where a record holds more frames than wanted, a random one of each segment, not the middle one.
      spread: neighbours in a movie keep out of each other's batch, as far as possible (see `SpreadOrder`); identical
        texts may still meet, that is what `same_text` is for.
      skip_bad: a clip with damaged pictures is warned of and replaced by the next one, one in a thousand at most.
      host, hosts: which process this is, of how many; `batch` counts clips over all of them.
      workers: processes that read and decode; 0 does it in threads of this one.
    Errors: BadInput, on `next`, if a stored frame is no JPEG or not of `image_size`.
    """
    maker = _ClipMaker(records, tokenizer, frames, image_size, text_length, skip_bad)
    count = len(records)
    order = SpreadOrder(list(records.movies.values()), batch, seed) if spread else EpochOrder(count, seed)
    dataset = grain.MapDataset.range(count).seed(seed).repeat().map_with_index(order)
    plan = dataset.random_map(_with_seed) if augment_shift else dataset.map(lambda row: (row, None))
    counts = {"items": len(records), "truncated": maker.truncated}
    shares = {"host": host, "hosts": hosts, "threads": threads, "workers": workers}
    return Batches(plan, maker.batch, batch, **counts, **shares, ends=False)


def window_batches(
    records: Records,
    *,
    tokenizer: Tokenizer,
    batch: int,
    clips: int,
    frames: int,
    text_length: int,
    prompt_length: int,
    seed: int,
    stride: int,
    distinct: DistinctConfig,
    names: NamesConfig,
    shuffle: str = "window",
    host: int = 0,
    hosts: int = 1,
    threads: int = THREADS,
    workers: int = 0,
) -> Batches:
    """Endless shuffled windows of `clips` consecutive clips for Stage II, from records of features.

    Shapes: features f32[batch clips frames width], frames_real bool[batch clips frames],
      clips_real bool[batch clips], row i32[batch clips] (-1 on padding clips),
      prompt_ids i32[batch clips prompt], prompt_real bool, alike,
      text_ids i32[batch clips length] (the description, its end, padding), text_real bool (description and end),
      distinctive bool (every id of a distinctive word), alike,
      distinct_ids i32[batch clips words] (first id of each distinctive word), distinct_real bool, alike,
      context_ids i32[batch clips words] (first ids of words that only other clips use), context_real bool, alike.
    Args:
      shuffle: `window` draws windows one by one; `movie` draws movies, whose windows follow in time order.
      workers: processes that make windows; 0 makes them in threads of this one.
    Errors: ValueError if a size does not fit or shuffle is another.
    """
    if shuffle not in SHUFFLES:
        raise ValueError(f"shuffle is one of {', '.join(SHUFFLES)}, got {shuffle!r}")
    shape = WindowShape(clips, frames, text_length, prompt_length)
    maker = WindowMaker(records, tokenizer, shape, distinct, names)
    of_movies = [
        maker.windows((movie, window) for window in training_windows(len(rows), clips, stride))
        for movie, rows in records.movies.items()
    ]
    windows = [window for found in of_movies for window in found]
    stops = np.cumsum([len(found) for found in of_movies]).tolist()
    places = [range(stop - len(found), stop) for stop, found in zip(stops, of_movies, strict=True)]
    order = MovieOrder(places, seed) if shuffle == "movie" else EpochOrder(len(windows), seed)
    dataset = grain.MapDataset.range(len(windows)).seed(seed).repeat().map_with_index(order)
    plan = dataset.random_map(lambda number, rng: _with_seed(windows[number][0], rng))
    counts = {"items": len(windows), "truncated": maker.descriptions.truncated}
    shares = {"host": host, "hosts": hosts, "threads": threads, "workers": workers}
    return Batches(plan, maker.batch, batch, **counts, **shares, ends=False)


def evaluation_batches(
    records: Records,
    *,
    tokenizer: Tokenizer,
    batch: int,
    clips: int,
    frames: int,
    text_length: int,
    prompt_length: int,
    policy: str,
    names: NamesConfig,
    distinct: DistinctConfig = PLAIN_RULE,
    host: int = 0,
    hosts: int = 1,
    threads: int = THREADS,
) -> Batches:
    """One pass over windows in which every clip is a target once; shapes as in `window_batches`, none random.

    Also target bool[batch clips]. The last batch is filled with windows of padding (row -1). `policy` is that of
    `movie.window.evaluation_windows`: block, centered or causal. No names drop out.
    """
    shape = WindowShape(clips, frames, text_length, prompt_length)
    maker = WindowMaker(records, tokenizer, shape, distinct, names)
    cut = ((movie, w) for movie, rows in records.movies.items() for w in evaluation_windows(len(rows), clips, policy))
    windows = maker.windows(cut)
    nothing = (np.full(clips, PADDING, np.int32), np.zeros(clips, bool))
    plan = grain.MapDataset.source(_padded(windows, batch, nothing))

    def make(windows: Sequence[tuple[np.ndarray, np.ndarray]]) -> Arrays:
        made = maker.batch([(rows, None) for rows, _ in windows])
        return {**made, "target": np.stack([target for _, target in windows])}

    counts = {"items": len(windows), "truncated": maker.descriptions.truncated}
    return Batches(plan, make, batch, **counts, host=host, hosts=hosts, threads=threads, ends=True)
