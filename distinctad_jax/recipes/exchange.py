"""Models in and out: published weights into our folders, and what was trained here out as `transformers` loads it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, Literal, NamedTuple

from distinctad_jax.checkpoints.export import Merged, write_clip, write_gpt2, write_llama
from distinctad_jax.checkpoints.hub import find_weights
from distinctad_jax.checkpoints.llama import llama_fields, load_llama
from distinctad_jax.checkpoints.published import Put, gpt2_fields, kept, load_aligner, load_gpt2, model_type
from distinctad_jax.checkpoints.weights import save_weights
from distinctad_jax.config import plain
from distinctad_jax.errors import BadInput, BadUsage
from distinctad_jax.files import write_json
from distinctad_jax.models.aligner import AlignerConfig
from distinctad_jax.models.gpt2 import Gpt2Config
from distinctad_jax.models.language import LanguageConfig
from distinctad_jax.models.llama import LlamaConfig
from distinctad_jax.models.rope import RopeConfig
from distinctad_jax.models.towers import CLIP_DEVIATION, CLIP_MEAN, TextConfig, VisionConfig
from distinctad_jax.recipes.models import take_aligner, take_language, take_narrator
from distinctad_jax.text.tokenizers import LANGUAGE, AnyKind, Tokenizer, load_tokenizer

What = Literal["clip", "language"]
HOMES: dict[What, tuple[str, ...]] = {"clip": ("aligner",), "language": ("narrator", "language")}
"""The folders of an artefact in which a model of a kind lies, the first that is there counting."""


class Brought(NamedTuple):
    """A published model: its config in our words, its parameters as a tree, and its tokenizer."""

    config: Any
    params: Any
    tokenizer: Tokenizer


def read_clip(folder: Path, put: Put = kept) -> Brought:
    """A CLIP folder in Hugging Face's layout; `put` takes each parameter as it is read (see `load_aligner`)."""
    fields, params = load_aligner(folder, put)
    config = AlignerConfig(VisionConfig(**fields["vision"]), TextConfig(**fields["text"]))
    return Brought(config, params, _tokenizer(folder, "clip", config.text.vocab))


def read_gpt2(folder: Path, put: Put = kept) -> Brought:
    """A GPT-2 folder in Hugging Face's layout; `put` takes each parameter as it is read."""
    fields, params = load_gpt2(folder, put)
    return Brought(Gpt2Config(**fields), params, _tokenizer(folder, LANGUAGE, fields["vocab"]))


def read_llama(folder: Path, put: Put = kept) -> Brought:
    """A folder of the Llama family in Hugging Face's layout; `put` takes each parameter as it is read."""
    config = language_config(folder)
    _, params = load_llama(folder, put)
    return Brought(config, params, _tokenizer(folder, LANGUAGE, config.vocab))


def language_config(folder: Path) -> LanguageConfig:
    """What the config.json of a published language model says, in our words; weights are not looked at."""
    if model_type(folder, ("gpt2", "llama")) == "gpt2":
        return Gpt2Config(**gpt2_fields(folder))
    fields = llama_fields(folder)
    fields["rope"] = RopeConfig(**fields["rope"])
    return LlamaConfig(**fields)


READERS = {
    "clip": ("aligner", read_clip),
    "gpt2": ("language", read_gpt2),
    "llama": ("language", read_llama),
}


def read_language(folder: Path) -> Brought:
    """A published language model of any kind that can narrate."""
    return READERS[model_type(folder, ("gpt2", "llama"))][1](folder)


def _tokenizer(folder: Path, kind: AnyKind | tuple[AnyKind, ...], vocab: int) -> Tokenizer:
    tokenizer = load_tokenizer(folder, kind)
    if tokenizer.size > vocab:
        raise BadInput(
            f"the tokenizer has {tokenizer.size} ids, the weights have {vocab}",
            where=folder,
            mend="put the tokenizer files of this model there",
        )
    return tokenizer


def keep(folder: Path, brought: Brought) -> None:
    """Writes a model as recipes keep it: `model.json`, `model.safetensors` and `tokenizer/`."""
    save_weights(folder / "model.safetensors", brought.params)
    write_json(folder / "model.json", plain(brought.config))
    brought.tokenizer.save(folder / "tokenizer")


def import_model(
    source: str | Path, to: Path, *, download: bool = False, revision: str | None = None
) -> dict[str, Any]:
    """Reads a published CLIP, GPT-2 or Llama and writes it to `to/aligner` or `to/language`.

    Args:
      source: a folder in Hugging Face's layout, or the id of a model on the hub, which is asked only with `download`.
    Returns: what it is, where it lies, how many parameters it has.
    Errors: BadInput if weights, config and tokenizer do not fit each other (see `load_aligner`).
    """
    folder = find_weights(source, download=download, revision=revision)
    kind = model_type(folder, tuple(READERS))
    home, read = READERS[kind]
    brought = read(folder)
    keep(to / home, brought)
    return {"model": kind, "folder": str(to / home), "parameters": _count(brought.params)}


def _count(tree: Any) -> int:
    return sum(map(_count, tree.values())) if isinstance(tree, dict) else tree.size


def export_model(folder: Path, to: Path, what: What | None = None) -> dict[str, Any]:
    """Writes a model that was trained or imported here as a folder that `transformers` loads.

    Args:
      folder: an artefact (`runs/stage1/KEY`, `runs/stage2/KEY`, `runs/pretrain/KEY`) or what `import_model` wrote.
      what: `clip`, both towers (CLIPModel, CLIPVisionModelWithProjection, CLIPProcessor), or `language`, the language
        model (GPT2LMHeadModel or LlamaForCausalLM, AutoTokenizer); may be left out where only one is there. Low-rank
        updates are added to what they stand beside. Of a narrator only the language model can be exported: nothing in
        `transformers` is like the rest.
    Errors: BadUsage if it has to be said which; BadInput if there is no such model, or it has an adapter.
    """
    there = [kind for kind, homes in HOMES.items() if any((folder / home / "model.json").is_file() for home in homes)]
    if what is None and len(there) == 2:
        raise BadUsage("both towers and language model are there", where=folder, mend="choose one with --what")
    if not there or what not in (None, *there):
        raise BadInput(f"no {what or 'model'} in this folder", where=folder, mend="name a finished artefact's folder")
    return (_export_clip if there[0] == "clip" and what != "language" else _export_language)(folder, to)


def _export_clip(folder: Path, to: Path) -> dict[str, Any]:
    config, weights, tokenizer = take_aligner(folder)
    if config.adapter_width:
        raise BadInput(
            "these towers have an adapter behind them, which CLIP has not",
            where=folder / "aligner",
            mend="train with another config.stage1.freeze",
        )
    fields = {"vision": dataclasses.asdict(config.vision), "text": dataclasses.asdict(config.text)}
    count = write_clip(to, fields, Merged(weights), start=tokenizer.start, mean=CLIP_MEAN, deviation=CLIP_DEVIATION)
    tokenizer.export(to, config.text.length)
    loads = ["CLIPModel", "CLIPVisionModelWithProjection", "CLIPTextModelWithProjection", "CLIPProcessor"]
    return {"model": "clip", "folder": str(to), "parameters": count, "loads_as": loads}


def _export_language(folder: Path, to: Path) -> dict[str, Any]:
    home = next(home for home in HOMES["language"] if (folder / home / "model.json").is_file())
    shelved = (take_narrator if home == "narrator" else take_language)(folder)
    config, weights = shelved.config, shelved.weights
    if home == "narrator":
        config = config.language
        weights = weights.below("language/")
    leaves = Merged(weights, config.lora.alpha / max(config.lora.rank, 1))
    fields, tokenizer = dataclasses.asdict(config), shelved.tokenizer
    if isinstance(config, LlamaConfig):
        count = write_llama(to, fields, leaves, start=tokenizer.start, end=tokenizer.end)
    else:
        count = write_gpt2(to, fields, leaves, end=tokenizer.end)
    tokenizer.export(to, config.length)
    kind, loads = ("llama", "LlamaForCausalLM") if isinstance(config, LlamaConfig) else ("gpt2", "GPT2LMHeadModel")
    return {"model": kind, "folder": str(to), "parameters": count, "loads_as": [loads]}
