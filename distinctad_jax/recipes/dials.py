"""Measure the dials of toy cinema on what was rendered."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from distinctad_jax.config import build
from distinctad_jax.files import read_json, write_json
from distinctad_jax.recipes.workshop import Need, Recipe, Run
from distinctad_jax.toycinema import CinemaConfig
from distinctad_jax.toycinema.measure import measure


@dataclasses.dataclass(frozen=True)
class DialsConfig:
    """films: of so many films pictures are measured; words of all."""

    films: int = 4

    def __post_init__(self):
        if self.films < 2:
            raise ValueError(f"films is at least 2, for neighbours are held against strangers; got {self.films}")


def run(settings: DialsConfig, run: Run) -> dict[str, Any]:
    """Says and writes, for each dial, what it was turned to and what came out."""
    folder = run.needs["render"].folder
    config = build(CinemaConfig, read_json(folder / "artefact.json")["settings"], str(folder / "artefact.json"))
    found = measure(config, folder, settings.films)
    told = {
        name: {key: value for key, value in each._asdict().items() if not (key == "turned" and math.isnan(value))}
        for name, each in found.items()
    }
    for name, each in told.items():
        dial = f"dial {each['turned']:g}" if "turned" in each else "no dial"
        run.voice.say(f"  {name:<11}{dial:<10} measured {each['measured']:8.3f}   {each['says']}")
    write_json(run.folder / "dials.json", told)
    return {name: each["measured"] for name, each in told.items()}


def needs(settings: DialsConfig) -> dict[str, Need]:
    """The movies and stills."""
    return {"render": Need("render")}


RECIPE = Recipe("dials", DialsConfig, run, needs)
