"""A narrator around a Llama: what learns of it, and that its config survives the way through a file."""

import dataclasses
import re

import jax
import numpy as np
import pytest
from flax import nnx

from distinctad_jax.config import build, plain
from distinctad_jax.models.gpt2 import GPT2_PRESETS
from distinctad_jax.models.linear import LoraConfig
from distinctad_jax.models.llama import LLAMA_PRESETS, LlamaConfig
from distinctad_jax.models.narrator import Narrator, NarratorConfig
from distinctad_jax.models.rope import RopeConfig
from distinctad_jax.recipes.stage2 import LEARNS, SeeingConfig, Stage2Config, narration_task, narrator_config
from distinctad_jax.training.loop import TrainingConfig
from distinctad_jax.training.mesh import MeshConfig, make_mesh, place_batch
from distinctad_jax.training.optimiser import OptimiserConfig, make_optimiser
from distinctad_jax.training.step import make_state, make_train_step

OPTIMISER = OptimiserConfig(peak=1e-2, warmup_steps=0, schedule="constant")
SETTINGS = Stage2Config(
    clips=2,
    frames=2,
    text_length=5,
    prompt_length=3,
    seeing=SeeingConfig(tokens=2, layers=1, heads=2, bases=4, rounds=2),
    training=TrainingConfig(steps=2, batch=1, optimiser=OPTIMISER),
    language="lora",
    lora=LoraConfig(2, 4.0, ("query", "mlp")),
)
LLAMA = dataclasses.replace(
    LLAMA_PRESETS["tiny"], layers=1, vocab=40, rope=RopeConfig("llama3", factor=4.0, original_length=8)
)


def batch():
    rng, shape = np.random.default_rng(0), (1, 2)
    return {
        "features": rng.normal(size=(*shape, 2, 8)).astype(np.float32),
        "frames_real": np.ones((*shape, 2), bool),
        "clips_real": np.ones(shape, bool),
        "prompt_ids": rng.integers(0, 40, (*shape, 3), dtype=np.int32),
        "prompt_real": np.ones((*shape, 3), bool),
        "text_ids": rng.integers(0, 40, (*shape, 5), dtype=np.int32),
        "text_real": np.ones((*shape, 5), bool),
        "distinctive": np.ones((*shape, 5), bool),
    }


def test_low_rank_updates_of_a_llama_learn_and_the_rest_of_it_stays():
    config = narrator_config(SETTINGS, LLAMA, 8)
    mesh, optimiser = make_mesh(MeshConfig(data=1), jax.devices()[:1]), make_optimiser(OPTIMISER, 2)
    learns = re.compile(LEARNS["lora"]).search
    graph, state, shardings = make_state(
        lambda: Narrator(config, rngs=nnx.Rngs(0)), lambda path: learns(path) is not None, optimiser, mesh
    )
    frozen, learned = jax.device_get(state.frozen), jax.device_get(state.learned)
    assert set(state.frozen) == {"language"}
    step = make_train_step(graph, narration_task(SETTINGS.loss), optimiser, mesh, shardings, seed=0)
    for _ in range(2):
        state, metrics = step(state, place_batch(batch(), mesh))
    assert np.isfinite(metrics["loss"])
    jax.tree.map(np.testing.assert_array_equal, frozen, jax.device_get(state.frozen))
    moved = jax.device_get(state.learned)["language"]["blocks"][0]
    assert set(moved["attention"]) == {"query"} and set(moved["mlp"]) == {"gate", "up", "down"}
    before = learned["language"]["blocks"][0]["mlp"]["up"]["lora_b"]
    assert np.abs(moved["mlp"]["up"]["lora_b"] - before).max() > 0


@pytest.mark.parametrize("language", [LLAMA, GPT2_PRESETS["tiny"]])
def test_a_narrators_config_is_read_back_with_the_language_model_that_it_had(language):
    config = narrator_config(SETTINGS if isinstance(language, LlamaConfig) else GPT2_SETTINGS, language, 8)
    assert build(NarratorConfig, plain(config)) == config


GPT2_SETTINGS = dataclasses.replace(SETTINGS, lora=LoraConfig(2, 4.0, ("qkv",)))


def test_a_frozen_llama_is_kept_in_what_it_computes_in():
    half = dataclasses.replace(SETTINGS, dtype="bfloat16")
    assert narrator_config(half, LLAMA, 8).language.weights == "bfloat16"
    assert narrator_config(dataclasses.replace(half, language="full"), LLAMA, 8).language.weights == "float32"


def test_low_rank_updates_of_no_rank_are_refused():
    with pytest.raises(ValueError, match="rank"):
        dataclasses.replace(SETTINGS, lora=LoraConfig(0))
