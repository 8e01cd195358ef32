"""Score a narrator on a split's clips, beside predictions that see no movie."""

from __future__ import annotations

import csv
import dataclasses
import io
import re
from typing import Any, Literal

import numpy as np

from distinctad_jax.data.datasets import Records
from distinctad_jax.data.features import Provenance
from distinctad_jax.data.pipeline import evaluation_batches
from distinctad_jax.errors import BadInput
from distinctad_jax.files import whole, write_json, write_text
from distinctad_jax.metrics.baselines import constant
from distinctad_jax.metrics.scores import Row, always, copied, score_rows
from distinctad_jax.metrics.similarity import SIMILARITIES
from distinctad_jax.models.narrator import Narrator
from distinctad_jax.narration.decoding import DecodingConfig, decode
from distinctad_jax.recipes.models import check_features, check_room, open_narrator
from distinctad_jax.recipes.workshop import Need, Recipe, Run
from distinctad_jax.text.prompt import NamesConfig
from distinctad_jax.text.tokenizers import Tokenizer
from distinctad_jax.training.step import compiled

SPOKEN = ("features", "frames_real", "clips_real", "prompt_ids", "prompt_real")
"""What of a batch the narrator needs to speak."""
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
"""What a model of bytes may say and no track or table should hold."""


@dataclasses.dataclass(frozen=True)
class EvaluateConfig:
    """policy: how windows lie, printed with every score; neighbours: the window of distinctive words."""

    decoding: DecodingConfig
    split: str = "test"
    policy: Literal["block", "centered", "causal"] = "block"
    windows: int = 8
    neighbours: int = 8
    recall: tuple[tuple[int, int], ...] = ((1, 5), (5, 16))
    similarity: str = "unigram_f1"

    def __post_init__(self):
        if min(self.windows, self.neighbours) < 1 or any(not 1 <= best <= among for best, among in self.recall):
            raise ValueError(f"needs windows and neighbours >= 1 and recall pairs with 1 <= k <= N, got {self}")
        if self.similarity not in SIMILARITIES:
            raise ValueError(f"similarity is one of {', '.join(SIMILARITIES)}, got {self.similarity!r}")


def speaker(narrator: Narrator, decoding: DecodingConfig, end: int) -> Any:
    """Compiled batch fields of `SPOKEN` -> ids i32[rows length], responsibilities or None, and EM diagnostics."""

    def speak(model: Narrator, *fields: Any) -> Any:
        features, frames_real, clips_real, prompt_ids, prompt_real = fields
        visual, em = model.see(features, frames_real, clips_real, train=False)
        embeddings, real = model.prefix(visual, prompt_ids, prompt_real)
        ids, scores = decode(model.language, embeddings, real, decoding, end)
        return ids, scores, None if em is None else em.responsibilities

    return compiled(narrator, speak)


def check_speaker(narrator: Narrator, prompt_length: int, decoding: DecodingConfig, where: str) -> None:
    """Errors: BadUsage at `where` if what is to be said does not fit into the language model after the prompt."""
    config = narrator.config
    check_room(config.language, prompt_length + config.bridge.tokens, decoding.max_tokens, where)


def sentence(tokenizer: Tokenizer, ids: np.ndarray) -> str:
    """Generated ids as one line of text: up to the end id, control characters and blanks in rows made one blank."""
    tokens = [int(token) for token in ids]
    said = tokenizer.decode(tokens[: tokens.index(tokenizer.end)] if tokenizer.end in tokens else tokens)
    return " ".join(CONTROL.sub(" ", said).split())


def run(settings: EvaluateConfig, run: Run) -> dict[str, Any]:
    """Writes `predictions.csv`, `scores.json` and one window's responsibilities; returns the scores."""
    stage2 = run.needs["stage2"]
    narrator, tokenizer = open_narrator(stage2.folder)
    folder = run.needs["extract"].folder / "records"
    records, training = Records(folder, settings.split), Records(folder, "train")
    check_features(stage2.folder, Provenance.of(records.metadata, folder), folder)
    said, shares = _narrate_split(settings, run, narrator, tokenizer, records)
    if any(text is None for text in said):
        raise BadInput("some clips were not described", where=folder, mend="report this as a bug")
    rows = [
        Row(entry.movie, entry.start, entry.end, text or "", entry.text)
        for entry, text in zip(records.index, said, strict=True)
    ]
    texts = [entry.text for entry in training.index]
    systems = {
        "narrator": rows,
        "constant": always(rows, constant(texts)),
        "copy previous": copied(rows, -1),
        "copy next": copied(rows, 1),
        "reference": [row._replace(prediction=row.reference) for row in rows],
    }
    scores = {
        name: score_rows(each, window=settings.neighbours, recall=settings.recall, similarity=settings.similarity)
        for name, each in systems.items()
    }
    _write_predictions(run, rows)
    write_json(run.folder / "scores.json", {"policy": settings.policy, "scores": scores})
    if shares is not None:
        with whole(run.folder / "responsibilities.npy") as path:
            np.save(path, shares)
    return {"scores": scores, "clips": len(rows), "movies": len(records.movies), "policy": settings.policy}


def _narrate_split(
    settings: EvaluateConfig, run: Run, narrator: Narrator, tokenizer: Tokenizer, records: Records
) -> tuple[list[str | None], np.ndarray | None]:
    """What the narrator says of each row, and the responsibilities of the first window."""
    trained = run.needs["stage2"].results["settings"]
    check_speaker(narrator, trained["prompt_length"], settings.decoding, "config.evaluate.decoding.max_tokens")
    speak, said, shares = speaker(narrator, settings.decoding, tokenizer.end), [None] * len(records), None
    batches = evaluation_batches(
        records,
        tokenizer=tokenizer,
        batch=settings.windows,
        clips=trained["clips"],
        frames=trained["frames"],
        text_length=trained["text_length"],
        prompt_length=trained["prompt_length"],
        policy=settings.policy,
        names=dataclasses.replace(NamesConfig(**trained["names"]), dropout=0.0),
    )
    spoken: list[str | None] = list(said)
    with run.voice.bar("describing clips") as bar:
        for batch in batches:
            ids, _, responsibilities = speak(*(batch[name] for name in SPOKEN))
            if shares is None and responsibilities is not None:
                shares = np.asarray(responsibilities[0])
            targets = np.argwhere(batch["target"].reshape(-1))[:, 0]
            for place in targets:
                spoken[int(batch["row"].reshape(-1)[place])] = sentence(tokenizer, np.asarray(ids[place]))
            bar(sum(text is not None for text in spoken), len(spoken), "")
    return spoken, shares


def _write_predictions(run: Run, rows: list[Row]) -> None:
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["vid", "start", "end", "text_gt", "text_gen"])
    writer.writerows([row.movie, row.start, row.end, row.reference, row.prediction] for row in rows)
    write_text(run.folder / "predictions.csv", table.getvalue())


def needs(settings: EvaluateConfig) -> dict[str, Need]:
    """The narrator and the features of the clips it is asked about."""
    return {"stage2": Need("stage2"), "extract": Need("extract")}


RECIPE = Recipe("evaluate", EvaluateConfig, run, needs)
