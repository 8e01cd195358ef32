"""Compare two systems on the same rows: what changed, how surely, in which movies, and the rows that changed most."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from distinctad_jax.commands.scoring import check_outputs, choices, columns_of, reading, report, setup_of
from distinctad_jax.commands.voice import Voice
from distinctad_jax.evaluation.comparison import compare
from distinctad_jax.evaluation.tables import comparison_as_json


def arguments(parser: argparse.ArgumentParser) -> None:
    """Both tables, how they are read, and what is computed."""
    parser.add_argument("a", type=Path, help="a table with vid or movie, start, end, text_gt, text_gen")
    parser.add_argument("b", type=Path, help="the same rows from another system")
    parser.add_argument("--rows", type=int, default=5, help="how many of the rows that changed most are shown")
    reading(parser)
    choices(parser)


def run(given: argparse.Namespace, voice: Voice) -> dict[str, Any]:
    """Prints the comparison; returns all of it. Errors: BadInput for a bad row, unless such rows are dropped."""
    check_outputs(given, [given.a, given.b, given.cast])
    found = compare(
        given.a,
        given.b,
        setup=setup_of(given),
        shown=max(given.rows, 0),
        encoding=given.encoding,
        columns=columns_of(given),
        drop_bad_rows=given.bad_rows == "drop",
        say=voice.warn,
    )
    report(found, given, voice)
    return comparison_as_json(found)
