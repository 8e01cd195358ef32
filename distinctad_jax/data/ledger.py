"""What a records folder holds, in words: the clip as it is written, and the index that stands beside the records.

The index answers most questions (which clips, when, what is said, who plays) without opening a record, and lists the
files with their sizes, so that a cut or missing shard is found before the first step of a run.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Float16

from distinctad_jax.errors import BadInput, NonFinite
from distinctad_jax.files import read_json, write_json
from distinctad_jax.movie.movie import Line

Variant = Literal["pixels", "features"]

LAYOUT = 2  # of index.json; a reader refuses another one
NAME = "index.json"
AGAIN = "write the records again"


@dataclass(frozen=True, eq=False)
class ClipRecord:
    """One clip with all that training needs of it; `frames` are JPEG files, or `features` what a tower made of them.

    `cast` is whoever plays in the movie, `seen` those of them that were found in the clip's pictures. `lost` frames
    could not be decoded, and others stand for them; the account of packing has it, the record has not.

    Shapes: `features` [frames width], float16; `frame_times` has one entry for each frame.
    Units:  seconds from the first frame of the movie; kept to the millisecond.
    """

    movie: str
    index: int
    start: float
    end: float
    text: str
    frame_times: Sequence[float] | np.ndarray
    frames: Sequence[bytes] | None = None
    features: Float16[np.ndarray, "frames width"] | None = None
    cast: tuple[str, ...] = ()
    dialogue: tuple[Line, ...] = ()
    seen: tuple[str, ...] = ()
    lost: int = 0


@dataclass(frozen=True)
class ClipEntry:
    """What the index says of a clip, without opening its record. Times in seconds."""

    movie: str
    index: int
    start: float
    end: float
    text: str
    cast: tuple[str, ...]
    seen: tuple[str, ...] = ()


def milliseconds(seconds: float) -> int:
    """Times are kept as whole milliseconds."""
    return round(float(seconds) * 1000)


def stretch(start: float, end: float) -> tuple[int, int]:
    """Start and end in milliseconds; rounding must not make them equal."""
    return milliseconds(start), max(milliseconds(end), milliseconds(start) + 1)


class Ledger:
    """Checks clips while they pass by on their way to disk, and keeps what the index will say of them.

    `clips` counts those that passed.

    Errors: ValueError if the clips of a movie do not stand together and in time order, or a clip lacks frames;
      NonFinite if features are not finite; BadInput if a split has no clips.
    """

    def __init__(self, variant: Variant, feature_width: int):
        self.variant, self.feature_width = variant, feature_width
        self.splits: dict[str, list[dict[str, Any]]] = {}
        self.clips = 0

    def watch(self, split: str, clips: Iterable[ClipRecord]) -> Iterator[ClipRecord]:
        """The same clips, one at a time."""
        movies = self.splits.setdefault(split, [])
        seen: set[str] = set()
        for clip in clips:
            self._check(clip)
            if not movies or movies[-1]["movie"] != clip.movie:
                if clip.movie in seen:
                    raise ValueError(
                        f"the clips of a movie must stand together; {clip.movie!r} comes back in {split}"
                    )
                seen.add(clip.movie)
                movies.append({"movie": clip.movie, "casts": [], "clips": []})
            _enter(movies[-1], clip)
            self.clips += 1
            yield clip

    def add(self, split: str, movies: Iterable[dict[str, Any]]) -> None:
        """Movies that another ledger has watched."""
        mine = self.splits.setdefault(split, [])
        for movie in movies:
            mine.append(movie)
            self.clips += len(movie["clips"])
        if len({movie["movie"] for movie in mine}) < len(mine):
            raise ValueError(f"the clips of a movie must stand together; one comes back in {split}")

    def check(self) -> None:
        """Errors: BadInput if a split has no clips."""
        for split, movies in self.splits.items():
            if not movies:
                mend = "give it a movie with clips, or leave it out"
                raise BadInput("no clips", where=f"split {split}", mend=mend)

    def rows(self) -> dict[str, dict[str, tuple[int, int]]]:
        """The first row of each movie of each split, and the row after its last."""
        found: dict[str, dict[str, tuple[int, int]]] = {}
        for split, movies in self.splits.items():
            stops = itertools.accumulate(len(movie["clips"]) for movie in movies)
            found[split] = {
                movie["movie"]: (stop - len(movie["clips"]), stop) for movie, stop in zip(movies, stops, strict=True)
            }
        return found

    def _check(self, clip: ClipRecord) -> None:
        name = f"clip {clip.index} of {clip.movie!r}"
        if self.variant == "pixels":
            found = len(clip.frames or ())
        else:
            shape = None if clip.features is None else clip.features.shape
            if clip.features is None or shape is None or shape[1] != self.feature_width:
                raise ValueError(f"{name} needs features [frames {self.feature_width}], got {shape}")
            if not np.isfinite(clip.features).all():
                raise NonFinite("features that are no finite numbers", where=name, mend="check the tower's weights")
            found = shape[0]
        if not found or found != len(clip.frame_times):
            raise ValueError(f"{name} needs frames and as many times, got {found} and {len(clip.frame_times)}")

    def write(self, folder: Path, data: Path, version: str, description: str, metadata: Mapping[str, Any]) -> None:
        """Writes the index of `folder`, whose TFDS dataset of a version stands in `data`."""
        about = {
            "layout": LAYOUT,
            "variant": self.variant,
            "version": version,
            "feature_width": self.feature_width,
            "description": description,
            "metadata": dict(metadata),
            "files": sizes(data),
            "splits": self.splits,
        }
        write_json(folder / NAME, about)


def _enter(movie: dict[str, Any], clip: ClipRecord) -> None:
    """Adds a clip to what the index says of its movie; casts that return are kept once."""
    if list(clip.cast) not in movie["casts"]:
        movie["casts"].append(list(clip.cast))
    clips, cast = movie["clips"], movie["casts"].index(list(clip.cast))
    if clips and clips[-1][0] >= clip.index:
        raise ValueError(f"clips must stand in time order: {clip.movie!r} has {clip.index} after {clips[-1][0]}")
    clips.append([clip.index, *stretch(clip.start, clip.end), clip.text, cast, list(clip.seen)])


def sizes(data: Path) -> dict[str, int]:
    """The files of a TFDS dataset and their bytes."""
    return {path.name: path.stat().st_size for path in sorted(data.iterdir()) if path.is_file()}


def read_index(folder: Path) -> dict[str, Any]:
    """Errors: BadInput if the index is missing, broken or of another layout."""
    about = read_json(folder / NAME)
    if not isinstance(about, dict) or about.get("layout") != LAYOUT or not isinstance(about.get("splits"), dict):
        raise BadInput(f"not an index of layout {LAYOUT}", where=folder / NAME, mend=AGAIN)
    return about


def entries(about: Mapping[str, Any], split: str, folder: Path) -> tuple[list[ClipEntry], dict[str, range]]:
    """The clips of a split, and the range of rows of each movie.

    Errors: BadInput if there is no such split or the index is broken.
    """
    if split not in about["splits"]:
        what = f"no split {split!r}, found {', '.join(about['splits'])}"
        raise BadInput(what, where=folder / NAME, mend="choose one of these")
    clips: list[ClipEntry] = []
    movies: dict[str, range] = {}
    try:
        for movie in about["splits"][split]:
            first, casts = len(clips), [tuple(cast) for cast in movie["casts"]]
            for number, start, end, text, cast, seen in movie["clips"]:
                times = start / 1000, end / 1000
                clips.append(ClipEntry(movie["movie"], number, *times, text, casts[cast], tuple(seen)))
            movies[movie["movie"]] = range(first, len(clips))
    except (KeyError, TypeError, ValueError, IndexError) as error:
        where = f"{folder / NAME}:{split}"
        raise BadInput(f"a broken index ({type(error).__name__}: {error})", where=where, mend=AGAIN) from error
    return clips, movies


def check_files(about: Mapping[str, Any], data: Path) -> None:
    """Errors: BadInput, naming the first one, if a file of the dataset is missing or not as long as it was."""
    found = sizes(data) if data.is_dir() else {}
    for name, size in about["files"].items():
        if name not in found:
            raise BadInput("no such file", where=data / name, mend=AGAIN)
        if found[name] != size:
            raise BadInput(f"{found[name]} bytes, needed {size}", where=data / name, mend=AGAIN)
