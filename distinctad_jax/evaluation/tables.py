"""Scores as Markdown, LaTeX, CSV and JSON. Texts from files are escaped for each."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from distinctad_jax.evaluation.comparison import Compared, Pair
from distinctad_jax.evaluation.scoring import Score, Scored, better
from distinctad_jax.metrics.statistics import Interval

_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
}  # fmt: skip
_CONTROL = dict.fromkeys([*range(0x20), *range(0x7F, 0xA0)], "\ufffd")  # a terminal would obey them
_MARKDOWN = _CONTROL | str.maketrans({character: "\\" + character for character in "\\`*_[]<>|#"})
_FORMULA = ("=", "+", "-", "@")


def number(value: float | None) -> str:
    """Two decimals; a dash for none."""
    return "-" if value is None else f"{value:.2f}"


def between(interval: Interval | None) -> str:
    return "-" if interval is None else f"{interval.low:.2f} to {interval.high:.2f}"


def plain(text: str) -> str:
    """Text on one line, for Markdown."""
    return " ".join(text.split()).translate(_MARKDOWN)


def latex_text(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in " ".join(text.split()).translate(_CONTROL))


def _arrow(name: str) -> str:
    return {"higher": " ↑", "lower": " ↓"}.get(better(name), "")


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    ruler = "|".join(["---", *["---:"] * (len(head) - 1)])
    return [f"| {' | '.join(head)} |", f"|{ruler}|", *(f"| {' | '.join(row)} |" for row in rows), ""]


def _grid(scored: Scored, escape: Callable[[str], str]) -> tuple[list[str], list[list[str]]]:
    """A row for each metric, a column for each system, the interval of the first system beside it."""
    first, *others = scored.systems
    head = ["score", escape(first), "95 %", *map(escape, others)]
    rows = []
    for name, one in scored.systems[first].items():
        rest = [number(scored.systems[other][name].value) for other in others]
        rows.append([escape(name), number(one.value), between(one.interval), *rest])
    return head, rows


def markdown(scored: Scored) -> str:
    """The whole report: choices, scores, and scores by movie."""
    lines = ["# Scores", "", *(f"- {plain(name)}: {plain(text)}" for name, text in scored.header.items()), ""]
    head, rows = _grid(scored, plain)
    for row, name in zip(rows, next(iter(scored.systems.values())), strict=True):
        row[0] += _arrow(name)
    lines += _table(head, rows)
    lines += ["## By movie", "", *_by_movie(next(iter(scored.systems.values())))]
    if scored.counters:
        lines += ["## Counted", "", *(f"- {plain(name)}: {count}" for name, count in scored.counters.items()), ""]
    if scored.bad:
        lines += [f"## {len(scored.bad)} rows left out", "", *(f"- {plain(line)}" for line in scored.bad), ""]
    return "\n".join(lines)


def _by_movie(scores: dict[str, Score]) -> list[str]:
    names = list(scores)
    movies = list(next(iter(scores.values())).by_movie)
    rows = ([plain(movie), *(number(scores[name].by_movie[movie]) for name in names)] for movie in movies)
    return _table(["movie", *map(plain, names)], rows)


def latex(scored: Scored) -> str:
    """A tabular; the choices stand above it as comments."""
    head, rows = _grid(scored, latex_text)
    comments = [f"% {name}: {' '.join(text.split()).translate(_CONTROL)}" for name, text in scored.header.items()]
    return "\n".join([*comments, *_tabular(head, rows)]) + "\n"


def _tabular(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    body = [" & ".join(row) + r" \\" for row in rows]
    return [
        rf"\begin{{tabular}}{{l{'r' * (len(head) - 1)}}}", r"\hline", " & ".join(head) + r" \\", r"\hline",
        *body, r"\hline", r"\end{tabular}",
    ]  # fmt: skip


def csv_text(scored: Scored) -> str:
    """One line for each system, score and movie; an empty movie is all of them. Full precision."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["system", "score", "movie", "value", "low", "high"])
    for system, scores in scored.systems.items():
        for name, one in scores.items():
            low, high = one.interval or ("", "")
            writer.writerow([_cell(system), name, "", _bare(one.value), low, high])
            writer.writerows(
                [_cell(system), name, _cell(m), _bare(value), "", ""] for m, value in one.by_movie.items()
            )
    return file.getvalue()


def _cell(text: str) -> str:
    """A text that no spreadsheet takes for a formula, also behind blanks, and no terminal for a command."""
    kept = " ".join(text.split("\t")).translate(_CONTROL)
    return f"'{kept}" if kept.lstrip().startswith(_FORMULA) else kept


def _bare(value: float | None) -> float | str:
    return "" if value is None else value


def as_json(scored: Scored) -> dict[str, Any]:
    """Everything, at full precision."""
    return {
        "header": scored.header,
        "rows": scored.rows,
        "scores": scored.values,
        "systems": {
            system: {name: _score(one) for name, one in scores.items()} for system, scores in scored.systems.items()
        },
        "counters": scored.counters,
        "bad_rows": scored.bad,
    }


def _score(one: Score) -> dict[str, Any]:
    return {"value": one.value, "interval": one.interval and list(one.interval), "by_movie": one.by_movie}


def markdown_of_comparison(compared: Compared) -> str:
    """What changed, where, and the rows that gained and lost most."""
    lines = ["# Comparison", "", *(f"- {plain(name)}: {plain(text)}" for name, text in compared.header.items())]
    lines += [f"- the same words in both: {compared.same} of {compared.rows} rows", ""]
    rows = [[plain(row[0]) + _arrow(row[0]), *row[1:]] for row in _changes(compared)]
    lines += _table(["score", "A", "B", "B - A", "95 %", "p"], rows)
    lines += ["## Where (B - A)", ""]
    names = [name for name in compared.changes if name in ("CIDEr-D", "ROUGE-L") or name.startswith("R@")]
    movies = list(compared.changes["CIDEr-D"].one.by_movie)
    where = ([plain(movie), *(number(_apart(compared, name, movie)) for name in names)] for movie in movies)
    lines += _table(["movie", *names], where)
    for title, pairs in (("Rows that gained most", compared.best), ("Rows that lost most", compared.worst)):
        lines += [f"## {title}", "", *_pairs(pairs)]
    return "\n".join(lines)


def _changes(compared: Compared) -> list[list[str]]:
    return [
        [name, number(c.one.value), number(c.other.value), number(c.change), between(c.interval),
         "-" if c.p is None else f"{c.p:.4f}"]
        for name, c in compared.changes.items()
    ]  # fmt: skip


def _apart(compared: Compared, name: str, movie: str) -> float | None:
    one, other = compared.changes[name].one.by_movie[movie], compared.changes[name].other.by_movie[movie]
    return None if one is None or other is None else other - one


def _pairs(pairs: Sequence[Pair]) -> list[str]:
    rows = (
        [
            f"{pair.change:+.1f}",
            plain(pair.movie),
            number(pair.start),
            *map(plain, (pair.reference, pair.one, pair.other)),
        ]
        for pair in pairs
    )
    return _table(["CIDEr-D", "movie", "s", "reference", "A", "B"], rows) if pairs else ["none", ""]


def latex_of_comparison(compared: Compared) -> str:
    comments = [f"% {name}: {' '.join(text.split()).translate(_CONTROL)}" for name, text in compared.header.items()]
    rows = ([latex_text(row[0]), *row[1:]] for row in _changes(compared))
    return "\n".join([*comments, *_tabular(["score", "A", "B", "B - A", r"95 \%", "p"], rows)]) + "\n"


def csv_of_comparison(compared: Compared) -> str:
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["score", "movie", "a", "b", "change", "low", "high", "p"])
    for name, c in compared.changes.items():
        low, high = c.interval or ("", "")
        writer.writerow([name, "", *map(_bare, (c.one.value, c.other.value, c.change)), low, high, _bare(c.p)])
        for movie, value in c.one.by_movie.items():
            apart = _bare(_apart(compared, name, movie))
            writer.writerow([name, _cell(movie), _bare(value), _bare(c.other.by_movie[movie]), apart, "", "", ""])
    return file.getvalue()


def comparison_as_json(compared: Compared) -> dict[str, Any]:
    return {
        "header": compared.header,
        "changes": {
            name: {"a": _score(c.one), "b": _score(c.other), "change": c.change, "p": c.p,
                   "interval": c.interval and list(c.interval)}
            for name, c in compared.changes.items()
        },
        "best": [pair._asdict() for pair in compared.best],
        "worst": [pair._asdict() for pair in compared.worst],
        "alone": compared.alone,
        "same": compared.same,
        "rows": compared.rows,
    }  # fmt: skip


def written(found: Scored | Compared, form: str) -> str:
    """`found` as `markdown`, `latex`, `csv` or `json`."""
    if isinstance(found, Scored):
        ways = {"markdown": markdown, "latex": latex, "csv": csv_text, "json": lambda one: dumped(as_json(one))}
    else:
        ways = {
            "markdown": markdown_of_comparison, "latex": latex_of_comparison, "csv": csv_of_comparison,
            "json": lambda one: dumped(comparison_as_json(one)),
        }  # fmt: skip
    return ways[form](found)


def dumped(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
