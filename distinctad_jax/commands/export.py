"""Write a model that was trained or imported here as a folder that PyTorch's `transformers` loads: the adapted towers
(CLIP-AD) or the language model, with processor and tokenizer files."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from distinctad_jax.commands.voice import Voice
from distinctad_jax.recipes.exchange import HOMES, export_model


def arguments(parser: argparse.ArgumentParser) -> None:
    """What to write, where to, and which of two models."""
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="runs/stage1/KEY, runs/stage2/KEY, or an import")
    parser.add_argument("--to", type=Path, required=True, metavar="FOLDER", help="the folder to write")
    parser.add_argument("--what", choices=list(HOMES), help="which model, where there are two")


def run(given: argparse.Namespace, voice: Voice) -> dict[str, Any]:
    """Says what was written. Errors: BadInput if there is no such model, or it is none of these."""
    found = export_model(given.folder, given.to, given.what)
    voice.say(f"{found['model']}, {found['parameters']:,} parameters, in {found['folder']}")
    return found
