"""Would this training fit on those chips? Its step is compiled for them, without them, data or weights.

Where libtpu is installed, JAX compiles for the TPU slice itself, and memory is what its compiler says. Elsewhere the
same program is compiled for as many fake CPU devices: what is split and how large each part is stays true, temporary
memory is an estimate.
"""

from __future__ import annotations

import math
import os
import re
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np
from flax import nnx
from jax.sharding import Mesh

from distinctad_jax.checkpoints.hub import find_weights
from distinctad_jax.checkpoints.published import clip_fields
from distinctad_jax.config import refused
from distinctad_jax.data.windows import CONTEXT_WORDS, DISTINCT_WORDS
from distinctad_jax.errors import BadEnvironment, BadUsage
from distinctad_jax.models.aligner import Aligner, AlignerConfig
from distinctad_jax.models.gpt2 import GPT2_PRESETS, Gpt2Config
from distinctad_jax.models.language import LanguageConfig
from distinctad_jax.models.llama import LLAMA_PRESETS
from distinctad_jax.models.narrator import Narrator
from distinctad_jax.models.towers import TEXT_PRESETS, VISION_PRESETS, TextConfig, VisionConfig
from distinctad_jax.recipes.book import RECIPES, read_spec
from distinctad_jax.recipes.exchange import language_config
from distinctad_jax.recipes.pretrain import PretrainConfig, aligner_config
from distinctad_jax.recipes.stage1 import Stage1Config, adapted_config, learners, matching_task
from distinctad_jax.recipes.stage2 import LEARNS, Stage2Config, narration_task, narrator_config
from distinctad_jax.training.chips import GIB, Slice
from distinctad_jax.training.flops import matrix_flops
from distinctad_jax.training.loop import TrainingConfig
from distinctad_jax.training.mesh import batch_sharding, make_mesh, row_devices, tree_shardings
from distinctad_jax.training.optimiser import make_optimiser
from distinctad_jax.training.step import Learns, Task, abstract_state, make_train_step

LANGUAGES = {**LLAMA_PRESETS, **GPT2_PRESETS}
"""Sizes of language models by name."""
UTILISATION = 0.4
"""Share of a chip's peak that a step is expected to reach; a guess of ours for models of this size."""
RESERVED = 0.05
"""Share of a chip's memory that its runtime keeps for itself; a guess of ours."""


class Models(NamedTuple):
    """The sizes that a recipe builds on."""

    aligner: AlignerConfig
    language: LanguageConfig


class Job(NamedTuple):
    """A training before anything of it is made; `row` gives shape and dtype of a batch's arrays for one row."""

    training: TrainingConfig
    make: Callable[[], Any]
    learns: Learns
    task: Callable[[int], Task]
    row: Mapping[str, tuple[tuple[int, ...], Any]]
    heads: tuple[int, ...]


class Plan(NamedTuple):
    """What compiling said.

    Units: bytes are of one device, parts by name among them; flops of one step on all devices together, counted over
      its matrix products; seconds of one step; compile_seconds by the clock, compile_cpu_seconds of all processors.
      compiled_for names what was compiled for; problems are sentences.
    """

    topology: str
    compiled_for: str
    mesh: dict[str, int]
    batch: int
    parts: dict[str, int]
    temporary: int
    peak: int
    flops: float
    seconds: dict[str, float]
    compile_seconds: float
    compile_cpu_seconds: float
    problems: list[str]


def make_plan(config: Any, topology: Slice, *, clip: str = "vit-b-16", gpt2: str = "gpt2") -> Plan:
    """Compiles the training step of a config's recipe for a slice.

    Args:
      clip, gpt2: presets in place of published weights where the config names no folder with their config.json.
    Errors: BadUsage if the recipe does not train one model, or for an unknown preset or a mesh of another size.
    """
    for flag, value, known in (("--clip", clip, VISION_PRESETS), ("--gpt2", gpt2, LANGUAGES)):
        if value not in known:
            raise BadUsage(f"no preset {value!r}", where=flag, mend=f"choose one of {', '.join(known)}")
    config = config.copy_and_resolve_references()
    for section in set(config) & set(RECIPES) - {config.recipe, "pretrain"}:
        del config[section]  # of what stands before, only sizes of models matter
    if "pretrain" in config and config.pretrain.get("source") == "published":
        config.pretrain.update(
            {"clip": config.pretrain.get("clip") or clip, "gpt2": config.pretrain.get("gpt2") or gpt2}
        )
    name, spec, _, mesh_config = read_spec(config)
    if name not in JOBS:
        raise BadUsage(f"{name} is not planned", where="config.recipe", mend=f"choose one of {', '.join(JOBS)}")
    models = _models(spec.section("pretrain"))
    job = JOBS[name](spec.section(name), models)
    devices, compiled_for = _devices(topology)
    mesh = make_mesh(mesh_config, devices)
    batch, problems = _batch(job, mesh, name)
    return _compiled(job, topology, mesh, batch, compiled_for, problems)


def _models(pretrain: PretrainConfig) -> Models:
    """Sizes of stills' models, of presets, or of published folders."""
    if pretrain.sizes is not None:
        s = pretrain.sizes  # vocabularies are trained, and at most so large
        with refused("config.pretrain.sizes"):
            language = Gpt2Config(s.vocab, s.language_length, s.language_width, s.language_layers, s.language_heads)
        return Models(aligner_config(s, s.vocab, s.vocab - 1), language)
    preset = pretrain.clip in VISION_PRESETS
    fields = {} if preset else clip_fields(find_weights(pretrain.clip))
    vision = VISION_PRESETS[pretrain.clip] if preset else VisionConfig(**fields["vision"])
    text = TEXT_PRESETS[pretrain.clip] if preset else TextConfig(**fields["text"])
    known = LANGUAGES.get(pretrain.gpt2)
    return Models(AlignerConfig(vision, text), known or language_config(find_weights(pretrain.gpt2)))


def _stage1(settings: Stage1Config, models: Models) -> Job:
    config = adapted_config(settings, models.aligner)
    size, length, frames = config.vision.image_size, config.text.length, settings.frames
    row: dict[str, tuple[tuple[int, ...], Any]] = {
        "frames_real": ((frames,), bool),
        "text_ids": ((length,), np.int32),
        "words_real": ((length,), bool),
        "row": ((), np.int32),
        "same_text": ((), np.int32),
    }
    if settings.freeze == "adapter":
        row["features"] = ((frames, config.vision.projection), np.float32)
    else:
        row["frames"] = ((frames, size, size, 3), np.uint8)
    return Job(
        settings.training,
        lambda: Aligner(config, rngs=nnx.Rngs(0)),
        learners(settings, config.vision.layers),
        lambda devices: matching_task(settings.loss, devices),
        row,
        (config.vision.heads, config.text.heads),
    )


def _stage2(settings: Stage2Config, models: Models) -> Job:
    width = models.aligner.vision.projection
    with refused("config.stage2.seeing"):
        config = narrator_config(settings, models.language, width)
    clips, length = settings.clips, settings.text_length
    sizes: dict[str, tuple[tuple[int, ...], Any]] = {
        "features": ((settings.frames, width), np.float32),
        "frames_real": ((settings.frames,), bool),
        "clips_real": ((), bool),
        "prompt_ids": ((settings.prompt_length,), np.int32),
        "prompt_real": ((settings.prompt_length,), bool),
        "text_ids": ((length,), np.int32),
        "text_real": ((length,), bool),
        "row": ((), np.int32),
        "distinctive": ((length,), bool),
        "distinct_ids": ((DISTINCT_WORDS,), np.int32),
        "distinct_real": ((DISTINCT_WORDS,), bool),
        "context_ids": ((CONTEXT_WORDS,), np.int32),
        "context_real": ((CONTEXT_WORDS,), bool),
    }
    pattern = LEARNS[settings.language]
    return Job(
        settings.training,
        lambda: Narrator(config, rngs=nnx.Rngs(0)),
        lambda path: re.search(pattern, path) is not None,
        lambda devices: narration_task(settings.loss),
        {name: ((clips, *shape), kind) for name, (shape, kind) in sizes.items()},
        (config.language.heads, config.bridge.heads),
    )


JOBS: dict[str, Callable[[Any, Models], Job]] = {"stage1": _stage1, "stage2": _stage2}


def _devices(topology: Slice) -> tuple[list[Any], str]:
    """Devices of the slice as JAX describes them, or fake ones; and what they are."""
    if topology.grid:
        from jax.experimental import topologies

        for name, value in (("TPU_SKIP_MDS_QUERY", "1"), ("TPU_MIN_LOG_LEVEL", "3"), ("TPU_STDERR_LOG_LEVEL", "3")):
            os.environ.setdefault(name, value)  # libtpu looks for a machine of Google's, and has much to say
        try:
            described = topologies.get_topology_desc(platform="tpu", topology_name=topology.grid)
            return list(described.devices), topology.grid
        except Exception:  # no libtpu here, or one that does not know the slice: whatever its plug-in raises
            pass
    found = jax.devices("cpu")
    if len(found) < topology.devices:
        raise BadEnvironment(
            f"{topology.devices} devices are needed to compile for, JAX has {len(found)}",
            where=topology.name,
            mend=f"set XLA_FLAGS=--xla_force_host_platform_device_count={topology.devices}",
        )
    return found[: topology.devices], f"{topology.devices} fake CPU devices"


def _batch(job: Job, mesh: Mesh, name: str) -> tuple[int, list[str]]:
    """The batch that is planned, and what does not divide."""
    training, problems = job.training, []
    ways = row_devices(mesh) * training.pieces
    batch = -(-training.batch // ways) * ways
    if batch != training.batch:
        pieces = f" in {training.pieces} pieces" if training.pieces > 1 else ""
        problems.append(
            f"a batch of {training.batch}{pieces} does not split over {row_devices(mesh)} devices: "
            f"planned with {batch}; set config.{name}.training.batch, or pieces, or a larger config.mesh.tensor"
        )
    for heads in dict.fromkeys(job.heads):
        if heads % mesh.shape["tensor"]:
            problems.append(
                f"{heads} heads do not split over tensor={mesh.shape['tensor']}: attention is computed with "
                "more communication; choose a config.mesh.tensor that divides them"
            )
    return batch, problems


def _compiled(job: Job, topology: Slice, mesh: Mesh, batch: int, compiled_for: str, problems: list[str]) -> Plan:
    optimiser = make_optimiser(job.training.optimiser, job.training.steps)
    graph, state, _ = abstract_state(job.make, job.learns, optimiser)
    shardings = tree_shardings(state, mesh)
    task = job.task(row_devices(mesh))
    step = make_train_step(graph, task, optimiser, mesh, shardings, seed=0, pieces=job.training.pieces)
    state = jax.tree.map(
        lambda leaf, split: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=split), state, shardings
    )
    rows = {
        name: jax.ShapeDtypeStruct((batch, *shape), kind, sharding=batch_sharding(mesh))
        for name, (shape, kind) in job.row.items()
    }
    began, worked = time.monotonic(), time.process_time()
    traced = step.trace(state, rows)
    memory = traced.lower().compile().memory_analysis()
    spent = round(time.monotonic() - began, 1), round(time.process_time() - worked, 1)
    parts = {
        "learned weights": _bytes(state.learned),
        "frozen weights": _bytes((state.frozen, state.buffers)),
        "optimiser moments": _bytes(state.moments),
        "batch": _bytes(rows),
    }
    temporary = int(memory.temp_size_in_bytes)
    kept = memory.argument_size_in_bytes + memory.output_size_in_bytes - memory.alias_size_in_bytes
    peak = int(kept + temporary)
    flops = matrix_flops(traced.jaxpr.jaxpr)
    room = (1 - RESERVED) * topology.chip.memory * GIB
    if peak > room:
        largest = max({**parts, "temporary memory": temporary}.items(), key=lambda item: item[1])
        problems = [
            *problems,
            f"{peak / GIB:.1f} GiB a device, {topology.chip.name} has room for {room / GIB:.1f}: most is {largest[0]}"
            f" ({largest[1] / GIB:.1f} GiB); {MENDS.get(largest[0], MENDS['learned weights'])}",
        ]
    times = step_seconds(topology, mesh, flops, parts, _whole_bytes(state.learned))
    sizes = {axis: int(size) for axis, size in mesh.shape.items()}
    return Plan(topology.name, compiled_for, sizes, batch, parts, temporary, peak, flops, times, *spent, problems)


MENDS = {
    "temporary memory": "raise training.pieces, set remat, or lower training.batch",
    "batch": "lower training.batch",
    "learned weights": "raise config.mesh.fsdp, so that each device keeps less of them",
    "optimiser moments": "raise config.mesh.fsdp, so that each device keeps less of them",
    "frozen weights": "raise config.mesh.fsdp, so that each device keeps less of them",
}


def _bytes(tree: Any) -> int:
    """Of one device."""
    return sum(
        math.prod(leaf.sharding.shard_shape(leaf.shape)) * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree)
    )


def _whole_bytes(tree: Any) -> int:
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))


def step_seconds(
    topology: Slice, mesh: Mesh, flops: float, parts: Mapping[str, int], learned: int
) -> dict[str, float]:
    """How long a step takes by the chip's figures: `least` if everything overlaps at its peak, `expected` with
    `UTILISATION` of the peak and nothing overlapped. `learned` are bytes of all weights that learn.

    Memory: weights are read twice and written, moments read and written. Links: a ring reduces the gradient of what a
    device computes with, over all that read rows, and fsdp gathers weights for the forward and the backward pass.
    """
    chip, ways = topology.chip, row_devices(mesh)
    held = learned / mesh.shape["tensor"]
    moved = 2 * held * (ways - 1) / ways
    if mesh.shape["fsdp"] > 1:
        moved += 2 * held * (mesh.shape["fsdp"] - 1) / mesh.shape["fsdp"]
    compute = flops / topology.devices / chip.flops
    memory = (
        3 * parts["learned weights"] + 2 * parts["optimiser moments"] + parts["frozen weights"]
    ) / chip.memory_speed
    links = moved / chip.link_speed if topology.devices > 1 else 0.0
    return {
        "compute at peak": compute,
        "memory": memory,
        "links": links,
        "least": max(compute, memory, links),
        "expected": compute / UTILISATION + memory + links,
    }


def plain_plan(plan: Plan) -> dict[str, Any]:
    """The plan as JSON values, with whether it fits."""
    return {**plan._asdict(), "fits": not plan.problems}


def sentences(plan: Plan, topology: Slice) -> list[str]:
    """The plan for a person to read."""
    chip = topology.chip
    mesh = " x ".join(f"{axis} {size}" for axis, size in plan.mesh.items())
    lines = [
        f"{plan.topology}: {topology.devices} x {chip.name}, mesh {mesh}, batch {plan.batch}",
        f"compiled for {plan.compiled_for} in {plan.compile_seconds} s",
        "memory of a device",
    ]
    named = {**plan.parts, "temporary memory": plan.temporary, "at the peak": plan.peak}
    lines += [f"  {name:<20}{size / GIB:9.3f} GiB" for name, size in named.items()]
    lines += [
        f"  {'of the chip':<20}{plan.peak / GIB / chip.memory:9.0%}   ({chip.memory:g} GiB)",
        f"operations a step     {plan.flops / 1e12:9.3f} TFLOP on all devices",
        f"a step                {1000 * plan.seconds['least']:9.1f} ms at least, "
        f"{1000 * plan.seconds['expected']:.1f} ms expected at {UTILISATION:.0%} of the peak "
        f"(links {1000 * plan.seconds['links']:.1f} ms, memory {1000 * plan.seconds['memory']:.1f} ms)",
    ]
    return [
        *lines,
        *(f"does not fit: {problem}" for problem in plan.problems or ()),
        *([] if plan.problems else ["fits"]),
    ]
