"""Stage II: train the narrator on windows of consecutive clips."""

from __future__ import annotations

import dataclasses
import re
from typing import Any, Literal

import jax
import jax.numpy as jnp
from flax import nnx

from distinctad_jax.checkpoints.weights import save_weights
from distinctad_jax.config import plain, refused
from distinctad_jax.data.datasets import Records
from distinctad_jax.data.features import Provenance
from distinctad_jax.data.pipeline import window_batches
from distinctad_jax.endurance.facts import harmless
from distinctad_jax.files import write_json
from distinctad_jax.losses.captioning import next_word
from distinctad_jax.losses.distinctive import distinctive_bag, distinctive_words, unlikely_context
from distinctad_jax.models.bridge import BridgeConfig
from distinctad_jax.models.em_attention import EMAttentionConfig
from distinctad_jax.models.language import LanguageConfig
from distinctad_jax.models.linear import NO_LORA, LoraConfig
from distinctad_jax.models.llama import LlamaConfig
from distinctad_jax.models.narrator import Narrator, NarratorConfig
from distinctad_jax.recipes.models import FEATURES, LEARNT_NAMES, check_room, take_language
from distinctad_jax.recipes.workshop import Need, Recipe, Run
from distinctad_jax.text.distinct import DistinctConfig
from distinctad_jax.text.prompt import NamesConfig, learnt_names
from distinctad_jax.training.loop import TrainingConfig, fit
from distinctad_jax.training.step import Task

NAMES, DISTINCT, LORA = NamesConfig(), DistinctConfig(), LoraConfig(rank=8)


@dataclasses.dataclass(frozen=True)
class SeeingConfig:
    """From frame features to visual tokens, and what a window shares (method 1.4). Values are our defaults."""

    tokens: int
    bridge: Literal["flamingo", "autoad"] = "flamingo"
    layers: int = 2
    heads: int = 4
    bases: int = 32
    rounds: int = 3
    temperature: float = 1.0
    init: Literal["learned", "buffer", "data"] = "buffer"
    gradient: Literal["stop", "unroll"] = "stop"
    fusion: Literal["none", "recon", "add", "residual", "xattn", "recon+xattn", "average", "self_attention"] = (
        "recon+xattn"
    )
    beta: float = 1.0
    momentum: float = 0.9
    clip_positions: bool = True


@dataclasses.dataclass(frozen=True)
class SayingConfig:
    """Weights of the losses; `form` of the distinctive-word loss: A by tokens, B by bags, C unlikelihood."""

    caption: float = 1.0
    distinctive: float = 0.5
    form: Literal["A", "B", "C"] = "A"

    def __post_init__(self):
        if self.caption <= 0 or self.distinctive < 0:
            raise ValueError(f"needs caption > 0 and distinctive >= 0, got {self}")


@dataclasses.dataclass(frozen=True)
class Stage2Config:
    """clips: N, the clips of a window, a new one every `stride` clips; language: what of it learns: all,
    nothing, or low-rank updates (`lora`: rank, alpha, targets) beside frozen weights.

    shuffle: `window` draws windows one by one, `movie` draws movies, whose windows follow in time order.
    workers: processes that make windows, 0 for threads; batches are the same for any number.
    """

    clips: int
    frames: int
    text_length: int
    prompt_length: int
    seeing: SeeingConfig
    training: TrainingConfig
    stride: int = 1
    loss: SayingConfig = SayingConfig()
    names: NamesConfig = NAMES
    distinct: DistinctConfig = DISTINCT
    language: Literal["full", "frozen", "lora"] = "full"
    lora: LoraConfig = LORA
    dropout: float = 0.0
    dtype: Literal["float32", "bfloat16"] = "float32"
    remat: bool = False
    shuffle: Literal["window", "movie"] = "window"
    workers: int = harmless(0)

    def __post_init__(self):
        if min(self.clips, self.frames, self.text_length - 1, self.prompt_length) < 1 or self.workers < 0:
            raise ValueError(f"needs clips, frames, prompt_length >= 1, text_length >= 2, workers >= 0, got {self}")
        if not 1 <= self.stride <= self.clips or not 0 <= self.dropout < 1:
            raise ValueError(f"needs a stride in 1..clips, or clips are skipped, and a dropout in 0..1, got {self}")
        if self.language == "lora" and not self.lora.rank:
            raise ValueError("language 'lora' needs lora.rank >= 1")


def narrator_config(settings: Stage2Config, language: Any, feature_width: int) -> NarratorConfig:
    """The narrator around a language model, for features of a width."""
    seeing, width = settings.seeing, language.width
    bridge = BridgeConfig(
        kind=seeing.bridge,
        input_width=feature_width,
        width=width,
        tokens=seeing.tokens,
        layers=seeing.layers,
        heads=seeing.heads,
        frames=settings.frames,
        dtype=settings.dtype,
    )
    em_attention = EMAttentionConfig(
        width=width,
        bases=seeing.bases,
        rounds=seeing.rounds,
        temperature=seeing.temperature,
        init=seeing.init,
        gradient=seeing.gradient,
        fusion=seeing.fusion,
        heads=seeing.heads,
        beta=seeing.beta,
        momentum=seeing.momentum,
        dtype=settings.dtype,
    )
    return NarratorConfig(
        bridge=bridge,
        em_attention=em_attention,
        language=language_config(settings, language),
        clip_positions=seeing.clip_positions,
        clips=settings.clips,
    )


def language_config(settings: Stage2Config, language: LanguageConfig) -> LanguageConfig:
    """The language model's config with what learns of it, and how it is computed.

    A Llama that does not learn is kept in the type that it computes in: what it was published in, as a rule.
    """
    changes: dict[str, Any] = {"dropout": settings.dropout, "dtype": settings.dtype, "remat": settings.remat}
    changes["lora"] = settings.lora if settings.language == "lora" else NO_LORA
    if isinstance(language, LlamaConfig):
        changes["weights"] = "float32" if settings.language == "full" else settings.dtype
    return dataclasses.replace(language, **changes)


LEARNS = {"full": r".", "frozen": r"^(?!language/)", "lora": r"^(?!language/)|/lora_[ab]$"}
"""What learns, by `language`: a pattern of parameters' paths."""


def narration_task(loss: SayingConfig) -> Task:
    """The next word, and the words that the neighbours do not use; EM attention is watched (`diagnostics`)."""

    def encode(model: Narrator, batch: dict[str, Any], key: Any) -> Any:
        output = model(
            batch["features"],
            batch["frames_real"],
            batch["clips_real"],
            batch["prompt_ids"],
            batch["prompt_real"],
            batch["text_ids"],
            batch["text_real"],
            train=True,
            key=key,
        )
        return output.logits, output.watched or {}

    def objective(model: Narrator, outputs: Any, batch: dict[str, Any]) -> Any:
        logits, watched = outputs
        if batch["clips_real"].shape[1] == 1:  # a clip alone shares nothing
            watched = {}
        several = batch["clips_real"].sum(axis=1) > 1
        watched = {name: jnp.sum(of * several) / jnp.maximum(several.sum(), 1) for name, of in watched.items()}
        caption = next_word(logits, batch["text_ids"], batch["text_real"])
        if not loss.distinctive:
            return loss.caption * caption, {"caption": caption, **watched}
        if loss.form == "A":
            distinctive = distinctive_words(logits, batch["text_ids"], batch["distinctive"])
        elif loss.form == "B":
            distinctive = distinctive_bag(logits, batch["text_real"], batch["distinct_ids"], batch["distinct_real"])
        else:
            distinctive = unlikely_context(
                logits, batch["text_real"], batch["context_ids"], batch["context_real"], ids=batch["text_ids"]
            )
        total = loss.caption * caption + loss.distinctive * distinctive
        return total, {"caption": caption, "distinctive": distinctive, **watched}

    return Task(encode, objective)


def run(settings: Stage2Config, run: Run) -> dict[str, Any]:
    """Writes the narrator."""
    language = take_language(run.needs["pretrain"].folder)
    records = Records(run.needs["extract"].folder / "records", "train")
    with refused("config.stage2.seeing"):
        config = narrator_config(settings, language.config, int(records.metadata["width"]))
    before = settings.prompt_length + settings.seeing.tokens
    check_room(language.config, before, settings.text_length, "config.stage2.text_length")
    batches = window_batches(
        records,
        tokenizer=language.tokenizer,
        batch=settings.training.batch,
        clips=settings.clips,
        frames=settings.frames,
        text_length=settings.text_length,
        prompt_length=settings.prompt_length,
        seed=run.seed,
        stride=settings.stride,
        distinct=settings.distinct,
        names=settings.names,
        shuffle=settings.shuffle,
        workers=settings.workers,
        host=jax.process_index(),
        hosts=jax.process_count(),
    )
    pattern = LEARNS[settings.language]
    with run.voice.bar("stage II") as bar:
        parts = fit(
            settings.training,
            run.folder / "narrator",
            journey=run.journey("narrator"),
            seed=run.seed,
            make=lambda: Narrator(config, rngs=nnx.Rngs(run.seed)),
            learns=lambda path: re.search(pattern, path) is not None,
            task=narration_task(settings.loss),
            batches=batches,
            mesh=run.mesh,
            progress=bar,
            start=language.weights.under("language/"),
            say=run.voice.say,
        )
    folder = run.folder / "narrator"
    if run.leads:
        save_weights(folder / "model.safetensors", parts.learned, parts.frozen, parts.buffers)
        write_json(folder / "model.json", plain(config))
        write_json(folder / FEATURES, Provenance.of(records.metadata, records.folder).told())
        write_json(folder / LEARNT_NAMES, learnt_names_of(records))
        language.tokenizer.save(folder / "tokenizer")
    learned = sum(leaf.size for leaf in jax.tree.leaves(parts.learned))
    return {"parameters_learned": learned, "settings": plain(settings)}


def learnt_names_of(records: Records) -> list[str]:
    """Names that a narrator may know from its training, for those who must not let it call strangers by them."""
    roles = dict.fromkeys(role for entry in records.index for role in entry.cast)
    return list(learnt_names((entry.text for entry in records.index), roles))


def needs(settings: Stage2Config) -> dict[str, Need]:
    """Frame features and the language model."""
    return {"pretrain": Need("pretrain"), "extract": Need("extract")}


RECIPE = Recipe("stage2", Stage2Config, run, needs, version=3, together=True)
