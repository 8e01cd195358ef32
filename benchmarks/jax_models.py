"""Our side of `benchmarks/models.py`: its workloads as the recipes run them, ready to be timed; see workloads.serve.

Run by models.py. Needs jax, flax, optax, einops and jaxtyping only. Weights are random; on an accelerator products
are bfloat16 and parameters that learn float32, as configs/ has them at size base.
"""

from __future__ import annotations

import dataclasses
import platform
import re
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import jax
import jax.numpy as jnp
import numpy as np
from flax import __version__ as flax_version
from flax import nnx
from workloads import BASES, FRAMES, IMAGE, PREFIX, READ, SEEN, TEXT_VOCAB, VOCAB, WIDTH, WORDS, serve

from distinctad_jax.losses.captioning import next_word
from distinctad_jax.losses.matching import frame_word_matching, global_matching, pool_frames
from distinctad_jax.models.aligner import Aligner, AlignerConfig
from distinctad_jax.models.em_attention import shared_bases, unit
from distinctad_jax.models.gpt2 import GPT2_PRESETS, Gpt2
from distinctad_jax.models.towers import TEXT_PRESETS, VISION_PRESETS, VisionTower
from distinctad_jax.narration.decoding import DecodingConfig, decode
from distinctad_jax.training.mesh import MeshConfig, make_mesh, place_batch, tree_shardings
from distinctad_jax.training.optimiser import OptimiserConfig, make_optimiser
from distinctad_jax.training.step import Learns, Task, TrainState, compiled, make_train_step, take_apart

ACCELERATED = sys.argv[1] == "gpu"
DTYPE = "bfloat16" if ACCELERATED else "float32"
PRESETS = {"B/32": "vit-b-32", "B/16": "vit-b-16", "L/14": "vit-l-14"}
OPTIMISER = OptimiserConfig(peak=1e-5, schedule="constant", warmup_steps=0)
END = TEXT_VOCAB - 1
SIZE, TIMES = (8192, 10) if ACCELERATED else (2048, 2)
SQUARE = jax.random.normal(jax.random.key(0), (SIZE, SIZE), DTYPE)
MULTIPLY = jax.jit(jnp.matmul)


def filled(tree: Any) -> Any:
    """Random arrays for the shapes of a tree: small where there are two axes or more, as norms start elsewhere."""
    noise = np.random.default_rng(0).standard_normal(1 << 20, dtype=np.float32)

    def fill(path: tuple[Any, ...], leaf: Any) -> np.ndarray:
        if leaf.ndim >= 2:
            return np.resize(0.02 * noise, leaf.shape)
        return np.full(leaf.shape, 1.0 if str(path[-1].key) == "scale" else 0.0, leaf.dtype)

    return jax.tree_util.tree_map_with_path(fill, tree)


def ready(build: Callable[[], Any]) -> Any:
    """A module with random arrays, of the type that it computes in, since it only speaks."""
    graph, state = nnx.split(nnx.eval_shape(build))
    arrays = jax.tree.map(lambda leaf: jnp.asarray(leaf, DTYPE), filled(nnx.to_pure_dict(state)))
    return nnx.merge(graph, arrays)


def stepping(build: Callable[[], Any], learns: Learns, task: Task, batch: dict[str, Any]) -> Callable[[], Any]:
    """A whole training step, as `training.loop` runs it: gradient, clipping and AdamW, the old state donated."""
    mesh, optimiser = make_mesh(MeshConfig(data=1), jax.devices()[:1]), make_optimiser(OPTIMISER, 1000)
    parts = take_apart(nnx.eval_shape(build), learns)
    learned, frozen, buffers = (jax.tree.map(jnp.array, filled(tree)) for tree in parts[1:])
    state = TrainState(jnp.int32(0), learned, frozen, buffers, optimiser.init(learned))
    shardings = tree_shardings(state, mesh)
    state = jax.device_put(state, shardings)
    step = make_train_step(parts.graph, task, optimiser, mesh, shardings, seed=0)
    placed = place_batch(batch, mesh)

    def run() -> Any:
        nonlocal state
        state, metrics = step(state, placed, told=False)  # as most steps are, see training.log_every
        return metrics["loss"]

    return run


def encode(sizes: dict[str, Any]) -> Callable[[], Any]:
    config = dataclasses.replace(VISION_PRESETS[PRESETS[sizes["model"]]], dtype=DTYPE)
    model = ready(lambda: VisionTower(config, rngs=nnx.Rngs(0)))
    images = jax.random.normal(jax.random.key(0), (sizes["batch"], IMAGE, IMAGE, 3), DTYPE)
    return partial(compiled(model, lambda model, images: model(images)), images)


def match(model: Aligner, batch: dict[str, Any], key: Any) -> Any:
    """As recipes/stage1.py encodes; that file also imports what reads films."""
    text = model.encode_text(batch["text_ids"])
    frames = model.encode_frames(batch["frames"])
    return frames, jax.lax.stop_gradient(text.sentence), jax.lax.stop_gradient(text.words)


def matched(model: Aligner, features: Any, batch: dict[str, Any]) -> Any:
    """Both losses of Stage I, as recipes/stage1.py adds them up."""
    frames, sentence, words = features
    real, scale = batch["frames_real"], jax.lax.stop_gradient(model.scale())
    clip_sentence = global_matching(pool_frames(frames, real), sentence, scale)
    return clip_sentence + frame_word_matching(frames, real, words, batch["words_real"]), {}


def stage1(sizes: dict[str, Any]) -> Callable[[], Any]:
    name, clips = PRESETS[sizes["model"]], sizes["clips"]
    vision = dataclasses.replace(VISION_PRESETS[name], dtype=DTYPE)
    config = AlignerConfig(vision, dataclasses.replace(TEXT_PRESETS[name], dtype=DTYPE))
    rng = np.random.default_rng(0)
    ids = rng.integers(1, END - 1, (clips, READ), dtype=np.int32)
    ids[:, READ // 2 :] = END
    batch = {
        "frames": rng.integers(0, 256, (clips, FRAMES, IMAGE, IMAGE, 3), dtype=np.uint8),
        "frames_real": np.ones((clips, FRAMES), bool),
        "text_ids": ids,
        "words_real": (ids != END) & (np.arange(READ) > 0),
    }
    learns = re.compile("^vision/").match
    task = Task(match, matched)
    return stepping(lambda: Aligner(config, rngs=nnx.Rngs(0)), lambda path: bool(learns(path)), task, batch)


def narrate(model: Gpt2, batch: dict[str, Any], key: Any) -> Any:
    """As models/narrator.py reads: a prefix, then the words."""
    ids = batch["text_ids"]
    read = jnp.concatenate([batch["prefix"], model.embed(ids[:, :-1])], axis=1)
    hidden, _ = model(read, jnp.ones(read.shape[:2], bool), key=None)
    return model.logits(hidden[:, PREFIX - 1 :])


def narrated(model: Gpt2, logits: Any, batch: dict[str, Any]) -> Any:
    return next_word(logits, batch["text_ids"], jnp.ones(batch["text_ids"].shape, bool)), {}


def stage2(sizes: dict[str, Any]) -> Callable[[], Any]:
    config, rng = dataclasses.replace(GPT2_PRESETS["gpt2"], dtype=DTYPE), np.random.default_rng(0)
    batch = {
        "prefix": rng.standard_normal((sizes["captions"], PREFIX, WIDTH), dtype=np.float32),
        "text_ids": rng.integers(0, VOCAB, (sizes["captions"], WORDS), dtype=np.int32),
    }
    return stepping(lambda: Gpt2(config, rngs=nnx.Rngs(0)), lambda path: True, Task(narrate, narrated), batch)


def speak(sizes: dict[str, Any]) -> Callable[[], Any]:
    config = dataclasses.replace(GPT2_PRESETS["gpt2"], dtype=DTYPE)
    model = ready(lambda: Gpt2(config, rngs=nnx.Rngs(0)))
    rules = DecodingConfig(
        beams=sizes["beams"], max_tokens=WORDS, min_tokens=WORDS, repetition_penalty=1.0, no_repeat=0
    )
    prefix = jax.random.normal(jax.random.key(0), (sizes["captions"], PREFIX, WIDTH), DTYPE)
    real = jnp.ones(prefix.shape[:2], bool)
    say = compiled(model, lambda model, prefix, real: decode(model, prefix, real, rules, VOCAB - 1))
    return partial(say, prefix, real)


def em(sizes: dict[str, Any]) -> Callable[[], Any]:
    tokens = jax.random.normal(jax.random.key(0), (sizes["batch"], SEEN, WIDTH))
    first = jax.random.normal(jax.random.key(1), (BASES, WIDTH))
    real = jnp.ones(tokens.shape[:2], bool)

    def rebuilt(tokens: Any, first: Any) -> Any:
        bases = jnp.broadcast_to(unit(first), (len(tokens), *first.shape))
        shares, bases = shared_bases(tokens, real, bases, rounds=sizes["rounds"], temperature=1.0)
        return jnp.einsum("bsk,bkw->bsw", jnp.exp(shares), bases)

    if not sizes["gradient"]:
        return partial(jax.jit(rebuilt), tokens, first)
    return partial(jax.jit(jax.grad(lambda *given: jnp.sum(rebuilt(*given) ** 2), (0, 1))), tokens, first)


def prepare(kind: str, sizes: dict[str, Any]) -> Callable[[], Any]:
    jax.clear_caches()
    made = {"encode": encode, "stage1": stage1, "stage2": stage2, "em": em}.get(kind, speak)(sizes)
    return lambda: jax.block_until_ready(made())


def matmul() -> float:
    product = SQUARE
    for _ in range(TIMES):
        product = MULTIPLY(SQUARE, SQUARE)
    jax.block_until_ready(product)
    return TIMES * 2 * SIZE**3


if __name__ == "__main__":
    matmul()
    versions = {"jax": jax.__version__, "flax": flax_version, "python": platform.python_version()}
    serve(prepare, matmul, {"device": jax.devices()[0].device_kind, **versions})
