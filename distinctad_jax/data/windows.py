"""One window of clips as arrays: features, prompts, descriptions, and which of their words are distinctive.

All that a training step needs to know of words is worked out here, so the step itself sees numbers only.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from jaxtyping import Bool, Float16, Int32

from distinctad_jax.data.datasets import Records
from distinctad_jax.data.ledger import ClipEntry
from distinctad_jax.errors import BadInput
from distinctad_jax.movie.window import PADDING, Window
from distinctad_jax.text.distinct import DistinctConfig, context_pairs, distinctive, words
from distinctad_jax.text.prompt import NamesConfig, names_in, prompt_ids, spoken_names
from distinctad_jax.text.tokenizers import Tokenizer

IN_MEMORY = 512 << 20  # bytes of float16 features of one split that are always kept in memory
SHARE = 0.25  # of the machine's memory that they may take; above both, records are read again
WORDS_KEPT = 128 << 20  # bytes of word arrays of windows that are kept from one epoch to the next
DISTINCT_WORDS = 24  # distinctive words of one description that forms B and C get; more are left out
CONTEXT_WORDS = 96  # words of the other descriptions, likewise

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class WindowShape:
    """The fixed sizes of a window; `text_length` counts the ids of a description with its end."""

    clips: int
    frames: int
    text_length: int
    prompt_length: int

    def __post_init__(self):
        if min(self.clips, self.frames, self.prompt_length) < 1 or self.text_length < 2:
            raise ValueError(f"a window needs clips, frames and prompt_length >= 1 and text_length >= 2, got {self}")


def frame_choice(found: int, wanted: int, rng: np.random.Generator | None = None) -> Int32[np.ndarray, " frames"]:
    """Which of the `found` frames stand for the clip: the middle of each of `wanted` equal segments, or all if fewer.

    With `rng`, a random frame of each segment, for training.
    """
    if found <= wanted:
        return np.arange(found, dtype=np.int32)
    within = np.full(wanted, 0.5) if rng is None else rng.random(wanted)
    return ((np.arange(wanted) + within) * found / wanted).astype(np.int32)


class Descriptions:
    """The descriptions of a split as ids, and which ids make up which word.

    `ids` and `real` are [rows length]: the description after a blank, the end, then padding (also `end`, not real). A
    description too long for its end is cut and has none; `truncated` counts those. `used` has the ids of each row.
    """

    def __init__(self, texts: Sequence[str], tokenizer: Tokenizer, length: int):
        self.texts = list(texts)
        self.ids = np.full((len(texts), length), tokenizer.end, np.int32)
        self.real = np.zeros((len(texts), length), bool)
        self.truncated = 0
        self._words: list[list[tuple[str, range]]] = []
        self._first: list[list[tuple[str, int]]] = []
        self.used: list[frozenset[int]] = []
        for row, text in enumerate(self.texts):
            # The language model expects a blank before a word that follows others.
            ids, spans = tokenizer.encode_with_spans(f" {text}")
            kept = min(len(ids), length)
            self.truncated += kept == length
            self.ids[row, :kept] = ids[:kept]
            self.real[row, : kept + 1] = True
            shifted = [(max(start - 1, 0), end - 1) for start, end in spans[:kept]]
            self._words.append(list(_pieces(text, shifted)))
            self._first.append([(word, ids[places.start]) for word, places in self._words[-1]])
            self.used.append(frozenset(ids[:kept]))

    def marked(self, row: int, chosen: Collection[str]) -> Bool[np.ndarray, " length"]:
        """True on every id of every occurrence of a chosen word."""
        flags = np.zeros(self.ids.shape[1], bool)
        for word, places in self._words[row]:
            if word in chosen:
                flags[places.start : places.stop] = True
        return flags

    def pieces(self, row: int) -> list[tuple[str, range]]:
        """The words of a row in order, and which ids make up each; words that were cut off are left out."""
        return self._words[row]

    def first_ids(self, rows: Iterable[int], chosen: Collection[str]) -> list[int]:
        """The first id of each chosen word of some rows, each once, in the order of the texts."""
        return list(dict.fromkeys(n for row in rows for word, n in self._first[row] if word in chosen))

    def words_of(self, rows: Iterable[int]) -> list[tuple[str, int]]:
        """The words of some rows with their first ids, each pair once, in the order of the texts."""
        return list(dict.fromkeys(pair for row in rows for pair in self._first[row]))


def _pieces(text: str, spans: Sequence[tuple[int, int]]) -> Iterable[tuple[str, range]]:
    """Each word of a text and the range of ids that have a character of it; words that were cut off are left out."""
    place = 0
    for word in words(text):
        while place < len(spans) and spans[place][1] <= word.start:
            place += 1
        last = place
        while last < len(spans) and spans[last][0] < word.end:
            last += 1
        if last > place:
            yield word.text, range(place, last)


class Prompts:
    """What the narrator is told of each clip of a split, as padded ids."""

    def __init__(self, records: Records, tokenizer: Tokenizer, length: int, config: NamesConfig):
        self._tokenizer, self._length, self.config = tokenizer, length, config
        self._known: dict[tuple[str, ...], list[int]] = {}
        if config.source == "predicted" and "seen" not in records.metadata:
            mend = "pack a table with faces, set extract.seen to portraits, or names.source to another"
            raise BadInput("nobody has looked who is seen in these clips", where=records.folder, mend=mend)
        self.names = [self._names(entry) for entry in records.index]

    def _names(self, entry: ClipEntry) -> tuple[str, ...]:
        if self.config.source == "none":
            return ()
        if self.config.source == "predicted":
            return spoken_names(entry.seen)[: self.config.limit]
        names = spoken_names(entry.cast)
        return (names_in(entry.text, names) if self.config.source == "oracle" else names)[: self.config.limit]

    def ids(self, row: int, rng: np.random.Generator | None) -> list[int]:
        """The prompt of a clip; with `rng`, names drop out. A list too long loses its last names."""
        names = self.names[row]
        if rng is not None and names:
            kept = rng.random(len(names)) >= self.config.dropout
            names = tuple(name for name, keep in zip(names, kept, strict=True) if keep)
        if names not in self._known:
            self._known[names] = prompt_ids(self._tokenizer, names, self._length, self.config.limit)
        return self._known[names]


def in_memory() -> int:
    """How many bytes of features are kept in memory on this machine."""
    if not IN_MEMORY:
        return 0
    return max(IN_MEMORY, int(SHARE * os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")))


class Features:
    """The features of a split, [frames width] a clip: kept in memory if they are small, else read when asked for."""

    def __init__(self, records: Records, frames: int):
        self._records, self._frames, self.width = records, frames, records.feature_width
        self._kept: tuple[np.ndarray, np.ndarray] | None = None
        self._keeps = len(records) * frames * self.width * 2 <= in_memory()
        self._keep()

    def _keep(self) -> None:
        if self._keeps:
            count = len(self._records)
            parts = [self._read(range(a, min(a + 512, count))) for a in range(0, count, 512)]
            self._kept = (np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts]))

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_kept": None}  # a worker process reads them itself

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self._keep()

    def get(
        self, rows: Sequence[int]
    ) -> tuple[Float16[np.ndarray, "clips frames width"], Bool[np.ndarray, "clips frames"]]:
        if self._kept is None:
            return self._read(rows)
        return self._kept[0][list(rows)], self._kept[1][list(rows)]

    def _read(self, rows: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        out = np.zeros((len(rows), self._frames, self.width), np.float16)
        real = np.zeros((len(rows), self._frames), bool)
        for place, record in enumerate(self._records.get(rows)):
            assert record.features is not None  # of the features variant, checked by WindowMaker
            chosen = frame_choice(len(record.features), self._frames)
            out[place, : len(chosen)] = record.features[chosen]
            real[place, : len(chosen)] = True
        return out, real


class WindowMaker:
    """Makes the arrays of a window; everything about single clips is worked out once, at the start.

    Shapes: see `pipeline.window_batches`, without the batch axis.
    Errors: ValueError if the records hold pixels.
    """

    def __init__(
        self,
        records: Records,
        tokenizer: Tokenizer,
        shape: WindowShape,
        distinct: DistinctConfig,
        names: NamesConfig,
    ):
        if records.variant != "features":
            raise ValueError(f"windows are made of features, {records} holds {records.variant}")
        self.shape, self.records, self.tokenizer, self.distinct = shape, records, tokenizer, distinct
        self.features = Features(records, shape.frames)
        self.descriptions = Descriptions([entry.text for entry in records.index], tokenizer, shape.text_length)
        self.prompts = Prompts(records, tokenizer, shape.prompt_length, names)
        self._words_of: dict[tuple[int, ...], Arrays] = {}
        per_clip = 2 * shape.text_length + 5 * (DISTINCT_WORDS + CONTEXT_WORDS)
        self._most = WORDS_KEPT // (per_clip * shape.clips)

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_words_of": {}}

    def windows(self, make: Iterable[tuple[str, Window]]) -> list[tuple[Int32[np.ndarray, " clips"], np.ndarray]]:
        """(rows, targets) of windows that are given by movie and positions in it; -1 is padding."""
        found = []
        for movie, window in make:
            first = self.records.movies[movie].start
            rows = [PADDING if member == PADDING else first + member for member in window.members]
            found.append((np.array(rows, np.int32), np.array(window.targets, bool)))
        return found

    def batch(self, windows: Sequence[tuple[Int32[np.ndarray, " clips"], int | None]]) -> Arrays:
        """The arrays of some windows, each its rows, which are consecutive, then -1, and a seed with which names drop
        out; without one none does."""
        shape = self.shape
        rows = np.stack([rows for rows, _ in windows]).astype(np.int32)
        present = rows != PADDING
        features, real = self.features.get(rows[present].tolist())
        made: Arrays = {
            "features": np.zeros((*rows.shape, shape.frames, self.features.width), np.float32),
            "frames_real": np.zeros((*rows.shape, shape.frames), bool),
            "clips_real": present,
            "prompt_ids": np.full((*rows.shape, shape.prompt_length), self.tokenizer.end, np.int32),
            "prompt_real": np.zeros((*rows.shape, shape.prompt_length), bool),
            "text_ids": np.where(present[..., None], self.descriptions.ids[rows], np.int32(self.tokenizer.end)),
            "text_real": self.descriptions.real[rows] & present[..., None],
            "row": rows,
        }
        made["features"][present], made["frames_real"][present] = features, real
        for place, (window, seed) in enumerate(windows):
            rng = None if seed is None else np.random.default_rng(seed)
            for clip, row in enumerate(window[present[place]].tolist()):
                ids = self.prompts.ids(row, rng)
                _fill(made["prompt_ids"][place, clip], made["prompt_real"][place, clip], ids)
        words_ = [
            self._words(tuple(window[there].tolist())) for (window, _), there in zip(windows, present, strict=True)
        ]
        return made | {name: np.stack([each[name] for each in words_]) for name in words_[0]}

    def _cast(self, present: Sequence[int]) -> set[str]:
        return {name for row in present for name in spoken_names(self.records.index[row].cast)}

    def _words(self, present: tuple[int, ...]) -> Arrays:
        """What `_find_words` finds, kept for the next epoch while there is room; nobody writes into these arrays."""
        kept = self._words_of.get(present)
        if kept is None:
            kept = self._find_words(present)
            if len(self._words_of) < self._most:
                self._words_of[present] = kept
        return kept

    def _find_words(self, present: Sequence[int]) -> Arrays:
        """Which ids are distinctive, and the first ids of distinctive and of other clips' words."""
        made = {
            "distinctive": np.zeros((self.shape.clips, self.shape.text_length), bool),
            "distinct_ids": np.zeros((self.shape.clips, DISTINCT_WORDS), np.int32),
            "distinct_real": np.zeros((self.shape.clips, DISTINCT_WORDS), bool),
            "context_ids": np.zeros((self.shape.clips, CONTEXT_WORDS), np.int32),
            "context_real": np.zeros((self.shape.clips, CONTEXT_WORDS), bool),
        }
        texts = [self.descriptions.texts[row] for row in present]
        rule = asdict(self.distinct)
        rule["drop_names"] = self._cast(present) if self.distinct.drop_names else ()
        chosen = distinctive(texts, **rule)
        del rule["min_count"]
        others = context_pairs(texts, self.descriptions.words_of(present), **rule)
        for place, row in enumerate(present):
            made["distinctive"][place] = self.descriptions.marked(row, chosen[place])
            own = self.descriptions.first_ids([row], chosen[place])
            _fill(made["distinct_ids"][place], made["distinct_real"][place], own)
            # An id that the description itself needs must not be pushed down, whatever word it begins elsewhere.
            used = self.descriptions.used[row]
            unlike = [number for number in others[place] if number not in used]
            _fill(made["context_ids"][place], made["context_real"][place], unlike)
        return made


def _fill(ids: np.ndarray, real: np.ndarray, found: Sequence[int]) -> None:
    count = min(len(found), len(ids))
    ids[:count] = found[:count]
    real[:count] = True
