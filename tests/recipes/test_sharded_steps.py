"""The real steps of both stages mean the same on one device and on eight, in one piece and in two; and what a freeze
policy freezes stays as it is, without moments."""

import dataclasses
import re
import zlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from distinctad_jax.models.aligner import Aligner, AlignerConfig
from distinctad_jax.models.gpt2 import Gpt2Config
from distinctad_jax.models.linear import LoraConfig
from distinctad_jax.models.llama import LlamaConfig
from distinctad_jax.models.narrator import Narrator
from distinctad_jax.models.rope import RopeConfig
from distinctad_jax.models.towers import TextConfig, VisionConfig
from distinctad_jax.recipes.stage1 import MatchingConfig, Stage1Config, adapted_config, learners, matching_task
from distinctad_jax.recipes.stage2 import (
    LEARNS,
    SayingConfig,
    SeeingConfig,
    Stage2Config,
    narration_task,
    narrator_config,
)
from distinctad_jax.training.loop import TrainingConfig
from distinctad_jax.training.mesh import MeshConfig, make_mesh, path_name, place_batch, tree_shardings
from distinctad_jax.training.optimiser import OptimiserConfig, make_optimiser
from distinctad_jax.training.step import make_state, make_train_step

STEPS, BATCH = 2, 8
MESHES = {
    "1x8": MeshConfig(data=1, fsdp=8),
    "2x4": MeshConfig(data=2, fsdp=4),
    "2x2x2": MeshConfig(data=2, fsdp=2, tensor=2),
}
OPTIMISER = OptimiserConfig(peak=1e-3, warmup_steps=0, weight_decay=0.1, schedule="constant")
TRAINING = TrainingConfig(steps=STEPS, batch=BATCH, optimiser=OPTIMISER)

FRAMES, CLIPS, LENGTH, PROMPT, VOCAB = 4, 2, 6, 3, 32
ALIGNER = AlignerConfig(
    VisionConfig(image_size=16, patch=8, width=16, layers=2, heads=2, projection=8),
    TextConfig(vocab=VOCAB, length=LENGTH, width=16, layers=1, heads=2, projection=8, end=VOCAB - 1),
)
STAGE1 = Stage1Config(frames=FRAMES, training=TRAINING, last_n=1, lora_rank=2, adapter_width=16)
STAGE2 = Stage2Config(
    clips=CLIPS,
    frames=FRAMES,
    text_length=LENGTH,
    prompt_length=PROMPT,
    seeing=SeeingConfig(tokens=2, layers=1, heads=2, bases=4, rounds=2, init="buffer"),
    training=TRAINING,
)
LANGUAGE = Gpt2Config(VOCAB, 16, 16, 1, 2)
LLAMA = LlamaConfig(VOCAB, 16, 16, 1, 4, 2, 24, rope=RopeConfig("llama3", factor=4.0, original_length=8))


def clips_of(step, features=False):
    """A batch of Stage I: padding frames, two clips of one text."""
    rng = np.random.default_rng(step)
    ids = rng.integers(1, VOCAB - 1, (BATCH, LENGTH), dtype=np.int32)
    ids[:, -2:] = VOCAB - 1
    ids[1] = ids[0]
    real = np.ones((BATCH, FRAMES), bool)
    real[2, 1:] = real[5, 3] = False
    seen = rng.normal(size=(BATCH, FRAMES, 8)).astype(np.float32)
    frames = rng.integers(0, 256, (BATCH, FRAMES, 16, 16, 3), dtype=np.uint8)
    return {
        **({"features": seen} if features else {"frames": frames}),
        "frames_real": real,
        "text_ids": ids,
        "words_real": (ids != VOCAB - 1) & (np.arange(LENGTH) > 0),
        "same_text": np.array([0, 0, 2, 3, 4, 5, 6, 7], np.int32),
    }


def windows_of(step):
    """A batch of Stage II: padding frames, a padding clip, descriptions of several lengths."""
    rng = np.random.default_rng(step)
    shape = (BATCH, CLIPS)
    clips_real = np.ones(shape, bool)
    clips_real[3, 1] = False
    frames_real = np.broadcast_to(clips_real[..., None], (*shape, FRAMES)).copy()
    frames_real[0, 0, 2:] = False
    lengths = rng.integers(2, LENGTH + 1, (*shape, 1)) * clips_real[..., None]
    text_real = np.arange(LENGTH) < lengths
    return {
        "features": rng.normal(size=(*shape, FRAMES, 8)).astype(np.float32),
        "frames_real": frames_real,
        "clips_real": clips_real,
        "prompt_ids": rng.integers(0, VOCAB, (*shape, PROMPT), dtype=np.int32),
        "prompt_real": np.broadcast_to(np.arange(PROMPT) < 2, (*shape, PROMPT)).copy(),
        "text_ids": rng.integers(0, VOCAB, (*shape, LENGTH), dtype=np.int32),
        "text_real": text_real,
        "distinctive": text_real & (rng.random((*shape, LENGTH)) < 0.3),
    }


def drawn(make):
    """The module that `make` would build, with no weight near zero, so that each matters; drawn by NumPy, which need
    not be compiled."""
    graph, state = nnx.split(nnx.eval_shape(make))

    def draw(path, like):
        name = jax.tree_util.keystr(path)
        noise = np.random.default_rng(zlib.crc32(name.encode())).normal(size=like.shape)
        return jnp.asarray(0.3 * noise + ("scale" in name), jnp.float32)

    return nnx.merge(graph, jax.tree.map_with_path(draw, state))


class Stage:
    """A stage's model, task and batches; its first state is drawn once, on one device."""

    def __init__(self, make, learns, task, batch_of):
        self.task, self.batch_of = task, batch_of
        self.optimiser = make_optimiser(OPTIMISER, STEPS)
        self.graph, self.first, _ = make_state(lambda: drawn(make), learns, self.optimiser, alone())

    def after(self, mesh=None, pieces=1):
        """The state and the metrics after `STEPS` steps on a mesh."""
        mesh = mesh or alone()
        shardings = tree_shardings(self.first, mesh)
        step = make_train_step(self.graph, self.task, self.optimiser, mesh, shardings, seed=0, pieces=pieces)
        state, told = jax.device_put(jax.device_get(self.first), shardings), []
        for number in range(STEPS):
            state, metrics = step(state, place_batch(self.batch_of(number), mesh))
            told.append({name: float(value) for name, value in metrics.items()})
        return state, told


def alone():
    return make_mesh(MeshConfig(), jax.devices()[:1])


def leaves(tree):
    return {path_name(path): np.asarray(leaf) for path, leaf in jax.tree_util.tree_leaves_with_path(tree)}


def stage1(freeze="tower"):
    settings = dataclasses.replace(STAGE1, freeze=freeze)
    config = adapted_config(settings, ALIGNER)
    return Stage(
        lambda: Aligner(config, rngs=nnx.Rngs(0)),
        learners(settings, config.vision.layers),
        matching_task(settings.loss),
        lambda step: clips_of(step, features=freeze == "adapter"),
    )


def stage2(language=LANGUAGE, learning="full"):
    settings = dataclasses.replace(STAGE2, language=learning, lora=LoraConfig(2, 4.0, ("query", "mlp")))
    config, learns = narrator_config(settings, language, 8), re.compile(LEARNS[learning]).search
    return Stage(
        lambda: Narrator(config, rngs=nnx.Rngs(0)),
        lambda path: learns(path) is not None,
        narration_task(SayingConfig()),
        windows_of,
    )


@pytest.fixture(scope="module", params=["stage1", "stage2"])
def both(request):
    """A stage, and what it comes to on one device."""
    stage = stage1() if request.param == "stage1" else stage2()
    return stage, stage.after()


def assert_equal(found, wanted):
    """The same metrics, and the same parameters where these have a gradient: where it is zero (a key's bias moves no
    attention) Adam divides rounding by rounding, and the norm of all updates has that in it."""
    for told, expected in zip(found[1], wanted[1], strict=True):
        assert told.pop("update_norm") == pytest.approx(expected["update_norm"], rel=1e-3)
        assert told == pytest.approx({name: expected[name] for name in told}, rel=1e-5, abs=1e-6)
        assert set(expected) - set(told) == {"update_norm"}
    squares = {name.partition("/nu/")[2]: leaf for name, leaf in leaves(wanted[0].moments).items() if "/nu/" in name}
    got, compared = leaves(found[0].learned), []
    for name, leaf in leaves(wanted[0].learned).items():
        moved = squares[name] > (STEPS * (1 - OPTIMISER.beta2)) * 1e-12  # gradients above 1e-6
        np.testing.assert_allclose(got[name][moved], leaf[moved], atol=1e-5, rtol=0, err_msg=name)
        compared.append((moved.sum(), moved.size))
    assert sum(moved for moved, _ in compared) > 0.8 * sum(size for _, size in compared)
    for name, leaf in leaves(wanted[0].buffers).items():
        np.testing.assert_allclose(leaves(found[0].buffers)[name], leaf, atol=1e-5, rtol=0, err_msg=name)


@pytest.mark.parametrize("mesh", MESHES)
def test_eight_devices_take_the_step_of_one(both, mesh):
    stage, wanted = both
    assert_equal(stage.after(make_mesh(MESHES[mesh])), wanted)


def test_a_batch_read_in_pieces_takes_the_step_of_the_whole(both):
    stage, wanted = both
    assert_equal(stage.after(pieces=2), wanted)


def test_eight_devices_take_the_step_of_one_with_low_rank_updates_beside_a_frozen_llama():
    stage = stage2(LLAMA, "lora")
    wanted, found = stage.after(), stage.after(make_mesh(MESHES["2x2x2"]))
    assert_equal(found, wanted)
    for name, leaf in leaves(wanted[0].frozen).items():
        np.testing.assert_array_equal(leaves(found[0].frozen)[name], leaf, err_msg=name)


LEARNING = {
    "tower": lambda name: name.startswith("vision/"),
    "last_n": lambda name: name.startswith(("vision/blocks/1/", "vision/norm_after/", "vision/projection/")),
    "lora": lambda name: name.startswith("vision/blocks/") and name.endswith(("/lora_a", "/lora_b")),
    "adapter": lambda name: name.startswith("adapter/"),
}


@pytest.mark.parametrize("freeze", LEARNING)
def test_a_freeze_policy_moves_what_it_names_and_keeps_moments_of_nothing_else(freeze):
    stage = stage1(freeze)
    names = {*leaves(stage.first.learned), *leaves(stage.first.frozen)}
    learning = {name for name in names if LEARNING[freeze](name)}
    assert learning and {name for name in names if name.startswith("text/")} <= names - learning
    assert set(leaves(stage.first.learned)) == learning
    kept = {name.partition(f"/{kind}/")[2] for name in leaves(stage.first.moments) for kind in ("mu", "nu")} - {""}
    assert kept == learning
    before = jax.device_get(stage.first)
    state, _ = stage.after()
    for name, leaf in leaves(state.frozen).items():
        np.testing.assert_array_equal(leaf, leaves(before.frozen)[name], err_msg=name)
    for name, leaf in leaves(state.learned).items():
        assert (leaf != leaves(before.learned)[name]).any(), name


@pytest.mark.parametrize("learn_scale", [False, True])
def test_the_temperature_learns_only_where_it_is_asked_to(learn_scale):
    settings = dataclasses.replace(STAGE1, loss=MatchingConfig(learn_scale=learn_scale))
    assert learners(settings, 2)("logit_scale") == learn_scale
