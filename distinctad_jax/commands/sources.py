"""The options that say where dialogue and shots come from, for every command that looks for gaps."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from distinctad_jax.commands.batch import paper
from distinctad_jax.drafting.dialogue import Sources
from distinctad_jax.drafting.survey import AUTO, NONE
from distinctad_jax.errors import BadUsage
from distinctad_jax.movie.span import Span


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
