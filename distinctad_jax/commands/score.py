"""Score predictions against references: every metric, with intervals, by movie, with every choice stated."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from distinctad_jax.commands.scoring import check_outputs, choices, columns_of, reading, report, setup_of
from distinctad_jax.commands.voice import Voice
from distinctad_jax.evaluation.scoring import read_training, score
from distinctad_jax.evaluation.tables import as_json


def arguments(parser: argparse.ArgumentParser) -> None:
    """The predictions, how they are read, and what is computed."""
    parser.add_argument(
        "predictions",
        nargs="+",
        type=Path,
        help="a table with vid or movie, start, end, text_gt, text_gen; or tracks",
    )
    parser.add_argument("--references", type=Path, metavar="TABLE", help="for tracks, or predictions without text_gt")
    parser.add_argument("--with-baselines", action="store_true", help="also score what sees no movie")
    parser.add_argument("--train", type=Path, metavar="TABLE", help="training descriptions, for baselines")
    reading(parser)
    choices(parser)


def run(given: argparse.Namespace, voice: Voice) -> dict[str, Any]:
    """Prints the table; returns all of it. Errors: BadInput for a bad row, unless such rows are dropped."""
    check_outputs(given, [*given.predictions, given.references, given.train, given.cast])
    training = read_training(given.train, given.encoding) if given.train else []
    found = score(
        given.predictions,
        references=given.references,
        setup=setup_of(given),
        with_baselines=given.with_baselines or bool(training),
        training=training,
        encoding=given.encoding,
        columns=columns_of(given),
        drop_bad_rows=given.bad_rows == "drop",
        say=voice.warn,
    )
    report(found, given, voice)
    return as_json(found)
