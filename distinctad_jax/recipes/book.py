"""All recipes by name, and how a config sets one going."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
from ml_collections import ConfigDict

from distinctad_jax.config import build
from distinctad_jax.errors import BadUsage
from distinctad_jax.recipes import (
    check,
    demo,
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
    for module in (render, pack, check, pretrain, stage1, probe, extract, stage2, evaluate, narrate, demo)
}
COMMON = ("recipe", "workdir", "seed", "mesh")


def read_spec(config: ConfigDict) -> tuple[str, Spec, Path, MeshConfig]:
    """Recipe, spec, workdir and mesh of a config. Errors: BadUsage that names the key."""
    given: dict[str, Any] = config.to_dict()
    for key in ("recipe", "workdir", "seed"):
        if key not in given:
            raise BadUsage("the key is missing", where=f"config.{key}", mend="set it")
    if given["recipe"] not in RECIPES:
        raise BadUsage(
            f"no recipe {given['recipe']!r}", where="config.recipe", mend=f"choose one of: {', '.join(RECIPES)}"
        )
    unknown = [key for key in given if key not in RECIPES and key not in COMMON]
    if unknown:
        known = ", ".join((*COMMON, *RECIPES))
        raise BadUsage(f"unknown key, known are: {known}", where=f"config.{unknown[0]}", mend="correct or remove it")
    sections = {
        name: build(recipe.settings, given[name], f"config.{name}")
        for name, recipe in RECIPES.items()
        if name in given
    }
    mesh = build(MeshConfig, given.get("mesh", {}), "config.mesh")
    return given["recipe"], Spec(int(given["seed"]), sections), Path(given["workdir"]), mesh


def carry_out(config: ConfigDict) -> Artefact:
    """Makes what the config's recipe makes, and first what that needs."""
    name, spec, workdir, mesh = read_spec(config)
    # Probes and ablations compile the same programs again: keep them.
    jax.config.update("jax_compilation_cache_dir", str(workdir.absolute() / "compiled"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)
    workshop = Workshop(workdir, RECIPES, make_mesh(mesh), Voice())
    return workshop.make(name, spec)
