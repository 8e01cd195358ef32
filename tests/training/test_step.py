"""One step means one thing: on one device or eight, in one piece or four, with or without a restart."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from jax.sharding import PartitionSpec as P

from distinctad_jax.losses.matching import global_matching
from distinctad_jax.training.mesh import MeshConfig, make_mesh, path_name, place_batch, spec_for
from distinctad_jax.training.step import Parts, Task, make_state, make_train_step, put_together, take_apart

ALL = MeshConfig()


class Average(nnx.Variable):
    """A moving average, as EM attention has one."""


class Pair(nnx.Module):
    """Two small towers, one frozen, and a moving average of what the first one sees."""

    def __init__(self, *, rngs):
        self.up = nnx.Linear(6, 8, rngs=rngs)
        self.frozen = nnx.Linear(6, 8, rngs=rngs)
        self.seen = Average(jnp.zeros(8))

    def __call__(self, left, right):
        left = jnp.tanh(self.up(left))
        self.seen[...] = 0.9 * self.seen[...] + 0.1 * jax.lax.stop_gradient(left.mean(axis=0))
        return left, self.frozen(right)


def encode(model, batch, key):
    return model(batch["left"], batch["right"])


def objective(model, features, batch):
    loss = global_matching(*features, jnp.float32(5.0))
    return loss, {"rows": jnp.float32(len(batch["left"]))}


def batch_of(step, rows=16):
    rng = np.random.default_rng(step)
    return {name: rng.standard_normal((rows, 6), dtype=np.float32) for name in ("left", "right")}


def after(steps, *, mesh=ALL, devices=1, pieces=1, start=None, first=0):
    optimiser = optax.adamw(1e-2)
    where = make_mesh(mesh, jax.devices()[:devices])
    graph, state, shardings = make_state(
        lambda: Pair(rngs=nnx.Rngs(0)), lambda path: path.startswith("up"), optimiser, where, start
    )
    step = make_train_step(graph, Task(encode, objective), optimiser, where, shardings, seed=0, pieces=pieces)
    losses = []
    for number in range(first, first + steps):
        state, metrics = step(state, place_batch(batch_of(number), where))
        losses.append(float(metrics["loss"]))
    return state, losses


def leaves(tree):
    return {path_name(path): np.asarray(leaf) for path, leaf in jax.tree_util.tree_leaves_with_path(tree)}


@pytest.mark.parametrize("mesh", [MeshConfig(data=8), MeshConfig(data=2, fsdp=2, tensor=2)])
def test_eight_devices_take_the_step_of_one(mesh):
    one, losses = after(3)
    eight, sharded_losses = after(3, mesh=mesh, devices=8)
    np.testing.assert_allclose(sharded_losses, losses, rtol=1e-5)
    for name, leaf in leaves(one.learned).items():
        np.testing.assert_allclose(leaves(eight.learned)[name], leaf, atol=1e-5, err_msg=name)
    np.testing.assert_allclose(leaves(eight.buffers)["seen"], leaves(one.buffers)["seen"], atol=1e-6)


def test_a_batch_in_pieces_has_the_gradient_of_the_whole():
    whole, losses = after(3)
    pieces, piecewise = after(3, pieces=4)
    np.testing.assert_allclose(piecewise, losses, rtol=1e-5)
    for name, leaf in leaves(whole.learned).items():
        np.testing.assert_allclose(leaves(pieces.learned)[name], leaf, atol=1e-5, err_msg=name)
    np.testing.assert_allclose(leaves(pieces.buffers)["seen"], leaves(whole.buffers)["seen"], atol=1e-6)


def test_what_is_frozen_does_not_move_and_has_no_moments():
    start, _ = after(0)
    frozen = leaves(start.frozen)
    state, _ = after(3)
    assert set(frozen) == {"frozen/kernel", "frozen/bias"}
    for name, leaf in leaves(state.frozen).items():
        np.testing.assert_array_equal(leaf, frozen[name])
    moments = [name for name in leaves(state.moments) if "frozen" in name]
    assert not moments
    assert any(name.endswith("up/kernel") for name in leaves(state.moments))


def test_moments_are_sharded_as_their_parameters():
    state, _ = after(1, mesh=MeshConfig(data=2, fsdp=2, tensor=2), devices=8)
    specs = {path_name(path): leaf.sharding.spec for path, leaf in jax.tree_util.tree_leaves_with_path(state)}
    kernels = {spec for name, spec in specs.items() if name.endswith("up/kernel")}
    assert kernels == {P("fsdp", "tensor")}


@pytest.mark.parametrize(
    ("path", "shape", "wanted"),
    [
        ("blocks/0/up/kernel", (4, 8), P("fsdp", "tensor")),
        ("blocks/0/up/kernel", (4, 7), P("fsdp")),
        ("blocks/0/up/kernel", (3, 8), P(None, ("tensor", "fsdp"))),  # fsdp has no place of its own
        ("blocks/0/up/kernel", (3, 7), P()),
        ("blocks/up/kernel", (5, 4, 8), P(None, "fsdp", "tensor")),  # blocks stacked for a scan
        ("blocks/0/qkv/lora_a", (8, 2), P("fsdp")),
        ("blocks/0/qkv/lora_b", (3, 8), P(None, ("tensor", "fsdp"))),
        ("blocks/0/qkv/bias", (8,), P("tensor")),
        ("language/token_embedding", (51, 8), P(None, "fsdp")),  # GPT-2's vocabulary is odd
        ("bridge/latents", (6, 8), P(None, "fsdp")),  # not in the table
        ("norm_query/bias", (8,), P()),
        ("step", (), P()),
    ],
)
def test_an_axis_that_does_not_fit_is_dropped_and_no_matrix_stays_whole(path, shape, wanted):
    assert spec_for(path, shape, make_mesh(MeshConfig(data=2, fsdp=2, tensor=2))) == wanted


def test_a_start_of_another_shape_or_name_is_refused():
    with pytest.raises(ValueError, match=r"up/kernel: found shape \(2, 2\), needed \(6, 8\)"):
        after(0, start={"up/kernel": np.zeros((2, 2), np.float32)})
    with pytest.raises(ValueError, match="nobody"):
        after(0, start={"nobody": np.zeros(1, np.float32)})


def test_a_model_taken_apart_and_put_together_computes_the_same():
    model = Pair(rngs=nnx.Rngs(1))
    batch = batch_of(0)
    before = model(batch["left"], batch["right"])[0]
    parts = take_apart(Pair(rngs=nnx.Rngs(1)), lambda path: path == "up/bias")
    assert isinstance(parts, Parts) and list(leaves(parts.learned)) == ["up/bias"]
    np.testing.assert_array_equal(put_together(parts)(batch["left"], batch["right"])[0], before)
