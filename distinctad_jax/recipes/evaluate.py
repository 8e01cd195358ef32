"""Score a narrator on a split's clips, beside predictions that see no movie."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from distinctad_jax.data.datasets import Records
from distinctad_jax.data.features import Provenance
from distinctad_jax.data.pipeline import Batches, evaluation_batches
from distinctad_jax.errors import BadInput
from distinctad_jax.files import whole, write_json, write_text
from distinctad_jax.metrics.baselines import constant
from distinctad_jax.metrics.scores import Row, always, copied, score_rows
from distinctad_jax.metrics.similarity import SIMILARITIES
from distinctad_jax.models.narrator import Narrator
from distinctad_jax.narration.decoding import DecodingConfig
from distinctad_jax.narration.wording import Candidate
from distinctad_jax.recipes.models import check_features, open_narrator
from distinctad_jax.recipes.speaking import Speaker
from distinctad_jax.recipes.workshop import Need, Recipe, Run
from distinctad_jax.text.prompt import NamesConfig
from distinctad_jax.text.tokenizers import Tokenizer


@dataclasses.dataclass(frozen=True)
class EvaluateConfig:
    """policy: how windows lie, printed with every score; neighbours: the window of distinctive words, and of those
    that `decoding` avoids; with several candidates, the best is scored and all are written."""

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
        if self.decoding.name_first:
            raise ValueError("name_first needs a forced name, and nobody forces one here")
        if self.similarity not in SIMILARITIES:
            raise ValueError(f"similarity is one of {', '.join(SIMILARITIES)}, got {self.similarity!r}")


def run(settings: EvaluateConfig, run: Run) -> dict[str, Any]:
    """Writes `predictions.csv`, `scores.json` and one window's responsibilities; returns the scores."""
    stage2 = run.needs["stage2"]
    narrator, tokenizer = open_narrator(stage2.folder)
    folder = run.needs["extract"].folder / "records"
    records, training = Records(folder, settings.split), Records(folder, "train")
    check_features(stage2.folder, Provenance.of(records.metadata, folder), folder)
    said, shares = _narrate_split(settings, run, narrator, tokenizer, records)
    if len(said) < len(records):
        raise BadInput("some clips were not described", where=folder, mend="report this as a bug")
    if settings.decoding.candidates > 1:
        lines = [json.dumps(each._asdict() | {"row": row}) for row in sorted(said) for each in said[row]]
        write_text(run.folder / "candidates.jsonl", "".join(f"{line}\n" for line in lines))
    rows = [
        Row(entry.movie, entry.start, entry.end, said[row][0].text if said[row] else "", entry.text)
        for row, entry in enumerate(records.index)
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


def windows_for(
    trained: Mapping[str, Any], records: Records, tokenizer: Tokenizer, batch: int, policy: str
) -> Batches:
    """A split in windows as a narrator was trained to see them (`trained`: the settings that Stage II reports)."""
    return evaluation_batches(
        records,
        tokenizer=tokenizer,
        batch=batch,
        clips=trained["clips"],
        frames=trained["frames"],
        text_length=trained["text_length"],
        prompt_length=trained["prompt_length"],
        policy=policy,
        names=dataclasses.replace(NamesConfig(**trained["names"]), dropout=0.0),
    )


def _narrate_split(
    settings: EvaluateConfig, run: Run, narrator: Narrator, tokenizer: Tokenizer, records: Records
) -> tuple[dict[int, list[Candidate]], np.ndarray | None]:
    """What the narrator could say of each row, and the responsibilities of the first window."""
    trained = run.needs["stage2"].results["settings"]
    speak = Speaker(
        narrator,
        tokenizer,
        settings.decoding,
        prompt_length=trained["prompt_length"],
        where="config.evaluate",
        seed=run.seed,
        memory=settings.neighbours - 1 or 1,
    )
    shares: np.ndarray | None = None
    batches = windows_for(trained, records, tokenizer, settings.windows, settings.policy)
    spoken: dict[int, list[Candidate]] = {}
    with run.voice.bar("describing clips") as bar:
        for batch in batches:
            rows, target = batch["row"].reshape(-1), batch["target"].reshape(-1)
            stories = [records.index[row].movie if asked else None for row, asked in zip(rows, target, strict=True)]
            found, responsibilities = speak(batch, stories)
            if shares is None and responsibilities is not None:
                shares = responsibilities[0]
            for row, story, candidates in zip(rows, stories, found, strict=True):
                if story is not None:
                    spoken[int(row)] = candidates
            bar(len(spoken), len(records), "")
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
