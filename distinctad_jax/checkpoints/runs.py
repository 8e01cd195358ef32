"""Our own checkpoints: the training state, its step and what it was trained for, by orbax."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import jax
import orbax.checkpoint as ocp

from distinctad_jax.errors import BadEnvironment, BadResume


class Checkpoints:
    """The checkpoints of one run, newest last; the data's position is a function of the step.

    Errors: BadResume if there are checkpoints but none can be read, or they belong to another run;
      BadEnvironment if one could not be written.
    """

    def __init__(self, folder: Path, *, run: str, keep: int = 2):
        logging.getLogger("absl").setLevel(logging.ERROR)
        managers = ocp.checkpoint_managers
        self.folder, self.run = folder, run
        self.manager = ocp.CheckpointManager(
            folder.absolute(),
            options=ocp.CheckpointManagerOptions(
                preservation_policy=managers.LatestN(keep), cleanup_tmp_directories=True, create=True
            ),
        )

    def save(self, step: int, state: Any) -> None:
        """Begins to write `state` in the background; a save that orbax declines is an error, never silence."""
        arguments = ocp.args.Composite(
            state=ocp.args.PyTreeSave(state), about=ocp.args.JsonSave({"run": self.run, "step": step})
        )
        try:
            if step not in self.manager.all_steps() and not self.manager.save(step, args=arguments, force=True):
                raise BadEnvironment(f"step {step} was not saved", where=self.folder, mend="remove newer checkpoints")
        except OSError as error:
            raise BadEnvironment(
                f"step {step} was not saved: {error.strerror}", where=self.folder, mend="free space"
            ) from error

    def restore(self, abstract: Any, shardings: Any) -> tuple[int, Any] | None:
        """The newest readable step and its state on the current shardings; None if there is no checkpoint.

        A checkpoint that cannot be read is set aside by a rename, never deleted, and the one before it is used.
        """
        steps = sorted(self.manager.all_steps(), reverse=True)
        target = jax.tree.map(
            lambda leaf, sharding: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding),
            abstract,
            shardings,
        )
        for step in steps:
            try:
                found = self.manager.restore(
                    step,
                    args=ocp.args.Composite(
                        state=ocp.args.PyTreeRestore(
                            item=target, restore_args=ocp.checkpoint_utils.construct_restore_args(target)
                        ),
                        about=ocp.args.JsonRestore(),
                    ),
                )
            except Exception as error:  # orbax raises whatever its backend does
                if jax.process_count() > 1:
                    raise BadResume(
                        f"step {step} cannot be read", where=self.folder, mend="remove that step"
                    ) from error
                damaged = self.folder / str(step)
                damaged.rename(self.folder / f"{step}.damaged")
                logging.getLogger(__name__).warning("set aside unreadable checkpoint %s", damaged)
                self.manager.reload()
                continue
            if found["about"]["run"] != self.run or found["about"]["step"] != step:
                raise BadResume(f"step {step} is another run's", where=self.folder, mend="choose another workdir")
            return step, found["state"]
        if steps:
            raise BadResume("no checkpoint can be read", where=self.folder, mend="remove the folder to start anew")
        return None

    def wait(self) -> None:
        """Returns when what was saved is on disk."""
        try:
            self.manager.wait_until_finished()
        except OSError as error:
            raise BadEnvironment(f"a save failed: {error.strerror}", where=self.folder, mend="free space") from error

    def close(self) -> None:
        """Waits for the last save and ends orbax's threads."""
        self.wait()
        self.manager.close()
