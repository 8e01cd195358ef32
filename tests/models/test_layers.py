"""The parts that every model shares, against what they are written to compute."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from distinctad_jax.models.layers import (
    ACTIVATIONS,
    Block,
    BlockConfig,
    CrossAttention,
    Mlp,
    attend,
    dropout,
    run_blocks,
    settled,
)
from distinctad_jax.models.linear import Linear, LoraConfig, affine


def test_a_low_rank_update_starts_as_nothing_and_can_learn():
    plain, updated = (Linear(6, 9, lora=LoraConfig(rank, alpha=2.0), rngs=nnx.Rngs(0)) for rank in (0, 2))
    tokens = jnp.arange(12.0).reshape(2, 6) / 12
    np.testing.assert_array_equal(updated(tokens), plain(tokens))
    graph, state = nnx.split(updated)
    slopes = jax.jit(jax.grad(lambda state: (nnx.merge(graph, state)(tokens) ** 2).sum()))(state)
    assert jnp.abs(slopes["lora_b"][...]).max() > 0
    updated.lora_b[...] = jnp.ones((2, 9))
    expected = plain(tokens) + (tokens @ updated.lora_a[...]).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(updated(tokens), expected, atol=1e-5)


@pytest.mark.parametrize(("inputs", "outputs"), [(3, 8), (8, 3)])
def test_slopes_of_an_affine_map_are_those_of_calculus(inputs, outputs):
    rng = np.random.default_rng(0)
    tokens, kernel, bias, slopes = (
        rng.normal(size=shape) for shape in ((2, 5, inputs), (inputs, outputs), (outputs,), (2, 5, outputs))
    )
    mapped, back = jax.vjp(affine, *map(jnp.float32, (tokens, kernel, bias)))
    np.testing.assert_allclose(mapped, tokens @ kernel + bias, atol=1e-5)
    rows, upstream = tokens.reshape(10, inputs), slopes.reshape(10, outputs)
    expected = (slopes @ kernel.T, rows.T @ upstream, upstream.sum(axis=0))
    for found, wanted in zip(back(jnp.float32(slopes)), expected, strict=True):
        assert found.shape == wanted.shape
        np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_a_query_with_nothing_to_see_gets_zeros_and_finite_slopes():
    rows = jax.random.normal(jax.random.key(0), (1, 2, 1, 4))
    mask = jnp.array([[[True, False], [False, False]]])
    seen = jax.jit(attend)(rows, rows, rows, mask)
    np.testing.assert_allclose(seen[0, 0], rows[0, 0], rtol=1e-6)
    np.testing.assert_array_equal(seen[0, 1], 0)
    slopes = jax.jit(jax.grad(lambda rows: (attend(rows, rows, rows, mask) ** 2).sum()))(rows)
    assert jnp.isfinite(slopes).all()


def test_activations_are_the_three_published_ones():
    values = {name: float(function(jnp.asarray(1.0))) for name, function in ACTIVATIONS.items()}
    expected = {"quick_gelu": 0.8457958, "gelu": 0.8413447, "gelu_tanh": 0.8411920}
    assert values == pytest.approx(expected, abs=1e-6)


def test_cross_attention_looks_at_allowed_tokens_of_another_width_only():
    attention = CrossAttention(8, 2, context_width=5, bias=False, stddev=0.5, stddev_out=0.5, rngs=nnx.Rngs(0))
    assert attention.query.bias is None
    tokens, context = (
        jax.random.normal(jax.random.key(seed), shape) for seed, shape in enumerate([(2, 3, 8), (2, 4, 5)])
    )
    mask = jnp.array([[[True, True, False, False]], [[True, True, True, True]]])
    graph, state = nnx.split(attention)
    run = jax.jit(lambda *inputs: nnx.merge(graph, state)(*inputs))
    got = run(tokens, context, mask)
    loud = context.at[0, 2:].set(1e3)
    np.testing.assert_array_equal(run(tokens, loud, mask), got)
    order = jnp.array([1, 0, 3, 2])  # of the keys, which have no places of their own
    np.testing.assert_allclose(run(tokens, context[:, order], mask), got, atol=1e-5)
    assert np.abs(run(tokens, context, jnp.ones_like(mask)) - got)[0].max() > 1e-3


def test_attention_equals_the_formula():
    queries, keys, values = np.random.default_rng(0).standard_normal((3, 2, 5, 3, 4)).astype(np.float32)
    got = jax.jit(attend)(queries, keys, values)
    logits = np.einsum("bqhd,bkhd->bhqk", queries, keys) / 2
    weights = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    np.testing.assert_allclose(got, np.einsum("bhqk,bkhd->bqhd", weights, values), atol=1e-5)


def test_dropout_keeps_the_mean_and_nothing_happens_without_a_key():
    values = jnp.ones(10_000)
    dropped = dropout(values, 0.25, jax.random.key(0))
    np.testing.assert_allclose(np.unique(dropped), [0, 4 / 3], rtol=1e-6)
    assert float(dropped.mean()) == pytest.approx(1, abs=0.03)
    assert dropout(values, 0.25, None) is values


def test_an_mlp_can_end_in_another_width_and_start_at_zero():
    mlp = Mlp(4, 6, outputs=3, activation="gelu", stddev_out=0.0, rngs=nnx.Rngs(0))
    np.testing.assert_array_equal(mlp(jnp.ones((2, 4))), np.zeros((2, 3)))
    with pytest.raises(ValueError, match="got 'relu'"):
        Mlp(4, 6, activation="relu", rngs=nnx.Rngs(0))


@pytest.mark.parametrize(("width", "heads"), [(8, 3), (0, 1), (8, 0)])
def test_heads_must_divide_the_width(width, heads):
    with pytest.raises(ValueError, match="multiple of heads"):
        BlockConfig(width, heads)


def test_settled_tokens_and_their_slopes_keep_every_bit():
    tokens = jax.random.normal(jax.random.key(0), (50, 7)) * 1e-30
    slopes = jax.random.normal(jax.random.key(1), (50, 7)) * 10.0 ** jnp.arange(-38, 12)[:, None]
    settle = jax.jit(lambda tokens, slopes: jax.vjp(settled, tokens)[1](slopes)[0])
    assert settled(tokens).tobytes() == tokens.tobytes()
    assert settle(tokens, slopes).tobytes() == slopes.tobytes()


def test_a_cpu_computes_the_slope_of_the_residual_stream_once():
    def additions(depth):
        graph, state = nnx.split(nnx.List([Block(BlockConfig(8, 2), rngs=nnx.Rngs(0)) for _ in range(depth)]))
        slope = jax.grad(lambda state, tokens: (run_blocks(nnx.merge(graph, state), tokens) ** 2).sum())
        return jax.jit(slope).lower(state, jnp.ones((2, 3, 8))).compile().as_text().count("add(")

    assert additions(6) < 2.3 * additions(3)  # 3.2 times as many if each block sums up all that stands behind it
