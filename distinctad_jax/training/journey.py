"""Whose training this is, where it begins, and how it is to bear what befalls it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from distinctad_jax.checkpoints.runs import Checkpoints, Found, Saving
from distinctad_jax.endurance.choices import USUAL, Choices
from distinctad_jax.errors import BadResume


class Branch(NamedTuple):
    """Another run's training to begin from: the folder that its `checkpoints` lie in, and its name."""

    folder: Path
    run: str


class Journey(NamedTuple):
    """run: its name, which its checkpoints bear. facts: what it was begun with, JSON values, kept in them."""

    run: str
    facts: Mapping[str, Any] = {}
    choices: Choices = USUAL
    branch: Branch | None = None

    def checkpoints(self, folder: Path, keep: int) -> Checkpoints:
        """Those of this training in its folder."""
        saving = Saving(keep, self.choices.verify, self.choices.on_full)
        return Checkpoints(folder / "checkpoints", run=self.run, facts=self.facts, saving=saving)

    def begin(self, checkpoints: Checkpoints, state: Any, shardings: Any) -> tuple[int, Any]:
        """The step that is done and its state: of the newest sound checkpoint, else of the branch, else 0.

        Errors: BadResume as `Checkpoints.restore`, or if there is nothing to branch from.
        """
        found = checkpoints.restore(state, shardings)
        if found is None and self.branch is not None:
            found = self._branched(self.branch, state, shardings)
        if found is None:
            return 0, state
        return found.step, found.state

    def _branched(self, branch: Branch, state: Any, shardings: Any) -> Found | None:
        step, theirs = self.choices.branch_from, Checkpoints(branch.folder / "checkpoints", run=branch.run)
        steps = theirs.steps()
        if not step or not steps:
            return None
        if step not in steps:
            told = ", ".join(map(str, sorted(steps)))
            raise BadResume(f"there is no step {step}, only {told}", where=theirs.folder, mend="choose one of them")
        return theirs.restore(state, shardings, only=step)
