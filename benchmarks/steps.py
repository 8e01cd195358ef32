"""How long a training step of each stage takes on this machine, and how fast windows are read for it.

Run:    python benchmarks/steps.py --size=toy --steps=20 > steps.json
Gives:  one JSON object on standard output, and the same as a table on standard error.
Sizes:  tiny, toy (models and batches of configs/), base (those of configs/ with a CLIP ViT-B/16 and a GPT-2,
        for accelerators: a batch of Stage I holds 2048 pictures).

Weights and frame features are random, pictures are noise, texts are shuffled words: that changes no time. A step is
timed from a batch that lies on the device to its updated state; compilation and the first steps are not in it, and
reading and preparing batches is timed on its own, with no step beside it.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from flax import nnx
from rich.console import Console
from rich.table import Table

from distinctad_jax.config import build, earlier
from distinctad_jax.data.datasets import ClipRecord, Records, write_records
from distinctad_jax.data.pipeline import Batches, window_batches
from distinctad_jax.models.aligner import Aligner
from distinctad_jax.models.gpt2 import GPT2_PRESETS, Gpt2Config
from distinctad_jax.models.narrator import Narrator
from distinctad_jax.models.towers import TEXT_PRESETS, VISION_PRESETS, TextConfig, VisionConfig
from distinctad_jax.recipes.pretrain import Sizes
from distinctad_jax.recipes.stage1 import AlignerConfig, Stage1Config, adapted_config, learners, matching_task
from distinctad_jax.recipes.stage2 import Stage2Config, narration_task, narrator_config
from distinctad_jax.recipes.workshop import provenance
from distinctad_jax.text.tokenizers import Tokenizer, train_tokenizer
from distinctad_jax.training.mesh import MeshConfig, make_mesh, place_batch
from distinctad_jax.training.optimiser import make_optimiser
from distinctad_jax.training.step import Learns, Task, make_state, make_train_step

CONFIGS = Path(__file__).parents[1] / "configs"
WARM_UP = 3  # steps after compilation that are not timed
MOVIES, CLIPS = 8, 64  # made-up movies and the clips of each
WORDS = 9  # of a description; real ones have 8 to 9 on average


class Models(NamedTuple):
    """What is timed: the configs of the models and of both stages."""

    aligner: AlignerConfig
    language: Gpt2Config
    stage1: Stage1Config
    stage2: Stage2Config


def models(size: str) -> Models:
    """Both stages as configs/ has them at a size."""
    config: Any = earlier(str(CONFIGS / "stage2.py"), "stage2", size)
    if size == "base":
        aligner = AlignerConfig(VISION_PRESETS["vit-b-16"], TEXT_PRESETS["vit-b-16"])
        language = GPT2_PRESETS["gpt2"]
    else:
        s = build(Sizes, config.pretrain.sizes)
        vision = VisionConfig(s.image_size, s.patch, s.vision_width, s.vision_layers, s.vision_heads, s.projection)
        text = (s.vocab, s.text_length, s.text_width, s.text_layers, s.text_heads, s.projection)
        aligner = AlignerConfig(vision, TextConfig(*text, end=s.vocab - 1))
        language = Gpt2Config(s.vocab, s.language_length, s.language_width, s.language_layers, s.language_heads)
    return Models(aligner, language, build(Stage1Config, config.stage1), build(Stage2Config, config.stage2))


def clips(width: int, frames: int, rng: np.random.Generator) -> Iterator[ClipRecord]:
    """Made-up movies with random features, and descriptions drawn from 300 made-up words."""
    syllables = [a + b for a in "bdfgklmnprstvz" for b in ("a", "e", "i", "o", "u")]
    words = ["".join(rng.choice(syllables, 2)) for _ in range(300)]
    for movie in range(MOVIES):
        for index in range(CLIPS):
            yield ClipRecord(
                movie=f"movie{movie}",
                index=index,
                start=5.0 * index,
                end=5.0 * index + 4.0,
                text=" ".join(rng.choice(words, WORDS)).capitalize() + ".",
                frame_times=np.linspace(0, 4, frames) + 5.0 * index,
                features=rng.normal(size=(frames, width)).astype(np.float16),
                cast=("Ada Lamb", "Bo Finch", "Dr. Cleo Hart"),
            )


def windows(records: Records, tokenizer: Tokenizer, settings: Stage2Config) -> Batches:
    """The stream that Stage II reads."""
    return window_batches(
        records,
        tokenizer=tokenizer,
        batch=settings.training.batch,
        clips=settings.clips,
        frames=settings.frames,
        text_length=settings.text_length,
        prompt_length=settings.prompt_length,
        seed=0,
        stride=settings.stride,
        distinct=settings.distinct,
        names=settings.names,
    )


def matching_batch(found: Models, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """A batch of Stage I: noise for pictures, and texts that fill half of the tower's length."""
    vision, text, settings = found.aligner.vision, found.aligner.text, found.stage1
    batch, length = settings.training.batch, text.length
    ids = rng.integers(1, text.end, (batch, length), dtype=np.int32)
    ids[:, length // 2 :] = text.end
    real = np.zeros((batch, length), bool)
    real[:, 1 : length // 2] = True
    shape = (batch, settings.frames, vision.image_size, vision.image_size, 3)
    return {
        "frames": rng.integers(0, 256, shape, dtype=np.uint8),
        "frames_real": np.ones((batch, settings.frames), bool),
        "text_ids": ids,
        "words_real": real,
        "row": np.arange(batch, dtype=np.int32),
        "same_text": np.arange(batch, dtype=np.int32),
    }


def time_steps(
    make: Callable[[], Any], learns: Learns, task: Task, training: Any, batch: dict[str, np.ndarray], steps: int
) -> dict[str, float]:
    """Seconds of the first step, with its compilation, and milliseconds of a later one: median, 90th percentile."""
    mesh = make_mesh(MeshConfig())
    optimiser = make_optimiser(training.optimiser, training.steps)
    graph, state, shardings = make_state(make, learns, optimiser, mesh)
    step = make_train_step(graph, task, optimiser, mesh, shardings, seed=0, pieces=training.pieces)
    placed = place_batch(batch, mesh)
    taken = []
    for _ in range(1 + WARM_UP + steps):
        began = time.perf_counter()
        state, metrics = jax.block_until_ready(step(state, placed))
        taken.append(time.perf_counter() - began)
    if not np.isfinite(metrics["loss"]):
        raise SystemExit(f"error: the loss is {metrics['loss']}")
    timed = 1000 * np.array(taken[1 + WARM_UP :])
    return {
        "compile_seconds": round(taken[0], 2),
        "step_ms_median": round(float(np.median(timed)), 2),
        "step_ms_p90": round(float(np.quantile(timed, 0.9)), 2),
    }


def time_reading(batches: Batches, steps: int) -> dict[str, float]:
    """Batches a second over `steps` batches, after the buffers have filled."""
    for _ in range(WARM_UP):
        batches.next()
    began = time.perf_counter()
    for _ in range(steps):
        batches.next()
    return {"batches_per_second": round(steps / (time.perf_counter() - began), 2)}


def measure(size: str, steps: int) -> dict[str, Any]:
    """All figures, with what they were measured on."""
    found, rng = models(size), np.random.default_rng(0)
    one, two, width = found.stage1, found.stage2, found.aligner.vision.projection
    aligner = adapted_config(one, found.aligner)
    stage1 = time_steps(
        lambda: Aligner(aligner, rngs=nnx.Rngs(0)),
        learners(one, aligner.vision.layers),
        matching_task(one.loss),
        one.training,
        matching_batch(found, rng),
        steps,
    )
    narrator = narrator_config(two, found.language, width)
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "records"
        write_records(
            made,
            "features",
            {"train": clips(width, two.frames, rng)},
            description="noise",
            metadata={},
            feature_width=width,
        )
        records = Records(made, "train")
        tokenizer = train_tokenizer([entry.text for entry in records.index], "gpt2", min(found.language.vocab, 1200))
        batches = windows(records, tokenizer, two)
        batch = batches.next()
        reading = time_reading(batches, 10 * steps)
        batches.close()
    stage2 = time_steps(
        lambda: Narrator(narrator, rngs=nnx.Rngs(0)),
        lambda path: two.language == "full" or not path.startswith("language/"),
        narration_task(two.loss),
        two.training,
        batch,
        steps,
    )
    rows = {
        "stage I step": {"batch": f"{one.training.batch} clips of {one.frames} frames", **stage1},
        "stage II step": {"batch": f"{two.training.batch} windows of {two.clips} clips", **stage2},
        "window batches": {"batch": f"{two.training.batch} windows of {two.clips} clips", **reading},
    }
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20)  # KiB on Linux
    return {"size": size, "steps": steps, **rows, "peak_memory_gib": round(peak, 2), "made_by": provenance()}


def show(results: dict[str, Any]) -> None:
    """The figures as a table."""
    device, peak = results["made_by"]["device"], results["peak_memory_gib"]
    table = Table(title=f"{results['size']} on {device}, {peak} GiB of host memory at most")
    for heading in ("what", "batch", "median", "90th percentile", "compilation", "a second"):
        table.add_column(heading, justify="left" if heading in ("what", "batch") else "right")
    for name, row in results.items():
        if isinstance(row, dict) and "batch" in row:
            step = [f"{row[key]:.1f} ms" if key in row else "" for key in ("step_ms_median", "step_ms_p90")]
            compiled = f"{row['compile_seconds']:.1f} s" if "compile_seconds" in row else ""
            rate = row.get("batches_per_second") or 1000 / row["step_ms_median"]
            table.add_row(name, row["batch"], *step, compiled, f"{rate:.1f}")
    Console(stderr=True).print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description="Times training steps and the reading of windows on this machine.")
    parser.add_argument("--size", choices=("tiny", "toy", "base"), default="toy")
    parser.add_argument("--steps", type=int, default=20, help="timed steps of each kind (default: 20)")
    given = parser.parse_args()
    if given.steps < 1:
        parser.error("--steps is at least 1")
    results = measure(given.size, given.steps)
    show(results)
    json.dump(results, sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    main()
