"""Stage I: adapt the vision tower to what describers say; the text tower stays as it is."""

from __future__ import annotations

import dataclasses
import re
from typing import Any, Literal

import jax
from flax import nnx

from distinctad_jax.checkpoints.weights import save_weights
from distinctad_jax.config import plain, refused
from distinctad_jax.data.datasets import Records
from distinctad_jax.data.pipeline import clip_batches
from distinctad_jax.endurance.facts import harmless
from distinctad_jax.files import write_json
from distinctad_jax.losses.matching import MOST_CELLS, frame_word_matching, global_matching, pool_frames
from distinctad_jax.models.aligner import Aligner, AlignerConfig
from distinctad_jax.recipes.models import take_aligner
from distinctad_jax.recipes.workshop import Need, Recipe, Run
from distinctad_jax.training.loop import TrainingConfig, fit
from distinctad_jax.training.mesh import row_devices
from distinctad_jax.training.step import Learns, Task

Freeze = Literal["tower", "last_n", "lora", "adapter"]


@dataclasses.dataclass(frozen=True)
class MatchingConfig:
    """Weights and switches of the two losses. Temperatures are our defaults; the paper's are not known.

    most_cells: of the similarity matrix (frames x words), computed at once by one device; beyond, in chunks.
    """

    clip_sentence: float = 1.0
    frame_word: float = 1.0
    attention_temperature: float = 0.1
    temperature: float = 0.07
    direction: Literal["frame_to_word", "word_to_frame"] = "frame_to_word"
    positives: Literal["all", "matched"] = "all"
    learn_scale: bool = False
    most_cells: int = MOST_CELLS

    def __post_init__(self):
        if min(self.clip_sentence, self.frame_word) < 0 or self.clip_sentence + self.frame_word == 0:
            raise ValueError(f"weights of losses are >= 0 and one is > 0, got {self}")
        if min(self.attention_temperature, self.temperature) <= 0:
            raise ValueError(f"temperatures are > 0, got {self}")
        if self.most_cells < 1:
            raise ValueError(f"most_cells is at least 1, got {self.most_cells}")


@dataclasses.dataclass(frozen=True)
class Stage1Config:
    """freeze: what learns: the whole vision `tower`, its `last_n` blocks, low-rank updates (`lora`), or an `adapter`.

    The adapter is trained on stored features alone, for data whose pixels are not to be had; results with it are
    to be labelled "adapter". The paper tunes the tower.
    dtype: what products are computed in; parameters stay float32. remat: recompute blocks to save memory.
    workers: processes that read and decode, 0 for threads; batches are the same for any number.
    """

    frames: int
    training: TrainingConfig
    loss: MatchingConfig = MatchingConfig()
    freeze: Freeze = "tower"
    last_n: int = 2
    lora_rank: int = 8
    adapter_width: int = 512
    dtype: Literal["float32", "bfloat16"] = "float32"
    remat: bool = False
    workers: int = harmless(0)

    def __post_init__(self):
        if min(self.frames, self.last_n, self.lora_rank, self.adapter_width) < 1 or self.workers < 0:
            raise ValueError(f"frames, last_n, lora_rank and adapter_width are at least 1, workers 0, got {self}")


def learners(settings: Stage1Config, layers: int) -> Learns:
    """Which parameters learn under a freeze policy, for a vision tower of so many layers."""
    blocks = "|".join(str(layer) for layer in range(max(layers - settings.last_n, 0), layers))
    patterns = {
        "tower": r"^vision/(?!.*lora_)",
        "last_n": rf"^vision/(blocks/({blocks})/|norm_after|projection)",
        "lora": r"^vision/.*lora_[ab]$",
        "adapter": r"^adapter/",
    }
    pattern = patterns[settings.freeze] + (r"|^logit_scale$" if settings.loss.learn_scale else "")
    return lambda path: re.search(pattern, path) is not None


def adapted_config(settings: Stage1Config, config: AlignerConfig) -> AlignerConfig:
    """The aligner's config with what the freeze policy adds, and how it is computed."""
    rank = settings.lora_rank if settings.freeze == "lora" else 0
    width = settings.adapter_width if settings.freeze == "adapter" else 0
    vision = dataclasses.replace(config.vision, lora_rank=rank, dtype=settings.dtype, remat=settings.remat)
    text = dataclasses.replace(config.text, dtype=settings.dtype)
    return dataclasses.replace(config, vision=vision, text=text, adapter_width=width)


def matching_task(loss: MatchingConfig, devices: int = 1) -> Task:
    """Clips against sentences and frames against words, over the rows of the whole global batch, which is split over
    so many devices."""
    most = loss.most_cells * devices

    def encode(model: Aligner, batch: dict[str, Any], key: Any) -> Any:
        stored = "features" in batch
        frames = model.adapt(batch["features"]) if stored else model.encode_frames(batch["frames"])
        text = model.encode_text(batch["text_ids"])
        return frames, jax.lax.stop_gradient(text.sentence), jax.lax.stop_gradient(text.words)

    def objective(model: Aligner, features: Any, batch: dict[str, Any]) -> Any:
        frames, sentence, words = features
        real = batch["frames_real"]
        same = batch["same_text"]
        scale = model.scale() if loss.learn_scale else jax.lax.stop_gradient(model.scale())
        clip_sentence = global_matching(pool_frames(frames, real), sentence, scale, same, most=most)
        metrics, total = {"clip_sentence": clip_sentence}, loss.clip_sentence * clip_sentence
        if loss.frame_word:
            frame_word = frame_word_matching(
                frames,
                real,
                words,
                batch["words_real"],
                attention_temperature=loss.attention_temperature,
                temperature=loss.temperature,
                direction=loss.direction,
                positives=loss.positives,
                same=same,
                most=most,
            )
            metrics["frame_word"] = frame_word
            total = total + loss.frame_word * frame_word
        return total, metrics

    return Task(encode, objective)


def run(settings: Stage1Config, run: Run) -> dict[str, Any]:
    """Writes the adapted aligner."""
    before = take_aligner(run.needs["pretrain"].folder)
    with refused("config.stage1"):
        config = adapted_config(settings, before.config)
    records = Records(run.needs["features" if settings.freeze == "adapter" else "pack"].folder / "records", "train")
    batches = clip_batches(
        records,
        tokenizer=before.tokenizer,
        batch=settings.training.batch,
        frames=settings.frames,
        image_size=config.vision.image_size,
        text_length=config.text.length,
        seed=run.seed,
        augment_shift=True,
        workers=settings.workers,
        skip_bad=run.choices.on_bad_example == "skip",
        host=jax.process_index(),
        hosts=jax.process_count(),
    )
    with run.voice.bar("stage I") as bar:
        parts = fit(
            settings.training,
            run.folder / "aligner",
            journey=run.journey("aligner"),
            seed=run.seed,
            make=lambda: Aligner(config, rngs=nnx.Rngs(run.seed)),
            learns=learners(settings, config.vision.layers),
            task=matching_task(settings.loss, row_devices(run.mesh)),
            batches=batches,
            mesh=run.mesh,
            progress=bar,
            say=run.voice.say,
            start=before.weights,
        )
    folder = run.folder / "aligner"
    if run.leads:
        save_weights(folder / "model.safetensors", parts.learned, parts.frozen)
        write_json(folder / "model.json", plain(config))
        before.tokenizer.save(folder / "tokenizer")
    return {"parameters_learned": sum(leaf.size for leaf in jax.tree.leaves(parts.learned))}


def needs(settings: Stage1Config) -> dict[str, Need]:
    """The towers, and clips as pixels, or as stored features of the tower as it was."""
    if settings.freeze == "adapter":
        return {"pretrain": Need("pretrain"), "features": Need("extract", {"extract": {"tower": "pretrain"}})}
    return {"pretrain": Need("pretrain"), "pack": Need("pack")}


RECIPE = Recipe("stage1", Stage1Config, run, needs, together=True)
