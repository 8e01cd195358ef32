"""What `score` and `compare` take alike."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from distinctad_jax.commands.voice import Voice
from distinctad_jax.data.cast import read_cast
from distinctad_jax.errors import BadInput, BadUsage
from distinctad_jax.evaluation.scoring import Setup
from distinctad_jax.evaluation.tables import written
from distinctad_jax.files import real, write_text
from distinctad_jax.metrics.java import find_jar
from distinctad_jax.metrics.pace import WORDS_PER_SECOND
from distinctad_jax.metrics.scores import Policy
from distinctad_jax.metrics.similarity import SIMILARITIES
from distinctad_jax.tracks import read_dialogue

FORMS = {".md": "markdown", ".tex": "latex", ".csv": "csv", ".json": "json"}


def reading(parser: argparse.ArgumentParser) -> None:
    """How files are read and written."""
    group = parser.add_argument_group("files")
    group.add_argument("--encoding", default="utf-8", help="of tables without a byte-order mark, such as cp1252")
    group.add_argument(
        "--column",
        action="append",
        default=[],
        metavar="ROLE=NAME",
        help="movie, start, end, reference, prediction or id stands in column NAME",
    )
    group.add_argument("--bad-rows", choices=["error", "drop"], default="error")
    group.add_argument(
        "--format", choices=["markdown", "latex", "csv", "json"], default="markdown", help="what is printed"
    )
    group.add_argument(
        "--out", action="append", default=[], type=Path, metavar="FILE", help="also write to .md, .tex, .csv or .json"
    )
    group.add_argument("--overwrite", "--force", action="store_true", help="write over files that are there")


def choices(parser: argparse.ArgumentParser) -> None:
    """The policy, and what some metrics need."""
    group = parser.add_argument_group("choices, all printed with the scores")
    group.add_argument(
        "--file-order", action="store_true", help="rows of a movie as in the file, not by start and end"
    )
    group.add_argument("--pooling", choices=["pooled", "movie"], default="pooled", help="of CIDEr-D's weights")
    group.add_argument("--average", choices=["rows", "movies"], default="rows", help="what counts alike")
    group.add_argument("--recall", nargs="+", default=["1/5", "1/16", "5/16"], metavar="K/N")
    group.add_argument("--tail", choices=["drop", "flush"], default="drop", help="rows after the last full window")
    group.add_argument("--short", choices=["skip", "single"], default="skip", help="movies of fewer than N rows")
    group.add_argument("--ties", choices=["expected", "first", "pessimistic", "optimistic"], default="expected")
    group.add_argument(
        "--recall-mean",
        choices=["pooled", "per_group"],
        default="pooled",
        help="over windows, or over movies of theirs",
    )
    group.add_argument("--window", type=int, default=16, help="neighbourhood of distinctive and repeated words")
    group.add_argument("--words-per-second", type=float, default=WORDS_PER_SECOND, help="what fits its time")
    group.add_argument(
        "--similarity", choices=list(SIMILARITIES), default="unigram_f1", help="behind R@k/N without a model"
    )
    group.add_argument("--resamples", type=int, default=1000, help="bootstrap draws; 0 for none")
    group.add_argument("--seed", type=int, default=0)
    more = parser.add_argument_group("more metrics")
    more.add_argument(
        "--bertscore", type=Path, metavar="FOLDER", help="RoBERTa weights and vocabulary: BERTScore, and R@k/N by it"
    )
    more.add_argument("--bertscore-layer", type=int, default=17)
    more.add_argument(
        "--bertscore-baseline", type=Path, metavar="FILE", help="table LAYER,P,R,F; known for roberta-large"
    )
    more.add_argument("--cast", type=Path, metavar="FILE", help="names of each movie: CRITIC, without co-reference")
    more.add_argument("--dialogue", type=Path, metavar="PATH", help="subtitles, or a folder of MOVIE.srt or .vtt")
    more.add_argument(
        "--meteor",
        nargs="?",
        const=Path(),
        type=Path,
        metavar="JAR",
        help="with Java; the jar of pycocoevalcap if none is named",
    )
    more.add_argument(
        "--spice", nargs="?", const=Path(), type=Path, metavar="JAR", help="the same, with CoreNLP's models"
    )


def setup_of(given: argparse.Namespace) -> Setup:
    """Errors: BadUsage for a choice that there is not, BadInput or BadEnvironment for files that cannot be used."""
    try:
        policy = Policy(
            pooling=given.pooling, average=given.average, recall=tuple(map(_recall, given.recall)), tail=given.tail,
            short=given.short, ties=given.ties, recall_mean=given.recall_mean, window=given.window,
            words_per_second=given.words_per_second,
        )  # fmt: skip
    except ValueError as error:
        raise BadUsage(str(error), where="command line", mend="see --help") from None
    if given.seed < 0:
        raise BadUsage(f"--seed {given.seed}", where="command line", mend="a whole number from 0")
    programs = {
        tool: find_jar(tool, None if path == Path() else path)
        for tool, path in (("meteor", given.meteor), ("spice", given.spice))
        if path is not None
    }
    scorer = None
    if given.bertscore is not None:
        from distinctad_jax.evaluation.bertscore import BertScore  # brings JAX

        scorer = BertScore.load(given.bertscore, layer=given.bertscore_layer, baseline=given.bertscore_baseline)
    cast = None
    if given.cast is not None:
        cast = {movie: [one.character for one in people] for movie, people in read_cast(given.cast).items()}
    return Setup(
        policy=policy,
        similarity=given.similarity,
        bertscore=scorer,
        cast=cast,
        programs=programs,
        dialogue=dialogue_of(given.dialogue) if given.dialogue else None,
        file_order=given.file_order,
        resamples=given.resamples,
        seed=given.seed,
    )


def _recall(text: str) -> tuple[int, int]:
    k, _, n = text.removeprefix("R@").partition("/")
    if not (k.isascii() and k.isdigit() and n.isascii() and n.isdigit()):
        raise BadUsage(f"{text!r} is no K/N", where="--recall", mend="write for example 5/16")
    return int(k), int(n)


def dialogue_of(path: Path) -> Callable[[str], list[tuple[float, float]] | None]:
    """When somebody speaks, in seconds: of one film from a file, or of films from the files of a folder
    that are named after them.

    Errors: BadInput if a folder has no subtitles.
    """

    def spans(file: Path) -> list[tuple[float, float]]:
        return [(line.span.start, line.span.end) for line in read_dialogue(file)]

    if not path.is_dir():
        spoken = spans(path)
        return lambda movie: spoken
    found = {file.stem: spans(file) for file in sorted(path.iterdir()) if file.suffix.lower() in (".srt", ".vtt")}
    if not found:
        raise BadInput("no .srt or .vtt in this folder", where=path, mend="name files after movies")
    return found.get


def columns_of(given: argparse.Namespace) -> dict[str, str]:
    """Errors: BadUsage for what is not ROLE=NAME."""
    found = {}
    for text in given.column:
        role, mark, name = text.partition("=")
        if not (mark and name):
            raise BadUsage(f"{text!r} is no ROLE=NAME", where="--column", mend="write for example movie=film")
        found[role] = name
    return found


def report(found: Any, given: argparse.Namespace, voice: Voice) -> None:
    """Prints the scores, and writes them where asked. Errors: BadUsage for a suffix without a form."""
    print(written(found, given.format), end="")
    for path in given.out:
        write_text(path, written(found, FORMS[path.suffix.lower()]))
        voice.say(f"wrote {path}")


def check_outputs(given: argparse.Namespace, read: Sequence[Path | None]) -> None:
    """Before any work is done. `read` are the tables that are read.

    Errors: BadUsage for a suffix without a form; for a file that is there, unless it is to be written over; for one
      that is read, whatever was told; and for a link, which nothing is written through.
    """
    sources = {real(path) for path in read if path is not None}
    for path in given.out:
        if path.suffix.lower() not in FORMS:
            raise BadUsage(f"no form for {path.suffix or 'no suffix'}", where=path, mend=f"use {', '.join(FORMS)}")
        if real(path) in sources:
            raise BadUsage("is read, and would be written over", where=path, mend="name another file")
        if path.is_symlink():
            raise BadUsage("is a link", where=path, mend="remove it, or name another file")
        if path.exists() and not given.overwrite:
            raise BadUsage("is there already", where=path, mend="give --overwrite, or name another file")
