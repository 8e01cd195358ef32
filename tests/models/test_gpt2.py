"""GPT-2 against Hugging Face's on random weights, and what must hold for any weights."""

import dataclasses
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from distinctad_jax.checkpoints.published import load_gpt2
from distinctad_jax.checkpoints.weights import assemble, flat
from distinctad_jax.models import layers
from distinctad_jax.models.gpt2 import GPT2_PRESETS, Gpt2, Gpt2Config
from distinctad_jax.models.reconstructor import Reconstructor, ReconstructorConfig

GOLDEN = Path(__file__).parents[1] / "golden"
TOLERANCE = 1e-5


@pytest.fixture(scope="module")
def golden():
    return np.load(GOLDEN / "gpt2.npz")


@pytest.fixture(scope="module")
def model():
    return published()


def published(**changes):
    fields, params = load_gpt2(GOLDEN / "gpt2")
    config = dataclasses.replace(Gpt2Config(**fields), **changes)
    return assemble(lambda: Gpt2(config, rngs=nnx.Rngs(0)), flat(params), GOLDEN / "gpt2")


@partial(jax.jit, static_argnums=0)
def run(graph, state, embeddings, real, cache=None, key=None):
    model = nnx.merge(graph, state)
    hidden, cache = model(embeddings, real, cache=cache, key=key)
    return model.logits(hidden), cache


def logits(model, embeddings, real=None, *, key=None):
    real = jnp.ones(embeddings.shape[:2], bool) if real is None else real
    with jax.default_matmul_precision("highest"):
        return run(*nnx.split(model), embeddings, real, key=key)[0]


def stepwise(model, embeddings, real, steps):
    """Logits through a cache of 12 slots, given `steps` tokens at a time; and the cache."""
    cache, seen, start = model.new_cache(len(embeddings), 12), [], 0
    with jax.default_matmul_precision("highest"):
        for step in steps:
            new = slice(start, start + step)
            scores, cache = run(*nnx.split(model), embeddings[:, new], real[:, new], cache)
            seen.append(scores)
            start += step
    return jnp.concatenate(seen, axis=1), cache


def test_logits_of_ids_and_of_embeddings_equal_hugging_face(model, golden):
    ids = jnp.asarray(golden["ids"])
    np.testing.assert_allclose(logits(model, model.embed(ids)), golden["logits"], atol=TOLERANCE, rtol=0)
    got = logits(model, jnp.asarray(golden["embeddings"]))
    np.testing.assert_allclose(got, golden["logits_of_embeddings"], atol=TOLERANCE, rtol=0)


def test_left_padded_logits_equal_hugging_face(model, golden):
    real = jnp.asarray(golden["real"])
    got = logits(model, model.embed(jnp.asarray(golden["ids"])), real)
    np.testing.assert_allclose(got[real], golden["logits_padded"][golden["real"]], atol=TOLERANCE, rtol=0)


def test_cached_logits_equal_hugging_face(model, golden):
    embeddings = model.embed(jnp.asarray(golden["ids"]))
    got, _ = stepwise(model, embeddings, jnp.ones((3, 10), bool), [1] * 10)
    np.testing.assert_allclose(got, golden["logits_cached"], atol=TOLERANCE, rtol=0)


def test_golden_values_tell_a_wrong_epsilon(golden, monkeypatch):
    monkeypatch.setattr(layers, "EPSILON", 1e-6)
    other = published()
    moved = np.abs(logits(other, other.embed(jnp.asarray(golden["ids"]))) - golden["logits"]).max()
    assert moved > 10 * TOLERANCE


@pytest.mark.parametrize("activation", ["quick_gelu", "gelu"])
def test_golden_values_tell_a_wrong_activation(golden, activation):
    other = published()
    for block in other.blocks:
        block.mlp.activation = activation
    moved = np.abs(logits(other, other.embed(jnp.asarray(golden["ids"]))) - golden["logits"]).max()
    assert moved > 10 * TOLERANCE


@pytest.mark.parametrize("steps", [[6, 1, 1, 1, 1], [4, 6]])
def test_the_cache_equals_full_recomputation_with_padding_anywhere(model, golden, steps):
    real = jnp.asarray(golden["real"]).at[0, 4:6].set(False)  # in the middle too, after a prompt
    embeddings = jnp.asarray(golden["embeddings"])
    got, _ = stepwise(model, embeddings, real, steps)
    np.testing.assert_allclose(got[real], logits(model, embeddings, real)[real], atol=1e-6)


def test_a_token_does_not_see_what_follows(model, golden):
    embeddings = jnp.asarray(golden["embeddings"])
    slopes = jax.jit(jax.grad(lambda rows: logits(model, rows)[:, 4].sum()))(embeddings)
    seen = np.abs(slopes).sum(axis=-1) > 0
    np.testing.assert_array_equal(seen, np.broadcast_to(np.arange(10) <= 4, (3, 10)))


def test_padding_changes_no_token_wherever_it_stands_and_whatever_it_holds(model, golden):
    embeddings = jnp.asarray(golden["embeddings"])[:, :6]
    loud = jnp.full((3, 2, 32), 1e3)
    padded = jnp.concatenate([loud, embeddings[:, :3], loud, embeddings[:, 3:], loud], axis=1)
    real = jnp.array([[False] * 2 + [True] * 3 + [False] * 2 + [True] * 3 + [False] * 2] * 3)
    got = logits(model, padded, real)[real].reshape(3, 6, -1)
    np.testing.assert_allclose(got, logits(model, embeddings), atol=1e-6)


def test_a_row_of_padding_has_finite_slopes_and_none_of_its_own(model, golden):
    embeddings, real = jnp.asarray(golden["embeddings"]), jnp.ones((3, 10), bool).at[1].set(False)
    loss = lambda rows: jnp.where(real, (logits(model, rows, real) ** 2).sum(-1), 0).sum()  # noqa: E731
    slopes = jax.jit(jax.grad(loss))(embeddings)
    assert jnp.isfinite(slopes).all()
    np.testing.assert_array_equal(slopes[1], 0)


def test_cached_rows_can_be_reordered(model, golden):
    embeddings, real = jnp.asarray(golden["embeddings"])[:, :7], jnp.asarray(golden["real"])[:, :7]
    order = np.array([2, 0, 0])
    _, cache = stepwise(model, embeddings[:, :6], real[:, :6], [6])
    expected, _ = run(*nnx.split(model), embeddings[:, 6:], real[:, 6:], cache)
    got, _ = run(*nnx.split(model), embeddings[order, 6:], real[order, 6:], cache.rows(jnp.asarray(order)))
    np.testing.assert_allclose(got, expected[order], atol=1e-6)


def test_the_cache_goes_through_a_loop(model, golden):
    graph, state = nnx.split(model)

    @jax.jit
    def loop(state, embeddings):
        language = nnx.merge(graph, state)

        def step(cache, token):
            hidden, cache = language(token[:, None], jnp.ones((3, 1), bool), cache=cache)
            return cache, language.logits(hidden[:, 0])

        return jax.lax.scan(step, language.new_cache(3, 10), embeddings.swapaxes(0, 1))[1].swapaxes(0, 1)

    got = loop(state, jnp.asarray(golden["embeddings"]))
    np.testing.assert_allclose(got, golden["logits_of_embeddings"], atol=1e-5)


def test_dropout_needs_a_key_and_follows_it(golden):
    model = published(dropout=0.5)
    embeddings = jnp.asarray(golden["embeddings"])
    np.testing.assert_allclose(logits(model, embeddings), golden["logits_of_embeddings"], atol=TOLERANCE)
    one, same, other = (logits(model, embeddings, key=jax.random.key(seed)) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, same)
    assert jnp.abs(one - other).max() > 0.01


def test_recomputing_blocks_changes_no_slope(golden):
    embeddings = jnp.asarray(golden["embeddings"])
    slopes = []
    for remat in (False, True):
        model = published(remat=remat)
        loss = lambda rows, model=model: (logits(model, rows) ** 2).sum()  # noqa: E731
        slopes.append(jax.jit(jax.grad(loss))(embeddings))
    np.testing.assert_allclose(slopes[0], slopes[1], atol=1e-4)  # of values up to 10


def test_bfloat16_stays_close_and_scores_in_float32(golden):
    model = published(dtype="bfloat16")
    got = logits(model, model.embed(jnp.asarray(golden["ids"])))
    assert got.dtype == jnp.float32
    assert np.abs(got - golden["logits"]).max() < 0.05  # of values up to 0.7


@pytest.mark.parametrize(("name", "count"), [("gpt2", 124_439_808), ("gpt2-medium", 354_823_168)])
def test_presets_have_the_published_number_of_parameters(name, count):
    abstract = nnx.eval_shape(lambda: Gpt2(GPT2_PRESETS[name], rngs=nnx.Rngs(0)))
    assert sum(leaf.size for leaf in jax.tree.leaves(nnx.state(abstract, nnx.Param))) == count


def test_more_tokens_than_room_are_refused(model):
    with pytest.raises(ValueError, match="at most 24"):
        model(jnp.zeros((1, 25, 32)), jnp.ones((1, 25), bool))
    with pytest.raises(ValueError, match="at most 4"):
        model(jnp.zeros((1, 5, 32)), jnp.ones((1, 5), bool), cache=model.new_cache(1, 4))
    with pytest.raises(ValueError, match=r"1\.\.24"):
        model.new_cache(1, 25)


@pytest.mark.parametrize("changes", [{"vocab": 0}, {"heads": 3}, {"dropout": 1.0}, {"dtype": "half"}])
def test_impossible_sizes_are_refused(changes):
    with pytest.raises(ValueError, match="got"):
        dataclasses.replace(GPT2_PRESETS["tiny"], **changes)


def test_the_probe_scores_each_word_from_what_stands_before_it():
    config = ReconstructorConfig(8, GPT2_PRESETS["tiny"], prefix=4)
    graph, state = nnx.split(Reconstructor(config, rngs=nnx.Rngs(0)))
    probe = jax.jit(lambda *inputs: nnx.merge(graph, state)(*inputs))
    vector, ids, real = jnp.arange(1.0, 17).reshape(2, 8), jnp.arange(10).reshape(2, 5), jnp.ones((2, 5), bool)
    scores = probe(vector, ids, real)
    for place in range(5):
        changed = probe(vector, ids.at[:, place].set(99), real)
        moved = np.abs(np.asarray(changed - scores)).max(axis=(0, 2)) > 0
        np.testing.assert_array_equal(moved, np.arange(5) > place)
    np.testing.assert_allclose(probe(3 * vector, ids, real), scores, atol=1e-5)  # direction alone counts
    assert np.abs(np.asarray(probe(vector[::-1], ids, real) - scores))[:, 0].max() > 0
    slopes = jax.jit(jax.grad(lambda rows: probe(rows, ids, real).sum()))(jnp.zeros((2, 8)))
    assert jnp.isfinite(slopes).all()
    with pytest.raises(ValueError, match="prefix"):
        ReconstructorConfig(8, GPT2_PRESETS["tiny"], prefix=64)
