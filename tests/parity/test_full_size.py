"""Every preset, full size and tiny, against Hugging Face's models: the hidden states of every layer, and the outputs.

Weights are random, drawn by Hugging Face from a config, saved as it saves them, and read by our own import.
"""

import dataclasses
import gc
import shutil
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from distinctad_jax.checkpoints.llama import load_llama
from distinctad_jax.checkpoints.published import load_aligner, load_gpt2
from distinctad_jax.checkpoints.weights import assemble, flat
from distinctad_jax.models import layers, llama
from distinctad_jax.models.aligner import Aligner, AlignerConfig
from distinctad_jax.models.gpt2 import GPT2_PRESETS, Gpt2, Gpt2Config
from distinctad_jax.models.llama import Llama, LlamaConfig
from distinctad_jax.models.rope import RopeConfig
from distinctad_jax.models.towers import TEXT_PRESETS, VISION_PRESETS, TextConfig, VisionConfig, normalise_frames

pytestmark = pytest.mark.parity

FULL, TINY, COSINE = 1e-4, 1e-5, 0.999
TOWERS = ("vit-b-32", "vit-b-16", "vit-l-14", "vit-l-14-336")
LANGUAGE = ("gpt2", "gpt2-medium")
SEEDS, TINY_SEEDS = 2, 5
FEW = 8
ACTIVATIONS = {"quick_gelu": "quick_gelu", "gelu": "gelu", "gelu_tanh": "gelu_pytorch_tanh"}


@pytest.fixture
def folder(tmp_path):
    """A folder whose gigabytes do not outlive the test."""
    yield tmp_path
    shutil.rmtree(tmp_path)
    gc.collect()


@pytest.fixture
def hidden(monkeypatch):
    """What every block of the last traced call gave."""
    kept = []

    def keeping(call):
        def run(*given, **more):
            tokens, memory = call(*given, **more)
            kept.append(tokens)
            return tokens, memory

        return run

    for block in (layers.Block, llama.LlamaBlock):
        monkeypatch.setattr(block, "__call__", keeping(block.__call__))
    return kept


def compare(run, build, params, folder, measures, most, *, half):
    """Every array in float32 within `most` of the largest expected value; with `half`, every row of the arrays in
    bfloat16 nearly in the direction of theirs in float32."""
    expected = np.load(folder / "expected.npz")
    for dtype in ("float32", "bfloat16")[: 1 + half]:
        graph, state = nnx.split(assemble(partial(build, dtype), params, folder))
        with jax.default_matmul_precision("highest"):
            found = run(graph, state)
        assert found.keys() == {*expected.keys()}
        if dtype == "float32":
            errors = {name: measures[0](value, expected[name]) for name, value in found.items()}
            assert max(errors.values()) <= most, errors
        else:
            # Random clips and texts stand at right angles: a row of few similarities, near zero, has no direction.
            rows = {name: value for name, value in found.items() if value.shape[-1] >= FEW}
            assert rows
            cosines = {name: measures[1](value, expected[name]) for name, value in rows.items()}
            assert min(cosines.values()) >= COSINE, cosines


def check_towers(peer, folder, measures, hidden, vision, text, seeds, most, tiny):
    """Both towers of these sizes; bfloat16 too, for the first seed."""

    @partial(jax.jit, static_argnums=0)
    def align(graph, state):
        aligner = nnx.merge(graph, state)
        hidden.clear()
        features, read = aligner.encode_frames(frames[None])[0], aligner.encode_text(ids)
        unit = [rows / jnp.linalg.norm(rows, axis=-1, keepdims=True) for rows in (features, read.sentence)]
        found = {"features": features, "sentences": read.sentence, "words": read.words}
        found |= {"logits": aligner.scale() * unit[0] @ unit[1].T}
        found |= {f"vision/{place}": value for place, value in enumerate(hidden[: vision.layers])}
        return found | {f"text/{place}": value for place, value in enumerate(hidden[vision.layers :])}

    frames, ids = jnp.asarray(pictures(vision.image_size)), jnp.asarray(sentences(text), jnp.int32)
    np.savez(folder / "given.npz", pixels=scaled(frames), ids=np.asarray(ids, np.int64))
    for seed in range(seeds):
        theirs = {"projection": vision.projection, "vision": their_vision(vision), "text": their_text(text)}
        peer("make_clip", folder=str(folder), seed=seed, tiny=tiny, **theirs)
        fields, params = load_aligner(folder)
        assert (VisionConfig(**fields["vision"]), TextConfig(**fields["text"])) == (vision, text)
        compare(align, partial(towers, vision, text), flat(params), folder, measures, most, half=seed == 0)


def towers(vision, text, dtype):
    config = AlignerConfig(dataclasses.replace(vision, dtype=dtype), dataclasses.replace(text, dtype=dtype))
    return Aligner(config, rngs=nnx.Rngs(0))


def pictures(size):
    return np.random.default_rng(1).integers(0, 256, (2, size, size, 3), dtype=np.uint8)


def scaled(frames):
    return np.ascontiguousarray(np.asarray(normalise_frames(frames)).transpose(0, 3, 1, 2))


def sentences(text):
    """One text that fills the tower, one padded as OpenAI pads, one as Hugging Face does."""
    ids = np.random.default_rng(2).integers(1, text.end - 1, (3, text.length))
    ids[:, -1] = text.end
    half = text.length // 2
    ids[1, half], ids[1, half + 1 :], ids[2, half:] = text.end, 0, text.end
    return ids


def their_vision(ours):
    sizes = {"image_size": ours.image_size, "patch_size": ours.patch}
    return sizes | their_tower(ours)


def their_text(ours):
    ids = {"eos_token_id": ours.end, "bos_token_id": ours.end - 1, "pad_token_id": ours.end}
    return {"vocab_size": ours.vocab, "max_position_embeddings": ours.length} | ids | their_tower(ours)


def their_tower(ours):
    return {
        "hidden_size": ours.width,
        "intermediate_size": 4 * ours.width,
        "num_hidden_layers": ours.layers,
        "num_attention_heads": ours.heads,
        "hidden_act": ACTIVATIONS[ours.activation],
        "projection_dim": ours.projection,
    }


@pytest.mark.parametrize("name", TOWERS)
def test_towers_of_every_preset(peer, folder, measures, hidden, name):
    check_towers(peer, folder, measures, hidden, VISION_PRESETS[name], TEXT_PRESETS[name], SEEDS, FULL, tiny=False)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_tiny_towers(peer, folder, measures, hidden, activation):
    vision = dataclasses.replace(VISION_PRESETS["tiny"], activation=activation)
    text = dataclasses.replace(TEXT_PRESETS["tiny"], activation=activation)
    check_towers(peer, folder, measures, hidden, vision, text, TINY_SEEDS, TINY, tiny=True)


def check_language(peer, folder, measures, hidden, kind, sizes, read, seeds, most, *, tiny, seen):
    """A language model of these sizes; bfloat16 too, for the first seed."""

    @partial(jax.jit, static_argnums=0)
    def speak(graph, state):
        model = nnx.merge(graph, state)
        hidden.clear()
        last, _ = model(model.embed(ids), jnp.ones(ids.shape, bool))
        return {"logits": model.logits(last), **{str(place): value for place, value in enumerate(hidden)}}

    ids = np.random.default_rng(3).integers(0, sizes["vocab_size"], (2, seen))
    np.savez(folder / "given.npz", ids=ids)
    ids = jnp.asarray(ids, jnp.int32)
    for seed in range(seeds):
        peer("make_language", folder=str(folder), kind=kind, sizes=sizes, seed=seed, tiny=tiny)
        config, model, params = read(folder)

        def build(dtype, config=config, model=model):
            return model(dataclasses.replace(config, dtype=dtype), rngs=nnx.Rngs(0))

        compare(speak, build, params, folder, measures, most, half=seed == 0)


def read_gpt2(folder):
    fields, params = load_gpt2(folder)
    return Gpt2Config(**fields), Gpt2, flat(params)


def read_llama(folder):
    fields, params = load_llama(folder)
    return LlamaConfig(**{**fields, "rope": RopeConfig(**fields["rope"])}), Llama, flat(params)


def their_gpt2(ours):
    sizes = {"vocab_size": ours.vocab, "n_positions": ours.length, "n_embd": ours.width}
    return sizes | {"n_layer": ours.layers, "n_head": ours.heads}


LLAMA = {"vocab_size": 101, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2}
LLAMA |= {"num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 64}


@pytest.mark.parametrize("name", LANGUAGE)
def test_gpt2_of_every_preset(peer, folder, measures, hidden, name):
    sizes = their_gpt2(GPT2_PRESETS[name])
    check_language(peer, folder, measures, hidden, "gpt2", sizes, read_gpt2, SEEDS, FULL, tiny=False, seen=40)


def test_a_tiny_gpt2(peer, folder, measures, hidden):
    sizes = their_gpt2(GPT2_PRESETS["tiny"])
    check_language(peer, folder, measures, hidden, "gpt2", sizes, read_gpt2, TINY_SEEDS, TINY, tiny=True, seen=20)


@pytest.mark.parametrize("tied", [False, True])
def test_a_tiny_llama(peer, folder, measures, hidden, tied):
    sizes = LLAMA | {"tie_word_embeddings": tied, "attention_bias": tied}
    check_language(peer, folder, measures, hidden, "llama", sizes, read_llama, TINY_SEEDS, TINY, tiny=True, seen=20)
