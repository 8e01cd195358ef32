"""Each model that trains is split: under `fsdp`, no matrix and no moment of one stays whole."""

import dataclasses
import math

import jax
import pytest
from flax import nnx

from distinctad_jax.models.aligner import Aligner, AlignerConfig
from distinctad_jax.models.gpt2 import GPT2_PRESETS, Gpt2
from distinctad_jax.models.linear import LoraConfig
from distinctad_jax.models.llama import LLAMA_PRESETS, Llama
from distinctad_jax.models.narrator import Narrator
from distinctad_jax.models.reconstructor import Reconstructor, ReconstructorConfig
from distinctad_jax.models.towers import TEXT_PRESETS, VISION_PRESETS
from distinctad_jax.recipes.stage2 import SeeingConfig, Stage2Config, narrator_config
from distinctad_jax.training.loop import TrainingConfig
from distinctad_jax.training.mesh import MeshConfig, make_mesh, path_name, tree_shardings
from distinctad_jax.training.optimiser import OptimiserConfig, make_optimiser
from distinctad_jax.training.step import abstract_state

OPTIMISER = OptimiserConfig(peak=1e-4)
LLAMA = dataclasses.replace(LLAMA_PRESETS["llama-3-8b"], layers=2, lora=LoraConfig(8, 16.0, ("attention", "mlp")))
MESHES = {
    "1x8": MeshConfig(data=1, fsdp=8),
    "2x4": MeshConfig(data=2, fsdp=4),
    "2x2x2": MeshConfig(data=2, fsdp=2, tensor=2),
}


def aligner():
    vision = dataclasses.replace(VISION_PRESETS["vit-l-14"], lora_rank=8)
    return Aligner(AlignerConfig(vision, TEXT_PRESETS["vit-l-14"], adapter_width=512), rngs=nnx.Rngs(0))


def narrator(bridge="flamingo", gradient="unroll"):
    seeing = SeeingConfig(tokens=32, heads=12, bridge=bridge, gradient=gradient)
    training = TrainingConfig(steps=1, batch=8, optimiser=OPTIMISER)
    settings = Stage2Config(clips=8, frames=8, text_length=48, prompt_length=48, seeing=seeing, training=training)
    return Narrator(narrator_config(settings, GPT2_PRESETS["gpt2"], 512), rngs=nnx.Rngs(0))


MODELS = {
    "aligner": aligner,
    "narrator": narrator,
    "narrator, other bridge": lambda: narrator("autoad", "stop"),
    "language": lambda: Gpt2(GPT2_PRESETS["gpt2"], rngs=nnx.Rngs(0)),
    "llama": lambda: Llama(LLAMA, rngs=nnx.Rngs(0)),
    "reconstructor": lambda: Reconstructor(ReconstructorConfig(512, GPT2_PRESETS["gpt2"]), rngs=nnx.Rngs(0)),
}


@pytest.fixture(scope="module", params=MODELS)
def state(request):
    """The shapes of a model's whole training state; nothing is computed."""
    return abstract_state(MODELS[request.param], lambda path: True, make_optimiser(OPTIMISER, 10))[1]


def pieces(sharding):
    """Into how many parts `fsdp` cuts an array."""
    named = [name for axis in sharding.spec for name in (axis if isinstance(axis, tuple) else (axis,))]
    return sharding.mesh.shape["fsdp"] if "fsdp" in named else 1


@pytest.mark.parametrize("mesh", MESHES)
def test_no_matrix_and_no_moment_of_one_stays_whole(state, mesh):
    mesh = make_mesh(MESHES[mesh])
    shardings = jax.tree_util.tree_leaves_with_path(tree_shardings(state, mesh))
    sizes = [0, 0]
    for (path, sharding), leaf in zip(shardings, jax.tree.leaves(state), strict=True):
        name, cut = path_name(path), pieces(sharding)
        assert leaf.ndim < 2 or cut == mesh.shape["fsdp"], f"{name} {leaf.shape} stays whole"
        assert all(
            size % math.prod(mesh.shape[name] for name in (axis if isinstance(axis, tuple) else (axis,)) if name) == 0
            for size, axis in zip(leaf.shape, sharding.spec, strict=False)
        ), name
        sizes[cut == 1] += leaf.size
    assert sizes[1] < 0.003 * sum(sizes)  # norms, biases, the step


def test_moments_are_split_as_what_they_are_moments_of(state):
    shardings = tree_shardings(state, make_mesh(MESHES["2x2x2"]))
    learned = {path_name(path): spec for path, spec in jax.tree_util.tree_leaves_with_path(shardings.learned)}
    followed = set()
    for path, sharding in jax.tree_util.tree_leaves_with_path(shardings.moments):
        kind = next((kind for kind in ("/mu/", "/nu/") if kind in path_name(path)), None)
        if kind:
            name = path_name(path).partition(kind)[2]
            assert sharding.spec == learned[name].spec, name
            followed.add(name)
    assert followed == set(learned)


def test_attention_and_mlp_are_split_over_tensor(state):
    shardings = tree_shardings(state, make_mesh(MeshConfig(data=2, fsdp=2, tensor=2)))
    inside = ("qkv", "up", "gate", "query", "key", "value", "key_value", "out", "down")
    found = 0
    for path, sharding in jax.tree_util.tree_leaves_with_path(shardings.learned):
        parts = path_name(path).split("/")
        if parts[-1] == "kernel" and parts[-2] in inside:
            found += 1
            assert "tensor" in sharding.spec and "fsdp" in sharding.spec, parts
    assert found
