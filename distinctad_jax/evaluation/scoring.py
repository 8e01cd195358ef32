"""Predictions -> scores with intervals, for each movie, beside baselines; every choice is stated with them."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from distinctad_jax import __version__
from distinctad_jax.data.tables import read_table
from distinctad_jax.errors import BadInput, BadUsage
from distinctad_jax.evaluation.predictions import Predictions, read_predictions
from distinctad_jax.metrics.action_score import action_score
from distinctad_jax.metrics.baselines import CONSTANT, constant, copy_neighbour, nearest, shuffled
from distinctad_jax.metrics.characters import Resolver, names_only
from distinctad_jax.metrics.corpus import Corpus, Row, in_time_order
from distinctad_jax.metrics.coverage import Spans
from distinctad_jax.metrics.judges import ActionJudge, Judge
from distinctad_jax.metrics.llm_ad_eval import llm_ad_eval
from distinctad_jax.metrics.meteor import meteor
from distinctad_jax.metrics.scores import Policy, meaning, tallies, word_overlap
from distinctad_jax.metrics.similarity import SIMILARITIES
from distinctad_jax.metrics.spice import spice
from distinctad_jax.metrics.statistics import Interval, draws, interval
from distinctad_jax.metrics.tally import Tally, mean_of_rows, of_movies

if TYPE_CHECKING:
    from distinctad_jax.evaluation.bertscore import BertScore

Say = Callable[[str], None]
TEXT = ("text_gt", "text", "sentence", "reference", "description", "ad", "caption")
"""Columns that may hold the descriptions of a training table."""


@dataclass(frozen=True)
class Setup:
    """What scoring needs beside rows: the policy, models, people, dialogue, judges and programs.

    similarity: a name of `SIMILARITIES`; not read if there is a `bertscore`. cast: names for each movie, for CRITIC,
    with `resolve` as co-reference and `resolver` its name. dialogue: spans of speech of a movie. programs: jars
    of `meteor` and `spice`. judges: rate each row (LLM-AD-eval), or look for its `actions` (action score).
    resamples: of the bootstrap, 0 for no intervals.
    """

    policy: Policy = field(default_factory=Policy)
    similarity: str = "unigram_f1"
    bertscore: BertScore | None = None
    cast: Mapping[str, Sequence[str]] | None = None
    resolve: Resolver = names_only
    resolver: str = "names only, no co-reference"
    dialogue: Callable[[str], Spans | None] | None = None
    programs: Mapping[str, Path] = field(default_factory=dict)
    judges: Sequence[Judge | ActionJudge] = ()
    file_order: bool = False
    resamples: int = 1000
    seed: int = 0

    def __post_init__(self) -> None:
        if self.similarity not in SIMILARITIES:
            raise BadUsage(f"no similarity is called {self.similarity!r}", mend=f"use {', '.join(SIMILARITIES)}")
        if self.resamples < 0:
            raise BadUsage(f"resamples is at least 0, got {self.resamples}", mend="0 gives no intervals")

    def measure(self, rows: Sequence[Row]) -> tuple[Corpus, dict[str, Tally]]:
        """Every metric of some rows, put in order first. Errors: BadInput if file order scatters a movie's rows."""
        corpus = self.corpus(rows)
        people = {"cast": self.cast, "resolve": self.resolve, "dialogue": self.dialogue}
        if self.bertscore is None:
            return corpus, self._others(
                corpus, tallies(corpus, self.policy, word_overlap(corpus, self.similarity), **people)
            )
        compare, own = self.bertscore.similarity(corpus, self.policy)
        found = tallies(corpus, self.policy, compare, **people)
        found["BERTScore-F1"] = mean_of_rows(own, corpus.movies)
        return corpus, self._others(corpus, found)

    def corpus(self, rows: Sequence[Row]) -> Corpus:
        """The rows in the order in which they are scored."""
        try:
            return Corpus(_by_movie(rows) if self.file_order else in_time_order(rows))
        except ValueError as error:
            raise BadInput(str(error), mend="give rows") from None

    def _others(self, corpus: Corpus, found: dict[str, Tally]) -> dict[str, Tally]:
        """Adds what programs and judges say."""
        for tool, jar in self.programs.items():
            run = meteor if tool == "meteor" else spice
            texts = (corpus.said, corpus.wanted) if tool == "meteor" else (
                corpus.predictions, [list(row.references) for row in corpus.rows]
            )  # fmt: skip
            whole, rows = run(*texts, jar)
            each = mean_of_rows(np.array(rows), corpus.movies)
            found[tool.upper()] = of_movies(each.by_movie.tolist(), whole) if tool == "meteor" else each
        for judge in self.judges:
            if isinstance(judge, ActionJudge):
                judged = action_score(corpus.predictions, [row.actions for row in corpus.rows], judge)
            else:
                judged = llm_ad_eval(corpus.predictions, corpus.references, judge)
            found[f"{judged.name} ({judged.judge})"] = mean_of_rows(judged.rows, corpus.movies)
        return found

    def header(self, corpus: Corpus) -> dict[str, str]:
        """Every choice, in words."""
        p = self.policy
        windows = sum(len(movie) >= max(n for _, n in p.recall) for movie in corpus.movies) if p.recall else 0
        official = (
            self.bertscore.identity
            if self.bertscore
            else f"{self.similarity} (not BERTScore: no published R@k/N compares)"
        )
        header = {
            "rows": f"{len(corpus.rows)} in {len(corpus.movies)} movies",
            "order": "of the file"
            if self.file_order
            else "movie, start, end"
            if corpus.timed
            else "movie, then file (no times)",
            "tokeniser": "PTB rules without Java, each description alone; lower case, punctuation dropped",
            "CIDEr-D": f"n-grams weighed by the references of {'all movies' if p.pooling == 'pooled' else 'a movie'}",
            "average": f"{p.average} count alike",
            "R@k/N": f"recall at k among N neighbours (R@1/5: k = 1, N = 5), windows every N//2 rows, "
            f"tail: {p.tail}, short movies: {p.short}, ties: {p.ties}, mean: {p.recall_mean}; {windows} of "
            f"{len(corpus.movies)} movies are long enough for the largest N",
            "similarity": official,
            "distinctive and repeated words": f"among {p.window} rows around; no stop-words or stemming, with names",
            "interval": f"95 %, {self.resamples} bootstrap draws of movies, seed {self.seed}",
            "references": "CIDEr-D, ROUGE-L and BLEU use all of a row, others the first",
            "versions": f"distinctad_jax {__version__}, numpy {np.__version__}, Python {platform.python_version()}",
        }
        if corpus.timed:
            header["fits its time"] = f"at most {p.words_per_second:g} words a second"
        if self.cast is not None:
            header["CRITIC"] = self.resolver
        for judge in self.judges:
            header["judge"] = "; ".join(filter(None, [header.get("judge", ""), judge.identity]))
        for tool, jar in self.programs.items():
            header[tool.upper()] = jar.name
        return header


def _by_movie(rows: Sequence[Row]) -> list[Row]:
    """File order within each movie, movies in the order of their first row."""
    place = {movie: at for at, movie in enumerate(dict.fromkeys(row.movie for row in rows))}
    return sorted(rows, key=lambda row: place[row.movie])


@dataclass(frozen=True)
class Score:
    """One number of one system, in the units of papers; `by_movie` has None where a movie has none."""

    value: float | None
    interval: Interval | None
    by_movie: dict[str, float | None]


@dataclass(frozen=True)
class Scored:
    """The scores of a file and of what it is compared with.

    header: every choice. systems: name -> metric -> score; the first is the file itself. counters: what was done.
    bad: a line for each row that was left out. rows: how many were scored.
    """

    header: dict[str, str]
    systems: dict[str, dict[str, Score]]
    bad: list[str]
    counters: dict[str, int]
    rows: int

    @property
    def values(self) -> dict[str, float | None]:
        """The file's own scores by name."""
        return {name: one.value for name, one in next(iter(self.systems.values())).items()}


def scored(corpus: Corpus, found: Mapping[str, Tally], drawn: np.ndarray | None) -> dict[str, Score]:
    """Tallies as numbers in the units of papers."""
    scores = {}
    for name, tally in found.items():
        times = factor(name)
        between = interval(tally, drawn) if drawn is not None else None
        each = zip(corpus.names, tally.by_movie.tolist(), strict=True)
        scores[name] = Score(
            _times(tally.value, times),
            Interval(between.low * times, between.high * times) if between else None,
            {movie: _times(value, times) for movie, value in each},
        )
    return scores


def factor(name: str) -> float:
    """What a score is multiplied by for print: LLM-AD-eval's 0..5 stays as it is."""
    return 1.0 if name.startswith("LLM-AD-eval") else 100.0


def better(name: str) -> str:
    """Which way a score is better; judges' ratings are better higher."""
    return "higher" if name.startswith(("LLM-AD-eval", "action score")) else meaning(name).better


def _times(value: float, times: float) -> float | None:
    return value * times if np.isfinite(value) else None


def score(
    predictions: str | Path | Sequence[str | Path] | Sequence[Row],
    *,
    references: str | Path | None = None,
    setup: Setup | None = None,
    with_baselines: bool = False,
    training: Sequence[str] = (),
    encoding: str = "utf-8",
    columns: Mapping[str, str] | None = None,
    drop_bad_rows: bool = False,
    say: Say = lambda line: None,
) -> Scored:
    """Scores a file of predictions (see `read_predictions`) or rows.

    Args:
      with_baselines: adds systems that see no movie: constant, copy previous, copy next, shuffled within the movie,
        and, if there are `training` descriptions, the one nearest to each reference.
      say: is told of each row that cannot be used or is odd.
    Errors: BadInput as `read_predictions`, and for a bad row unless those are dropped.
    """
    setup = setup or Setup()
    found = predictions_of(predictions, references, encoding, columns, drop_bad_rows=drop_bad_rows, say=say)
    corpus, measured = setup.measure(found.rows)
    drawn = draws(len(corpus.movies), setup.resamples, setup.seed) if setup.resamples else None
    systems = {"predictions": scored(corpus, measured, drawn)}
    if with_baselines:
        for name, texts in baselines(corpus, training, setup.seed).items():
            rows = [row._replace(prediction=text, said=None) for row, text in zip(corpus.rows, texts, strict=True)]
            systems[name] = scored(*setup.measure(rows), drawn)
    counters = dict(setup.bertscore.counters) if setup.bertscore else {}
    return Scored({"predictions": found.where} | setup.header(corpus), systems, found.bad, counters, len(corpus.rows))


def predictions_of(
    given: Any,
    references: str | Path | None,
    encoding: str,
    columns: Mapping[str, str] | None,
    *,
    drop_bad_rows: bool,
    say: Say,
) -> Predictions:
    """Rows as they are, or read from files and looked at."""
    if isinstance(given, str | Path):
        given = [given]
    if not given or isinstance(given[0], Row):
        return Predictions("rows", list(given))
    paths = [Path(path) for path in given]
    found = read_predictions(
        paths, references=Path(references) if references else None, encoding=encoding, columns=columns
    )
    for line in found.bad:
        say(line)
    if not drop_bad_rows:
        found.refuse_bad()
    for what, lines in found.odd.items():
        say(f"{len(lines)} {what}, the first: {lines[0]}")
    if not found.rows:
        raise BadInput("not one row can be used", where=found.where, mend="correct the rows")
    return found


def baselines(corpus: Corpus, training: Sequence[str], seed: int) -> dict[str, list[str]]:
    """What systems that see no movie say of each row."""
    said = constant(list(training)) if training else CONSTANT
    found = {
        f"constant: {said}": [said] * len(corpus.rows),
        "copy previous": copy_neighbour(corpus.references, corpus.groups, -1),
        "copy next": copy_neighbour(corpus.references, corpus.groups, 1),
        "shuffled within movie": shuffled(corpus.references, corpus.groups, seed),
    }
    if training:
        found["nearest training description (sees the reference)"] = nearest(corpus.references, list(training))
    return found


def read_training(path: Path, encoding: str = "utf-8") -> list[str]:
    """The descriptions of a training table, empty ones left out. Errors: BadInput if it has no column of them."""
    table = read_table(path, encoding)
    column = next((name for name in TEXT if name in table.columns), "")
    texts = [row.fields.get(column) for row in table.rows] if column else []
    found = [text for text in texts if isinstance(text, str) and text.strip()]
    if not found:
        raise BadInput(f"no descriptions in a column {'/'.join(TEXT)}", where=path, mend="rename a column to text")
    return found
