"""The options of commands that read films: where dialogue and shots come from, and how large a picture may be."""

from __future__ import annotations

import argparse
import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from distinctad_jax.commands.batch import paper
from distinctad_jax.commands.voice import Voice
from distinctad_jax.data.film import MAX_PIXELS, pictures_up_to
from distinctad_jax.drafting.dialogue import Sources
from distinctad_jax.drafting.survey import AUTO, NONE
from distinctad_jax.errors import BadUsage
from distinctad_jax.movie.span import Span

MILLION = 1_000_000


def film_options(parser: argparse.ArgumentParser) -> None:
    """How large a film's pictures may be; `reads_films` heeds it."""
    parser.add_argument(
        "--max-megapixels",
        type=float,
        default=MAX_PIXELS / MILLION,
        metavar="MP",
        help=f"refuse films with larger pictures before any is decoded (default: {MAX_PIXELS / MILLION:g})",
    )


def reads_films(run: Callable[[argparse.Namespace, Voice], dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """`run` of a command that took `film_options`. Errors: BadUsage for a limit that lets no picture through."""

    @functools.wraps(run)
    def limited(given: argparse.Namespace, voice: Voice) -> dict[str, Any]:
        if not 1 <= given.max_megapixels * MILLION < 2**31:  # the decoder counts in 32 bits
            raise BadUsage(
                f"--max-megapixels {given.max_megapixels:g}", where="command line", mend="more than 0, up to 2147"
            )
        with pictures_up_to(int(given.max_megapixels * MILLION)):
            return run(given, voice)

    return limited


def source_options(parser: argparse.ArgumentParser) -> None:
    """Dialogue, shots, and the part of the film."""
    group = parser.add_argument_group("dialogue and shots")
    group.add_argument("--subtitles", type=Path, metavar="FILE", help="SRT or WebVTT, or a folder of NAME.srt")
    group.add_argument("--subtitle-track", default="", metavar="N|LANG|none", help="the film's own subtitles")
    group.add_argument("--speech-segments", type=Path, metavar="FILE", help="JSON, RTTM or labels of speech")
    group.add_argument("--speech-detector", metavar="NAME", help="of an installed package (entry point)")
    group.add_argument("--songs-are-dialogue", action="store_true", help="sung lines count as dialogue")
    group.add_argument("--encoding", default="utf-8", help="of the subtitles, if they have no mark")
    group.add_argument("--no-offset-check", action="store_true", help="do not compare subtitles with the sound")
    group.add_argument("--shots", default=AUTO, metavar="FILE|auto|none", help="where shots begin (default: auto)")
    group.add_argument("--start", type=float, metavar="S", help="begin here")
    group.add_argument("--end", type=float, metavar="S", help="end here")


def sources_of(given: argparse.Namespace, film: Path, inputs: Sequence[Path]) -> Sources:
    """Where the dialogue of a film comes from. Errors: BadInput if a folder of papers has none for it."""
    return Sources(
        subtitles=paper(given.subtitles, film, inputs),
        track=given.subtitle_track,
        segments=given.speech_segments,
        detector=given.speech_detector,
        songs=given.songs_are_dialogue,
        encoding=given.encoding,
        check_offset=not given.no_offset_check,
    )


def cuts_of(given: argparse.Namespace) -> str | Path:
    """`auto`, `none` or a file."""
    return given.shots if given.shots in (AUTO, NONE) else Path(given.shots)


def part_of(given: argparse.Namespace) -> Span | None:
    """The part of the film that was asked for. Errors: BadUsage unless 0 <= start < end."""
    if given.start is None and given.end is None:
        return None
    try:
        return Span(given.start or 0.0, given.end if given.end is not None else 3.6e9)
    except ValueError:
        raise BadUsage("--start and --end are no part of a film", where="command line", mend="0 <= S < end") from None
