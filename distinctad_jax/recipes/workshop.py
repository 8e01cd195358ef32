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
from distinctad_jax.config import keyed, plain, unkeyed
from distinctad_jax.endurance.choices import USUAL, Choices
from distinctad_jax.errors import BadEnvironment, BadInput, BadUsage
from distinctad_jax.files import glance, read_json, write_json
from distinctad_jax.hosts.board import Board
from distinctad_jax.recipes.console import Voice
from distinctad_jax.recipes.countdown import Countdown, seconds_spent
from distinctad_jax.recipes.resuming import MADE, REMADE, Vault, compare, refuse_changed, unfinished
from distinctad_jax.training.journey import Branch, Journey
from distinctad_jax.training.logbook import BATCHES, LOG, SESSIONS
from distinctad_jax.training.replay import NAME as NONFINITE

KEPT_WHEN_UNFINISHED = ("checkpoints", LOG, BATCHES, SESSIONS, "events", "profile", NONFINITE, ".records.partial")
"""What an interrupted run leaves to go on from; the rest of an unfinished artefact is made again."""
SHARD = ".array_record-"
"""In the names of files of records."""


@dataclasses.dataclass(frozen=True)
class Spec:
    """A whole config: one section for each recipe that the chosen one builds on."""

    seed: int
    sections: Mapping[str, Any]
    _texts: dict[str, str] = dataclasses.field(default_factory=dict, compare=False, repr=False)

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
        return Spec(self.seed, sections, {name: text for name, text in self._texts.items() if name not in changes})

    def seeded(self, seed: int | None) -> Spec:
        """With another seed, unless it is None."""
        return self if seed is None else Spec(seed, self.sections, self._texts)

    def content(self) -> tuple[int, *tuple[str, ...]]:
        """All of it in a form that can be looked up; a section that no change has touched is written once."""
        for name in self.sections.keys() - self._texts.keys():
            self._texts[name] = json.dumps(plain(self.sections[name]))
        return (self.seed, *(self._texts[name] for name in self.sections))


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
    """What a recipe is given to work with; of several processes that run it together, one `leads` and writes.

    facts: all that it depends on, to be kept with its checkpoints. beside: an unfinished run to branch from.
    """

    folder: Path
    key: str
    seed: int
    needs: Mapping[str, Artefact]
    mesh: Mesh
    voice: Voice
    leads: bool = True
    choices: Choices = USUAL
    facts: Mapping[str, Any] = {}
    beside: str | None = None

    def journey(self, name: str) -> Journey:
        """Of the training in `folder/name`."""
        beside = Path(self.beside) if self.beside else None
        branch = Branch(beside / name, f"{beside.name}/{name}") if beside else None
        return Journey(f"{self.key}/{name}", self.facts, self.choices, branch)


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
    seed: Callable[[Any], int | None] = lambda settings: None
    always: bool = False
    counts_down: bool = False


class Workshop:
    """Makes artefacts, those they need first, and none twice.

    With several processes, `board` is where they agree: process 0 looks at files, decides what is kept and what made,
    and writes; the others follow it step by step, and run a recipe with it if it is made together. `hold` is called
    once, before anything is written.
    """

    def __init__(
        self,
        root: Path,
        recipes: Mapping[str, Recipe],
        mesh: Mesh,
        voice: Voice,
        board: Board | None = None,
        choices: Choices = USUAL,
        hold: Callable[[], Any] = lambda: None,
    ):
        self.root, self.recipes, self.mesh, self.voice = root, recipes, mesh, voice
        self.board, self.choices = board or Board(), choices
        self.made: dict[tuple[str, str], Artefact] = {}
        self._known: dict[tuple[Any, ...], tuple[dict[str, Any], str]] = {}
        self.countdown: Countdown | None = None
        self.vault, self.asked = Vault(), set[Path]()
        self._hold: Callable[[], Any] | None = hold

    def facts(self, name: str, spec: Spec) -> dict[str, Any]:
        """All that the artefact depends on."""
        return self._facts(name, spec)[0]

    def key(self, name: str, spec: Spec) -> str:
        """The hash of all that the artefact depends on."""
        return self._facts(name, spec)[1]

    def _facts(self, name: str, spec: Spec) -> tuple[dict[str, Any], str]:
        """Facts and key, found out once: a grid asks for what its cells share again and again."""
        asked = (name, *spec.content())
        if asked in self._known:
            return self._known[asked]
        recipe, settings = self.recipes[name], spec.section(name)
        needs = {label: self._facts(need.recipe, need.of(spec)) for label, need in recipe.needs(settings).items()}
        own = {
            "recipe": name,
            "version": recipe.version,
            "settings": keyed(settings),
            "seed": spec.seed if recipe.seed(settings) is None else recipe.seed(settings),
            "inputs": [self.vault.fingerprint(path) for path in recipe.inputs(settings)],
            "glances": [(path.name, glance(path)) for path in recipe.glances(settings)],
        }
        counted = json.dumps({**own, "needs": {label: key for label, (_, key) in needs.items()}}, sort_keys=True)
        facts = {**own, "needs": {label: facts for label, (facts, _) in needs.items()}}
        self._known[asked] = facts, hashlib.sha256(counted.encode()).hexdigest()[:16]
        return self._known[asked]

    def make(self, name: str, spec: Spec) -> Artefact:
        """The artefact of `name`, kept if it is finished, made if not, after all that it needs."""
        recipe, settings = self.recipes[name], spec.section(name)
        key = self.board.agree(lambda: self.key(name, spec))
        if (name, key) in self.made:
            return self.made[name, key]
        folder = self._folder(recipe, key)
        results = self._found(recipe, folder, key)
        if results is None and self._hold is not None:
            hold, self._hold = self._hold, None
            self.board.agree(lambda: bool(hold()))
            self.board.agree(lambda: self._look_ahead(name, spec))
            results = self._found(recipe, folder, key)  # by the job that held it before
        if results is None:
            if recipe.counts_down:
                known = [each for each, recipe in self.recipes.items() if recipe.keyed]
                self.countdown = Countdown(self.unmade(name, spec), seconds_spent(self.root, known))
            needs = {label: self.make(need.recipe, need.of(spec)) for label, need in recipe.needs(settings).items()}
            own = recipe.seed(settings)
            seed = spec.seed if own is None else own
            run = Run(folder, key, seed, needs, self.mesh, self.voice, self.board.leads, self.choices)
            facts = self.board.agree(lambda: self._begun_with(recipe, settings, spec, run))
            results = self._make(recipe, settings, run._replace(**facts))
        else:
            self.voice.say(f"{name}: kept, {folder}")
        self.made[name, key] = Artefact(folder, key, results)
        return self.made[name, key]

    def _found(self, recipe: Recipe, folder: Path, key: str) -> dict[str, Any] | None:
        return None if recipe.always else self.board.agree(lambda: _finished(folder, key, self.voice))

    def unmade(self, name: str, spec: Spec) -> dict[tuple[str, str], dict[str, Any]]:
        """Facts of all that has to be made for an artefact by (recipe, key), each once, what it needs first."""
        return {one: facts for one, facts in self._asked(name, spec, {}).items() if one not in self.made}

    def _look_ahead(self, name: str, spec: Spec) -> None:
        """Before anything is made for it: errors as `_beside`, also of what is needed on the way."""
        asked = self._asked(name, spec, {})
        self.asked = {self._folder(self.recipes[each], key) for each, key in asked}
        for (each, key), facts in asked.items():
            self._beside(self.recipes[each], key, facts)

    def _asked(
        self, name: str, spec: Spec, found: dict[tuple[str, str], dict[str, Any]]
    ) -> dict[tuple[str, str], dict[str, Any]]:
        """`found`, with all that is not finished."""
        recipe, one = self.recipes[name], (name, self.key(name, spec))
        if one not in found and (recipe.always or not (self._folder(recipe, one[1]) / MADE).is_file()):
            for need in recipe.needs(spec.section(name)).values():
                self._asked(need.recipe, need.of(spec), found)
            found[one] = self.facts(name, spec)
        return found

    def _beside(self, recipe: Recipe, key: str, facts: Mapping[str, Any]) -> Path | None:
        """The unfinished training of other settings to branch from, where this one has not begun.

        Errors: BadResume if there is one, and a branch is not asked for.
        """
        folder = self._folder(recipe, key)
        if not recipe.together or unfinished(folder) is not None:
            return None
        return refuse_changed(folder, facts, self.choices.branch_from, self.asked)

    def _folder(self, recipe: Recipe, key: str) -> Path:
        return self.root / recipe.name / key if recipe.keyed else self.root / recipe.name

    def _begun_with(self, recipe: Recipe, settings: Any, spec: Spec, run: Run) -> dict[str, Any]:
        """Facts and branch of a run, after a look at what it needs and at what was begun before.

        Errors: BadInput if a file that it needs is not what was made; BadResume if an unfinished training is of other
          settings or data.
        """
        data = {label: self.vault.contents(need.folder) for label, need in run.needs.items()}
        dependent = self.facts(recipe.name, spec)
        facts = {
            **dependent,
            "data": data,
            "harmless": unkeyed(settings),
            "place": {"mesh": {axis: int(size) for axis, size in self.mesh.shape.items()}, **_place()},
        }
        facts = json.loads(json.dumps(facts))  # as it will be read
        found = unfinished(run.folder) if recipe.together else None
        if found is not None:
            compare(found, facts, self.voice.say)
        beside = self._beside(recipe, run.key, dependent)
        if self.choices.verify:
            for label, need in run.needs.items():
                self.vault.check(need.folder, data[label])
        return {"facts": facts, "beside": str(beside) if beside else None}

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
        kept = [path for path in files if not set(path.relative_to(run.folder).parts) & set(KEPT_WHEN_UNFINISHED)]
        write_json(
            run.folder / MADE,
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
                "sha256": {str(path.relative_to(run.folder)): self.vault.anew(path) for path in kept},
            },
        )


def _place() -> dict[str, Any]:
    """On what bits depend beside all else."""
    device = jax.devices()[0]
    return {"devices": f"{jax.device_count()} x {device.device_kind}", "processes": jax.process_count()}


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
    path = folder / MADE
    if not path.is_file():
        return None
    try:
        about = read_json(path)
        if about["key"] != key:
            return None
        files, results = dict(about["files"]), about["results"]
    except (BadInput, KeyError, TypeError, ValueError):
        about, files, results = {}, {path.name: -1}, {}
    for name, size in files.items():
        path = folder / name
        if not path.is_file() or path.stat().st_size != size:
            if SHARD in name:  # slow to make: not unasked
                found = f"{path.stat().st_size} bytes" if path.is_file() else "nothing"
                what = f"found {found}, {about['recipe']} made {size} bytes"
                raise BadInput(what, where=path, mend=f"remove {folder}: {REMADE}")
            voice.say(f"{path} is missing or has changed, so all in its folder is made again")
            return None
    return results


def _clear(folder: Path, all_ours: bool) -> bool:
    """Empties an unfinished folder but for what a run goes on from; tells whether there is any of that.

    Of a folder that a user may have had before, as its name is not a key, nothing is removed but our own account.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        finished = (folder / MADE).is_file()
        if not all_ours:
            (folder / MADE).unlink(missing_ok=True)
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
