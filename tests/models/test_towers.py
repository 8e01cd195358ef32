"""The towers against Hugging Face's on random weights, and what must hold for any weights."""

import dataclasses
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from distinctad_jax.checkpoints.published import load_aligner
from distinctad_jax.checkpoints.weights import assemble, flat
from distinctad_jax.models import layers
from distinctad_jax.models.aligner import Aligner, AlignerConfig
from distinctad_jax.models.towers import (
    TEXT_PRESETS,
    VISION_PRESETS,
    TextConfig,
    TextTower,
    VisionConfig,
    VisionTower,
    normalise_frames,
)

GOLDEN = Path(__file__).parents[1] / "golden"
TOLERANCE = 1e-5


@pytest.fixture(scope="module")
def golden():
    return np.load(GOLDEN / "clip.npz")


def published(**changes):
    fields, params = load_aligner(GOLDEN / "clip")
    vision = dataclasses.replace(VisionConfig(**fields["vision"]), **changes)
    text = dataclasses.replace(TextConfig(**fields["text"]), **changes)
    return assemble(lambda: Aligner(AlignerConfig(vision, text), rngs=nnx.Rngs(0)), flat(params), GOLDEN / "clip")


@partial(jax.jit, static_argnums=0)
def align(graph, state, frames, ids):
    aligner = nnx.merge(graph, state)
    features, text = aligner.encode_frames(frames[None])[0], aligner.encode_text(ids)
    unit = [rows / jnp.linalg.norm(rows, axis=-1, keepdims=True) for rows in (features, text.sentence)]
    logits = aligner.scale() * unit[0] @ unit[1].T
    return {"features": features, "sentences": text.sentence, "words": text.words, "logits": logits}


def outputs(aligner, golden):
    with jax.default_matmul_precision("highest"):
        return align(*nnx.split(aligner), jnp.asarray(golden["frames"]), jnp.asarray(golden["ids"]))


def furthest(got, golden):
    return {name: float(np.abs(np.asarray(value) - golden[name]).max()) for name, value in got.items()}


def test_both_towers_equal_hugging_face(golden):
    errors = furthest(outputs(published(), golden), golden)
    assert max(errors.values()) < TOLERANCE, errors


def test_golden_values_tell_a_wrong_activation(golden):
    errors = furthest(outputs(published(activation="gelu"), golden), golden)
    assert min(errors.values()) > 10 * TOLERANCE, errors


def test_golden_values_tell_a_wrong_epsilon(golden, monkeypatch):
    monkeypatch.setattr(layers, "EPSILON", 1e-6)
    errors = furthest(outputs(published(), golden), golden)
    assert min(errors.values()) > 10 * TOLERANCE, errors


def test_bfloat16_stays_close_and_keeps_float32_parameters(golden):
    aligner = published(dtype="bfloat16")
    assert {leaf.dtype for leaf in jax.tree.leaves(nnx.state(aligner))} == {jnp.dtype("float32")}
    got = outputs(aligner, golden)
    assert {value.dtype for value in got.values()} == {jnp.dtype("float32")}
    errors = furthest(got, golden)
    assert max(errors.values()) < 0.2, errors  # of values up to 5


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("vit-b-32", 151_277_313),
        ("vit-b-16", 149_620_737),
        ("vit-l-14", 427_616_513),
        ("vit-l-14-336", 427_944_193),
    ],
)
def test_presets_have_the_published_number_of_parameters(name, count):
    config = AlignerConfig(VISION_PRESETS[name], TEXT_PRESETS[name])
    abstract = nnx.eval_shape(lambda: Aligner(config, rngs=nnx.Rngs(0)))
    assert sum(leaf.size for leaf in jax.tree.leaves(nnx.state(abstract, nnx.Param))) == count


@pytest.fixture(scope="module")
def text_tower():
    return TextTower(TEXT_PRESETS["tiny"], rngs=nnx.Rngs(1))


@partial(jax.jit, static_argnums=0)
def apply(graph, state, inputs):
    return nnx.merge(graph, state)(inputs)


def test_a_word_does_not_see_what_follows(text_tower):
    ids, (graph, state) = jnp.arange(1, 11)[None], nnx.split(text_tower)
    values = nnx.to_pure_dict(state)

    def words(positions):
        return nnx.merge(graph, values | {"positions": positions})(ids).words[0, 4].sum()

    slopes = jax.jit(jax.grad(words))(values["positions"])
    np.testing.assert_array_equal(np.abs(slopes).sum(axis=-1) > 0, np.arange(len(slopes)) <= 4)


def test_the_sentence_is_read_at_the_first_end_whatever_follows(text_tower):
    end = text_tower.config.end
    ids = jnp.array([[1, 2, end, 0, 0, 0], [1, 2, end, end, 7, end], [1, 2, end, 9, 9, 9]])
    got = apply(*nnx.split(text_tower), ids)
    np.testing.assert_allclose(got.sentence[0], got.words[0, 2], rtol=1e-6)
    np.testing.assert_allclose(got.sentence[1:], got.sentence[:1].repeat(2, 0), atol=1e-6)


def test_a_text_without_end_is_read_at_its_last_word(text_tower):
    got = apply(*nnx.split(text_tower), jnp.array([[1, 2, 3]]))
    np.testing.assert_array_equal(got.sentence, got.words[:, -1])


def test_a_shorter_padding_changes_no_word(text_tower):
    ids = jnp.array([[1, 5, 6, text_tower.config.end, 0, 0, 0, 0]])
    np.testing.assert_allclose(
        apply(*nnx.split(text_tower), ids).words[:, :4], apply(*nnx.split(text_tower), ids[:, :4]).words, atol=1e-6
    )


def test_too_many_ids_are_refused(text_tower):
    with pytest.raises(ValueError, match="at most 32"):
        text_tower(jnp.zeros((1, 33), jnp.int32))


def test_images_of_another_size_are_refused():
    tower = published().vision
    with pytest.raises(ValueError, match="24 x 24"):
        tower(jnp.zeros((1, 40, 40, 3)))


def test_every_pixel_of_every_channel_counts():
    tower = VisionTower(dataclasses.replace(VISION_PRESETS["tiny"], layers=1), rngs=nnx.Rngs(0))
    images = jax.random.normal(jax.random.key(0), (1, 32, 32, 3))
    slopes = jax.jit(jax.grad(lambda images: (tower(images) ** 2).sum()))(images)
    assert (jnp.abs(slopes) > 0).all()


def test_frames_are_scaled_as_clip_was_trained():
    frames = np.array([0, 255], np.uint8)[:, None, None, None] * np.ones((1, 1, 1, 3), np.uint8)
    got = normalise_frames(jnp.asarray(frames))[:, 0, 0]
    np.testing.assert_allclose(got, [[-1.79226, -1.75210, -1.48022], [1.93034, 2.07488, 2.14590]], atol=1e-4)


def test_a_low_rank_tower_has_an_update_in_every_map_of_every_block():
    config = dataclasses.replace(VISION_PRESETS["tiny"], lora_rank=2)
    abstract = nnx.eval_shape(lambda: VisionTower(config, rngs=nnx.Rngs(0)))
    shapes = {path: leaf.shape for path, leaf in flat(nnx.to_pure_dict(nnx.state(abstract))).items()}
    updated = {path.removesuffix("/lora_b") for path in shapes if path.endswith("lora_b")}
    maps = ("attention/qkv", "attention/out", "mlp/up", "mlp/down")
    assert updated == {f"blocks/{layer}/{name}" for layer in range(config.layers) for name in maps}
    assert shapes["blocks/0/mlp/up/lora_a"] == (32, 2)
    assert shapes["blocks/0/mlp/up/lora_b"] == (2, 128)


@pytest.mark.parametrize(
    "changes",
    [{"patch": 7}, {"heads": 3}, {"activation": "relu"}, {"dtype": "float16"}, {"layers": 0}, {"lora_rank": -1}],
)
def test_impossible_sizes_are_refused(changes):
    with pytest.raises(ValueError, match="got"):
        dataclasses.replace(VISION_PRESETS["tiny"], **changes)


@pytest.mark.parametrize("changes", [{"end": 512}, {"vocab": 0}, {"activation": "gelu_new"}])
def test_impossible_text_sizes_are_refused(changes):
    with pytest.raises(ValueError, match="got"):
        dataclasses.replace(TEXT_PRESETS["tiny"], **changes)
