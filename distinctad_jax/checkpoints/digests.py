"""What a checkpoint should hold, as sha256 of every array: orbax itself reads a flipped bit without a word.

Each process hashes the parts of arrays that it keeps and writes them to a file of its own, in the background copy. A
checkpoint may be read on another mesh: parts are known by their place in the whole array.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P
from orbax.checkpoint import future

Place = tuple[tuple[int, int], ...]
"""First index and the one after the last, for each axis."""


def sha256(value: Any) -> str:
    """Of a JSON value, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


class DigestHandler(ocp.AsyncCheckpointHandler):
    """An orbax item that holds, for each process, the sha256 of its parts of all arrays, and one of the `meta`."""

    async def async_save(self, directory: Any, args: DigestSave) -> list[Any]:  # pyright: ignore[reportIncompatibleMethodOverride]
        parts = {path: list(_kept(array)) for path, array in _arrays(args.state)}

        async def write() -> None:
            digest = {
                path: {_told(place): _hash(data) for place, data in found} for path, found in parts.items() if found
            }
            about = {"meta": args.meta, "arrays": digest}
            text = json.dumps({**about, "self": sha256(about)}, indent=1)
            (Path(directory) / f"process_{jax.process_index()}.json").write_text(text)

        return [future.CommitFutureAwaitingContractedSignals(write(), name="digest")]

    def save(self, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError("digests are saved in the background")

    def restore(self, directory: Any, *args: Any, **kwargs: Any) -> Any:
        return read_digest(Path(directory))


@ocp.args.register_with_handler(DigestHandler, for_save=True)
@dataclasses.dataclass
class DigestSave(ocp.args.CheckpointArgs):
    """The state whose arrays are hashed, and the digest of the checkpoint's `meta`."""

    state: Any
    meta: str


@ocp.args.register_with_handler(DigestHandler, for_restore=True)
@dataclasses.dataclass
class DigestRestore(ocp.args.CheckpointArgs):
    """Reads what `read_digest` gives."""


@dataclasses.dataclass(frozen=True)
class Digest:
    """meta: sha256 of the checkpoint's `meta`; arrays: by path, sha256 of each part by its place."""

    meta: str
    arrays: Mapping[str, Mapping[Place, str]]


def read_digest(folder: Path) -> Digest:
    """All processes' parts together. Errors: ValueError if one cannot be read, or was changed."""
    files = sorted(folder.glob("process_*.json"))
    if not files:
        raise ValueError("no digest")
    meta, arrays = set(), {}
    for file in files:
        try:
            about = json.loads(file.read_text(encoding="utf-8"))
            own = about.pop("self")
            if own != sha256(about):
                raise ValueError("changed")
            meta.add(about["meta"])
            for path, parts in about["arrays"].items():
                arrays.setdefault(path, {}).update({_placed(place): value for place, value in parts.items()})
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise ValueError(f"{file.name} is damaged") from None
    if len(meta) != 1:
        raise ValueError("its parts are of several checkpoints")
    return Digest(meta.pop(), arrays)


def differing(state: Any, digest: Digest) -> str | None:
    """The path of the first array that is not what it should be, as far as this process can tell; None if all are.

    Every process has to ask: where the mesh is another one, parts are put together from all of them.
    """
    found = dict(_arrays(state))
    if set(found) != set(digest.arrays):
        return sorted(set(found) ^ set(digest.arrays))[0]
    wrong = None
    for path, array in found.items():
        parts = digest.arrays[path]
        if not _whole(array.shape, parts) or not all(_agrees(array, place, parts[place]) for place in sorted(parts)):
            wrong = wrong or path  # and on, as the others do
    return wrong


def _arrays(state: Any) -> Iterator[tuple[str, jax.Array]]:
    for path, leaf in jax.tree_util.tree_leaves_with_path(state):
        yield jax.tree_util.keystr(path), leaf


def _place(index: tuple[slice, ...], shape: tuple[int, ...]) -> Place:
    return tuple(part.indices(size)[:2] for part, size in zip(index, shape, strict=True))


def _kept(array: jax.Array) -> Iterator[tuple[Place, np.ndarray]]:
    """This process's parts, each once over all processes; copies, as the next step overwrites the array."""
    for shard in array.addressable_shards:
        if shard.replica_id == 0:
            yield _place(shard.index, array.shape), np.array(shard.data, copy=True)


def _agrees(array: jax.Array, place: Place, wanted: str) -> bool:
    held = {_place(index, array.shape) for index in array.sharding.devices_indices_map(array.shape).values()}
    if place in held:  # the same on all processes, so all go the same way
        mine = [shard for shard in array.addressable_shards if _place(shard.index, array.shape) == place]
        return all(_hash(np.asarray(shard.data)) == wanted for shard in mine)
    slices = tuple(slice(*bounds) for bounds in place)
    if array.is_fully_addressable:
        return _hash(np.asarray(array)[slices]) == wanted
    everywhere = NamedSharding(array.sharding.mesh, P())  # pyright: ignore[reportAttributeAccessIssue]
    part = jax.jit(lambda whole: whole[slices], out_shardings=everywhere)(array)
    return _hash(np.asarray(part.addressable_data(0))) == wanted


def _whole(shape: tuple[int, ...], parts: Mapping[Place, str]) -> bool:
    """Whether parts that do not overlap, as an array's shards, make up all of it."""
    sizes = [int(np.prod([stop - start for start, stop in place], dtype=np.int64)) for place in parts]
    return sum(sizes) == int(np.prod(shape, dtype=np.int64))


def _hash(data: np.ndarray) -> str:
    digest = hashlib.sha256(f"{data.dtype}{data.shape}".encode())
    digest.update(np.ascontiguousarray(data).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def _told(place: Place) -> str:
    return ",".join(f"{start}:{stop}" for start, stop in place)


def _placed(text: str) -> Place:
    pairs = [part.split(":") for part in text.split(",")] if text else []
    return tuple((int(start), int(stop)) for start, stop in pairs)
