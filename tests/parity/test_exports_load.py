"""What we export, `transformers` loads: the same weights, pictures and ids, and so the same outputs."""

import dataclasses
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from llama_vocabularies import KINDS, TEXTS, write

from distinctad_jax.checkpoints.weights import assemble, flat, load_weights
from distinctad_jax.data.preprocessing import prepare_frames
from distinctad_jax.models.aligner import Aligner, AlignerConfig
from distinctad_jax.models.gpt2 import Gpt2, Gpt2Config
from distinctad_jax.models.linear import LoraConfig
from distinctad_jax.models.llama import Llama, LlamaConfig
from distinctad_jax.models.rope import RopeConfig
from distinctad_jax.models.towers import TextConfig, VisionConfig, normalise_frames
from distinctad_jax.recipes.exchange import Brought, export_model, keep
from distinctad_jax.text.tokenizers import clip_ids, load_tokenizer, train_tokenizer

pytestmark = pytest.mark.parity

MOST = 1e-5


def drawn(make, seed=0):
    """Random arrays for a module, norms near one, and the module."""
    numbers, state = np.random.default_rng(seed), flat(nnx.to_pure_dict(nnx.eval_shape(lambda: nnx.state(make()))))

    def draw(path, leaf):
        if path.endswith("scale") or leaf.ndim == 0:
            return 1 + 0.1 * numbers.normal(size=leaf.shape)
        return 0.1 * numbers.normal(size=leaf.shape) if leaf.ndim == 1 else _matrix(numbers, leaf)

    leaves = {path: np.asarray(draw(path, leaf), np.float32) for path, leaf in state.items()}
    return leaves, assemble(make, leaves, Path("drawn"))


def _matrix(numbers, leaf):
    return leaf.shape[0] ** -0.5 * numbers.normal(size=leaf.shape)


@pytest.mark.parametrize("activation", ["quick_gelu", "gelu"])
def test_towers_processor_and_tokenizer(peer, tmp_path, measures, activation):
    words = train_tokenizer(TEXTS * 4, "clip", 600)
    shared = {"width": 24, "layers": 2, "heads": 3, "projection": 20, "activation": activation}
    vision = VisionConfig(image_size=48, patch=16, lora_rank=2, **shared)
    config = AlignerConfig(vision, TextConfig(words.size, 32, end=words.end, **shared))
    leaves, model = drawn(lambda: Aligner(config, rngs=nnx.Rngs(0)))
    keep(tmp_path / "run" / "aligner", Brought(config, leaves, words))
    export_model(tmp_path / "run", tmp_path / "out")
    scene = np.random.default_rng(0).integers(0, 256, (3, 61, 90, 3), dtype=np.uint8)
    prepared = prepare_frames(scene, 48)
    pixels = np.asarray(normalise_frames(jnp.asarray(prepared)))
    np.savez(
        tmp_path / "out" / "given.npz",
        pixels=np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)),
        frames=scene,
        texts=np.array(TEXTS),
    )
    told = peer("load_clip", folder=str(tmp_path / "out"), pictures=peer.about["pictures"])
    assert told["missing"] == []
    found = np.load(tmp_path / "out" / "found.npz")
    ids = clip_ids(words, TEXTS, 32)
    for row, theirs in zip(ids, found["ids"], strict=True):  # they pad with the end, we with 0
        end = row.tolist().index(words.end)
        assert theirs[: end + 1].tolist() == row[: end + 1].tolist() and {*theirs[end:].tolist()} == {words.end}

    @jax.jit
    def align(frames, ids):
        features, text = model.encode_frames(frames[None])[0], model.encode_text(ids)
        unit = [rows / jnp.linalg.norm(rows, axis=-1, keepdims=True) for rows in (features, text.sentence)]
        return features, model.scale() * unit[0] @ unit[1].T

    features, logits = align(prepared, ids)
    assert measures[0](found["features"], features) <= MOST
    assert measures[0](found["logits"], logits) <= MOST
    if not peer.about["pictures"]:
        pytest.skip("the interpreter with torch has no Pillow, so no processor: pictures were not compared")
    assert found["processed_ids"].tolist() == found["ids"].tolist()
    levels = np.abs(found["prepared"].transpose(0, 2, 3, 1) - pixels) * np.array([0.26862954, 0.26130258, 0.27577711])
    assert levels.max() <= 1.001 / 255


def check(peer, folder, measures, config, model, leaves, tokenizer, expected_class):
    keep(folder / "run" / "language", Brought(config, leaves, tokenizer))
    told = export_model(folder / "run", folder / "out")
    assert told["loads_as"] == [expected_class]
    ids = np.random.default_rng(5).integers(0, config.vocab, (2, 12))
    np.savez(folder / "out" / "given.npz", ids=ids, texts=np.array(TEXTS))
    answer = peer("load_language", folder=str(folder / "out"))
    assert answer["missing"] == [] and answer["model"] == expected_class
    assert answer["end"] == tokenizer.end
    opening = [*tokenizer.opening]
    assert answer["ids"] == [[*opening, *tokenizer.encode(text)] for text in TEXTS]

    @jax.jit
    def speak(ids):
        return model.logits(model(model.embed(ids), jnp.ones(ids.shape, bool))[0])

    logits = speak(ids.astype(np.int32))
    assert measures[0](np.load(folder / "out" / "found.npz")["logits"], logits) <= MOST


@pytest.mark.parametrize("rank", [0, 2])
def test_gpt2_and_its_tokenizer(peer, tmp_path, measures, rank):
    pieces = train_tokenizer(TEXTS * 4, "gpt2", 400)
    config = Gpt2Config(pieces.size, 32, 24, 2, 3, lora=LoraConfig(rank, 8.0, ("attention", "mlp")))
    leaves, model = drawn(lambda: Gpt2(config, rngs=nnx.Rngs(0)))
    check(peer, tmp_path, measures, config, model, leaves, pieces, "GPT2LMHeadModel")


ROPES = {
    "default": RopeConfig(theta=500.0),
    "linear": RopeConfig("linear", factor=2.0),
    "dynamic": RopeConfig("dynamic", factor=2.0),
    "yarn": RopeConfig("yarn", factor=4.0, original_length=8, beta_fast=2.0),
    "longrope": RopeConfig(
        "longrope", factor=4.0, original_length=8, short_factors=(1.0, 1.1, 1.2), long_factors=(1.5, 2.0, 3.0)
    ),
    "llama3": RopeConfig("llama3", theta=500.0, factor=4.0, original_length=8),
}


@pytest.mark.parametrize(("rope", "kind"), zip(ROPES, 3 * KINDS, strict=True))
def test_a_llama_and_its_tokenizer(peer, tmp_path, measures, rope, kind):
    write(tmp_path / "words", kind)
    tokenizer = load_tokenizer(tmp_path / "words")
    sizes = {"width": 24, "layers": 2, "heads": 4, "key_heads": 2, "hidden": 40}
    config = LlamaConfig(tokenizer.size, 32, **sizes, rope=ROPES[rope], tied=kind == "llama2")
    config = dataclasses.replace(config, attention_bias=kind == "llama3", lora=LoraConfig(2, 8.0, ("query", "mlp")))
    leaves, model = drawn(lambda: Llama(config, rngs=nnx.Rngs(0)))
    check(peer, tmp_path, measures, config, model, leaves, tokenizer, "LlamaForCausalLM")


def test_a_llama_kept_in_bfloat16_is_written_in_bfloat16(peer, tmp_path, measures):
    write(tmp_path / "words", "llama3")
    tokenizer = load_tokenizer(tmp_path / "words")
    config = LlamaConfig(tokenizer.size, 32, 24, 1, 4, 2, 40, weights="bfloat16")
    leaves, _ = drawn(lambda: Llama(config, rngs=nnx.Rngs(0)))
    kept = {path: np.asarray(value, jnp.bfloat16) if value.ndim > 1 else value for path, value in leaves.items()}
    keep(tmp_path / "run" / "language", Brought(config, kept, tokenizer))
    assert load_weights(tmp_path / "run/language/model.safetensors")["token_embedding"].dtype == jnp.bfloat16
    model = assemble(lambda: Llama(config, rngs=nnx.Rngs(0)), kept, tmp_path)
    export_model(tmp_path / "run", tmp_path / "out")
    ids = np.arange(12).reshape(2, 6)
    np.savez(tmp_path / "out" / "given.npz", ids=ids, texts=np.array(TEXTS))
    assert peer("load_language", folder=str(tmp_path / "out"))["dtype"].endswith("bfloat16")
    hidden = model(model.embed(jnp.asarray(ids)), jnp.ones(ids.shape, bool))[0]
    assert measures[0](np.load(tmp_path / "out" / "found.npz")["logits"], model.logits(hidden)) <= 0.01
