"""Say what is wrong with an annotation table: every known trap with its count and rows."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from distinctad_jax.commands.voice import Voice
from distinctad_jax.data.annotations import read_annotations


def arguments(parser: argparse.ArgumentParser) -> None:
    """The table, and how to read it."""
    parser.add_argument("--annotations", type=Path, required=True, metavar="TABLE", help="CSV or JSONL")
    parser.add_argument("--kind", choices=["auto", "cmdad", "madeval", "tvad", "generic"], default="auto")
    parser.add_argument("--encoding", default="utf-8")
    parser.add_argument("--bad-rows", choices=["error", "drop"], default="error")


def run(given: argparse.Namespace, voice: Voice) -> dict[str, Any]:
    """Prints the report; returns its counts. Errors: BadInput for a bad row, unless they are dropped."""
    table = read_annotations(given.annotations, kind=given.kind, encoding=given.encoding, bad_rows=given.bad_rows)
    for line in table.report.sentences():
        print(line)
    return dict(table.report.counts())
