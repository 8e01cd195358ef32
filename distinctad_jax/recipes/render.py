"""Toy cinema: makes up movies and stills, and writes them as the files that a studio would hand over."""

from __future__ import annotations

from typing import Any

from distinctad_jax.recipes.workshop import Need, Recipe, Run
from distinctad_jax.toycinema import CinemaConfig, render


def run(settings: CinemaConfig, run: Run) -> dict[str, Any]:
    """Writes movies, subtitles, cast, portraits, annotations, splits and stills into the run's folder."""
    bars: dict[str, Any] = {}
    with run.voice.bar("toy cinema") as bar:

        def progress(what: str, done: int, count: int) -> None:
            bars[what] = done, count
            bar(sum(done for done, _ in bars.values()), sum(count for _, count in bars.values()), what)

        render(settings, run.folder, progress)
    return {what: count for what, (_, count) in bars.items()}


def needs(settings: CinemaConfig) -> dict[str, Need]:
    """Nothing: it is where the made-up data begins."""
    return {}


def own_seed(settings: CinemaConfig) -> int:
    """The world's: the same movies whatever seed training has."""
    return settings.seed


RECIPE = Recipe("render", CinemaConfig, run, needs, seed=own_seed)
