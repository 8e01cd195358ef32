"""Say what is wrong with a data set: every known trap of an annotation table, and papers that do not fit it."""

from __future__ import annotations

import argparse
import functools
import json
import math
from pathlib import Path
from typing import Any

from distinctad_jax.commands.sources import film_options, reads_films
from distinctad_jax.commands.voice import Voice
from distinctad_jax.data.annotations import KINDS
from distinctad_jax.data.inspection import inspect
from distinctad_jax.errors import BadUsage, one_line, printable
from distinctad_jax.tracks.folder import read_subtitles


def arguments(parser: argparse.ArgumentParser) -> None:
    """The table, how to read it, and what belongs to it."""
    parser.add_argument("--annotations", type=Path, required=True, metavar="TABLE", help="CSV, TSV, JSONL or JSON")
    parser.add_argument("--kind", choices=["auto", *KINDS], default="auto", help="told by the header if not given")
    parser.add_argument("--encoding", default="auto", help="such as cp1252; UTF-8 if not given")
    parser.add_argument("--times", choices=["auto", "stated", "scaled"], default="auto")
    parser.add_argument("--bad-rows", choices=["error", "drop"], default="error", help="rows that cannot be used")
    parser.add_argument("--videos", type=Path, metavar="FOLDER", help="films, clips, or folders or tars of frames")
    parser.add_argument("--features", type=Path, metavar="STORE", help=".h5 file, or folder of .npy files")
    parser.add_argument("--features-fps", type=float, default=5.0, metavar="FPS", help="of the store (default 5)")
    parser.add_argument("--width", type=int, metavar="N", help="width that the features must have, such as 768")
    parser.add_argument("--subtitles", type=Path, metavar="FOLDER", help="MOVIE.srt or MOVIE.vtt")
    parser.add_argument("--cast", type=Path, metavar="JSON")
    parser.add_argument("--splits", type=Path, metavar="JSON")
    parser.add_argument("--clips", type=int, default=8, metavar="N", help="window for distinctive words (default 8)")
    film_options(parser)


@reads_films
def run(given: argparse.Namespace, voice: Voice) -> dict[str, Any]:
    """Prints the report; returns its counts and rows. Errors: BadInput if there is something to be mended."""
    if given.clips < 1:
        raise BadUsage(f"windows of {given.clips} clips", where="--clips", mend="give 1 or more")
    if not 0 < given.features_fps < math.inf:
        raise BadUsage(f"{given.features_fps:g} frames a second", where="--features-fps", mend="give more than 0")
    with voice.bar("opening films") as bar:
        found = inspect(
            given.annotations,
            kind=given.kind,
            encoding=given.encoding,
            times=given.times,
            bad_rows=given.bad_rows,
            videos=given.videos,
            features=given.features,
            features_fps=given.features_fps,
            width=given.width,
            cast=given.cast,
            splits=given.splits,
            subtitles=functools.partial(read_subtitles, given.subtitles) if given.subtitles else None,
            clips=given.clips,
            progress=lambda done, count: bar(done, count, ""),
        )
    traps = found.annotations.report.sentences()
    for line in [*traps, *found.warnings, *found.errors]:
        print(printable(line))
    windows, share = found.counts["windows"], found.counts["distinctive_share"]
    print(f"{windows} windows of {given.clips} clips; {share:.3f} of word types are distinctive in them", flush=True)
    also = [*found.warnings, *traps[1:]] if given.strict else []
    if (found.errors or also) and given.json:  # what was found is wanted all the more
        print(one_line(json.dumps(found.told(), ensure_ascii=False, allow_nan=False)), flush=True)
    found.refuse(also)
    return found.told()
