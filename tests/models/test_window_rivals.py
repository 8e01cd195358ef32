"""The rivals of EM attention: what they compute, that padding stays out, and that the comparison is fair."""

import importlib.util

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from places import REPOSITORY

from distinctad_jax.models.em_attention import RIVALS, ContextualEMAttention, EMAttentionConfig
from distinctad_jax.models.window_rivals import WindowAverage, WindowSelfAttention, window_rival
from distinctad_jax.recipes.plan import matrix_flops

CONFIG = EMAttentionConfig(8, heads=2, fusion="self_attention")
KINDS = {"average": WindowAverage, "self_attention": WindowSelfAttention}


def made(fusion):
    """A rival with no weight near zero."""
    config = EMAttentionConfig(8, heads=2, fusion=fusion)
    graph, state = nnx.split(nnx.eval_shape(lambda: window_rival(config, rngs=nnx.Rngs(0))))
    numbers = np.random.default_rng(0)

    def drawn(path, like):
        return jnp.asarray(0.3 * numbers.normal(size=like.shape) + ("scale" in str(path)), jnp.float32)

    return nnx.merge(graph, jax.tree.map_with_path(drawn, state))


@pytest.fixture
def tokens():
    return jnp.asarray(np.random.default_rng(1).normal(size=(2, 3, 2, 8)), jnp.float32)


@pytest.fixture
def real():
    real = np.ones((2, 3, 2), bool)
    real[1, 2] = real[0, 1, 1] = False
    return jnp.asarray(real)


def restated(module, tokens, real, fusion):
    weights = {
        "/".join(map(str, path)): np.asarray(value, np.float64)
        for path, value in nnx.to_flat_state(nnx.state(module))
    }
    out = np.array(tokens, np.float64)
    for window, kept in zip(out, np.asarray(real).reshape(len(real), -1), strict=True):
        flat = window.reshape(-1, 8)
        normed = (flat - flat.mean(-1, keepdims=True)) / np.sqrt(flat.var(-1, keepdims=True) + 1e-5)
        normed = normed * weights["norm/scale"] + weights["norm/bias"]
        if fusion == "average":
            told = np.repeat(normed[kept].mean(axis=0)[None], len(flat), axis=0)
        else:
            depth = 5
            fused = (normed @ weights["qkv/kernel"]).reshape(len(flat), 2, 3, depth)
            told = np.zeros((len(flat), 2, depth))
            for head in range(2):
                query, key, value = (fused[:, head, part] for part in range(3))
                odds = np.exp(query @ key.T / np.sqrt(depth)) * kept
                told[:, head] = odds / odds.sum(axis=1, keepdims=True) @ value
            told = told.reshape(len(flat), -1)
        flat[kept] += (told @ weights["out/kernel"])[kept]
        window[:] = flat.reshape(window.shape)
    return out


@pytest.mark.parametrize("fusion", RIVALS)
def test_a_rival_is_what_it_says(tokens, real, fusion):
    module = made(fusion)
    assert isinstance(module, KINDS[fusion])
    np.testing.assert_allclose(module(tokens, real), restated(module, tokens, real, fusion), atol=3e-5)


@pytest.mark.parametrize("fusion", RIVALS)
def test_padding_changes_nobody_and_a_window_of_padding_is_finite(tokens, real, fusion):
    module = made(fusion)
    other = jnp.where(real[..., None], tokens, 7.0)
    one, two = np.asarray(module(tokens, real)), np.asarray(module(other, real))
    kept = np.asarray(real)
    np.testing.assert_array_equal(one[kept], two[kept])
    np.testing.assert_array_equal(two[~kept], np.asarray(other)[~kept])
    assert np.isfinite(np.asarray(module(tokens, jnp.zeros_like(real)))).all()


@pytest.mark.parametrize("fusion", RIVALS)
def test_at_first_a_rival_changes_nothing(tokens, real, fusion):
    config = EMAttentionConfig(8, heads=2, fusion=fusion)
    np.testing.assert_array_equal(window_rival(config, rngs=nnx.Rngs(0))(tokens, real), tokens)


def test_em_attention_is_not_built_for_a_rival_and_no_rival_for_em_attention():
    with pytest.raises(ValueError, match="leave the module out"):
        ContextualEMAttention(CONFIG, rngs=nnx.Rngs(0))
    assert window_rival(EMAttentionConfig(8, heads=2), rngs=nnx.Rngs(0)) is None
    with pytest.raises(ValueError, match="heads must divide 5/4 of the width"):
        window_rival(EMAttentionConfig(8, heads=4, fusion="self_attention"), rngs=nnx.Rngs(0))


def test_self_attention_has_the_parameters_of_em_attention_and_nearly_its_operations():
    """At the sizes of configs/claims.py, which compares the two."""
    spec = importlib.util.spec_from_file_location("claims_config", REPOSITORY / "configs" / "claims.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    config = module.get_config()
    stage2, width = config.stage2, config.pretrain.sizes.language_width
    sizes = {"bases": stage2.seeing.bases, "rounds": stage2.seeing.rounds, "heads": stage2.seeing.heads}
    shape = (1, stage2.clips, stage2.seeing.tokens)
    tokens, real = jnp.zeros((*shape, width)), jnp.ones(shape, bool)
    em = ContextualEMAttention(EMAttentionConfig(width, **sizes), rngs=nnx.Rngs(0))
    rival = window_rival(EMAttentionConfig(width, fusion="self_attention", **sizes), rngs=nnx.Rngs(0))

    def parameters(model):
        return sum(leaf.size for leaf in jax.tree.leaves(nnx.state(model, nnx.Param)))

    def operations(function):
        return matrix_flops(jax.make_jaxpr(function)(tokens, real).jaxpr)

    assert parameters(em) == parameters(rival) == 5 * width**2 + 2 * width
    asked = operations(lambda tokens, real: em(tokens, real, train=False).tokens)
    assert operations(rival) == pytest.approx(asked, rel=0.1)
