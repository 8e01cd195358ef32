"""Every config at every size is a sound spec, and every tiny one is made by the demo."""

import copy
import importlib.util
from pathlib import Path

import pytest
from places import REPOSITORY, config_argument

from distinctad_jax.errors import BadUsage
from distinctad_jax.main import read_flags
from distinctad_jax.recipes.book import COMMON, RECIPES, read_spec
from distinctad_jax.recipes.demo import paths
from distinctad_jax.recipes.workshop import Spec

CONFIGS = sorted(path.stem for path in (REPOSITORY / "configs").glob("*.py"))
SIZES = ("tiny", "toy", "small", "base", "large")
OWN_SIZES = {"claims": ("tiny", "toy"), "dials": ("tiny", "toy", "small")}
"""Of a config that needs a world whose truth is known."""
APART = {"claims", "dials"}
"""Configs that the demo does not make."""
BROUGHT = {
    "pack": {"annotations": "table.csv", "videos": "videos", "splits": "splits.json"},
    "pretrain": {"clip": "clip", "gpt2": "gpt2"},
    "check": {"annotations": "table.csv"},
    "narrate": {"video": "film.mp4"},
}
"""What a user brings to the sizes that make nothing up."""


def config_of(name, size):
    config = read_flags([config_argument(f"{name}:{size}")]).config
    for section, fields in BROUGHT.items() if size in ("base", "large") else ():
        if section in config:
            config[section].update(fields)
    return config


def sections_needed(name: str, spec: Spec) -> set[str]:
    """All that a recipe builds on, by the names of sections."""
    found = {name}
    for need in RECIPES[name].needs(spec.section(name)).values():
        found |= sections_needed(need.recipe, spec.changed(need.changes))
    return found


@pytest.mark.parametrize(
    ("name", "size"), [(name, size) for name in CONFIGS if name != "render" for size in OWN_SIZES.get(name, SIZES)]
)
def test_a_config_is_a_sound_spec_with_all_that_it_builds_on(name, size):
    recipe, spec, workdir, _ = read_spec(config_of(name, size))
    assert recipe == name and workdir.parts[0] == "runs"
    assert sections_needed(name, spec) <= set(spec.sections)


def test_there_is_a_config_for_every_recipe():
    assert set(CONFIGS) == set(RECIPES)


@pytest.mark.parametrize("section", [name for name in RECIPES if name != "demo"] + ["demo"])
def test_an_unknown_key_in_any_section_is_refused_by_name(section):
    config = copy.deepcopy(config_of(section if section in APART else "demo", "tiny"))
    with config.unlocked():
        config[section].nobody = 1
    with pytest.raises(BadUsage, match=rf"config\.{section}\.nobody: unknown key, known are: "):
        read_spec(config)


def test_an_unknown_section_is_refused_by_name():
    config = copy.deepcopy(config_of("demo", "tiny"))
    with config.unlocked():
        config.stage3 = {"steps": 1}
    with pytest.raises(
        BadUsage, match=r"config\.stage3: unknown key, known are: recipe, workdir, seed, mesh, render"
    ):
        read_spec(config)


@pytest.mark.parametrize("key", [key for key in COMMON if key != "mesh"])
def test_a_key_that_every_config_has_is_missed_by_name(key):
    config = copy.deepcopy(config_of("stage2", "tiny"))
    with config.unlocked():
        del config[key]
    with pytest.raises(BadUsage, match=rf"config\.{key}: the key is missing; set it"):
        read_spec(config)


def test_each_variant_of_the_demo_changes_something_and_nothing_else():
    spec = read_spec(config_of("demo", "toy"))[1]
    specs = [spec]
    for name, change in spec.section("demo").variants.items():
        changed = spec.changed({section: dict(paths(fields)) for section, fields in change.items()})
        assert (changed == spec) == (name == "full")
        specs.append(changed)
        if name == "no_context":  # a fair rival sees as many clips a step
            full, alone = spec.section("stage2"), changed.section("stage2")
            assert alone.clips == 1 and alone.training.batch == full.clips * full.training.batch
    assert len({repr(each.sections) for each in specs}) == len(specs) - 1


@pytest.mark.parametrize("name", CONFIGS)
def test_a_config_says_how_to_run_it(name):
    path = REPOSITORY / "configs" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert f"python -m distinctad_jax.main --config=configs/{name}.py" in module.__doc__
    assert "Gives:" in module.__doc__


@pytest.mark.parametrize("name", sorted(set(CONFIGS) - APART))
def test_the_demo_makes_every_tiny_config(name, demo: Path, command, capsys):
    assert command(name, demo) == 0
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 1 and told[0].startswith(f"{name}: kept, {demo}")
