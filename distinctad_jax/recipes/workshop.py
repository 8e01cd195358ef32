"""Artefacts: what recipes make, where it lies, and when it need not be made again.

An artefact's key is the hash of all it depends on: its recipe and that recipe's version, its section of the config,
the seed, the files from outside that it reads, and the keys of the artefacts it needs. It lies in
`workdir/recipe/key` and is finished when `artefact.json` stands there, which is written last and names every file
with its size.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import platform
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
from jax.sharding import Mesh

import distinctad_jax
from distinctad_jax.config import plain
from distinctad_jax.errors import BadEnvironment, BadInput, BadUsage
from distinctad_jax.files import fingerprint, glance, read_json, write_json
from distinctad_jax.hosts.board import Board
from distinctad_jax.recipes.console import Voice

KEPT_WHEN_UNFINISHED = ("checkpoints", "log.jsonl", "events", ".records.partial")
"""What an interrupted run leaves to go on from; the rest of an unfinished artefact is made again."""


@dataclasses.dataclass(frozen=True)
class Spec:
    """A whole config: one section for each recipe that the chosen one builds on."""

    seed: int
    sections: Mapping[str, Any]

    def section(self, name: str) -> Any:
        """A recipe's settings. Errors: BadUsage if the config has none; base and large make up no movies."""
        if name not in self.sections:
            raise BadUsage(
                "the section is missing", where=f"config.{name}", mend="bring files, or choose another size"
            )
        return self.sections[name]

    def changed(self, changes: Mapping[str, Mapping[str, Any]]) -> Spec:
        """With some fields of some sections replaced; a field is a path, `em_attention.fusion`."""
        sections = dict(self.sections)
        for name, fields in changes.items():
            for path, value in fields.items():
                try:
                    sections[name] = _replaced(sections[name], path.split("."), value)
                except (KeyError, AttributeError, TypeError, ValueError) as error:
                    where = f"config.{name}.{path}"
                    raise BadUsage(f"cannot be {value!r}: {error}", where=where, mend="correct the variant") from None
        return Spec(self.seed, sections)

    def seeded(self, seed: int | None) -> Spec:
        """With another seed, unless it is None."""
        return self if seed is None else Spec(seed, self.sections)


def _replaced(config: Any, path: list[str], value: Any) -> Any:
    if len(path) > 1:
        value = _replaced(getattr(config, path[0]), path[1:], value)
    return dataclasses.replace(config, **{path[0]: value})


class Need(NamedTuple):
    """An artefact that a recipe builds on, perhaps of a changed spec (an ablation) or with another seed."""

    recipe: str
    changes: Mapping[str, Mapping[str, Any]] = {}
    seed: int | None = None

    def of(self, spec: Spec) -> Spec:
        """The spec that it is made by."""
        return spec.changed(self.changes).seeded(self.seed)


class Artefact(NamedTuple):
    """What a recipe made: its folder, its key and what it found out."""

    folder: Path
    key: str
    results: dict[str, Any]


class Run(NamedTuple):
    """What a recipe is given to work with; of several processes that run it together, one `leads` and writes."""

    folder: Path
    key: str
    seed: int
    needs: Mapping[str, Artefact]
    mesh: Mesh
    voice: Voice
    leads: bool = True


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How one kind of artefact is made.

    settings: the dataclass of its config section.
    run: (settings, Run) -> results, a JSON object; writes its files into `run.folder`.
    needs: settings -> the artefacts it builds on, by the name it calls them.
    inputs: settings -> files from outside, whose content belongs to the key.
    glances: settings -> files from outside too large to read for a key: names, sizes and ends belong to it.
    version: raised when the code changes what comes out.
    keyed: False if there is one folder for all keys, `workdir/recipe`.
    together: whether all processes run it, as training does; else process 0 makes it and the others wait.
    pace: settings that say how fast it is made and not what comes out: no part of the key.
    seed: settings -> a seed of its own in place of the config's, or None. What has one is the same in all seeds.
    always: whether it is made again each time, for it is quick and its files are copied elsewhere.
    counts_down: whether it says, as what it needs gets made, how many artefacts and how much time are left.
    """

    name: str
    settings: type
    run: Callable[[Any, Run], dict[str, Any]]
    needs: Callable[[Any], Mapping[str, Need]]
    inputs: Callable[[Any], tuple[Path, ...]] = lambda settings: ()
    version: int = 1
    keyed: bool = True
    glances: Callable[[Any], tuple[Path, ...]] = lambda settings: ()
    together: bool = False
    pace: tuple[str, ...] = ()
    seed: Callable[[Any], int | None] = lambda settings: None
    always: bool = False
    counts_down: bool = False


class Workshop:
    """Makes artefacts, those they need first, and none twice.

    With several processes, `board` is where they agree: process 0 looks at files, decides what is kept and what made,
    and writes; the others follow it step by step, and run a recipe with it if it is made together.
    """

    def __init__(
        self, root: Path, recipes: Mapping[str, Recipe], mesh: Mesh, voice: Voice, board: Board | None = None
    ):
        self.root, self.recipes, self.mesh, self.voice = root, recipes, mesh, voice
        self.board = board or Board()
        self.made: dict[tuple[str, str], Artefact] = {}
        self.countdown: Countdown | None = None

    def unmade(self, name: str, spec: Spec) -> dict[tuple[str, str], None]:
        """(recipe, key) of all that has to be made for an artefact, each once, in order."""
        recipe, settings = self.recipes[name], spec.section(name)
        key = self.key(name, spec)
        folder = self.root / name / key if recipe.keyed else self.root / name
        if (name, key) in self.made or (not recipe.always and (folder / "artefact.json").is_file()):
            return {}
        found: dict[tuple[str, str], None] = {}
        for need in recipe.needs(settings).values():
            found |= self.unmade(need.recipe, need.of(spec))
        return found | {(name, key): None}

    def key(self, name: str, spec: Spec) -> str:
        """The hash of all that the artefact depends on."""
        recipe, settings = self.recipes[name], spec.section(name)
        facts = {
            "recipe": name,
            "version": recipe.version,
            "settings": {key: value for key, value in plain(settings).items() if key not in recipe.pace},
            "seed": spec.seed if recipe.seed(settings) is None else recipe.seed(settings),
            "inputs": [fingerprint(path) for path in recipe.inputs(settings)],
            "glances": [(path.name, glance(path)) for path in recipe.glances(settings)],
            "needs": {label: self.key(need.recipe, need.of(spec)) for label, need in recipe.needs(settings).items()},
        }
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]

    def make(self, name: str, spec: Spec) -> Artefact:
        """The artefact of `name`, kept if it is finished, made if not, after all that it needs."""
        recipe, settings = self.recipes[name], spec.section(name)
        key = self.board.agree(lambda: self.key(name, spec))
        if (name, key) in self.made:
            return self.made[name, key]
        folder = self.root / name / key if recipe.keyed else self.root / name
        results = None if recipe.always else self.board.agree(lambda: _finished(folder, key, self.voice))
        if results is None:
            if recipe.counts_down:
                self.countdown = Countdown(self.unmade(name, spec), _spent(self.root, self.recipes))
            needs = {label: self.make(need.recipe, need.of(spec)) for label, need in recipe.needs(settings).items()}
            own = recipe.seed(settings)
            seed = spec.seed if own is None else own
            run = Run(folder, key, seed, needs, self.mesh, self.voice, self.board.leads)
            results = self._make(recipe, settings, run)
        else:
            self.voice.say(f"{name}: kept, {folder}")
        self.made[name, key] = Artefact(folder, key, results)
        return self.made[name, key]

    def _make(self, recipe: Recipe, settings: Any, run: Run) -> dict[str, Any]:
        goes_on = self.board.agree(lambda: _clear(run.folder, all_ours=recipe.keyed))
        self.voice.say(f"{recipe.name}: {'goes on' if goes_on else 'made'} in {run.folder}")
        began = time.monotonic()
        if recipe.together:
            results = recipe.run(settings, run)
            self.board.agree(lambda: self._account(recipe, settings, run, results, time.monotonic() - began))
        else:

            def alone() -> dict[str, Any]:
                results = recipe.run(settings, run)
                self._account(recipe, settings, run, results, time.monotonic() - began)
                return results

            results = self.board.agree(alone)
        spent = time.monotonic() - began
        self.voice.say(f"{recipe.name}: done in {spent:.0f} s")
        if self.countdown and (left := self.countdown.past(recipe.name, run.key, spent)):
            self.voice.say(f"  {left}")
        return results

    def _account(self, recipe: Recipe, settings: Any, run: Run, results: dict[str, Any], seconds: float) -> None:
        files = sorted(path for path in run.folder.rglob("*") if path.is_file())
        write_json(
            run.folder / "artefact.json",
            {
                "recipe": recipe.name,
                "key": run.key,
                "settings": plain(settings),
                "seed": run.seed,
                "needs": {label: need.key for label, need in run.needs.items()},
                "results": results,
                "seconds": round(seconds, 1),
                "made_by": provenance(),
                "files": {str(path.relative_to(run.folder)): path.stat().st_size for path in files},
            },
        )


class Countdown:
    """How much time is left, from how long artefacts of the same recipe took: before, in this folder, or now."""

    def __init__(self, unmade: Mapping[tuple[str, str], None], spent: Mapping[str, list[float]]):
        self.unmade, self.spent = dict(unmade), {name: list(times) for name, times in spent.items()}
        self.all = len(unmade)

    def past(self, name: str, key: str, seconds: float) -> str:
        """Hears that an artefact is made; tells what is left, or nothing if it was the last."""
        self.unmade.pop((name, key), None)
        self.spent.setdefault(name, []).append(seconds)
        if not self.unmade:
            return ""
        known = {name: sum(times) / len(times) for name, times in self.spent.items()}
        typical = sum(known.values()) / len(known)
        left = sum(known.get(name, typical) for name, _ in self.unmade)
        guessed = sorted({name for name, _ in self.unmade} - set(known))
        doubt = f" (no {', '.join(guessed)} timed yet)" if guessed else ""
        return f"{self.all - len(self.unmade)} of {self.all} made, about {left / 60:.0f} min left{doubt}"


def _spent(root: Path, recipes: Mapping[str, Recipe]) -> dict[str, list[float]]:
    """Seconds of finished artefacts in a folder, by recipe."""
    found: dict[str, list[float]] = {}
    for name, recipe in recipes.items():
        for path in sorted((root / name).glob("*/artefact.json")) if recipe.keyed else ():
            try:
                found.setdefault(name, []).append(float(read_json(path)["seconds"]))
            except (BadInput, KeyError, TypeError, ValueError):
                continue  # what is broken is made again, and timed then
    return found


def provenance() -> dict[str, Any]:
    """The commit, the versions and the kind of device that numbers come from."""
    device = jax.devices()[0]
    return {
        "commit": _commit() or "not a git checkout",
        "distinctad_jax": distinctad_jax.__version__,
        "jax": jax.__version__,
        "python": platform.python_version(),
        "device": f"{jax.device_count()} x {device.device_kind}",
    }


def _commit() -> str:
    command = [
        "git",
        "-C",
        str(Path(distinctad_jax.__file__).parent),
        "describe",
        "--always",
        "--dirty",
        "--abbrev=12",
    ]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:  # no git
        return ""


def _finished(folder: Path, key: str, voice: Voice) -> dict[str, Any] | None:
    """The results of a finished artefact."""
    path = folder / "artefact.json"
    if not path.is_file():
        return None
    try:
        about = read_json(path)
        if about["key"] != key:
            return None
        files, results = dict(about["files"]), about["results"]
    except (BadInput, KeyError, TypeError, ValueError):
        files, results = {path.name: -1}, {}
    for name, size in files.items():
        path = folder / name
        if not path.is_file() or path.stat().st_size != size:
            voice.say(f"{path} is missing or has changed, so all in its folder is made again")
            return None
    return results


def _clear(folder: Path, all_ours: bool) -> bool:
    """Empties an unfinished folder but for what a run goes on from; tells whether there is any of that.

    Of a folder that a user may have had before, as its name is not a key, nothing is removed but our own account.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        finished = (folder / "artefact.json").is_file()
        if not all_ours:
            (folder / "artefact.json").unlink(missing_ok=True)
            return False
        _sweep(folder, () if finished else KEPT_WHEN_UNFINISHED)
        return any(path.name.isdigit() for path in folder.rglob("checkpoints/*"))
    except OSError as error:
        raise BadEnvironment(
            f"cannot be written: {error.strerror}", where=folder, mend="choose another config.workdir"
        ) from error


def _sweep(folder: Path, kept: tuple[str, ...]) -> None:
    """Removes what stands in `folder` but for names in `kept`, and so on below; a recipe may train in a subfolder."""
    for path in folder.iterdir():
        if path.name in kept:
            continue
        if path.is_dir() and not path.is_symlink():
            _sweep(path, kept)
            if not any(path.iterdir()):
                path.rmdir()
        else:
            path.unlink()
