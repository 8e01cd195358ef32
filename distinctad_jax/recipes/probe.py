"""The reconstruction probe: can GPT-2 say a description again from its text feature, and from its clip's feature?

One vector, an MLP, ten prefix vectors, GPT-2: fitted to training clips, asked about clips of unseen movies. Arms: the
text tower's sentence; the same with Gaussian noise, which tells a vector that is not exact enough from one of another
kind; the vision tower's clip before Stage I; after it. The same vectors are also matched directly: given a clip, is
its description found among those of its movie?
Source: DistinctAD (arXiv 2411.18180), the experiment that motivates Stage I; the wiring is our default.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import jax
import numpy as np
from flax import nnx

from distinctad_jax.data.arrays import ArrayBatches
from distinctad_jax.data.datasets import Records
from distinctad_jax.files import write_json
from distinctad_jax.losses.captioning import next_word
from distinctad_jax.losses.matching import pool_frames
from distinctad_jax.metrics.cider import cider_d
from distinctad_jax.metrics.rouge import rouge_l
from distinctad_jax.models.aligner import Aligner
from distinctad_jax.models.reconstructor import Reconstructor, ReconstructorConfig
from distinctad_jax.narration.decoding import DecodingConfig, decode
from distinctad_jax.recipes.models import check_room, open_aligner, take_language
from distinctad_jax.recipes.workshop import Need, Recipe, Run
from distinctad_jax.text.tokenizers import Tokenizer, clip_ids
from distinctad_jax.training.loop import TrainingConfig, fit
from distinctad_jax.training.step import Task, compiled, put_together

ARMS = ("text", "text with noise", "vision before Stage I", "vision after Stage I")


@dataclasses.dataclass(frozen=True)
class ProbeConfig:
    """How the probe is fitted and on which split it is asked; `rows`: clips encoded or decoded at once.

    arms: what it is fitted to, each anew; without any, clips and descriptions are matched and that is all. noise: the
      length of what is added to a centred sentence vector, over the mean length of these.
    """

    training: TrainingConfig
    decoding: DecodingConfig
    text_length: int
    prefix: int = 10
    split: str = "test"
    rows: int = 64
    arms: tuple[Literal["text", "text with noise", "vision before Stage I", "vision after Stage I"], ...] = (
        "text",
        "vision before Stage I",
        "vision after Stage I",
    )
    noise: float = 1.0

    def __post_init__(self):
        if not self.noise > 0:
            raise ValueError(f"noise is positive, got {self.noise}")
        if min(self.prefix, self.rows, self.text_length - 1) < 1:
            raise ValueError(f"needs prefix and rows >= 1 and text_length >= 2, got {self}")
        if self.decoding.looks_around() or self.decoding.name_first or self.decoding.candidates > 1:
            raise ValueError("a reconstruction is one sentence, with no neighbours and no names to force")


class Embedded(NamedTuple):
    """A split's clips and descriptions as vectors, `clips width` each."""

    video: np.ndarray
    sentence: np.ndarray


def run(settings: ProbeConfig, run: Run) -> dict[str, Any]:
    """Fits and asks the arms; writes every reconstruction to `reconstructions.json`, and `ranks.json`: how many other
    descriptions of its movie are as near to a clip as its own, or nearer."""
    splits = ("train", settings.split)
    records = {
        when: {name: Records(run.needs[when].folder / "records", name) for name in splits}
        for when in ("before", "after")
    }
    index = {name: records["before"][name].index for name in splits}
    texts = {name: [entry.text for entry in entries] for name, entries in index.items()}
    # Stage I leaves the text tower as it is, so there is one sentence vector for before and after.
    sentence = {name: sentences(run.needs["pretrain"].folder, texts[name], settings.rows) for name in splits}
    embedded = {
        when: {name: Embedded(pooled(split), sentence[name]) for name, split in found.items()}
        for when, found in records.items()
    }
    arms = {
        "text": sentence,
        "text with noise": noisy(sentence, settings.noise, run.seed),
        "vision before Stage I": {name: vectors.video for name, vectors in embedded["before"].items()},
        "vision after Stage I": {name: vectors.video for name, vectors in embedded["after"].items()},
    }
    said = {arm: reconstruct(settings, run, arm, arms[arm], texts["train"]) for arm in settings.arms}
    asked = texts[settings.split]
    movies = [entry.movie for entry in index[settings.split]]
    found = {when: ranks(vectors[settings.split], movies, asked) for when, vectors in embedded.items()}
    if run.leads:
        write_json(run.folder / "reconstructions.json", {"reference": asked, "movie": movies, **said})
        write_json(run.folder / "ranks.json", {"reference": asked, "movie": movies, **found})
    return {
        "probe": {arm: scores(predictions, asked) for arm, predictions in said.items()},
        "retrieval": {when: recalls(each) for when, each in found.items()},
    }


def scores(predictions: list[str], references: list[str]) -> dict[str, float]:
    """CIDEr-D and ROUGE-L, as papers print them."""
    wanted = [[text] for text in references]
    return {"cider_d": 100 * cider_d(predictions, wanted)[0], "rouge_l": 100 * rouge_l(predictions, wanted)[0]}


def pooled(records: Records) -> np.ndarray:
    """One vector for each clip of a split, `clips width`: the direction of its frames'."""
    clips = records.get(range(len(records)))
    longest = max(len(clip.frame_times) for clip in clips)
    frames = np.zeros((len(clips), longest, records.feature_width), np.float32)
    real = np.zeros(frames.shape[:2], bool)
    for row, clip in enumerate(clips):
        assert clip.features is not None  # of the features variant
        frames[row, : len(clip.features)], real[row, : len(clip.features)] = clip.features, True
    return np.asarray(pool_frames(jax.numpy.asarray(frames), jax.numpy.asarray(real)))


def sentences(folder: Path, texts: Sequence[str], rows: int) -> np.ndarray:
    """Descriptions as the text tower in `folder` sees them, `texts width`, not of unit length."""
    aligner, tokenizer = open_aligner(folder)

    def read(model: Aligner, ids: Any) -> Any:
        return model.encode_text(ids).sentence

    encode, out = compiled(aligner, read), []
    for first in range(0, len(texts), rows):
        ids = clip_ids(tokenizer, texts[first : first + rows], aligner.config.text.length)
        # One shape, one compilation.
        out.append(np.asarray(encode(np.pad(ids, ((0, rows - len(ids)), (0, 0)))))[: len(ids)])
    return np.concatenate(out)


def noisy(sentence: dict[str, np.ndarray], noise: float, seed: int) -> dict[str, np.ndarray]:
    """Sentence vectors of each split with Gaussian noise as long, in the mean, as `noise` times what a vector of the
    training split stands off their mean."""
    centred = sentence["train"] - sentence["train"].mean(axis=0)
    spread = noise * float(np.linalg.norm(centred, axis=1).mean()) / np.sqrt(centred.shape[1])
    rng = np.random.default_rng(seed)
    return {
        name: rows + spread * rng.standard_normal(rows.shape).astype(rows.dtype) for name, rows in sentence.items()
    }


def ranks(vectors: Embedded, movies: list[str], texts: list[str]) -> list[int]:
    """For each clip, how many descriptions of its movie are as near as its own or nearer; equal texts count as
    one."""
    found = [0] * len(movies)
    unit = [array / np.linalg.norm(array, axis=1, keepdims=True) for array in vectors]
    for movie in dict.fromkeys(movies):
        rows = [row for row, key in enumerate(movies) if key == movie]
        similarity = unit[0][rows] @ unit[1][rows].T
        for place, row in enumerate(rows):
            other = np.array([texts[column] != texts[row] for column in rows])
            found[row] = int((similarity[place][other] >= similarity[place, place]).sum())
    return found


def recalls(found: Sequence[int]) -> dict[str, float]:
    """Share of clips whose description is among the k nearest of its movie."""
    return {f"recall_at_{k}": 100 * float(np.mean(np.array(found) < k)) for k in (1, 5, 10)}


def text_arrays(tokenizer: Tokenizer, texts: list[str], length: int) -> dict[str, np.ndarray]:
    """GPT-2 ids of descriptions with a blank in front and an end behind, padded, and which of them are real."""
    ids = np.full((len(texts), length), tokenizer.end, np.int32)
    real = np.zeros(ids.shape, bool)
    for row, text in enumerate(texts):
        tokens = [*tokenizer.encode(f" {text}"), tokenizer.end][:length]
        ids[row, : len(tokens)], real[row, : len(tokens)] = tokens, True
    return {"text_ids": ids, "text_real": real}


def reconstruct(
    settings: ProbeConfig, run: Run, arm: str, vectors: dict[str, np.ndarray], texts: list[str]
) -> list[str]:
    """Fits the probe to one kind of vector and says the descriptions of the other split from theirs."""
    language = take_language(run.needs["pretrain"].folder)
    train, asked = vectors["train"], vectors[settings.split]
    centre = train.mean(
        axis=0
    )  # what all vectors of a tower share says nothing; without it all arms see alike scales
    check_room(language.config, settings.prefix, settings.text_length, "config.probe.text_length")
    check_room(language.config, settings.prefix, settings.decoding.max_tokens, "config.probe.decoding.max_tokens")
    config = ReconstructorConfig(train.shape[1], language.config, settings.prefix)
    batches = ArrayBatches(
        {"embedding": train - centre, **text_arrays(language.tokenizer, texts, settings.text_length)},
        settings.training.batch,
        run.seed,
        host=jax.process_index(),
        hosts=jax.process_count(),
    )
    folder = run.folder / arm.replace(" ", "_")
    with run.voice.bar(f"probe: {arm}") as bar:
        parts = fit(
            settings.training,
            folder,
            journey=run.journey(folder.name),
            seed=run.seed,
            make=lambda: Reconstructor(config, rngs=nnx.Rngs(run.seed)),
            learns=lambda path: True,
            task=reconstruction_task(),
            batches=batches,
            mesh=run.mesh,
            progress=bar,
            start=language.weights.under("language/"),
            say=run.voice.say,
        )
    return _say(put_together(parts), asked - centre, settings, language.tokenizer)


def reconstruction_task() -> Task:
    """The next word of a description, after the vector's prefix."""

    def encode(model: Reconstructor, batch: dict[str, Any], key: Any) -> Any:
        return model(batch["embedding"], batch["text_ids"], batch["text_real"], key=key)

    def objective(model: Reconstructor, logits: Any, batch: dict[str, Any]) -> Any:
        return next_word(logits, batch["text_ids"], batch["text_real"]), {}

    return Task(encode, objective)


def _say(model: Reconstructor, vectors: np.ndarray, settings: ProbeConfig, tokenizer: Tokenizer) -> list[str]:
    def speak(model: Reconstructor, embedding: Any) -> Any:
        prefix = model.prefix(embedding)
        real = jax.numpy.ones(prefix.shape[:2], bool)
        return decode(model.language, prefix, real, settings.decoding, tokenizer.end, key=jax.random.key(0)).ids[:, 0]

    say, said = compiled(model, speak), []
    for first in range(0, len(vectors), settings.rows):
        some = vectors[first : first + settings.rows]
        ids = np.asarray(say(np.pad(some, ((0, settings.rows - len(some)), (0, 0)))))
        said += [tokenizer.decode(list(map(int, row))).strip() for row in ids[: len(some)]]
    return said


def needs(settings: ProbeConfig) -> dict[str, Need]:
    """The text tower and the language model, and the clips as both vision towers see them."""
    towers = {"before": "pretrain", "after": "stage1"}
    seen = {when: Need("extract", {"extract": {"tower": tower}}) for when, tower in towers.items()}
    return {"pretrain": Need("pretrain"), **seen}


RECIPE = Recipe("probe", ProbeConfig, run, needs, together=True, version=3)
