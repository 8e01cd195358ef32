"""Check an annotation table before it is used: every trap with its rows, and how the clips fall into windows."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, Literal

from distinctad_jax.data.inspection import inspect
from distinctad_jax.errors import BadInput
from distinctad_jax.files import write_json
from distinctad_jax.recipes.workshop import Need, Recipe, Run


@dataclasses.dataclass(frozen=True)
class CheckConfig:
    """annotations: a table, or nothing for the toy cinema's; clips: the window N."""

    annotations: str = ""
    kind: Literal["auto", "cmdad", "madeval", "tvad", "generic"] = "auto"
    encoding: str = "auto"
    bad_rows: Literal["error", "drop"] = "error"
    clips: int = 8

    def __post_init__(self):
        if self.clips < 1:
            raise ValueError(f"clips is at least 1, got {self.clips}")


def run(settings: CheckConfig, run: Run) -> dict[str, Any]:
    """Says and writes the report; its results count rows, movies, windows and distinctive words."""
    path = Path(settings.annotations) if settings.annotations else run.needs["render"].folder / "annotations.csv"
    found = inspect(
        path, kind=settings.kind, encoding=settings.encoding, bad_rows=settings.bad_rows, clips=settings.clips
    )
    for line in found.annotations.report.sentences():
        run.voice.say(f"  {line}")
    found.refuse()
    results = found.counts
    run.voice.say(f"  {results['windows']} windows of {settings.clips} clips hold {results['rows_in_windows']} rows")
    run.voice.say(
        f"  {results['distinctive_share']:.3f} of word types are distinctive in windows of {settings.clips} "
        "(real AD: .60 at 8)"
    )
    # The file's name and not its path: the same data checked elsewhere gives the same report.
    sentences = [line.removeprefix(f"{path.parent}/") for line in found.annotations.report.sentences()]
    write_json(run.folder / "report.json", {**found.told(), "sentences": sentences})
    return dict(results)


def needs(settings: CheckConfig) -> dict[str, Need]:
    """The toy cinema, unless a table is given."""
    return {} if settings.annotations else {"render": Need("render")}


def inputs(settings: CheckConfig) -> tuple[Path, ...]:
    """The table."""
    if settings.annotations and not Path(settings.annotations).is_file():
        raise BadInput("no such file", where=settings.annotations, mend="correct config.check.annotations")
    return (Path(settings.annotations),) if settings.annotations else ()


RECIPE = Recipe("check", CheckConfig, run, needs, inputs, version=2)
