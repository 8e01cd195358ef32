"""EM attention against its equations in float64, and what must hold whatever the weights."""

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


def made(seed=0, zero=False, **changes):
    """A module whose output maps are not zero any more, unless `zero`."""
    module = ContextualEMAttention(dataclasses.replace(CONFIG, **changes), rngs=nnx.Rngs(seed))
    if zero:
        return module
    for path, param in nnx.iter_graph(module):
        if isinstance(param, nnx.Param) and not param[...].any():
            param[...] = 0.3 * jax.random.normal(jax.random.key(len(str(path))), param.shape)
    return module


@nnx.jit(static_argnames="train")
def attend(module, tokens, real, train=False):
    return module(tokens, real, train=train)


@pytest.fixture
def tokens():
    return jax.random.normal(jax.random.key(1), (BATCH, CLIPS, TOKENS, WIDTH)) + 0.5


@pytest.fixture
def real():
    """A padding clip, and a padding token in a real clip."""
    return jnp.ones((BATCH, CLIPS, TOKENS), bool).at[1, 3].set(False).at[0, 2, 1].set(False)


def normed(x):
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)


def unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def restated(module, tokens, real):
    """Section 1.4 of the method, window by window: outputs, responsibilities, bases and reconstructions."""
    config, found = module.config, []
    weights = {"/".join(map(str, path)): np.asarray(value, np.float64) for path, value in leaves(module)}
    for window, kept in zip(np.asarray(tokens, np.float64), np.asarray(real), strict=True):
        flat, kept = window.reshape(-1, WIDTH), kept.reshape(-1)
        x = normed(flat)
        if config.gradient == "unroll":
            x = (x * weights["norm_in/scale"] + weights["norm_in/bias"]) @ weights["into/kernel"]
        if config.init == "data":
            there = np.flatnonzero(kept)
            mu = unit(x[[there[k * len(there) // config.bases] for k in range(config.bases)]])
        else:
            mu = unit(weights["learned_bases" if config.init == "learned" else "moving_bases"])
        for _ in range(config.rounds):
            odds = np.exp(config.temperature * x @ mu.T)
            z = odds / odds.sum(axis=1, keepdims=True) * kept[:, None]
            mu = unit(z.T @ x / (z.sum(axis=0)[:, None] + 1e-12))
        common = z @ mu
        told = np.zeros_like(flat)
        if "recon" in config.fusion:
            told += common @ weights["out_common/kernel"]
        if config.fusion in ("add", "residual"):
            sign = 1 if config.fusion == "add" else -1
            told += (flat + sign * config.beta * common) @ weights["out_common/kernel"]
        if "xattn" in config.fusion:
            told += cross_attention(weights, flat, mu, config.heads)
        out = np.where(kept[:, None], flat + told, flat)
        found.append((out.reshape(window.shape), z, mu, common))
    return [np.stack(part) for part in zip(*found, strict=True)]


def leaves(module):
    return nnx.to_flat_state(nnx.state(module))


def cross_attention(weights, flat, mu, heads):
    depth = WIDTH // heads
    query = normed(flat) * weights["norm_query/scale"] + weights["norm_query/bias"]
    query = (query @ weights["ask_bases/query/kernel"]).reshape(-1, heads, depth)
    fused = (mu @ weights["ask_bases/key_value/kernel"]).reshape(-1, heads, 2, depth)
    joined = np.zeros((len(flat), heads, depth))
    for head in range(heads):
        odds = np.exp(query[:, head] @ fused[:, head, 0].T / np.sqrt(depth))
        joined[:, head] = odds / odds.sum(axis=1, keepdims=True) @ fused[:, head, 1]
    return joined.reshape(len(flat), WIDTH) @ weights["ask_bases/out/kernel"]


CASES = [
    {"fusion": "recon"},
    {"fusion": "add", "beta": 1.5, "gradient": "unroll"},
    {"fusion": "residual", "beta": 0.5},
    {"fusion": "xattn", "init": "buffer"},
    {"fusion": "recon+xattn", "init": "data", "gradient": "unroll"},
    {"fusion": "recon+xattn", "init": "buffer", "temperature": 4.0, "rounds": 1},
]


@pytest.mark.parametrize("changes", CASES, ids=lambda changes: "-".join(map(str, changes.values())))
def test_it_equals_its_equations(tokens, real, changes):
    module = made(**changes)
    got = attend(module, tokens, real)
    out, shares, bases, common = restated(module, tokens, real)
    np.testing.assert_allclose(got.tokens, out, atol=3e-5)
    np.testing.assert_allclose(got.responsibilities.reshape(shares.shape), shares, atol=1e-5)
    np.testing.assert_allclose(got.bases, bases, atol=1e-5)
    np.testing.assert_allclose(got.common.reshape(common.shape), common, atol=1e-5)


@pytest.mark.parametrize("fusion", FUSIONS[1:])
def test_at_first_nothing_is_changed(tokens, real, fusion):
    np.testing.assert_array_equal(attend(made(fusion=fusion, zero=True), tokens, real).tokens, tokens)


@pytest.mark.parametrize("init", INITS)
def test_shares_sum_to_one_and_padding_claims_no_basis(tokens, real, init):
    output = attend(made(init=init), tokens, real)
    np.testing.assert_allclose(output.responsibilities.sum(-1), real, atol=1e-6)
    assert not output.common[~real].any()
    np.testing.assert_array_equal(output.tokens[~real], tokens[~real])


@pytest.mark.parametrize("init", INITS)
def test_padding_changes_no_neighbour(tokens, real, init):
    module = made(init=init)
    plain = attend(module, tokens[:, :3], real[:, :3])
    padding = jnp.full_like(tokens[:, :1], 1e3)
    longer = attend(
        module,
        jnp.concatenate([padding, tokens[:, :3], padding], axis=1),
        jnp.pad(real[:, :3], ((0, 0), (1, 1), (0, 0))),
    )
    np.testing.assert_allclose(longer.tokens[:, 1:4], plain.tokens, atol=1e-5)
    np.testing.assert_allclose(longer.bases, plain.bases, atol=1e-5)


@pytest.mark.parametrize("init", ["learned", "buffer"])
def test_the_order_of_the_clips_does_not_matter(tokens, real, init):
    module, order = made(init=init), np.array([2, 0, 3, 1])
    expected = attend(module, tokens, real).tokens[:, order]
    np.testing.assert_allclose(attend(module, tokens[:, order], real[:, order]).tokens, expected, atol=1e-5)


def test_one_basis_is_one_direction_for_all(tokens, real):
    output = attend(made(bases=1), tokens, real)
    np.testing.assert_allclose(jnp.linalg.norm(output.bases, axis=-1), 1, rtol=1e-6)
    expected = jnp.broadcast_to(output.bases[:, 0][:, None, None], tokens.shape)
    np.testing.assert_allclose(output.common[real], expected[real], atol=1e-6)


@pytest.mark.parametrize("fusion", FUSIONS[1:])
def test_identical_clips_stay_identical(tokens, fusion):
    """What is left of them after the common part carries nothing that tells them apart."""
    alike = jnp.broadcast_to(tokens[:, :1], tokens.shape)
    output = attend(made(fusion=fusion), alike, jnp.ones((BATCH, CLIPS, TOKENS), bool)).tokens
    np.testing.assert_allclose(output, jnp.broadcast_to(output[:, :1], output.shape), atol=1e-5)


def test_training_moves_the_buffer_by_a_tenth_of_the_way(tokens, real):
    module = made(init="buffer")
    old = module.moving_bases[...]
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
    attend(mixed, tokens, real.at[1].set(False), train=True)
    attend(alone, tokens[:1], real[:1], train=True)
    np.testing.assert_allclose(mixed.moving_bases[...], alone.moving_bases[...], atol=1e-7)
    old = np.asarray(none.moving_bases[...])
    attend(none, tokens, jnp.zeros_like(real), train=True)
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

    nothing = slopes(params, tokens.at[0].set(0.0), jnp.zeros((BATCH, CLIPS, TOKENS), bool))
    assert all(not leaf.any() for leaf in jax.tree.leaves(nothing))
    some = slopes(params, tokens.at[0].set(0.0), jnp.ones((BATCH, CLIPS, TOKENS), bool).at[1].set(False))
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(some))


def test_where_gradients_go(tokens, real):
    def slopes(**changes):
        graph, params, rest = nnx.split(made(fusion="recon", **changes), nnx.Param, ...)

        def loss(params, tokens):
            return jnp.sum(jnp.sin(nnx.merge(graph, params, rest)(tokens, real, train=False).tokens - tokens))

        return jax.jit(jax.grad(loss, argnums=(0, 1)))(params, tokens)

    params, seen = slopes(gradient="stop", init="buffer")
    assert set(params) == {"out_common"} and not seen.any()  # only the map from what was found
    params, seen = slopes(gradient="stop", init="learned")
    assert params["learned_bases"][...].any() and not seen.any()
    params, seen = slopes(gradient="unroll", init="learned")
    assert seen.any() and all(leaf.any() for leaf in jax.tree.leaves(params))
    assert set(params) == {"out_common", "learned_bases", "norm_in", "into"}


def test_learned_bases_get_the_slope_of_the_last_round(tokens, real):
    """Passed straight through the rounds before it, then through the norm that the bases are read with."""
    tokens, real = tokens[:1], real[:1]
    graph, params, rest = nnx.split(made(fusion="recon", rounds=3), nnx.Param, ...)

    def loss(params):
        return jnp.sum(jnp.sin(nnx.merge(graph, params, rest)(tokens, real, train=False).common))

    got = jax.jit(jax.grad(loss))(params)["learned_bases"][...]
    x, kept = jnp.asarray(normed(np.asarray(tokens))).reshape(1, -1, WIDTH), real.reshape(1, -1)

    def last_round(bases):
        shares = log_shares(x, bases, 1.0)
        found = jnp.einsum("bsk,bkw->bsw", jnp.exp(shares), new_bases(x, kept, shares, bases))
        return jnp.sum(jnp.sin(jnp.where(kept[..., None], found, 0.0)))

    slope = jax.jit(jax.grad(last_round))(attend(made(fusion="recon", rounds=2), tokens, real).bases)[0]
    start = params["learned_bases"][...]
    length = jnp.linalg.norm(start, axis=-1, keepdims=True)
    along = jnp.sum(slope * start / length, axis=-1, keepdims=True) * start / length
    np.testing.assert_allclose(got, (slope - along) / length, atol=1e-4)


@pytest.mark.parametrize("temperature", [0.01, 100.0, 1e4])
def test_no_basis_dies(tokens, real, temperature):
    """Hard shares round to zero for a basis that is the best for no token."""
    output = attend(made(temperature=temperature, bases=24), tokens, real)
    np.testing.assert_allclose(jnp.linalg.norm(output.bases, axis=-1), 1, rtol=1e-5)


def test_inside_it_is_float32(tokens, real):
    module = made(init="buffer", dtype="bfloat16")
    output = attend(module, tokens.astype(jnp.bfloat16), real, train=True)
    exact = attend(made(init="buffer"), tokens.astype(jnp.bfloat16).astype(jnp.float32), real)
    assert output.tokens.dtype == jnp.bfloat16 and output.bases.dtype == jnp.float32
    np.testing.assert_allclose(output.bases, exact.bases, atol=1e-6)
    np.testing.assert_allclose(output.tokens.astype(jnp.float32), exact.tokens, atol=0.1)
    assert module.moving_bases[...].dtype == jnp.float32


def test_diagnostics_know_the_extremes():
    alike = jnp.broadcast_to(jnp.array([1.0, -1, 2, 0, 0, 1, -2, 0]), (BATCH, CLIPS, TOKENS, WIDTH))
    real = jnp.ones((BATCH, CLIPS, TOKENS), bool)
    seen = diagnostics(alike, real, attend(made(bases=1), alike, real))
    np.testing.assert_allclose(seen["clip_similarity_before"], 1, rtol=1e-6)
    np.testing.assert_allclose(seen["reconstruction_error"], 0, atol=1e-6)
    np.testing.assert_allclose(seen["base_usage_entropy"], 0, atol=1e-6)
    crossed = jnp.zeros((1, 2, 1, WIDTH)).at[0, 0, 0, 0].set(1.0).at[0, 1, 0, 1].set(-3.0)
    assert clip_similarity(crossed, real[:1, :2, :1]) == 0
    even = attend(made(temperature=1e-6), alike, real)
    np.testing.assert_allclose(diagnostics(alike, real, even)["base_usage_entropy"], np.log(5), rtol=1e-5)
    nothing = diagnostics(alike, ~real, attend(made(), alike, ~real))
    assert all(value == 0 for value in nothing.values())


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
