"""Check an annotation table before it is used: every trap with its rows, and how the clips fall into windows."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path
from typing import Any, Literal

from distinctad_jax.data.annotations import read_annotations
from distinctad_jax.data.library import movies_from
from distinctad_jax.errors import BadInput
from distinctad_jax.files import write_json
from distinctad_jax.movie.window import training_windows
from distinctad_jax.recipes.workshop import Need, Recipe, Run
from distinctad_jax.text.distinct import distinctive_counts


@dataclasses.dataclass(frozen=True)
class CheckConfig:
    """annotations: a table, or nothing for the toy cinema's; clips: the window N."""

    annotations: str = ""
    kind: Literal["auto", "cmdad", "madeval", "tvad", "generic"] = "auto"
    encoding: str = "utf-8"
    bad_rows: Literal["error", "drop"] = "error"
    clips: int = 8

    def __post_init__(self):
        if self.clips < 1:
            raise ValueError(f"clips is at least 1, got {self.clips}")


def run(settings: CheckConfig, run: Run) -> dict[str, Any]:
    """Says and writes the report; its results count rows, movies, windows and distinctive words."""
    path = Path(settings.annotations) if settings.annotations else run.needs["render"].folder / "annotations.csv"
    annotations = read_annotations(path, kind=settings.kind, encoding=settings.encoding, bad_rows=settings.bad_rows)
    for line in annotations.report.sentences():
        run.voice.say(f"  {line}")
    windows, seen, kept, total = 0, Counter[str](), 0, 0
    for movie in movies_from(annotations):
        texts = [clip.text for clip in movie.clips]
        for window in training_windows(len(texts), settings.clips):
            windows += 1
            seen.update(f"{movie.key}/{member}" for member in window.members if member >= 0)
        of_movie = distinctive_counts(texts, settings.clips)
        kept, total = kept + of_movie[0], total + of_movie[1]
    results = {
        **annotations.report.counts(),
        "windows": windows,
        "rows_in_windows": len(seen),
        "distinctive_share": round(kept / total, 4),
    }
    run.voice.say(f"  {windows} windows of {settings.clips} clips hold {len(seen)} rows")
    run.voice.say(
        f"  {kept / total:.3f} of word types are distinctive in windows of {settings.clips} (real AD: .60 at 8)"
    )
    write_json(run.folder / "report.json", {**results, "sentences": annotations.report.sentences()})
    return results


def needs(settings: CheckConfig) -> dict[str, Need]:
    """The toy cinema, unless a table is given."""
    return {} if settings.annotations else {"render": Need("render")}


def inputs(settings: CheckConfig) -> tuple[Path, ...]:
    """The table."""
    if settings.annotations and not Path(settings.annotations).is_file():
        raise BadInput("no such file", where=settings.annotations, mend="correct config.check.annotations")
    return (Path(settings.annotations),) if settings.annotations else ()


RECIPE = Recipe("check", CheckConfig, run, needs, inputs)
