"""Make the page in which a person reviews a track: read, play, edit, download, print.

TRACK is a track (.json, or .vtt, .srt) or a folder of .json tracks. The page is one file, STEM.review.html, that
needs nothing but the film beside it.
"""

from __future__ import annotations

import argparse
import base64
import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

from distinctad_jax.commands.batch import each, ended, paper, tell
from distinctad_jax.commands.practice import PLACING, SPEAKING, practice_of, practice_options
from distinctad_jax.commands.sources import film_options, reads_films
from distinctad_jax.commands.speak import read, tracks_of
from distinctad_jax.commands.targets import folder_of, wanted
from distinctad_jax.commands.voice import Voice
from distinctad_jax.data.library import SUFFIXES
from distinctad_jax.errors import BadUsage, counted
from distinctad_jax.files import read_bytes, real, write_text
from distinctad_jax.movie.movie import Track
from distinctad_jax.movie.practice import Practice
from distinctad_jax.report.review import LARGEST, render_review, text_size
from distinctad_jax.report.thumbnails import thumbnails

EMBEDDED = 20_000_000
_TYPES = {".mp4": "video/mp4", ".m4v": "video/mp4", ".webm": "video/webm", ".ogv": "video/ogg", ".mov": "video/mp4"}


def arguments(parser: argparse.ArgumentParser) -> None:
    """The tracks, and their films."""
    parser.add_argument("tracks", type=Path, nargs="+", metavar="TRACK")
    parser.add_argument(
        "--film", type=Path, metavar="FILE", help="or the folder of the tracks' films; none: no pictures"
    )
    parser.add_argument("--subtitles", type=Path, metavar="FILE", help="of the film, if the track has no dialogue")
    parser.add_argument("--encoding", default="utf-8", help="of files that have no mark; default utf-8")
    parser.add_argument("--embed-video", action="store_true", help="put a film of up to 20 MB into the page")
    parser.add_argument("--no-frames", action="store_true", help="leave the pictures out")
    parser.add_argument("-o", "--output-dir", type=Path, metavar="DIR", help="default: the folder of each track")
    film_options(parser)
    there = parser.add_mutually_exclusive_group()
    there.add_argument("--overwrite", "--force", action="store_true", help="write over pages that are there")
    there.add_argument("--skip-existing", action="store_true", help="leave pages that are there")
    practice_options(parser, (*PLACING, *SPEAKING, "duck_unmeasured"))


@reads_films
def run(given: argparse.Namespace, voice: Voice) -> dict[str, Any]:
    """Writes a page for each track."""
    practice = practice_of(given)
    if given.embed_video and given.film is None:
        raise BadUsage("needs --film", where="--embed-video", mend="name the film")

    def one(path: Path) -> dict[str, Any]:
        folder = folder_of(given, path)
        target = folder / f"{path.name.removesuffix(path.suffix)}.review.html"
        if not wanted(given, [target], voice):
            return {}
        track = read(path, given.subtitles, voice, given.encoding).numbered()
        stem = path.name.removesuffix(path.suffix).removesuffix(".voiced")
        film = None if given.film is None else paper(given.film, Path(stem), given.tracks, SUFFIXES)
        return page(track, film, target, practice, voice, embed=given.embed_video, pictures=not given.no_frames)

    return ended(*each(tracks_of(given.tracks, (".mix.json",)), one, voice))


def page(
    track: Track,
    film: Path | None,
    target: Path,
    practice: Practice,
    voice: Voice,
    *,
    embed: bool = False,
    pictures: bool = True,
) -> dict[str, Any]:
    """Writes the page of a numbered track; returns what is in it. Errors as `thumbnails`; BadUsage of `embed`."""
    frames, problems = {}, []
    if film is not None and pictures:
        with voice.bar("pictures") as bar:
            room = LARGEST - text_size(track) - 200 * len(track.entries)
            frames = thumbnails(track, film, room, problems=problems, report=bar)
    address = "" if film is None else _address(film, target, embed)
    tell(voice, problems)
    stem = target.name.removesuffix(".review.html").removesuffix(".voiced")
    write_text(target, render_review(track, practice=practice, frames=frames, video=address, stem=stem))
    size = target.stat().st_size
    voice.say(f"{target}: {counted(len(track.descriptions), 'description')}, {size / 1e6:.1f} MB")
    return {
        "cues": len(track.descriptions),
        "dropped": len(track.dropped),
        "frames": sum(map(len, frames.values())),
        "bytes": size,
        "first": track.descriptions[0].span.start if track.descriptions else None,
        "last": track.descriptions[-1].span.end if track.descriptions else None,
    }


def _address(film: Path, page: Path, embed: bool) -> str:
    """The film's address from the page: relative, or the film itself.

    Errors: BadUsage for a film too large to embed, or of a kind that browsers do not play.
    """
    if embed:
        kind, size = _TYPES.get(film.suffix.lower()), film.stat().st_size
        if kind is None or size > EMBEDDED:
            what = f"{size / 1e6:.0f} MB" if kind else f"a {film.suffix or 'nameless'} file"
            raise BadUsage(
                f"is {what}", where=film, mend="leave out --embed-video, or give an .mp4 or .webm below 20 MB"
            )
        return f"data:{kind};base64,{base64.b64encode(read_bytes(film)).decode('ascii')}"
    relative = os.path.relpath(real(film), real(page.parent))
    return quote(Path(relative).as_posix().encode("utf-8", "surrogateescape"))
