"""The whole method on made-up movies, with its ablations, and a report that anyone can read."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from typing import Any

from distinctad_jax.files import write_json, write_text
from distinctad_jax.models.em_attention import WATCHED
from distinctad_jax.recipes.demo_pictures import look_inside
from distinctad_jax.recipes.pages import demo_page
from distinctad_jax.recipes.workshop import Artefact, Need, Recipe, Run, provenance
from distinctad_jax.training.logbook import read_logbook

FULL = "full"
BASELINES = ("constant", "copy previous", "copy next")


@dataclasses.dataclass(frozen=True)
class DemoConfig:
    """variants: by name, what is changed of which sections (nested); `full` changes nothing. examples: clips
    shown."""

    variants: dict[str, Any]
    examples: int = 6

    def __post_init__(self):
        if FULL not in self.variants or self.variants[FULL]:
            raise ValueError(f"variants need one called {FULL!r} that changes nothing, got {list(self.variants)}")
        if self.examples < 1:
            raise ValueError(f"examples is at least 1, got {self.examples}")


def paths(change: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of a nested change as (`seeing.fusion`, value)."""
    for key, value in change.items():
        if isinstance(value, Mapping):
            yield from paths(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def run(settings: DemoConfig, run: Run) -> dict[str, Any]:
    """Gathers what the recipes found out; writes `report/index.html` and `report/results.json`."""
    scores = {name: run.needs[f"evaluate {name}"].results["scores"]["narrator"] for name in settings.variants}
    full = run.needs[f"evaluate {FULL}"].results
    scores |= {name: full["scores"][name] for name in (*BASELINES, "reference")}
    probe = run.needs["probe"].results
    inside = look_inside(run, list(settings.variants))
    results = {
        "data": {"check": run.needs["check"].results, "pack": run.needs["pack"].results},
        "probe": probe["probe"],
        "retrieval": probe["retrieval"],
        "stage2": scores,
        "gains": gains(scores, [name for name in settings.variants if name != FULL]),
        "word_probability": inside.numbers,
        "em_attention": {name: seen for name in settings.variants if (seen := watched(run.needs[f"stage2 {name}"]))},
        "policy": full["policy"],
        "narrate": run.needs["narrate"].results,
        "seed": run.seed,
        "made_by": provenance(),
    }
    write_json(run.folder / "report" / "results.json", results)
    write_text(run.folder / "report" / "index.html", demo_page(results, settings, run, inside))
    run.voice.say(f"  report: {run.folder / 'report' / 'index.html'}")
    return {"report": "report/index.html", "stage2": scores, "probe": probe["probe"]}


def watched(stage2: Artefact) -> dict[str, float]:
    """What EM attention did at the last step that training logged, and that was a number; nothing for a narrator
    without it."""
    for line in reversed(read_logbook(stage2.folder / "narrator")):
        seen = {name: line[name] for name in WATCHED if name in line}
        if all(map(math.isfinite, seen.values())):
            return seen
    return {}


def gains(scores: Mapping[str, Mapping[str, float]], ablations: list[str]) -> dict[str, dict[str, float]]:
    """What the full model scores above each ablation; a part that does not help has a gain of zero or less."""
    return {
        name: {score: value - scores[name][score] for score, value in scores[FULL].items() if score in scores[name]}
        for name in ablations
    }


def needs(settings: DemoConfig) -> dict[str, Need]:
    """Everything, in order; toy cinema, where these begin with it, is needed by the first of them."""
    found = {name: Need(name) for name in ("check", "pack", "pretrain", "stage1", "extract", "probe")}
    for name, change in settings.variants.items():
        changes = {section: dict(paths(fields)) for section, fields in change.items()}
        found[f"stage2 {name}"] = Need("stage2", changes)
        found[f"evaluate {name}"] = Need("evaluate", changes)
    before = Need("extract", {"extract": {"tower": "pretrain"}})
    return {**found, "extract before": before, "narrate": Need("narrate")}


RECIPE = Recipe("demo", DemoConfig, run, needs, version=3, keyed=False)
