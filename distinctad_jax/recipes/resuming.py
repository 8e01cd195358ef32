"""What an unfinished training was begun with, beside what is asked for now: go on, refuse, or begin beside it."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from distinctad_jax.checkpoints.runs import read_meta
from distinctad_jax.endurance.facts import Change, changes
from distinctad_jax.errors import BadInput, BadResume
from distinctad_jax.files import fingerprint, read_json

LIMIT = 12
"""Changed fields that are listed."""
MADE = "artefact.json"


class Unfinished(NamedTuple):
    """An artefact that was being trained: its folder, its newest step, and what it was begun with."""

    folder: Path
    step: int
    facts: dict[str, Any]


def unfinished(folder: Path) -> Unfinished | None:
    """The training in an artefact's folder, if it has saved a step that says of itself what it is of."""
    if (folder / MADE).is_file():
        return None
    steps = [path for path in folder.rglob("checkpoints/*") if path.name.isdecimal() and path.is_dir()]
    for path in sorted(steps, key=lambda path: -int(path.name)):
        try:
            meta, _ = read_meta(path)
            return Unfinished(folder, int(path.name), meta["facts"])
        except (ValueError, KeyError):
            continue  # damaged: for the training itself to judge
    return None


def refuse_changed(
    folder: Path, facts: Mapping[str, Any], branch_from: int | None, asked: Container[Path]
) -> Path | None:
    """Looks at the unfinished trainings beside `folder`, which has none itself, but for those that are asked for too
    (ablations). Returns the one to branch from.

    Errors: BadResume with a table of what has changed since the nearest of them, unless a branch is asked for.
    """
    beside = [unfinished(path) for path in folder.parent.iterdir()] if folder.parent.is_dir() else []
    found = [
        (changes(_told(one.facts), _told(facts)), one)
        for one in beside
        if one is not None and one.folder not in asked
    ]
    if not found:
        return None
    table, nearest = min(found, key=lambda pair: len(pair[0]))
    if branch_from is not None:
        return nearest.folder if branch_from else None
    raise BadResume(
        f"an unfinished run stands at step {nearest.step}, and what is asked for differs: {listed(table)}",
        where=nearest.folder,
        mend="set these back to go on with it, or begin a new run beside it with --branch-from=STEP "
        "(0: from the start)",
    )


def listed(table: list[Change]) -> str:
    """Changes in one line."""
    more = f"; and {len(table) - LIMIT} more" if len(table) > LIMIT else ""
    return "; ".join(map(str, table[:LIMIT])) + more


def _told(facts: Mapping[str, Any]) -> dict[str, Any]:
    """What counts for a comparison, under the names that a config has: `stage2.training.steps`, `seed`."""
    return {"seed": facts["seed"], **_sections(facts)}


def _sections(facts: Mapping[str, Any]) -> dict[str, Any]:
    about = {"settings": facts["settings"], "inputs": facts["inputs"], "version": facts["version"]}
    told: dict[str, Any] = {facts["recipe"]: {**about.pop("settings"), **about}}
    for label, need in facts["needs"].items():
        for name, section in _sections(need).items():
            if told.get(name, section) != section:
                name = f"{name} ({label})"
            told[name] = section
    return told


def compare(found: Unfinished, facts: Mapping[str, Any], say: Callable[[str], None]) -> None:
    """Says what of a training that goes on is harmlessly other than before.

    Errors: BadResume, naming files, if the data are not what they were.
    """
    other = changes(found.facts["data"], facts["data"])
    if other:
        files = ", ".join(change.field for change in other[:5])
        raise BadResume(
            f"the data have changed since the run began, at step {found.step}: {files} ({len(other)} in all)",
            where=found.folder,
            mend="bring them back, or remove that folder to train anew",
        )
    table = changes(found.facts["harmless"], facts["harmless"])
    if table:
        say(f"  goes on with other settings, which change no number: {listed(table)}")
    table = changes(found.facts["place"], facts["place"])
    if table:
        say(f"  goes on in another place, so bits can no longer be compared: {listed(table)}")


class Vault:
    """What files of finished artefacts hold, each read once a session."""

    def __init__(self):
        self._known: dict[Path, str] = {}

    def fingerprint(self, path: Path) -> str:
        """As `files.fingerprint`."""
        if path not in self._known:
            self._known[path] = fingerprint(path)
        return self._known[path]

    def anew(self, path: Path) -> str:
        """Of a file that has just been written."""
        self._known.pop(path, None)
        return self.fingerprint(path)

    def contents(self, folder: Path) -> dict[str, str]:
        """The fingerprint of each file of a finished artefact. Errors: BadInput if one is missing."""
        return {name: self.fingerprint(folder / name) for name in sorted(read_json(folder / MADE).get("sha256", {}))}

    def check(self, folder: Path, found: Mapping[str, str]) -> None:
        """Errors: BadInput, naming the first file, if one is not what was made."""
        about = read_json(folder / MADE)
        for name, value in about.get("sha256", {}).items():
            if found[name] != value:
                raise BadInput(
                    f"it is not what {about['recipe']} made", where=folder / name, mend=f"remove {folder}: {REMADE}"
                )


REMADE = "the same command makes it again"
