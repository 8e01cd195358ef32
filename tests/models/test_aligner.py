"""What holds for the aligner beyond its two towers."""

import dataclasses
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from distinctad_jax.models.aligner import Aligner, AlignerConfig
from distinctad_jax.models.towers import TEXT_PRESETS, VISION_PRESETS, normalise_frames

CONFIG = AlignerConfig(VISION_PRESETS["tiny"], TEXT_PRESETS["tiny"])


@pytest.fixture(scope="module")
def frames():
    return jnp.asarray(np.random.default_rng(0).integers(0, 256, (2, 3, 32, 32, 3), np.uint8))


@partial(jax.jit, static_argnums=0)
def encode_with(graph, state, frames):
    return nnx.merge(graph, state).encode_frames(frames)


def encode(aligner, frames):
    return encode_with(*nnx.split(aligner), frames)


def test_each_frame_is_seen_alone(frames):
    aligner = Aligner(CONFIG, rngs=nnx.Rngs(0))
    features = encode(aligner, frames)
    see = jax.jit(lambda frames: aligner.vision(normalise_frames(frames)))
    for clip in range(2):
        np.testing.assert_allclose(features[clip], see(frames[clip]), atol=1e-5)


def test_the_scale_starts_at_clips_and_never_passes_100():
    aligner = Aligner(CONFIG, rngs=nnx.Rngs(0))
    np.testing.assert_allclose(aligner.scale(), 1 / 0.07, rtol=1e-6)
    aligner.logit_scale[...] = jnp.asarray(9.0)
    assert aligner.scale() == 100


def test_without_an_adapter_stored_features_pass_unchanged():
    aligner, features = Aligner(CONFIG, rngs=nnx.Rngs(0)), jnp.ones((2, 5, 32))
    assert aligner.adapter is None
    np.testing.assert_array_equal(aligner.adapt(features), features)


def test_an_adapter_starts_as_nothing_learns_and_serves_frames_and_features_alike(frames):
    aligner = Aligner(dataclasses.replace(CONFIG, adapter_width=16), rngs=nnx.Rngs(0))
    stored = encode(aligner, frames)
    np.testing.assert_array_equal(aligner.adapt(stored[0]), stored[0])
    graph, adapter, rest = nnx.split(aligner, nnx.PathContains("adapter"), ...)
    loss = lambda adapter: (nnx.merge(graph, adapter, rest).adapt(stored)[..., 0] ** 2).sum()  # noqa: E731
    slopes = nnx.to_pure_dict(jax.jit(jax.grad(loss))(adapter))["adapter"]
    assert jnp.abs(slopes["mlp"]["down"]["kernel"]).max() > 0
    aligner.adapter.mlp.down.bias[...] = jnp.ones(32)
    np.testing.assert_allclose(aligner.adapt(stored[0]), stored[0] + 1, rtol=1e-6)
    np.testing.assert_allclose(encode(aligner, frames), stored + 1, rtol=1e-6)
    assert aligner.adapt(stored[0, :1]).shape == (1, 32)


def test_towers_into_different_spaces_are_refused():
    with pytest.raises(ValueError, match="vision 64, text 32"):
        AlignerConfig(dataclasses.replace(CONFIG.vision, projection=64), CONFIG.text)
    with pytest.raises(ValueError, match="got -1"):
        dataclasses.replace(CONFIG, adapter_width=-1)
