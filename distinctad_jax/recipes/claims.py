"""A grid of seeds and variants on made-up movies, and a page that says which claims of the method it shows."""

from __future__ import annotations

import csv
import dataclasses
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

from distinctad_jax.claims.page import Page, Yardstick, written
from distinctad_jax.claims.scores import System, of_captions, of_ranks
from distinctad_jax.claims.verdicts import Claim, judge
from distinctad_jax.errors import BadInput
from distinctad_jax.files import read_json, whole, write_json, write_text
from distinctad_jax.metrics.corpus import Row
from distinctad_jax.recipes.demo import paths
from distinctad_jax.recipes.workshop import Artefact, Need, Recipe, Run
from distinctad_jax.report.pictures import responsibility_map
from distinctad_jax.toycinema.language import VERBS

REFERENCE = "reference"
"""The descriptions themselves, as if a system had said them."""
METRICS = (
    "CIDEr-D",
    "ROUGE-L",
    "R@1/5",
    "distinctive-word recall",
    "repeated words",
    "R@1 in movie",
    "R@10 in movie",
)
YARDSTICKS = (
    Yardstick("same main verb", "the main verb of the description before, %", "1.2 to 1.9"),
    Yardstick("repeated words", "content words that a neighbour in a window of 16 uses too, %", "35 to 39"),
    Yardstick("no distinctive word", "no word that only this description has in a window of 16, %", "4 to 7"),
)


@dataclasses.dataclass(frozen=True)
class Variant:
    """One cell of the grid: what is made, with which changes of the config's sections (nested); `few`: for the first
    `few_seeds` seeds alone."""

    changes: dict[str, Any] = dataclasses.field(default_factory=dict)
    recipe: Literal["evaluate", "probe"] = "evaluate"
    few: bool = False


@dataclasses.dataclass(frozen=True)
class ClaimsConfig:
    """seeds: each draws its own movies and its own training, all begin with the same pretrained models. few_seeds:
    how many of them run the variants marked `few`. claims name systems: a variant of `evaluate` by its name, arms
    and retrieval of a `probe` variant as `NAME: ARM`, or `reference`.

    repeating: systems whose repetition stands beside people's. docs: the folder that claims.md and its figures are
    copied to; empty for none. small: results.json of a run of configs/demo.py:small, to be told of on the page.
    notes: paragraphs for its readers, on what the variants are.
    """

    seeds: tuple[int, ...]
    few_seeds: int
    variants: dict[str, Variant]
    claims: tuple[Claim, ...]
    repeating: tuple[str, ...] = ()
    docs: str = ""
    small: str = ""
    notes: tuple[str, ...] = ()

    def __post_init__(self):
        if not self.seeds or len(set(self.seeds)) < len(self.seeds) or min(self.seeds) < 0 or self.few_seeds < 0:
            raise ValueError(f"needs different seeds >= 0 and few_seeds >= 0, got {self.seeds} and {self.few_seeds}")
        for name in (name for claim in self.claims for name in claim.of):
            if name != REFERENCE and name.split(": ")[0] not in self.variants:
                raise ValueError(f"a claim is about {name!r}, which no variant makes")

    def cells(self) -> dict[str, tuple[int, str]]:
        """Labels of the grid's cells as (seed, variant): all of a seed, then the next; of a seed first what every
        seed runs."""
        ordered = sorted(self.variants.items(), key=lambda item: item[1].few)
        return {
            f"{seed} {name}": (seed, name)
            for place, seed in enumerate(self.seeds)
            for name, variant in ordered
            if not variant.few or place < self.few_seeds
        }


def run(settings: ClaimsConfig, run: Run) -> dict[str, Any]:
    """Judges every claim; writes `claims.md`, its figures and `results.json`; page and figures to `docs` as well."""
    results: dict[int, dict[str, System]] = {seed: {} for seed in settings.seeds}
    with run.voice.bar("scoring") as bar:
        cells = settings.cells()
        for place, (label, (seed, name)) in enumerate(cells.items()):
            made = run.needs[label]
            read = told if settings.variants[name].recipe == "evaluate" else probed
            results[seed] |= read(name, made.folder)
            bar(place + 1, len(cells), name)
    judged = [judge(claim, results) for claim in settings.claims]
    drawn = pictures(settings, run)
    systems = list(dict.fromkeys(name for each in results.values() for name in each))
    page = Page(
        judged=judged,
        results=results,
        systems=systems,
        metrics=METRICS,
        yardsticks=YARDSTICKS,
        yardstick_systems=[REFERENCE, *settings.repeating],
        about=about(run),
        beyond=beyond(settings.small),
        pictures={name: says for name, (says, _) in drawn.items()},
        notes=settings.notes,
    )
    text, figures = written(page, "claims")
    for folder in (run.folder, *([Path(settings.docs)] if settings.docs else [])):
        for name, figure in figures.items():
            write_text(folder / "claims" / name, figure)
        for name, (_, picture) in drawn.items():
            with whole(folder / "claims" / name) as partial:
                partial.write_bytes(picture)
        write_text(folder / "claims.md", text)
    verdicts = Counter(each.verdict for each in judged)
    scores = {
        str(seed): {
            name: {metric: each.score(metric) for metric in each.parts if each.score(metric) == each.score(metric)}
            for name, each in found.items()
        }
        for seed, found in results.items()
    }
    told_of = [{**each._asdict(), "claim": dataclasses.asdict(each.claim)} for each in judged]
    write_json(run.folder / "results.json", {"claims": told_of, "scores": scores})
    run.voice.say(
        f"  {', '.join(f'{count} {name}' for name, count in sorted(verdicts.items()))}: {run.folder / 'claims.md'}"
    )
    return {"verdicts": dict(verdicts)}


def told(name: str, folder: Path) -> dict[str, System]:
    """What a narrator said, and the references as a system beside it."""
    try:
        with (folder / "predictions.csv").open(encoding="utf-8", newline="") as file:
            rows = [
                Row(row["vid"], float(row["start"]), float(row["end"]), row["text_gen"], row["text_gt"])
                for row in csv.DictReader(file)
            ]
    except (OSError, KeyError, ValueError) as error:
        raise BadInput(
            f"cannot be read: {error}", where=folder / "predictions.csv", mend="delete its folder"
        ) from None
    systems = {name: of_captions(rows, VERBS)}
    if name == "full":
        systems[REFERENCE] = of_captions([row._replace(prediction=row.reference) for row in rows], VERBS)
    return systems


def probed(name: str, folder: Path) -> dict[str, System]:
    """Each arm's reconstructions, and how near clips are to their descriptions before and after Stage I."""
    said, found = read_json(folder / "reconstructions.json"), read_json(folder / "ranks.json")
    movies, references = said.pop("movie"), said.pop("reference")
    systems = {}
    for arm, texts in said.items():
        # Records are in order of time within a movie, which is all that scores need of time.
        rows = [
            Row(movie, float(place), float(place + 1), text, reference)
            for place, (movie, text, reference) in enumerate(zip(movies, texts, references, strict=True))
        ]
        systems[f"{name}: {arm}"] = of_captions(rows, VERBS)
    for when in ("before", "after"):
        systems[f"{name}: {when}"] = of_ranks(found[when], found["movie"], found["reference"])
    return systems


def pictures(settings: ClaimsConfig, run: Run) -> dict[str, tuple[str, bytes]]:
    """What goes on inside, by file name: what it shows, and a PNG. The first seed's full model is looked into."""
    label = f"{settings.seeds[0]} full"
    if label not in run.needs or not (run.needs[label].folder / "responsibilities.npy").is_file():
        return {}
    folder = run.needs[label].folder
    shares = np.load(folder / "responsibilities.npy", allow_pickle=False)
    with (folder / "predictions.csv").open(encoding="utf-8", newline="") as file:
        texts = [row["text_gt"] for row in csv.DictReader(file)][: len(shares)]
    says = "Responsibilities of the bases for the clips of a window: what is dark in all rows is shared"
    return {"responsibilities.png": (says, responsibility_map(shares[: len(texts)], texts))}


def about(run: Run) -> dict[str, str]:
    """Where the numbers come from, out of the accounts of all artefacts below the page's."""
    accounts = below(run.folder.parent, run.needs)
    seconds, counts = Counter[str](), Counter[str]()
    for each in accounts.values():
        seconds[each["recipe"]] += each["seconds"]
        counts[each["recipe"]] += 1
    kinds = ", ".join(f"{counts[name]} x {name} {seconds[name] / 60:.1f} min" for name in sorted(counts))
    told = {
        name: sorted({each["made_by"][name] for each in accounts.values()}) for name in ("commit", "device", "jax")
    }
    return {
        "artefacts": f"{len(accounts)} in {sum(seconds.values()) / 60:.0f} minutes ({kinds})",
        "commits": ", ".join(told["commit"]),
        "devices": ", ".join(told["device"]),
        "jax": ", ".join(told["jax"]),
        "made again by": "`python -m distinctad_jax.main --config=configs/claims.py`",
    }


def below(workdir: Path, needs: Mapping[str, Artefact]) -> dict[str, dict[str, Any]]:
    """The accounts of artefacts and of all that they were made of, by key."""
    found: dict[str, dict[str, Any]] = {}
    waiting = [artefact.folder / "artefact.json" for artefact in needs.values()]
    while waiting:
        account = read_json(waiting.pop())
        if account["key"] not in found:
            found[account["key"]] = account
            waiting += [path for key in account["needs"].values() for path in workdir.glob(f"*/{key}/artefact.json")]
    return found


def beyond(small: str) -> str:
    """What a run of `configs/demo.py:small` gave, or that there was none."""
    if not small:
        return (
            "`configs/demo.py:small` (towers and language model of 25 to 30 million parameters each, movies at 112 "
            "pixels) trains both stages on one accelerator. **It has not been run.** `distinctad plan "
            "--config=configs/stage2.py:small --topology=h100-1` compiles its steps and says what they need."
        )
    results = read_json(Path(small))
    lines = ["| system | CIDEr-D | R@1/5 | distinctive-word recall |", "|---|---:|---:|---:|"]
    for name, scores in results["stage2"].items():
        cells = [f"{scores[metric]:.1f}" for metric in ("CIDEr-D", "R@1/5", "distinctive-word recall")]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    made = results["made_by"]
    return f"`configs/demo.py:small`, commit `{made['commit']}`, {made['device']}:\n\n" + "\n".join(lines)


def needs(settings: ClaimsConfig) -> dict[str, Need]:
    """A cell each, with movies and training of its seed."""
    found = {}
    for label, (seed, name) in settings.cells().items():
        variant = settings.variants[name]
        changes = {section: dict(paths(fields)) for section, fields in variant.changes.items()}
        changes["render"] = {**changes.get("render", {}), "seed": seed}
        found[label] = Need(variant.recipe, changes, seed)
    return found


RECIPE = Recipe("claims", ClaimsConfig, run, needs, keyed=False, always=True, counts_down=True)
