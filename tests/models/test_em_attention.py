"""What must hold of EM attention whatever the weights; test_em_attention_restated.py holds its equations."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from distinctad_jax.models.em_attention import (
    FUSIONS,
    INITS,
    ContextualEMAttention,
    EMAttentionConfig,
    MovingAverage,
    clip_similarity,
    diagnostics,
    log_shares,
    new_bases,
)

BATCH, CLIPS, TOKENS, WIDTH = 2, 4, 3, 8
CONFIG = EMAttentionConfig(WIDTH, bases=5, rounds=3, heads=2, init="learned")


def made(**changes):
    """A module with no weight near zero, so that each matters; drawn by NumPy, which need not be compiled."""
    config = dataclasses.replace(CONFIG, **changes)
    graph, state = nnx.split(nnx.eval_shape(lambda: ContextualEMAttention(config, rngs=nnx.Rngs(0))))
    numbers = np.random.default_rng(0)

    def drawn(path, like):
        return jnp.asarray(0.3 * numbers.normal(size=like.shape) + ("scale" in str(path)), jnp.float32)

    return nnx.merge(graph, jax.tree.map_with_path(drawn, state))


@nnx.jit(static_argnames="train")
def run(module, tokens, real, train):
    return module(tokens, real, train=train)


def attend(module, tokens, real, train=False):
    return jax.tree.map(np.asarray, run(module, tokens, real, train))


@pytest.fixture
def tokens():
    return (0.5 + np.random.default_rng(1).normal(size=(BATCH, CLIPS, TOKENS, WIDTH))).astype(np.float32)


@pytest.fixture
def real():
    """A padding clip, and a padding token in a real clip."""
    real = np.ones((BATCH, CLIPS, TOKENS), bool)
    real[1, 3] = real[0, 2, 1] = False
    return real


def normed(x):
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)


@pytest.mark.parametrize("fusion", FUSIONS[1:])
def test_at_first_nothing_is_changed(tokens, real, fusion):
    module = ContextualEMAttention(dataclasses.replace(CONFIG, fusion=fusion), rngs=nnx.Rngs(0))
    last = [module.out_common.kernel] if fusion != "xattn" else []
    last += [module.ask_bases.out.kernel] if "xattn" in fusion else []
    assert not any(np.any(kernel[...]) for kernel in last)
    if fusion in ("residual", "recon+xattn"):
        np.testing.assert_array_equal(attend(module, tokens, real).tokens, tokens)


@pytest.mark.parametrize("init", INITS)
def test_shares_sum_to_one_and_padding_claims_no_basis(tokens, real, init):
    output = attend(made(init=init), tokens, real)
    np.testing.assert_allclose(output.responsibilities.sum(-1), real, atol=1e-6)
    assert not output.common[~real].any()
    np.testing.assert_array_equal(output.tokens[~real], tokens[~real])


@pytest.mark.parametrize("init", INITS)
def test_padding_changes_no_neighbour(tokens, real, init):
    """Two real clips, with the padding behind them, and with loud padding around them."""
    module, there = made(init=init), real[:, :2]
    behind = attend(module, tokens, np.pad(there, ((0, 0), (0, 2), (0, 0))))
    tokens = np.pad(tokens[:, :2], ((0, 0), (1, 1), (0, 0), (0, 0)), constant_values=1e3)
    around = attend(module, tokens, np.pad(there, ((0, 0), (1, 1), (0, 0))))
    np.testing.assert_allclose(around.tokens[:, 1:3], behind.tokens[:, :2], atol=1e-5)
    np.testing.assert_allclose(around.bases, behind.bases, atol=1e-5)


@pytest.mark.parametrize("init", ["learned", "buffer"])
def test_the_order_of_the_clips_does_not_matter(tokens, real, init):
    module, order = made(init=init), np.array([2, 0, 3, 1])
    expected = attend(module, tokens, real).tokens[:, order]
    np.testing.assert_allclose(attend(module, tokens[:, order], real[:, order]).tokens, expected, atol=1e-5)


def test_one_basis_is_one_direction_for_all(tokens, real):
    output = attend(made(bases=1), tokens, real)
    np.testing.assert_allclose(np.linalg.norm(output.bases, axis=-1), 1, rtol=1e-6)
    expected = np.broadcast_to(output.bases[:, 0][:, None, None], tokens.shape)
    np.testing.assert_allclose(output.common[real], expected[real], atol=1e-6)


@pytest.mark.parametrize("fusion", ["residual", "recon+xattn"])
def test_identical_clips_stay_identical(tokens, fusion):
    """What is left of them after the common part carries nothing that tells them apart."""
    alike = np.repeat(tokens[:, :1], CLIPS, axis=1)
    output = attend(made(fusion=fusion), alike, np.ones((BATCH, CLIPS, TOKENS), bool)).tokens
    np.testing.assert_allclose(output, np.repeat(output[:, :1], CLIPS, axis=1), atol=1e-5)


def test_training_moves_the_buffer_by_a_tenth_of_the_way(tokens, real):
    module = made(init="buffer")
    old = np.asarray(module.moving_bases[...])
    output = attend(module, tokens, real, train=True)
    expected = 0.9 * old + 0.1 * output.bases.mean(axis=0)
    np.testing.assert_allclose(module.moving_bases[...], expected, atol=1e-6)
    # What it was when the step began is what the step used.
    before = made(init="buffer")
    np.testing.assert_array_equal(attend(before, tokens, real).tokens, output.tokens)


def test_evaluation_never_moves_the_buffer(tokens, real):
    module = made(init="buffer")
    old = np.asarray(module.moving_bases[...])
    for _ in range(2):
        attend(module, tokens, real, train=False)
    np.testing.assert_array_equal(module.moving_bases[...], old)


def test_windows_of_padding_have_no_say_in_the_buffer(tokens, real):
    mixed, alone, none = made(init="buffer"), made(init="buffer"), made(init="buffer")
    attend(mixed, tokens, real & (np.arange(BATCH) == 0)[:, None, None], train=True)
    attend(alone, tokens[[0, 0]], real[[0, 0]], train=True)
    np.testing.assert_allclose(mixed.moving_bases[...], alone.moving_bases[...], atol=1e-7)
    old = np.asarray(none.moving_bases[...])
    attend(none, tokens, np.zeros_like(real), train=True)
    np.testing.assert_array_equal(none.moving_bases[...], old)


def test_the_buffer_is_no_parameter():
    """So no optimiser decays it and no freeze rule names it; only init "buffer" has one."""
    for init in INITS:
        params = nnx.state(made(init=init), nnx.Param)
        assert ("learned_bases" in params) == (init == "learned")
        assert bool(jax.tree.leaves(nnx.state(made(init=init), MovingAverage))) == (init == "buffer")
        assert "moving_bases" not in params


@pytest.mark.parametrize(("init", "gradient"), [("buffer", "stop"), ("learned", "unroll"), ("data", "unroll")])
def test_a_window_of_padding_has_zero_slope_not_nan(tokens, init, gradient):
    module = made(init=init, gradient=gradient)
    graph, params, rest = nnx.split(module, nnx.Param, ...)

    @jax.jit
    def slopes(params, tokens, real):
        def loss(params, tokens):
            output = nnx.merge(graph, params, rest)(tokens, real, train=False)
            # Tokens of padding pass through; what is added to them and what is found in them must be nothing.
            return jnp.sum((output.tokens - tokens) ** 2) + jnp.sum(output.common) + jnp.sum(output.error)

        return jax.grad(loss, argnums=(0, 1))(params, tokens)

    tokens[0] = 0.0
    nothing = slopes(params, tokens, np.zeros((BATCH, CLIPS, TOKENS), bool))
    assert all(not np.any(leaf) for leaf in jax.tree.leaves(nothing))
    some = slopes(params, tokens, np.repeat([[[True]], [[False]]], CLIPS * TOKENS).reshape(BATCH, CLIPS, TOKENS))
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(some))


def test_where_gradients_go(tokens, real):
    def slopes(**changes):
        graph, params, rest = nnx.split(made(fusion="recon", **changes), nnx.Param, ...)

        def loss(params, tokens):
            output = nnx.merge(graph, params, rest)(tokens, jnp.asarray(real), train=False)
            return jnp.sum(jnp.sin(output.tokens - tokens))

        return jax.tree.map(np.asarray, jax.jit(jax.grad(loss, argnums=(0, 1)))(params, tokens))

    params, seen = slopes(gradient="stop", init="buffer")
    assert set(params) == {"out_common"} and not seen.any()  # only the map from what was found
    params, seen = slopes(gradient="stop", init="learned")
    assert params["learned_bases"][...].any() and not seen.any()
    params, seen = slopes(gradient="unroll", init="learned")
    assert seen.any() and all(leaf.any() for leaf in jax.tree.leaves(params))
    assert set(params) == {"out_common", "learned_bases", "norm_in", "into"}


def test_learned_bases_get_the_slope_of_the_last_round(tokens, real):
    """Passed straight through the rounds before it, then through the norm that the bases are read with."""
    tokens, real = jnp.asarray(tokens), jnp.asarray(real)
    graph, params, rest = nnx.split(made(fusion="recon", rounds=3), nnx.Param, ...)

    def loss(params):
        return jnp.sum(jnp.sin(nnx.merge(graph, params, rest)(tokens, real, train=False).common))

    got = jax.jit(jax.grad(loss))(params)["learned_bases"][...]
    x, kept = normed(np.asarray(tokens)).reshape(BATCH, -1, WIDTH), real.reshape(BATCH, -1)

    def last_round(bases):
        shares = log_shares(jnp.asarray(x), bases, 1.0)
        found = jnp.einsum("bsk,bkw->bsw", jnp.exp(shares), new_bases(jnp.asarray(x), kept, shares, bases))
        return jnp.sum(jnp.sin(jnp.where(kept[..., None], found, 0.0)))

    slope = jax.jit(jax.grad(last_round))(attend(made(fusion="recon", rounds=2), tokens, real).bases)
    slope, start = np.asarray(slope).sum(axis=0), np.asarray(params["learned_bases"][...])
    length = np.linalg.norm(start, axis=-1, keepdims=True)
    along = np.sum(slope * start / length, axis=-1, keepdims=True) * start / length
    np.testing.assert_allclose(got, (slope - along) / length, atol=1e-4)


@pytest.mark.parametrize("temperature", [0.01, 1e4])
def test_no_basis_dies(tokens, real, temperature):
    """Hard shares round to zero for a basis that is the best for no token."""
    output = attend(made(temperature=temperature, bases=24, fusion="recon"), tokens, real)
    np.testing.assert_allclose(np.linalg.norm(output.bases, axis=-1), 1, rtol=1e-5)


def test_inside_it_is_float32(tokens, real):
    module = made(init="buffer", dtype="bfloat16")
    half = tokens.astype(jnp.bfloat16)
    output = attend(module, half, real, train=True)
    exact = attend(made(init="buffer"), half.astype(np.float32), real)
    assert output.tokens.dtype == jnp.bfloat16 and output.bases.dtype == np.float32
    np.testing.assert_allclose(output.bases, exact.bases, atol=1e-6)
    np.testing.assert_allclose(output.tokens.astype(np.float32), exact.tokens, atol=0.1)
    assert module.moving_bases[...].dtype == jnp.float32


def test_diagnostics_know_the_extremes():
    alike = np.broadcast_to(np.float32([1, -1, 2, 0, 0, 1, -2, 0]), (BATCH, CLIPS, TOKENS, WIDTH))
    real, watch = np.ones((BATCH, CLIPS, TOKENS), bool), jax.jit(diagnostics)
    seen = watch(alike, real, attend(made(bases=1), alike, real))
    assert all(value.shape == (BATCH,) for value in seen.values())
    np.testing.assert_allclose(seen["clip_similarity_before"], 1, rtol=1e-6)
    np.testing.assert_allclose(seen["reconstruction_error"], 0, atol=1e-6)
    np.testing.assert_allclose(seen["base_usage_entropy"], 0, atol=1e-6)
    assert not seen["base_similarity"].any()  # one is no pair
    even = watch(alike, real, attend(made(temperature=1e-6, fusion="recon"), alike, real))
    np.testing.assert_allclose(even["base_usage_entropy"], np.log(5), rtol=1e-5)
    np.testing.assert_allclose(even["base_similarity"], 1, rtol=1e-5)  # all are the one direction there is
    nothing = watch(alike, ~real, attend(made(), alike, ~real))
    assert not any(value.any() for value in nothing.values())


def test_base_similarity_is_the_mean_cosine_of_pairs(tokens, real):
    output = attend(made(), tokens, real)
    bases = np.asarray(output.bases[0])
    cosines = [bases[k] @ bases[m] for k in range(len(bases)) for m in range(len(bases)) if k != m]
    np.testing.assert_allclose(
        jax.jit(diagnostics)(tokens, real, output)["base_similarity"][0], np.mean(cosines), atol=1e-6
    )


def test_clip_similarity_is_of_pairs_of_real_clips():
    crossed = np.zeros((1, 3, 1, 2), np.float32)
    crossed[0, :, 0] = [[1, 0], [0, -3], [5, 5]]
    real = np.array([[[True], [True], [False]]])
    measure = jax.jit(clip_similarity)
    assert measure(crossed, real) == 0
    np.testing.assert_allclose(measure(crossed, ~real | real), (0 + 0.5**0.5 - 0.5**0.5) / 3, atol=1e-6)
    assert measure(crossed, real & (np.arange(3) == 0)[:, None]) == 0  # one clip is no pair


@pytest.mark.parametrize(
    "wrong",
    [
        {"temperature": 0.0},
        {"rounds": 0},
        {"bases": 0},
        {"init": "zeros"},
        {"gradient": "some"},
        {"fusion": "sum"},
        {"momentum": 1.5},
        {"heads": 3},
        {"fusion": "none"},
    ],
)
def test_switches_that_cannot_work_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        made(**wrong)
