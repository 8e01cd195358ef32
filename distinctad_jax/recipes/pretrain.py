"""The models that the method starts from: trained here on stills and their captions, or read from published weights.

The toy towers and the toy language model are to toy cinema what CLIP and GPT-2 are to the movies.
"""

from __future__ import annotations

import csv
import dataclasses
from pathlib import Path
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import simplejpeg
from flax import nnx

from distinctad_jax.checkpoints.containers import weight_files
from distinctad_jax.checkpoints.hub import find_weights
from distinctad_jax.config import refused
from distinctad_jax.data.arrays import ArrayBatches
from distinctad_jax.errors import BadInput
from distinctad_jax.losses.captioning import next_word
from distinctad_jax.losses.matching import global_matching
from distinctad_jax.models.aligner import Aligner, AlignerConfig
from distinctad_jax.models.gpt2 import Gpt2, Gpt2Config
from distinctad_jax.models.towers import TextConfig, VisionConfig
from distinctad_jax.recipes.exchange import Brought, keep, read_clip, read_language
from distinctad_jax.recipes.workshop import Need, Recipe, Run
from distinctad_jax.text.prompt import INSTRUCTION, NAMES_LEAD
from distinctad_jax.text.tokenizers import Tokenizer, clip_ids, train_tokenizer
from distinctad_jax.toycinema.studio import SIDE, CinemaConfig
from distinctad_jax.training.loop import TrainingConfig, fit
from distinctad_jax.training.step import Task


@dataclasses.dataclass(frozen=True)
class Sizes:
    """Sizes of what is trained on stills; vocabularies are trained first and settle the rest."""

    vocab: int
    image_size: int
    patch: int
    text_length: int
    vision_width: int
    vision_layers: int
    vision_heads: int
    text_width: int
    text_layers: int
    text_heads: int
    projection: int
    language_length: int
    language_width: int
    language_layers: int
    language_heads: int


@dataclasses.dataclass(frozen=True)
class PretrainConfig:
    """source `stills`: trains `sizes` on the toy cinema's stills; `published`: reads the folders `clip` and `gpt2`
    (Hugging Face layout, safetensors) with their tokenizers, or, with `download`, models of these names on the hub.

    jitter: how much exposure, colour and noise of stills vary while the towers are trained, as photographs of the web
      do; 0 is not at all, and then a tower knows nothing but clean pictures.
    world: the toy cinema whose stills these are, where it is not that of the movies; seed: one of its own in place of
      the config's. With both, all seeds and worlds begin with the same models, as all begin with the same published
      ones.
    """

    source: Literal["stills", "published"]
    clip: str = ""
    gpt2: str = ""
    download: bool = False
    sizes: Sizes | None = None
    jitter: float = 0.0
    towers: TrainingConfig | None = None
    language: TrainingConfig | None = None
    world: CinemaConfig | None = None
    seed: int | None = None

    def __post_init__(self):
        if not 0 <= self.jitter <= 1:
            raise ValueError(f"jitter lies in 0..1, got {self.jitter}")
        made = (self.sizes, self.towers, self.language)
        if self.source == "stills" and (None in made or self.clip or self.gpt2):
            raise ValueError("source 'stills' needs sizes, towers and language, and no published folders")
        if self.source == "published" and (any((*made, self.world)) or not (self.clip and self.gpt2)):
            raise ValueError("source 'published' needs the folders clip and gpt2, and trains nothing")


def run(settings: PretrainConfig, run: Run) -> dict[str, Any]:
    """Writes aligner and language model, each with config and tokenizer."""
    if settings.source == "published":
        return _published(settings, run)
    sizes, towers, language = settings.sizes, settings.towers, settings.language
    assert sizes and towers and language  # PretrainConfig has seen to it
    images, captions = read_stills(run.needs["render"].folder / "stills", sizes.image_size)
    words = train_tokenizer(captions, "clip", sizes.vocab)
    # A vocabulary of the web's holds the words of our prompt; so must one of captions.
    pieces = train_tokenizer([*captions, *[f"{NAMES_LEAD} {INSTRUCTION}"] * 50], "gpt2", sizes.vocab)
    _train_towers(sizes, towers, settings.jitter, run, images, clip_ids(words, captions, sizes.text_length), words)
    _train_language(sizes, language, run, captions, pieces)
    return {"stills": len(captions), "clip_vocab": words.size, "gpt2_vocab": pieces.size}


def read_stills(folder: Path, size: int) -> tuple[np.ndarray, list[str]]:
    """uint8 images [stills, size, size, 3] and their captions. Errors: BadInput if one is of another size."""
    with (folder / "captions.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    images = np.empty((len(rows), size, size, 3), np.uint8)
    shown = ""
    sheet = np.empty((0, 0, 3), np.uint8)
    for place, row in enumerate(rows):
        if row["file"] != shown:
            shown = row["file"]
            sheet = simplejpeg.decode_jpeg((folder / shown).read_bytes())
            if sheet.shape[1] != SIDE * size:
                raise BadInput(
                    f"found a sheet {sheet.shape[1]} pixels wide, needed {SIDE} stills of {size}",
                    where=folder / shown,
                    mend="set config.render.still_size to config.pretrain.sizes.image_size",
                )
        top, left = int(row["row"]) * size, int(row["column"]) * size
        images[place] = sheet[top : top + size, left : left + size]
    return images, [row["text"] for row in rows]


def vary(frames: Any, key: Any, strength: float) -> Any:
    """Pictures under other light: exposure, colourfulness, tint and noise, each drawn once a picture.

    Shapes: u8[batch frames h w 3], and the same out.
    """
    keys, one = jax.random.split(key, 4), (len(frames), 1, 1, 1, 1)
    light = jax.random.uniform(keys[0], one, minval=1 - 0.6 * strength, maxval=1 + 0.1 * strength)
    colourful = jax.random.uniform(keys[1], one, minval=1 - 0.6 * strength, maxval=1 + 0.2 * strength)
    tint = jax.random.uniform(keys[2], (*one[:4], 3), minval=1 - 0.25 * strength, maxval=1 + 0.1 * strength)
    noise_key, share_key = jax.random.split(keys[3])
    noise = 6 * strength * jax.random.uniform(share_key, one) * jax.random.normal(noise_key, (*frames.shape[:4], 1))
    grey = frames @ jnp.array([[0.299], [0.587], [0.114]])
    varied = light * tint * (grey + colourful * (frames - grey)) + noise
    return jnp.clip(jnp.round(varied), 0, 255).astype(jnp.uint8)


def aligner_config(sizes: Sizes, vocab: int, end: int) -> AlignerConfig:
    """Both towers. Errors: BadUsage if sizes do not go together."""
    with refused("config.pretrain.sizes"):
        vision = VisionConfig(
            image_size=sizes.image_size,
            patch=sizes.patch,
            width=sizes.vision_width,
            layers=sizes.vision_layers,
            heads=sizes.vision_heads,
            projection=sizes.projection,
        )
        text = TextConfig(
            vocab,
            sizes.text_length,
            width=sizes.text_width,
            layers=sizes.text_layers,
            heads=sizes.text_heads,
            projection=sizes.projection,
            end=end,
        )
        return AlignerConfig(vision, text)


def _train_towers(
    sizes: Sizes,
    training: TrainingConfig,
    jitter: float,
    run: Run,
    images: np.ndarray,
    ids: np.ndarray,
    words: Tokenizer,
) -> None:
    config = aligner_config(sizes, words.size, words.end)
    _, same = np.unique(ids, axis=0, return_inverse=True)
    batches = ArrayBatches(
        {"frames": images[:, None], "text_ids": ids, "same_text": same.reshape(-1).astype(np.int32)},
        training.batch,
        run.seed,
        host=jax.process_index(),
        hosts=jax.process_count(),
    )

    def encode(model: Aligner, batch: dict[str, Any], key: Any) -> Any:
        frames = vary(batch["frames"], key, jitter) if jitter else batch["frames"]
        return model.encode_frames(frames)[:, 0], model.encode_text(batch["text_ids"]).sentence

    def objective(model: Aligner, features: Any, batch: dict[str, Any]) -> Any:
        video, sentence = features
        return global_matching(video, sentence, model.scale(), batch["same_text"]), {"scale": model.scale()}

    with run.voice.bar("towers on stills") as bar:
        parts = fit(
            training,
            run.folder / "aligner",
            journey=run.journey("aligner"),
            seed=run.seed,
            make=lambda: Aligner(config, rngs=nnx.Rngs(run.seed)),
            learns=lambda path: True,
            task=Task(encode, objective),
            batches=batches,
            mesh=run.mesh,
            progress=bar,
            say=run.voice.say,
        )
    if run.leads:
        keep(run.folder / "aligner", Brought(config, parts.learned, words))


def _train_language(sizes: Sizes, training: TrainingConfig, run: Run, captions: list[str], pieces: Tokenizer) -> None:
    with refused("config.pretrain.sizes"):
        config = Gpt2Config(
            pieces.size, sizes.language_length, sizes.language_width, sizes.language_layers, sizes.language_heads
        )
    texts = [[*pieces.encode(f" {caption}"), pieces.end] for caption in captions]
    length = min(max(map(len, texts)), sizes.language_length - 1)
    ids = np.full((len(texts), length + 1), pieces.end, np.int32)
    real = np.zeros(ids.shape, bool)
    for place, text in enumerate(texts):  # an end token stands in front too, as between GPT-2's documents
        kept = text[:length]
        ids[place, 1 : len(kept) + 1], real[place, : len(kept) + 1] = kept, True
    batches = ArrayBatches(
        {"text_ids": ids, "text_real": real},
        training.batch,
        run.seed,
        host=jax.process_index(),
        hosts=jax.process_count(),
    )

    def encode(model: Gpt2, batch: dict[str, Any], key: Any) -> Any:
        hidden, _ = model(model.embed(batch["text_ids"][:, :-1]), batch["text_real"][:, :-1], key=key)
        return model.logits(hidden)

    def objective(model: Gpt2, logits: Any, batch: dict[str, Any]) -> Any:
        return next_word(logits, batch["text_ids"][:, 1:], batch["text_real"][:, 1:]), {}

    with run.voice.bar("language model on captions") as bar:
        parts = fit(
            training,
            run.folder / "language",
            journey=run.journey("language"),
            seed=run.seed,
            make=lambda: Gpt2(config, rngs=nnx.Rngs(run.seed)),
            learns=lambda path: True,
            task=Task(encode, objective),
            batches=batches,
            mesh=run.mesh,
            progress=bar,
            say=run.voice.say,
        )
    if run.leads:
        keep(run.folder / "language", Brought(config, parts.learned, pieces))


def _published(settings: PretrainConfig, run: Run) -> dict[str, Any]:
    if run.leads:
        keep(run.folder / "aligner", read_clip(find_weights(settings.clip, download=settings.download)))
        keep(run.folder / "language", read_language(find_weights(settings.gpt2, download=settings.download)))
    return {"clip": settings.clip, "gpt2": settings.gpt2}


def needs(settings: PretrainConfig) -> dict[str, Need]:
    """The stills, unless weights are published."""
    if settings.source != "stills":
        return {}
    world = settings.world
    own = {} if world is None else {field.name: getattr(world, field.name) for field in dataclasses.fields(world)}
    return {"render": Need("render", {"render": own} if own else {})}


def inputs(settings: PretrainConfig) -> tuple[Path, ...]:
    """The published weights."""
    found: list[Path] = []
    for source in filter(None, (settings.clip, settings.gpt2)):
        folder = find_weights(source, download=settings.download)
        if not folder.is_dir():
            weight_files(folder)  # says why not
        found += sorted(path for path in folder.iterdir() if path.suffix in (".safetensors", ".json"))
    return tuple(found)


RECIPE = Recipe("pretrain", PretrainConfig, run, needs, inputs, together=True, seed=lambda settings: settings.seed)
