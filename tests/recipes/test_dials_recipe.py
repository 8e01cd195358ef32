"""The command that measures dials: what it writes, and that a dial on the command line is another world."""

import jax
import pytest
from places import config_argument

from distinctad_jax.errors import BadUsage
from distinctad_jax.files import read_json
from distinctad_jax.main import read_flags
from distinctad_jax.recipes.book import RECIPES, read_spec
from distinctad_jax.recipes.console import Voice
from distinctad_jax.recipes.workshop import Workshop
from distinctad_jax.training.mesh import MeshConfig, make_mesh


def test_dials_are_measured_by_one_command(workdir, command, capsys):
    assert command("dials:tiny", workdir) == 0
    told = capsys.readouterr().err
    assert "render: kept" in told and "evidence   dial 1" in told
    [path] = workdir.glob("dials/*/dials.json")
    found = read_json(path)
    assert {"redundancy", "evidence", "gap", "vocabulary", "length", "clips"} == set(found)
    assert found["evidence"]["turned"] == 1 and found["evidence"]["measured"] > 0.9 and "turned" not in found["clips"]


def test_a_dial_or_a_preset_on_the_command_line_is_another_world(tmp_path):
    mesh = make_mesh(MeshConfig(), jax.devices()[:1])

    def key(*arguments):
        spec = read_spec(read_flags([config_argument("render:tiny"), *arguments])[0])[1]
        return Workshop(tmp_path, RECIPES, mesh, Voice(quiet=True)).key("render", spec)

    worlds = [
        (),
        ("--config.render.dials.preset=hard",),
        ("--config.render.dials.redundancy=0.5",),
        ("--config.render.dials.length=2",),
    ]
    assert len({key(*each) for each in worlds}) == len(worlds)
    assert key("--config.seed=7") == key()  # movies are those of their own seed, whatever training's
    with pytest.raises(BadUsage, match=r"config\.render\.dials: gap lies in 0\.0\.\.2\.0, got 3\.0"):
        key("--config.render.dials.gap=3.0")
