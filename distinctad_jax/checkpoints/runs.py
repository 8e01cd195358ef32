"""Our own checkpoints: the training state, its step and what it was trained for, by orbax.

A step's folder holds three items, which appear together or not at all: `state`, `meta` (what it is of) and `digest`
(sha256 of both). A step is used only if its digest agrees; one that does not is moved to `damaged/`, never deleted,
once a sound one has been found.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import shutil
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar

import jax
import numpy as np
import orbax.checkpoint as ocp
from jax.experimental import multihost_utils

import distinctad_jax
from distinctad_jax.checkpoints.aside import DAMAGED, is_step, refuse_endless, set_aside, strays
from distinctad_jax.checkpoints.digests import DigestSave, differing, read_digest, sha256
from distinctad_jax.errors import BadEnvironment, BadInput, BadResume
from distinctad_jax.files import read_json

T = TypeVar("T")
FORMAT = 1
"""Raised when what a step's folder holds changes; what is newer is refused, what is older is read."""
TRIES = 3
"""How often in a row a save may fail, other than for want of space."""
LOOK_AGAIN = 10.0
"""Seconds between two looks at a full disk."""
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
FULL_TEXTS = ("No space left", "quota exceeded", "File too large")


class Saving(NamedTuple):
    """How a run saves: `keep` steps; `verify` what is read; on a full disk `stop`, or `wait` for space."""

    keep: int = 2
    verify: bool = True
    on_full: Literal["stop", "wait"] = "stop"


USUAL = Saving()


class Found(NamedTuple):
    """A sound step, its state, and what its `meta` says of the run."""

    step: int
    state: Any
    facts: dict[str, Any]


class Checkpoints:
    """The checkpoints of one run, newest last; the data's position is a function of the step.

    Args:
      run: whose they are; a step of another run is not used. facts: what `meta` is to keep beside that.
    Errors: BadResume if there are steps but none is sound, or they were written by a newer version; BadEnvironment if
      one could not be written.
    """

    def __init__(self, folder: Path, *, run: str, facts: Mapping[str, Any] | None = None, saving: Saving = USUAL):
        _say_it_once()
        self.folder, self.run, self.facts, self.saving = folder, run, dict(facts or {}), saving
        self.failures, self.size = 0, 0
        self._manager: ocp.CheckpointManager | None = None

    @property
    def manager(self) -> ocp.CheckpointManager:
        """Orbax's, made when first needed: it must not see what `restore` moves away."""
        if self._manager is None:
            try:
                self._manager = ocp.CheckpointManager(
                    self.folder.absolute(),
                    options=ocp.CheckpointManagerOptions(
                        preservation_policy=ocp.checkpoint_managers.LatestN(self.saving.keep),
                        cleanup_tmp_directories=True,
                        create=True,
                    ),
                )
            except OSError as error:
                mend = "choose another config.workdir"
                raise BadEnvironment(f"cannot be written: {error.strerror}", where=self.folder, mend=mend) from error
        return self._manager

    # --- save ----------------------------------------------------------------------------------------------------

    def room(self, state: Any) -> None:
        """Errors: BadEnvironment if the disk has no room for the steps that are kept and one more."""
        self.size = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(_plain(state)))
        there = sum(1 for path in (self.folder.iterdir() if self.folder.is_dir() else ()) if path.name.isdigit())
        needed = self.size * max(self.saving.keep + 1 - there, 1)
        free = shutil.disk_usage(_standing(self.folder)).free
        if free < needed:
            raise BadEnvironment(
                f"checkpoints need {needed} bytes, {free} are free", where=self.folder, mend="free space"
            )

    def save(self, step: int, state: Any, *, wait: bool = False) -> None:
        """Begins to write `state` in the background, or is told to `wait` until it is on disk; a save that orbax
        declines is an error, never silence."""
        meta = {"format": FORMAT, "run": self.run, "step": step, "by": _versions(), "facts": self.facts}
        state = _plain(state)
        while not self._tried(lambda: self._begin(step, state, meta)) or (wait and not self.wait()):
            pass

    def check(self) -> bool:
        """Whether the last save, if it has ended, is on disk; asked at every step, so that no failure goes unseen.

        False asks for another save, of the state as it is now. Errors: BadEnvironment if there is no use in one.
        """
        return self.manager.is_saving_in_progress() or self._tried(self.manager.wait_until_finished)

    def wait(self) -> bool:
        """As `check`, when what was saved is on disk."""
        return self._tried(self.manager.wait_until_finished)

    def close(self) -> None:
        """Ends orbax's threads; a save that is under way is awaited, and its failure told."""
        if self._manager is not None:
            ended = self._tried(self._manager.wait_until_finished)
            manager, self._manager = self._manager, None
            if ended and manager is not None:
                manager.close()

    def _begin(self, step: int, state: Any, meta: dict[str, Any]) -> None:
        items = ocp.args.Composite(
            state=ocp.args.PyTreeSave(state),
            meta=ocp.args.JsonSave(meta),  # pyright: ignore[reportArgumentType]
            digest=DigestSave(state, sha256(meta)),
        )
        if step not in self.manager.all_steps() and not self.manager.save(step, args=items, force=True):
            raise BadEnvironment(f"step {step} was not saved", where=self.folder, mend="remove newer checkpoints")

    def _tried(self, act: Callable[[], Any]) -> bool:
        """Whether it went well; if not, and it may do so later, the folder is read anew."""
        try:
            act()
        except BadEnvironment:
            raise
        except Exception as error:  # orbax raises whatever its backend does
            self.failures += 1
            self._forget()
            self._lament(error)
            return False
        self.failures = 0
        return True

    def _forget(self) -> None:
        """A new manager reads the folder anew; what the old one has under way has to end first."""
        manager, self._manager = self._manager, None
        if manager is not None:
            with contextlib.suppress(Exception):
                manager.wait_until_finished()

    def _lament(self, error: Exception) -> None:
        told = getattr(error, "strerror", None) or (str(error).splitlines() or [type(error).__name__])[0]
        full = getattr(error, "errno", None) in FULL or any(text in str(error) for text in FULL_TEXTS)
        where, free = self.folder, shutil.disk_usage(_standing(self.folder)).free
        if full and self.saving.on_full == "wait":
            warnings.warn(f"{where}: the disk is full ({self.size} bytes needed, {free} free); waiting", stacklevel=2)
            while True:
                time.sleep(LOOK_AGAIN)
                if shutil.disk_usage(_standing(self.folder)).free >= self.size:
                    return
        if full:
            what = f"a checkpoint was not saved, it needs {self.size} bytes and {free} are free ({told})"
            raise BadEnvironment(what, where=where, mend="free space and run the same command") from error
        if self.failures >= TRIES:
            what = f"a checkpoint was not saved, {TRIES} times in a row: {told}"
            raise BadEnvironment(what, where=where, mend="look at the disk and run the same command") from error
        warnings.warn(f"{where}: a checkpoint was not saved ({told}); it is tried again", stacklevel=2)

    # --- restore -------------------------------------------------------------------------------------------------

    def restore(self, abstract: Any, shardings: Any, *, only: int | None = None) -> Found | None:
        """The newest sound step and its state on the current shardings; None if there is no checkpoint.

        Steps that are not sound are then moved to `damaged/`. With `only`, that step or none, and nothing is moved.
        """
        if only is None:
            _alone(self._tidy)
        wrong: dict[int, str] = {}
        for step in self.steps():
            if only is not None and step != only:
                continue
            try:
                found = self._sound(step, abstract, shardings)
            except ValueError as fault:
                wrong[step] = str(fault)
                continue
            self._quarantine(wrong)
            return found
        if wrong:
            told = "; ".join(f"step {step}: {fault}" for step, fault in list(wrong.items())[:3])
            raise BadResume(
                f"no checkpoint is sound ({told}); nothing was removed",
                where=self.folder,
                mend="bring a copy back, or remove the folder to start anew",
            )
        return None

    def steps(self) -> list[int]:
        """The steps that stand there, newest first, by their names alone."""
        names = [path.name for path in self.folder.iterdir() if path.is_dir()] if self.folder.is_dir() else []
        return sorted((int(name) for name in names if is_step(name)), reverse=True)

    def _tidy(self) -> None:
        """Sets aside what is no checkpoint, as orbax takes some of it for one, and puts back what is misnamed."""
        found = strays(self.folder)
        if found:
            warnings.warn(f"{self.folder}: {', '.join(found[:5])}: no checkpoint, set aside", stacklevel=2)
        for name in found:
            set_aside(self.folder, name)
        self._put_back()

    def _put_back(self) -> None:
        """Steps of this run that stand under each other's names get their own."""
        names = {}
        for step in self.steps():
            try:
                meta, _ = read_meta(self.folder / str(step))
            except ValueError:
                continue
            if meta["run"] == self.run and meta["step"] != step:
                names[str(step)] = str(meta["step"])
        for name, own in names.items():
            warnings.warn(
                f"{self.folder}: what stands there as step {name} is step {own}; it is put back", stacklevel=2
            )
            (self.folder / name).rename(self.folder / f"{name}.misnamed")
        for name, own in names.items():
            if (self.folder / own).exists():  # a copy
                set_aside(self.folder, f"{name}.misnamed")
            else:
                (self.folder / f"{name}.misnamed").rename(self.folder / own)

    def _sound(self, step: int, abstract: Any, shardings: Any) -> Found:
        """Errors: ValueError that names the item, if the step is not what it should be, on any process."""
        folder = self.folder / str(step)
        meta, digest = _agreed(lambda: read_meta(folder))
        if meta["format"] > FORMAT:
            raise BadResume(
                f"written by version {meta['by'].get('distinctad_jax')}, in a newer format than ours",
                where=folder,
                mend="install that version",
            )
        if meta["run"] != self.run or meta["step"] != step:
            raise ValueError(f"meta: it is step {meta['step']} of another run ({meta['run']})")
        plain = jax.eval_shape(_plain, abstract)
        target = jax.tree.map(
            lambda leaf, sharding: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding), plain, shardings
        )
        state = _agreed(lambda: _read(folder / "state", target))
        wrong = differing(state, digest) if self.saving.verify else None
        _agreed(lambda: _refuse(wrong))
        return Found(step, _like(state, abstract), meta["facts"])

    def _quarantine(self, wrong: Mapping[int, str]) -> None:
        for step, fault in wrong.items():
            warnings.warn(
                f"{self.folder}: step {step} is not used, {fault}; it is now in {self.folder / DAMAGED}",
                stacklevel=2,
            )
        _alone(lambda: [set_aside(self.folder, str(step)) for step in wrong])


def read_meta(folder: Path) -> tuple[dict[str, Any], Any]:
    """What a step's folder says of itself, and its digest. Errors: ValueError that names the item."""
    refuse_endless(folder)
    try:
        digest = read_digest(folder / "digest")
    except ValueError as fault:
        raise ValueError(f"digest: {fault}") from None
    try:
        meta = read_json(folder / "meta" / "metadata")
    except (BadInput, OSError):
        raise ValueError("meta: missing or damaged") from None
    if digest.meta != sha256(meta):
        raise ValueError("meta: it is not what was saved")
    return meta, digest


def _read(folder: Path, target: Any) -> Any:
    # Each process reads its own part and meets no other: what one of them cannot read must not leave all waiting.
    alone = ocp.options.MultiprocessingOptions(
        primary_host=jax.process_index(), active_processes={jax.process_index()}
    )
    options = alone if jax.process_count() > 1 else ocp.options.MultiprocessingOptions()
    handler = ocp.PyTreeCheckpointHandler(multiprocessing_options=options)
    arguments = ocp.args.PyTreeRestore(item=target, restore_args=ocp.checkpoint_utils.construct_restore_args(target))
    try:
        with ocp.Checkpointer(handler, multiprocessing_options=options) as reader:
            return reader.restore(folder.absolute(), args=arguments)
    except Exception as error:  # orbax raises whatever its backend does
        raise ValueError(f"state: cannot be read ({type(error).__name__})") from None


def _alone(act: Callable[[], Any]) -> None:
    """Process 0 does it, the others wait."""
    if jax.process_index() == 0:
        act()
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices("set aside")


def _agreed(read: Callable[[], T]) -> T:
    """What `read` gives, if it does on every process. Errors: ValueError on all of them if one has failed."""
    found, fault = None, ""
    try:
        found = read()
    except ValueError as error:
        fault = str(error)
    failed = bool(fault)
    if jax.process_count() > 1:
        failed = bool(np.any(multihost_utils.process_allgather(np.array(failed))))
    if failed:
        raise ValueError(fault or "another process cannot read it")
    return found  # pyright: ignore[reportReturnType]


def _refuse(wrong: str | None) -> None:
    if wrong is not None:
        raise ValueError(f"state: {wrong} is not what was saved")


def _plain(tree: Any) -> Any:
    """Typed random keys as their data: orbax stores arrays."""

    def plain(leaf: Any) -> Any:
        return jax.random.key_data(leaf) if jax.numpy.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf

    return jax.tree.map(plain, tree)


def _like(tree: Any, abstract: Any) -> Any:
    """The reverse of `_plain`, with the keys' own implementation."""

    def typed(leaf: Any, like: Any) -> Any:
        if not jax.numpy.issubdtype(like.dtype, jax.dtypes.prng_key):
            return leaf
        return jax.random.wrap_key_data(leaf, impl=jax.random.key_impl(like))

    return jax.tree.map(typed, tree, abstract)


def _versions() -> dict[str, str]:
    device = jax.devices()[0]
    return {
        "distinctad_jax": distinctad_jax.__version__,
        "jax": jax.__version__,
        "orbax": ocp.__version__,
        "devices": f"{jax.device_count()} x {device.device_kind}, {jax.process_count()} processes",
    }


def _standing(folder: Path) -> Path:
    """The folder itself, or what is there of the way to it."""
    return next((path for path in (folder.absolute(), *folder.absolute().parents) if path.exists()), Path("/"))


class _WithoutClosedLoops:
    """A hook for exceptions that nothing can catch, which passes on all but those of writes that come back after the
    event loop that had begun them was closed: one of them had failed before, and that is raised."""

    def __init__(self, usual: Callable[[Any], Any]):
        self.usual = usual

    def __call__(self, fault: Any) -> None:
        if not (isinstance(fault.exc_value, RuntimeError) and str(fault.exc_value) == "Event loop is closed"):
            self.usual(fault)


def _say_it_once() -> None:
    """Keeps what orbax and its event loops say of a failed write off standard error: it is raised, and told by us."""
    for name in ("absl", "asyncio"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    if not isinstance(sys.unraisablehook, _WithoutClosedLoops):
        sys.unraisablehook = _WithoutClosedLoops(sys.unraisablehook)
