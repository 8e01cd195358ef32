"""Read published CLIP or GPT-2 weights (a Hugging Face folder, or a hub id with --download), check every tensor by
name and shape, and keep them as the recipes do."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from distinctad_jax.commands.voice import Voice
from distinctad_jax.recipes.exchange import import_model


def arguments(parser: argparse.ArgumentParser) -> None:
    """What to read, where to put it, whether the hub may be asked."""
    parser.add_argument("source", metavar="SOURCE", help="folder with config.json and safetensors, or a hub id")
    parser.add_argument("--to", type=Path, required=True, metavar="FOLDER", help="gets aligner/ or language/")
    parser.add_argument("--download", action="store_true", help="fetch a hub id that is not in the hub's cache")
    parser.add_argument("--revision", metavar="NAME", help="branch, tag or commit on the hub")


def run(given: argparse.Namespace, voice: Voice) -> dict[str, Any]:
    """Says what was read. Errors: BadInput if anything does not fit; BadEnvironment if the hub cannot be reached."""
    found = import_model(given.source, given.to, download=given.download, revision=given.revision)
    voice.say(f"{found['model']}, {found['parameters']:,} parameters, in {found['folder']}")
    return found
