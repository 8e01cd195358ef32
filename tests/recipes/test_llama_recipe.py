"""From a published Llama through Stage II on eight devices, and out for others: its own vocabulary, each
device with its own part of the weights, and low-rank updates that come out added."""

import dataclasses
import math

import jax
import numpy as np
from flax import nnx
from llama_vocabularies import TEXTS, write

from distinctad_jax.checkpoints.export import Merged, write_llama
from distinctad_jax.checkpoints.llama import load_llama
from distinctad_jax.checkpoints.weights import Stored, flat, load_weights
from distinctad_jax.data.datasets import ClipRecord, write_records
from distinctad_jax.data.features import Provenance
from distinctad_jax.models.linear import LoraConfig
from distinctad_jax.models.llama import Llama, LlamaConfig
from distinctad_jax.models.rope import RopeConfig
from distinctad_jax.narration.decoding import DecodingConfig
from distinctad_jax.recipes import stage2
from distinctad_jax.recipes.console import Voice
from distinctad_jax.recipes.exchange import export_model, import_model
from distinctad_jax.recipes.models import open_narrator
from distinctad_jax.recipes.speaking import Speaker
from distinctad_jax.recipes.workshop import Artefact, Run
from distinctad_jax.text.tokenizers import load_tokenizer
from distinctad_jax.training import step
from distinctad_jax.training.loop import TrainingConfig
from distinctad_jax.training.mesh import MeshConfig, make_mesh
from distinctad_jax.training.optimiser import OptimiserConfig

WIDTH, CLIPS = 8, 2
SETTINGS = stage2.Stage2Config(
    clips=CLIPS,
    frames=2,
    text_length=40,
    prompt_length=40,
    seeing=stage2.SeeingConfig(tokens=2, layers=1, heads=2, bases=4, rounds=1),
    training=TrainingConfig(
        steps=2, batch=4, optimiser=OptimiserConfig(peak=1e-2, warmup_steps=0, schedule="constant")
    ),
    language="lora",
    lora=LoraConfig(2, 4.0, ("query", "mlp")),
)


def published(folder):
    """A folder as the hub has it: config.json, safetensors, and the files of Llama 2's kind of vocabulary."""
    write(folder, "llama2")
    tokenizer = load_tokenizer(folder)
    config = LlamaConfig(
        vocab=352,  # more than the vocabulary has, as tables are often rounded up
        length=128,
        width=32,
        layers=1,
        heads=4,
        key_heads=2,
        hidden=64,
        rope=RopeConfig("llama3", theta=5e5, factor=8.0, original_length=64),
    )
    numbers, state = np.random.default_rng(0), nnx.eval_shape(lambda: nnx.state(Llama(config, rngs=nnx.Rngs(0))))
    leaves = {
        path: (0.1 * numbers.normal(size=leaf.shape) + path.endswith("scale")).astype(np.float32)
        for path, leaf in flat(nnx.to_pure_dict(state)).items()
    }
    write_llama(folder, dataclasses.asdict(config), leaves, start=tokenizer.start, end=tokenizer.end)
    return leaves, tokenizer


def clips():
    features = np.random.default_rng(1).normal(size=(len(TEXTS), 2, WIDTH)).astype(np.float16)
    for index, text in enumerate(TEXTS):
        times = np.arange(2.0)
        yield ClipRecord("film", index, 5.0 * index, 5.0 * index + 2, text, times, features=features[index])


def test_a_llama_goes_in_narrates_and_comes_out(tmp_path, monkeypatch):
    leaves, tokenizer = published(tmp_path / "llama")
    told = import_model(tmp_path / "llama", tmp_path / "pretrain")
    assert told["model"] == "llama" and told["parameters"] == sum(leaf.size for leaf in leaves.values())
    about = Provenance("stage1", "0" * 64, WIDTH, 0.0, False).told()
    write_records(
        tmp_path / "extract" / "records",
        "features",
        {"train": clips()},
        description="",
        metadata=about,
        feature_width=WIDTH,
    )
    read, placed = [], []
    ask, put = Stored.__getitem__, step.put_at
    monkeypatch.setattr(Stored, "__getitem__", lambda held, path: read.append(path) or ask(held, path))

    def watched(*given):
        array = put(*given)
        placed.append((array.shape, {shard.data.size for shard in array.addressable_shards}))  # training deletes it
        return array

    monkeypatch.setattr(step, "put_at", watched)
    needs = {name: Artefact(tmp_path / name, name, {}) for name in ("pretrain", "extract")}
    mesh = make_mesh(MeshConfig(data=2, fsdp=2, tensor=2), jax.devices()[:8])
    stage2.run(SETTINGS, Run(tmp_path / "stage2", "key", 0, needs, mesh, Voice(quiet=True)))
    monkeypatch.undo()

    assert {f"language/{path}" for path in leaves} <= {*read}  # one after the other, out of the file
    assert sorted(shape for shape, _ in placed) == sorted(leaf.shape for leaf in leaves.values())
    for shape, parts in placed:  # matrices are split over fsdp and tensor, the same on both halves of `data`
        assert parts == {math.prod(shape) // (4 if len(shape) > 1 else 1)}, shape

    kept = load_weights(tmp_path / "stage2" / "narrator" / "model.safetensors", "language/")
    for path, leaf in leaves.items():
        np.testing.assert_array_equal(kept[path], leaf, err_msg=path)
    assert np.abs(kept["blocks/0/mlp/up/lora_b"]).max() > 0
    assert export_model(tmp_path / "stage2", tmp_path / "out")["loads_as"] == ["LlamaForCausalLM"]
    found, expected = flat(load_llama(tmp_path / "out")[1]), Merged(kept, 2.0)
    assert found.keys() == leaves.keys()
    for path in found:
        np.testing.assert_array_equal(found[path], expected[path], err_msg=path)
    lora = [kept[f"blocks/0/mlp/up/lora_{side}"] for side in "ab"]
    np.testing.assert_allclose(
        found["blocks/0/mlp/up/kernel"] - leaves["blocks/0/mlp/up/kernel"], 2.0 * lora[0] @ lora[1], atol=1e-6
    )
    again = load_tokenizer(tmp_path / "out")
    assert again.encode_all(TEXTS) == tokenizer.encode_all(TEXTS) and again.end == tokenizer.end

    narrator, words = open_narrator(tmp_path / "stage2")
    decoding = DecodingConfig(beams=1, max_tokens=8, repetition_penalty=1.0, no_repeat=0)
    speak = Speaker(narrator, words, decoding, prompt_length=40, where="test", forbidden=["Tom"])
    (nothing, candidates), _ = speak(window(words), [None, "film"], [3, 3])
    assert nothing == [] and len(candidates[0].text.split()) <= 3


def window(words):
    """One window of two clips without a prompt."""
    return {
        "features": np.ones((1, CLIPS, 2, WIDTH), np.float32),
        "frames_real": np.ones((1, CLIPS, 2), bool),
        "clips_real": np.ones((1, CLIPS), bool),
        "prompt_ids": np.full((1, CLIPS, 40), words.end, np.int32),
        "prompt_real": np.zeros((1, CLIPS, 40), bool),
    }
