"""Folders of safetensors files, one or in shards, opened without trusting them. Nothing here ever opens a pickle."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

from distinctad_jax.errors import BadInput
from distinctad_jax.files import read_json

SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"
PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")
READABLE = ("F32", "F16", "BF16")
POINTER = b"version https://git-lfs"
MOST_HEADER = 100_000_000  # bytes; the format's own bound
MOST_JSON = 64 << 20  # bytes; an index of the largest public models has less than one MiB


class Tensors:
    """The tensors of a folder by name: shapes from the headers, values one at a time from the mapped files."""

    def __init__(self, files: dict[Path, Any]):
        self._homes: dict[str, tuple[Path, Any]] = {}
        self.shapes: dict[str, tuple[int, ...]] = {}
        for path, file in files.items():
            for name in file.keys():  # noqa: SIM118 (no mapping)
                if name in self._homes:
                    other = self._homes[name][0].name
                    raise BadInput(f"tensor {name} stands in {other} too", where=path, mend="fetch the shards again")
                self._homes[name] = path, file
                self.shapes[name] = tuple(file.get_slice(name).get_shape())

    def read(self, name: str) -> np.ndarray:
        """The values as float32.

        Errors: BadInput if they are of another kind than f32, f16 or bf16, or not all finite.
        """
        path, file = self._homes[name]
        kind = file.get_slice(name).get_dtype()
        if kind not in READABLE:
            raise BadInput(
                f"tensor {name} is {kind}, needed one of {', '.join(READABLE)}", where=path, mend="convert it to F32"
            )
        values = np.asarray(file.get_tensor(name)).astype(np.float32)
        if not np.isfinite(values).all():
            raise BadInput(f"tensor {name} holds NaN or infinity", where=path, mend="fetch the weights again")
        return values


@contextlib.contextmanager
def open_tensors(folder: Path) -> Iterator[Tensors]:
    """Opens `model.safetensors`, or the shards that `model.safetensors.index.json` names.

    Errors: BadInput if there is no such folder or file, if a shard lies outside the folder, if a file is a Git LFS
      pointer, cut, or no safetensors file, and if there are pickled weights only.
    """
    with contextlib.ExitStack() as stack:
        files = {}
        for path in weight_files(folder):
            _check_start(path)
            try:
                files[path] = stack.enter_context(safe_open(path, framework="numpy"))
            except (SafetensorError, OSError) as error:
                raise BadInput(f"not a sound safetensors file ({error})", where=path, mend="fetch it again") from None
        yield Tensors(files)


def weight_files(folder: Path) -> list[Path]:
    """The files that hold a folder's weights, in the order of their names."""
    if folder.is_file():
        refuse_pickled([folder.name], folder.parent)
        raise BadInput("this is a file, needed the folder that it is in", where=folder, mend="name the folder")
    if not folder.is_dir():
        raise BadInput("no such folder of weights", where=folder, mend="correct the path; nothing is downloaded")
    if (folder / SINGLE).is_file():
        return [inside(folder, SINGLE)]
    if (folder / INDEX).is_file():
        return _shards(folder)
    refuse_pickled([path.name for path in folder.iterdir()], folder)
    raise BadInput(f"neither {SINGLE} nor {INDEX}", where=folder, mend="name a folder that holds published weights")


def refuse_pickled(names: Iterable[str], where: object) -> None:
    """Errors: BadInput with the mend, if one of the file names is that of pickled weights."""
    pickled = sorted(name for name in names if Path(name).suffix in PICKLED)
    if pickled:
        raise BadInput(
            f"only pickled weights ({pickled[0]}), which can run code and are never opened",
            where=where,
            mend=f"convert them to {SINGLE} (in transformers: load, then save_pretrained)",
        )


def _shards(folder: Path) -> list[Path]:
    index = read_config(folder, INDEX)
    names = index.get("weight_map")
    if not isinstance(names, dict) or not names or not all(isinstance(name, str) for name in names.values()):
        raise BadInput(
            "weight_map must say for each tensor which file it is in",
            where=f"{folder / INDEX}:weight_map",
            mend="fetch the index again",
        )
    return [inside(folder, name) for name in sorted(set(names.values()))]


def inside(folder: Path, name: str) -> Path:
    """The file `name` of a folder.

    Errors: BadInput if it is not there, or is or links to a file elsewhere; the hub's cache, whose snapshots link to
      the `blobs` beside them, is allowed to.
    """
    path, home = folder / name, folder.resolve()
    homes = [home, *([home.parent.parent / "blobs"] if home.parent.name == "snapshots" else [])]
    plain = Path(name).name == name and "\\" not in name and "\0" not in name
    if not plain or not any(path.resolve().is_relative_to(allowed) for allowed in homes):
        raise BadInput(f"{name!r} lies outside the folder", where=folder, mend="put all files into one folder")
    if not path.is_file():
        raise BadInput("no such file", where=path, mend="fetch the missing file")
    return path


def read_config(folder: Path, name: str = "config.json") -> dict[str, Any]:
    """Errors: BadInput if it is missing, too large, or not a JSON object."""
    path = inside(folder, name)
    if path.stat().st_size > MOST_JSON:
        raise BadInput(f"{path.stat().st_size} bytes, needed at most {MOST_JSON}", where=path, mend="fetch it again")
    config = read_json(path)
    if not isinstance(config, dict):
        raise BadInput(f"needed a JSON object, found a {type(config).__name__}", where=path, mend="fetch it again")
    return config


def _check_start(path: Path) -> None:
    with path.open("rb") as file:
        start = file.read(len(POINTER))
    if start == POINTER:
        raise BadInput("this is a Git LFS pointer, not the weights", where=path, mend="run git lfs pull")
    # A safetensors file starts with its header's length, which may begin with the same bytes but is never so large.
    if start.startswith((b"PK", b"\x80")) and int.from_bytes(start[:8], "little") > MOST_HEADER:
        raise BadInput("this is a pickle or a zip file, not safetensors", where=path, mend="convert the weights")
