"""Frame features that somebody else has stored, and where features come from.

Source: MAD's `CLIP_B32_frames_features_5fps.h5` and `CLIP_L14_frames_features_5fps.h5` (one dataset `[frames width]`
for each movie, 5 frames a second), and the same as one `.npy` for each movie.
"""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float16

from distinctad_jax.data.library import safe_name
from distinctad_jax.errors import BadEnvironment, BadInput
from distinctad_jax.movie.span import Span

_TOWERS = {"b32": "vit-b-32", "b16": "vit-b-16", "l14": "vit-l-14"}
_UNIT = 1e-2  # how far from 1 the length of a vector of unit length may be, in float16
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
_LOOKED_AT = 64  # frames of a movie whose length is measured


@dataclass(frozen=True)
class Provenance:
    """Which tower made features, and how.

    tower: its name; weights_sha256: the hash of its weights, empty if nobody knows; fps: frames a second of the
    store they were taken from, 0 if frames were chosen for each clip; normalised: whether vectors have length 1.
    """

    tower: str
    weights_sha256: str
    width: int
    fps: float
    normalised: bool

    def told(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)

    @classmethod
    def of(cls, metadata: Mapping[str, Any], where: object) -> Provenance:
        """What the metadata of records, or a model's papers, say. Errors: BadInput if they do not say it."""
        try:
            fields = {name: metadata[name] for name in cls.__dataclass_fields__}
            kinds = {"tower": str, "weights_sha256": str, "width": int, "fps": float, "normalised": bool}
            return cls(**{name: kinds[name](value) for name, value in fields.items()})
        except (KeyError, TypeError, ValueError) as error:
            what = f"does not say where its features come from ({error})"
            raise BadInput(what, where=where, mend="make it again") from None

    def check(self, found: Provenance, where: object) -> None:
        """Errors: BadInput in one line if features of `found` are not those that a model of `self` can read."""
        wrong = [
            f"{name} {getattr(found, name)!r}, needed {getattr(self, name)!r}"
            for name in ("width", "normalised", "tower")
            if getattr(found, name) != getattr(self, name)
        ]
        hashes = found.weights_sha256, self.weights_sha256
        if all(hashes) and hashes[0] != hashes[1]:
            wrong.append(f"weights {hashes[0][:12]}, needed {hashes[1][:12]}")
        if wrong:
            mend = "use the features or the tower that the model was trained with"
            raise BadInput(f"features of another tower: {'; '.join(wrong)}", where=where, mend=mend)


@runtime_checkable
class FeatureStore(Protocol):
    """Features of whole movies."""

    path: Path

    def movies(self) -> Sequence[str]:
        """The movies there are."""
        ...

    def read(self, movie: str, first: int = 0, stop: int | None = None) -> np.ndarray:
        """Frames `first` to `stop` of a movie, [frames width]. Errors: BadInput if it is not there or damaged."""
        ...

    def shape(self, movie: str) -> tuple[int, int]:
        """Frames and width of a movie. Errors: BadInput if it is not there or no table of vectors."""
        ...


def named_tower(path: Path) -> str:
    """The tower that a store's file name tells (`CLIP_L14_...` -> `vit-l-14`); empty if it tells none."""
    found = re.search(r"(?:^|[_-])(B32|B16|L14)(?:[_-]|$)", path.stem, re.IGNORECASE)
    return _TOWERS[found[1].lower()] if found else ""


@contextlib.contextmanager
def opened_store(path: Path) -> Iterator[FeatureStore]:
    """The store in an `.h5` file or a folder of `.npy` files.

    Errors: BadInput if it is neither; BadEnvironment for HDF5 without h5py.
    """
    if path.is_dir():
        yield _Arrays(path)
        return
    if not path.is_file():
        raise BadInput("no such file or folder", where=path, mend="give an .h5 file or a folder of .npy files")
    try:
        import h5py
    except ImportError:
        raise BadEnvironment("h5py is not installed", mend='pip install ".[h5]"') from None
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        brief = str(error).splitlines()[0]
        raise BadInput(f"no HDF5 file, or a damaged one ({brief})", where=path, mend="get it again") from None
    with file:
        yield _Hdf5(path, file)


class _Hdf5:
    def __init__(self, path: Path, file: Any):
        self.path, self._file = path, file

    def movies(self) -> list[str]:
        found = list(self._file)
        # A name with a slash is that of a group and what lies in it. Links are not followed.
        self._file.visititems(lambda name, node: found.append(name) if hasattr(node, "shape") else None)
        return list(dict.fromkeys(found))

    def _dataset(self, movie: str) -> Any:
        # External and soft links could lead to other files: only what lies in this one is read.
        parts = movie.split("/")
        links = (self._file.get("/".join(parts[:stop]), getlink=True) for stop in range(1, len(parts) + 1))
        found = self._file.get(movie) if all(type(link).__name__ == "HardLink" for link in links) else None
        if found is None or not hasattr(found, "shape") or getattr(found, "external", None):
            raise BadInput(f"no features of movie {movie!r}", where=self.path, mend="leave the movie out")
        return found

    def shape(self, movie: str) -> tuple[int, int]:
        return _checked(self._dataset(movie), movie, self.path)

    def read(self, movie: str, first: int = 0, stop: int | None = None) -> np.ndarray:
        found = self._dataset(movie)
        _checked(found, movie, self.path)
        try:
            return np.asarray(found[first:stop])
        except OSError as error:
            brief = str(error).splitlines()[0]
            raise BadInput(f"damaged ({brief})", where=f"{self.path}:{movie}", mend="get it again") from None


class _Arrays:
    def __init__(self, path: Path):
        self.path = path

    def movies(self) -> list[str]:
        return sorted(path.relative_to(self.path).with_suffix("").as_posix() for path in self.path.rglob("*.npy"))

    def _array(self, movie: str) -> np.ndarray:
        path = self.path / f"{movie}.npy"
        if not safe_name(movie) or not path.is_file():
            raise BadInput(f"no features of movie {movie!r}", where=self.path, mend="leave the movie out")
        try:
            _check_size(path)
            return np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError, OverflowError) as error:
            raise BadInput(f"no array of numbers ({error})", where=path, mend="save it with numpy.save") from None

    def shape(self, movie: str) -> tuple[int, int]:
        return _checked(self._array(movie), movie, self.path)

    def read(self, movie: str, first: int = 0, stop: int | None = None) -> np.ndarray:
        found = self._array(movie)
        _checked(found, movie, self.path)
        return np.asarray(found[first:stop])


def _check_size(path: Path) -> None:
    """Errors: BadInput if a file is smaller than its header says; ValueError if it has no header."""
    with path.open("rb") as file:
        header = _HEADERS.get(np.lib.format.read_magic(file))
        if header is None:
            return  # numpy.load knows whether there is such a version
        shape, _, kind = header(file)
        needed, there = math.prod(shape) * kind.itemsize, path.stat().st_size - file.tell()
    if needed > there and not kind.hasobject:
        what = f"says {kind} {shape}, {needed} bytes, and has {there}"
        raise BadInput(what, where=path, mend="copy or save it again")


def _checked(found: Any, movie: str, path: Path) -> tuple[int, int]:
    if len(found.shape) != 2 or found.dtype.kind != "f" or min(found.shape) < 1:
        what = f"{found.dtype} {tuple(found.shape)}, needed floating-point [frames width]"
        raise BadInput(what, where=f"{path}:{movie}", mend="leave the movie out")
    return int(found.shape[0]), int(found.shape[1])


def is_normalised(store: FeatureStore, movie: str) -> bool:
    """Whether the first vectors of a movie have length 1."""
    vectors = store.read(movie, 0, _LOOKED_AT).astype(np.float32)
    return bool(np.abs(np.linalg.norm(vectors, axis=1) - 1).max() < _UNIT)


def chosen_frames(span: Span, frames: int, rule_moments: Sequence[float], fps: float, length: int) -> list[int]:
    """The rows of a movie's features that show the moments of a clip; empty if the features end before it.

    Row i shows the time i / fps. A clip reaches from floor(fps start) to ceil(fps end), or to the features' end.
    """
    first, stop = math.floor(fps * span.start), min(math.ceil(fps * span.end), length)
    if first >= stop:
        return []
    rows = [min(max(math.floor(fps * moment + 1e-6), first), stop - 1) for moment in rule_moments]
    return rows[:frames]


def clip_vectors(store: FeatureStore, movie: str, rows: Sequence[int]) -> Float16[np.ndarray, "frames width"]:
    """Some rows of a movie's features. Errors: BadInput if they are no finite numbers."""
    read = store.read(movie, rows[0], rows[-1] + 1)
    vectors = read[[row - rows[0] for row in rows]].astype(np.float16)
    if not np.isfinite(vectors).all():
        raise BadInput("numbers that are not finite", where=f"{store.path}:{movie}", mend="leave the movie out")
    return vectors
