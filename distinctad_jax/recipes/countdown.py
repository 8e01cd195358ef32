"""How much of what a recipe needs is still to be made, and how long that takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from distinctad_jax.errors import BadInput
from distinctad_jax.files import read_json
from distinctad_jax.recipes.resuming import MADE


class Countdown:
    """How much time is left, from how long artefacts of the same recipe took: before, in this folder, or now."""

    def __init__(self, unmade: Iterable[tuple[str, str]], spent: Mapping[str, list[float]]):
        self.unmade, self.spent = dict.fromkeys(unmade), {name: list(times) for name, times in spent.items()}
        self.all = len(self.unmade)

    def past(self, name: str, key: str, seconds: float) -> str:
        """Hears that an artefact is made; tells what is left, or nothing if it was the last."""
        self.unmade.pop((name, key), None)
        self.spent.setdefault(name, []).append(seconds)
        if not self.unmade:
            return ""
        known = {name: sum(times) / len(times) for name, times in self.spent.items()}
        typical = sum(known.values()) / len(known)
        left = sum(known.get(name, typical) for name, _ in self.unmade)
        guessed = sorted({name for name, _ in self.unmade} - set(known))
        doubt = f" (no {', '.join(guessed)} timed yet)" if guessed else ""
        return f"{self.all - len(self.unmade)} of {self.all} made, about {left / 60:.0f} min left{doubt}"


def seconds_spent(root: Path, recipes: Iterable[str]) -> dict[str, list[float]]:
    """Seconds of finished artefacts in a folder, by recipe."""
    found: dict[str, list[float]] = {}
    for name in recipes:
        for path in sorted((root / name).glob(f"*/{MADE}")):
            try:
                found.setdefault(name, []).append(float(read_json(path)["seconds"]))
            except (BadInput, KeyError, TypeError, ValueError):
                continue  # what is broken is made again, and timed then
    return found
