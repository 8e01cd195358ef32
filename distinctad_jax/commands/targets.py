"""The files that a command is about to write: where they go, and what happens to those that are there already."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from distinctad_jax.commands.voice import Voice
from distinctad_jax.errors import BadEnvironment, BadInput, BadUsage
from distinctad_jax.files import real
from distinctad_jax.movie.movie import Track
from distinctad_jax.tracks.formats import FORMATS, texts_of

_FILES = {end for form in FORMATS.values() for end in form.suffixes} | {".html", ".wav", ".flac", ".mp4", ".mkv"}
"""Suffixes of what is written; a new folder of such a name would be taken for the file."""


def target_options(parser: argparse.ArgumentParser, formats: Sequence[str], default: Sequence[str]) -> None:
    """`-o`, `-f`, `--overwrite` and `--skip-existing`."""
    parser.add_argument("-o", "--output-dir", type=Path, metavar="DIR", help="default: the folder of each input")
    parser.add_argument(
        *("-f", "--format"),
        default=",".join(default),
        metavar="F,F",
        help=f"any of {', '.join(formats)}, or all; default {','.join(default)}",
    )
    there = parser.add_mutually_exclusive_group()
    there.add_argument("--overwrite", "--force", action="store_true", help="write over files that are there")
    there.add_argument(
        "--skip-existing", "--resume", action="store_true", help="make only the formats that are not there yet"
    )


def formats_of(given: argparse.Namespace, known: Sequence[str]) -> list[str]:
    """The formats that were asked for, each once. Errors: BadUsage for one that is not known."""
    asked = [one.strip().lower().lstrip(".") for one in given.format.split(",") if one.strip()]
    asked = list(known) if asked == ["all"] else asked
    wrong = [one for one in asked if one not in known]
    if wrong or not asked:
        what = f"no format is called {wrong[0]!r}" if wrong else "no format is named"
        raise BadUsage(what, where="--format", mend=f"use any of {', '.join(known)}")
    return list(dict.fromkeys(asked))


def folder_of(given: argparse.Namespace, path: Path) -> Path:
    """Where the files of one input go. It is made with the first file that is written, and none above it ever.

    Errors: BadUsage if it is called like a file, and is not there; BadEnvironment if it is not there and cannot be
      made, or nothing may be written to it.
    """
    folder = given.output_dir or path.parent
    if folder.suffix.lower() in _FILES and not folder.exists():
        raise BadUsage(
            "is the name of a file, and -o names a folder", where=folder, mend="name a folder, as in -o out"
        )
    home = folder if folder.exists() else folder.parent
    if not home.exists():
        raise BadEnvironment("its parent folder does not exist", where=folder, mend="make it")
    if not home.is_dir() or (folder.is_symlink() and not folder.exists()):
        raise BadEnvironment("is no folder", where=folder, mend="name another")
    if not os.access(home, os.W_OK | os.X_OK):
        raise BadEnvironment("may not be written to", where=home, mend="name another folder")
    return folder


def wanted(
    given: argparse.Namespace, targets: Sequence[Path], voice: Voice, read: Sequence[Path | None] = ()
) -> list[Path]:
    """Those of `targets` that are to be written; `read` are the files that are read for them.

    Errors: BadUsage for one that is there, unless told what to do with it; for one that is read, whatever was told;
    and for a link, which nothing is written through.
    """
    found, sources = [], {real(one) for one in read if one is not None}
    for target in targets:
        if real(target) in sources:
            raise BadUsage("is read, and would be written over", where=target, mend="name another folder with -o")
        if target.is_symlink():
            raise BadUsage("is a link", where=target, mend="remove it, or name another folder")
        if target.exists() and not given.overwrite:
            if not given.skip_existing:
                raise BadUsage("is there already", where=target, mend="give --overwrite or --skip-existing")
            voice.say(f"{target}: is there already")
            continue
        found.append(target)
    return found


def texts_for(targets: Sequence[Path], track: Track, source: Path) -> dict[Path, str]:
    """All files and their texts, so that none is written if one cannot be. Errors: BadInput if a format refuses."""
    texts: dict[Path, str] = {}
    for target in targets:
        try:
            texts |= texts_of(target, track)
        except ValueError as error:
            mend = f"correct it, or write no {target.suffix[1:]}"
            raise BadInput(str(error).rstrip("."), where=source, mend=mend) from None
    return texts
