"""All recipes by name, and how a config sets one going."""

from __future__ import annotations

import contextlib
import dataclasses
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from ml_collections import ConfigDict

from distinctad_jax.config import build
from distinctad_jax.endurance.choices import USUAL, Choices
from distinctad_jax.endurance.lock import WorkdirLock
from distinctad_jax.errors import BadUsage
from distinctad_jax.hosts.board import Board
from distinctad_jax.recipes import (
    check,
    claims,
    demo,
    dials,
    evaluate,
    extract,
    narrate,
    pack,
    pretrain,
    probe,
    render,
    stage1,
    stage2,
)
from distinctad_jax.recipes.console import Voice
from distinctad_jax.recipes.workshop import Artefact, Recipe, Spec, Workshop
from distinctad_jax.training.mesh import MeshConfig, make_mesh

RECIPES: Mapping[str, Recipe] = {
    module.RECIPE.name: module.RECIPE
    for module in (
        *(render, dials, pack, check, pretrain, stage1, extract, probe),
        *(stage2, evaluate, narrate, demo, claims),
    )
}


@dataclasses.dataclass(frozen=True)
class Common:
    """What every config says, beside a section for each recipe that its own builds on."""

    recipe: str
    workdir: str
    seed: int
    mesh: MeshConfig = dataclasses.field(default_factory=MeshConfig)

    def __post_init__(self):
        if self.recipe not in RECIPES:
            raise ValueError(f"there is no recipe {self.recipe!r}, only {', '.join(RECIPES)}")
        if not self.workdir or self.seed < 0:
            raise ValueError(f"needs a workdir and a seed >= 0, got {self.workdir!r} and {self.seed}")


COMMON = tuple(field.name for field in dataclasses.fields(Common))


def read_spec(config: ConfigDict) -> tuple[str, Spec, Path, MeshConfig]:
    """Recipe, spec, workdir and mesh of a config. Errors: BadUsage that names the key."""
    given: dict[str, Any] = config.to_dict()
    unknown = [key for key in given if key not in RECIPES and key not in COMMON]
    if unknown:
        known = ", ".join((*COMMON, *RECIPES))
        raise BadUsage(f"unknown key, known are: {known}", where=f"config.{unknown[0]}", mend="correct or remove it")
    common = build(Common, {key: given[key] for key in COMMON if key in given})
    sections = {
        name: build(recipe.settings, given[name], f"config.{name}")
        for name, recipe in RECIPES.items()
        if name in given
    }
    return common.recipe, Spec(common.seed, sections), Path(common.workdir), common.mesh


def carry_out(config: ConfigDict, choices: Choices = USUAL) -> Artefact:
    """Makes what the config's recipe makes, and first what that needs. One job at a time works in a workdir."""
    name, spec, workdir, mesh = read_spec(config)
    # Probes and ablations compile the same programs again: keep them, where the user keeps such or beside the rest.
    if jax.config.jax_compilation_cache_dir is None:  # pyright: ignore[reportAttributeAccessIssue] (made at run time)
        jax.config.update("jax_compilation_cache_dir", str(workdir.absolute() / "compiled"))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)
    if jax.process_count() == 1:
        with contextlib.ExitStack() as held:
            lock = WorkdirLock(workdir)
            workshop = Workshop(
                workdir, RECIPES, make_mesh(mesh), Voice(), choices=choices, hold=lambda: held.enter_context(lock)
            )
            return workshop.make(name, spec)
    # Stale files of an earlier job must not be taken for this one's.
    job = int(multihost_utils.broadcast_one_to_all(np.uint32(secrets.randbits(32))))
    board = Board(workdir.absolute() / ".hosts" / f"{job:08x}", jax.process_index(), jax.process_count())
    with contextlib.ExitStack() as held:
        lock, voice = WorkdirLock(workdir), Voice(quiet=not board.leads)
        workshop = Workshop(
            workdir, RECIPES, make_mesh(mesh), voice, board, choices, hold=lambda: held.enter_context(lock)
        )
        made = workshop.make(name, spec)
        multihost_utils.sync_global_devices("finished")
        board.close()
        return made
