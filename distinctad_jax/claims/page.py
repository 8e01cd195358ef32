"""The claims page as Markdown, and its figures: a function of stored results and nothing else."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from distinctad_jax.claims.figures import intervals
from distinctad_jax.claims.verdicts import PERCENT, RESAMPLES, Judged, Results

FEWEST = 3
"""Seeds below which the page warns that an interval tells of movies more than of seeds."""
RULE = (
    f"**The rule.** An interval holds {PERCENT:g} % of {RESAMPLES:,} paired bootstrap draws over seeds and, within "
    "a seed, over unseen movies; systems are scored on the same draws. Around its number it is widened by "
    "sqrt(n / (n - 1)) for n seeds, as draws from few seeds differ too little. A claim is **shown** if its whole "
    "interval lies on the claimed side of its bar (0 unless the row says another), **refuted** if the whole interval "
    "lies on the other side, and otherwise **not shown**. An interval that touches the bar shows nothing."
)


@dataclass(frozen=True)
class Yardstick:
    """People's figure beside the systems': what, on which metric, and what people's descriptions have."""

    metric: str
    says: str
    people: str


@dataclass(frozen=True)
class Page:
    """What stands on the page. pictures: file names, already beside the figures, with what they show; notes:
    paragraphs on what the systems are."""

    judged: Sequence[Judged]
    results: Results
    systems: Sequence[str]
    metrics: Sequence[str]
    yardsticks: Sequence[Yardstick]
    yardstick_systems: Sequence[str]
    about: Mapping[str, str]
    beyond: str
    pictures: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()


def written(page: Page, folder: str) -> tuple[str, dict[str, str]]:
    """The page, and its figures by file name; `folder` is where the page looks for them."""
    groups = list(dict.fromkeys(each.claim.group for each in page.judged))
    counts = {name: sum(each.verdict == name for each in page.judged) for name in ("shown", "not shown", "refuted")}
    lines = [
        "# Claims",
        "",
        "<!-- written by configs/claims.py from stored results; nothing here is written by hand -->",
    ]
    lines += ["", _lead(page), ""]
    for note in (*page.notes, RULE):
        lines += [note, ""]
    lines += [
        "Of " + f"{len(page.judged)} claims " + ", ".join(f"{n} are {name}" for name, n in counts.items()) + ".",
        "",
    ]
    figures: dict[str, str] = {}
    for group in groups:
        rows = [each for each in page.judged if each.claim.group == group]
        lines += [f"## {group}", "", *_table(rows), ""]
        for metric in dict.fromkeys(each.claim.metric for each in rows):
            shown = [each for each in rows if each.claim.metric == metric and len(each.claim.of) == 2]
            if sum(each.value is not None for each in shown) >= 2:
                name, title = f"{_slug(group)}-{_slug(metric)}.svg", f"{group}: {metric}"
                figures[name] = intervals(title, shown)
                lines += [f"![Intervals of {title}; the numbers stand in the table above.]({folder}/{name})", ""]
    lines += [*_repetition(page), *_scores(page), *_pictures(page, folder)]
    lines += ["## Beyond toys", "", page.beyond, "", "## Where the numbers come from", ""]
    lines += [f"- {name}: {value}" for name, value in page.about.items()]
    return "\n".join(lines) + "\n", figures


def _lead(page: Page) -> str:
    seeds = sorted(page.results)
    told = (
        f"Both stages on toy cinema, a world whose truth is known: {len(seeds)} seed{'s' * (len(seeds) != 1)} "
        f"({', '.join(map(str, seeds))}), each with movies of its own. Scores are times 100; CIDEr-D has 1000 at "
        "most. The numbers tell about this world and these small models. They are not the paper's."
    )
    if len(seeds) < FEWEST:
        told += (
            f" **The grid is not finished: with fewer than {FEWEST} seeds an interval tells how movies differ, and "
            "little of how seeds do; read verdicts as provisional.**"
        )
    return told


def _table(rows: Sequence[Judged]) -> list[str]:
    lines = [
        f"| claim | systems | metric | number [{PERCENT:g} %] | bar | seeds, movies | verdict |",
        "|---|---|---|---:|---:|---:|---|",
    ]
    for each in rows:
        claim = each.claim
        number = "not measured"
        if each.value is not None:
            number = f"{each.value:+.1f} [{each.low:+.1f}, {each.high:+.1f}]"
        bar = f"{'>' if claim.holds == 'above' else '<'} {claim.bar:g}"
        names = _formula([_cell(name) for name in claim.of])
        lines.append(
            f"| {_cell(claim.says)} | {names} | {_cell(claim.metric)} | {number} | {bar} "
            f"| {each.seeds}, {each.movies} | **{each.verdict}** |"
        )
    return lines


def _formula(names: Sequence[str]) -> str:
    """How the systems of a claim make its number."""
    if len(names) == 1:
        return names[0]
    if len(names) == 2:
        return f"{names[0]} − {names[1]}"
    if len(names) == 3:
        return f"{names[0]}, of the way from {names[1]} to {names[2]}, %"
    return f"({names[0]} − {names[1]}) − ({names[2]} − {names[3]})"


def _repetition(page: Page) -> list[str]:
    names = [name for name in page.yardstick_systems if any(name in each for each in page.results.values())]
    if not names:
        return []
    lines = ["## Repetition beside people's descriptions", "", "| | people | " + " | ".join(map(_cell, names)) + " |"]
    lines += ["|---|---|" + "---:|" * len(names)]
    for yard in page.yardsticks:
        cells = [_mean(page.results, name, yard.metric) for name in names]
        lines.append(f"| {_cell(yard.says)} | {yard.people} | " + " | ".join(cells) + " |")
    people = (
        "*people*: published descriptions of MAD-Eval, TV-AD and CMD-AD, measured elsewhere. *reference*: the toy "
        "world's own."
    )
    return [*lines, "", people, ""]


def _scores(page: Page) -> list[str]:
    lines = ["## All systems", "", "Means over the seeds that have the system.", ""]
    lines += ["| system | seeds | " + " | ".join(map(_cell, page.metrics)) + " |"]
    lines += ["|---|---:|" + "---:|" * len(page.metrics)]
    for name in page.systems:
        seeds = sum(name in each for each in page.results.values())
        cells = [_mean(page.results, name, metric) for metric in page.metrics]
        if seeds and set(cells) != {"–"}:
            lines.append(f"| {_cell(name)} | {seeds} | " + " | ".join(cells) + " |")
    return [*lines, ""]


def _mean(results: Results, name: str, metric: str) -> str:
    found = [each[name].score(metric) for each in results.values() if name in each and metric in each[name].parts]
    return f"{np.mean(found):.1f}" if found and np.isfinite(found).all() else "–"


def _pictures(page: Page, folder: str) -> list[str]:
    lines = [line for name, says in page.pictures.items() for line in (f"![{_cell(says)}]({folder}/{name})", "")]
    return ["## Pictures", "", *lines] if lines else []


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def _cell(text: str) -> str:
    """Text that cannot break out of a table's cell, a link or into HTML."""
    plain = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\|\[\]*`_])", r"\\\1", plain)
