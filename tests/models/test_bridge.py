"""The bridge against a restatement in float64, and its treatment of padding."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from distinctad_jax.models.bridge import KINDS, Bridge, BridgeConfig

BATCH, FRAMES, INPUT, WIDTH, TOKENS, HEADS = 3, 4, 6, 8, 3, 2
CONFIG = BridgeConfig(INPUT, WIDTH, tokens=TOKENS, layers=2, heads=HEADS, frames=FRAMES)


def made(**changes):
    """A bridge with no weight near zero, so that each matters; drawn by NumPy, which need not be compiled."""
    config = dataclasses.replace(CONFIG, **changes)
    graph, state = nnx.split(nnx.eval_shape(lambda: Bridge(config, rngs=nnx.Rngs(0))))
    numbers = np.random.default_rng(0)

    def drawn(path, like):
        return jnp.asarray(0.3 * numbers.normal(size=like.shape) + ("scale" in str(path)), jnp.float32)

    return nnx.merge(graph, jax.tree.map_with_path(drawn, state))


@nnx.jit
def run(bridge, features, real):
    return bridge(features, real)


@pytest.fixture
def features():
    return (3 + 5 * np.random.default_rng(9).normal(size=(BATCH, FRAMES, INPUT))).astype(np.float32)


@pytest.fixture
def real():
    real = np.ones((BATCH, FRAMES), bool)
    real[1, 2:] = False
    return real


def normed(weights, name, x):
    x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
    return x * weights[f"{name}/scale"] + weights[f"{name}/bias"]


def attention(queries, keys, values):
    """queries, keys, values: `seen width`; heads lie side by side."""
    split = [x.reshape(len(x), HEADS, -1).swapaxes(0, 1) for x in (queries, keys, values)]
    odds = np.exp(split[0] @ split[1].swapaxes(1, 2) / np.sqrt(WIDTH / HEADS))
    mixed = odds / odds.sum(-1, keepdims=True) @ split[2]
    return mixed.swapaxes(0, 1).reshape(len(queries), WIDTH)


def parts(fused, count):
    """Cuts the fused map's output (heads, part, depth) into `count` parts of `seen width`."""
    cut = fused.reshape(len(fused), HEADS, count, -1)
    return [cut[:, :, part].reshape(len(fused), WIDTH) for part in range(count)]


def restated(bridge, features, real):
    state = nnx.to_flat_state(nnx.state(bridge, nnx.Param))
    w = {"/".join(map(str, path)): np.asarray(value, np.float64) for path, value in state}
    erf = np.vectorize(math.erf)
    outputs = []
    for clip, there in zip(np.asarray(features, np.float64), np.asarray(real), strict=True):
        seen = (normed(w, "norm_features", clip) @ w["into/kernel"] + w["time"])[there]
        latents = w["latents"]
        for layer in range(CONFIG.layers):
            if bridge.config.kind == "flamingo":
                at = f"latent_blocks/{layer}"
                asking = normed(w, f"{at}/norm_latents", latents)
                context = np.concatenate([normed(w, f"{at}/norm_frames", seen), asking])
                keys, values = parts(context @ w[f"{at}/attention/key_value/kernel"], 2)
                told = attention(asking @ w[f"{at}/attention/query/kernel"], keys, values)
                latents = latents + told @ w[f"{at}/attention/out/kernel"]
                up = normed(w, f"{at}/norm_mlp", latents) @ w[f"{at}/mlp/up/kernel"]
                latents = latents + up * 0.5 * (1 + erf(up / np.sqrt(2))) @ w[f"{at}/mlp/down/kernel"]
                continue
            at, joined = f"blocks/{layer}", np.concatenate([latents, seen])
            fused = normed(w, f"{at}/norm_attention", joined) @ w[f"{at}/attention/qkv/kernel"]
            told = attention(*parts(fused + w[f"{at}/attention/qkv/bias"], 3))
            joined = joined + told @ w[f"{at}/attention/out/kernel"] + w[f"{at}/attention/out/bias"]
            up = normed(w, f"{at}/norm_mlp", joined) @ w[f"{at}/mlp/up/kernel"] + w[f"{at}/mlp/up/bias"]
            down = up / (1 + np.exp(-1.702 * up)) @ w[f"{at}/mlp/down/kernel"] + w[f"{at}/mlp/down/bias"]
            latents, seen = (joined + down)[:TOKENS], (joined + down)[TOKENS:]
        outputs.append(normed(w, "norm_after", latents))
    return np.stack(outputs)


@pytest.mark.parametrize("kind", KINDS)
def test_it_equals_its_equations(features, real, kind):
    bridge = made(kind=kind)
    np.testing.assert_allclose(run(bridge, features, real), restated(bridge, features, real), atol=2e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_padding_frames_are_not_looked_at(features, real, kind):
    bridge = made(kind=kind)
    loud = np.where(real[..., None], features, 1e4)
    np.testing.assert_allclose(run(bridge, loud.astype(np.float32), real), run(bridge, features, real), atol=1e-6)
    shorter = run(bridge, features[1:2, :2], real[1:2, :2])
    np.testing.assert_allclose(run(bridge, features, real)[1:2], shorter, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_a_clip_without_a_real_frame_is_finite_with_finite_slopes(features, kind):
    graph, params = nnx.split(made(kind=kind))

    def loss(params, features):
        return jnp.sum(jnp.sin(nnx.merge(graph, params)(features, jnp.zeros((BATCH, FRAMES), bool))))

    value, (moved, seen) = jax.jit(jax.value_and_grad(loss, argnums=(0, 1)))(params, features)
    assert np.isfinite(value) and not np.any(seen)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(moved))


def test_the_order_of_frames_matters(features, real):
    """Actions are seen as motion only."""
    bridge = made()
    backwards = np.asarray(run(bridge, features[:, ::-1], real))
    assert np.abs(backwards - run(bridge, features, real)).max() > 0.01


def test_the_scale_of_features_does_not_matter(features, real):
    """Unit-length and raw CLIP features differ by a factor of ten."""
    bridge = made()
    np.testing.assert_allclose(run(bridge, 10 * features, real), run(bridge, features, real), atol=1e-4)


@pytest.mark.parametrize("kind", KINDS[:1])
def test_bfloat16_is_close_and_keeps_float32_parameters(features, real, kind):
    half, whole = made(kind=kind, dtype="bfloat16"), made(kind=kind)
    got = run(half, features, real)
    assert got.dtype == jnp.bfloat16
    assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(nnx.state(half)))
    np.testing.assert_allclose(got.astype(jnp.float32), run(whole, features, real), atol=0.15)


def test_more_frames_than_time_embeddings_are_refused(features, real):
    bridge = made(frames=2)
    with pytest.raises(ValueError, match="2 frames, got 4"):
        run(bridge, features, real)


@pytest.mark.parametrize("wrong", [{"kind": "mean"}, {"tokens": 0}, {"heads": 3}, {"dtype": "float16"}])
def test_a_config_that_cannot_work_is_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        dataclasses.replace(CONFIG, **wrong)
