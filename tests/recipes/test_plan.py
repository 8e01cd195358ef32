"""A plan's shares are exact, operations are counted and not guessed, and what does not fit is said with a way out."""

import os

import jax
import jax.numpy as jnp
import pytest
from places import config_argument

from distinctad_jax.commands import book
from distinctad_jax.errors import BadUsage
from distinctad_jax.main import read_flags
from distinctad_jax.recipes.plan import make_plan, matrix_flops, plain_plan, sentences, step_seconds
from distinctad_jax.training.chips import CHIPS, GRIDS, read_topology
from distinctad_jax.training.mesh import MeshConfig, make_mesh


@pytest.mark.parametrize(
    ("name", "devices", "grid"),
    [
        ("v5e-64", 64, "v5e:8x8"),
        ("v5litepod-16", 16, "v5e:4x4"),
        ("v4-32", 16, "v4:2x2x4"),
        ("v6e-8", 8, "v6e:2x4"),
        ("h100-8", 8, ""),
        ("cpu-3", 3, ""),
    ],
)
def test_topologies_are_read(name, devices, grid):
    found = read_topology(name)
    assert (found.devices, found.grid) == (devices, grid)


@pytest.mark.parametrize("name", ["v5e", "v5e-63", "v4-7", "v9-8", "h100-0", "-8", "v5e-64; rm"])
def test_what_is_no_topology_is_refused_with_what_is_one(name):
    with pytest.raises(BadUsage, match="choose one of"):
        read_topology(name)


def test_grids_multiply_to_their_chips():
    for grids in GRIDS.values():
        for count, grid in grids.items():
            sides = [int(side) for side in grid.split("x")]
            assert count == jnp.prod(jnp.array(sides))


def test_operations_are_those_of_the_products_as_often_as_they_run():
    def program(left, right):
        def body(carry, _):
            return jnp.tanh(carry @ right), None

        carry, _ = jax.lax.scan(body, left, length=5)
        return jax.checkpoint(lambda x: jnp.einsum("bi,bi->b", x, x))(carry).sum()

    traced = jax.make_jaxpr(program)(jnp.ones((3, 4)), jnp.ones((4, 4)))
    assert matrix_flops(traced.jaxpr) == 5 * 2 * 3 * 4 * 4 + 2 * 3 * 4
    gradient = jax.make_jaxpr(jax.grad(program))(jnp.ones((3, 4)), jnp.ones((4, 4)))
    assert matrix_flops(gradient.jaxpr) > 1.9 * matrix_flops(traced.jaxpr)


def test_a_step_takes_what_the_chips_figures_say():
    chips = read_topology("h100-8")
    mesh = make_mesh(MeshConfig(data=2, fsdp=4))
    parts = {"learned weights": 10**9, "optimiser moments": 2 * 10**9, "frozen weights": 10**9}
    found = step_seconds(chips, mesh, 8e15, parts, learned=4 * 10**9)
    assert found["compute at peak"] == pytest.approx(1e15 / 989e12)
    assert found["memory"] == pytest.approx(8e9 / 3350e9)
    assert found["links"] == pytest.approx((8e9 * 7 / 8 + 8e9 * 3 / 4) / 450e9)
    assert found["least"] == max(found["compute at peak"], found["memory"], found["links"])


@pytest.fixture(scope="module")
def config():
    return read_flags([config_argument("stage2:tiny"), "--config.mesh.fsdp=4"]).config


@pytest.mark.slow
def test_a_plan_adds_up_and_says_what_does_not_fit(config):
    topology = read_topology("cpu-8")
    tight = topology._replace(chip=CHIPS["cpu"]._replace(memory=1e-4))
    found = make_plan(config, tight)
    assert found.mesh == {"data": 2, "fsdp": 4, "tensor": 1} and found.batch == 8
    assert found.parts["optimiser moments"] == pytest.approx(2 * found.parts["learned weights"], rel=1e-3)
    state = sum(found.parts.values()) - found.parts["batch"]  # of which a step may leave arrays unread
    assert found.peak >= found.temporary + state > 0 and found.flops > 1e6
    told = " / ".join(found.problems)
    assert "a batch of 4 does not split over 8 devices: planned with 8" in told and "GiB a device" in told
    assert not plain_plan(found)["fits"]
    lines = sentences(found, tight)
    assert lines[0] == "cpu-8: 8 x CPU core, mesh data 2 x fsdp 4 x tensor 1, batch 8"
    assert sum(line.startswith("does not fit: ") for line in lines) == len(found.problems)


def test_only_trainings_are_planned(capsys, monkeypatch):
    for name in ("XLA_FLAGS", "JAX_PLATFORMS"):  # the command adds to them
        monkeypatch.setenv(name, os.environ[name])
    assert book.main(["plan", config_argument("pack:tiny"), "--topology=cpu-8"]) == 2
    assert "pack is not planned" in capsys.readouterr().err
    assert book.main(["check", "--annotations=x", "--config=y"]) == 2


def test_large_is_planned_without_its_weights():
    """Up to the compilation: the config names no folders, and presets stand in."""
    config = read_flags([config_argument("stage2:large")]).config
    with pytest.raises(BadUsage, match="no preset 'gpt9'"):
        make_plan(config, read_topology("cpu-8"), gpt2="gpt9")
    config.mesh = {"tensor": 3}  # refused after the models are known
    with pytest.raises(BadUsage, match="a mesh of"):
        make_plan(config, read_topology("cpu-8"))
