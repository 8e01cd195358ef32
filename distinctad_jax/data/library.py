"""Annotation rows, and folders of videos, subtitles and cast -> movies."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from distinctad_jax.data.faces import roles_of
from distinctad_jax.data.rows import Annotations, Row
from distinctad_jax.errors import BadInput
from distinctad_jax.files import real
from distinctad_jax.movie.movie import Clip, Footage, Line, Movie, Person
from distinctad_jax.movie.span import Span

SUFFIXES = (".mp4", ".mkv", ".webm", ".mov", ".m4v", ".avi", ".mpg", ".mpeg", ".ts")
_UNSAFE = re.compile(r"[\x00-\x1f\x7f\\:\ud800-\udfff]")
_LONGEST = 240  # bytes of one name, so that a suffix still goes with it


def safe_name(name: str) -> bool:
    """True if `name`, put below a folder, names something in that folder on any system.

    Not if it is empty, absolute, a URL, climbs (`..`), begins with a drive, is too long, or holds control characters
    or halves of characters.
    """
    path = PurePosixPath(name)
    if not path.parts or path.is_absolute() or ".." in path.parts or _UNSAFE.search(name):
        return False
    return all(len(part.encode()) <= _LONGEST for part in path.parts)


def movies_from(
    annotations: Annotations,
    *,
    videos: Path | None = None,
    subtitles: Mapping[str, tuple[Line, ...]] | None = None,
    cast: Mapping[str, tuple[Person, ...]] | None = None,
    on_missing: str = "error",
    problems: list[str] | None = None,
) -> tuple[Movie, ...]:
    """The movies of a table in order of their first row; their clips in order of (start, end), whatever the file's.

    A video is sought under `videos` by the file name of the rows or else the movie's name, with or without a suffix.
    Where there is none, each row's own file is: LSMDC's clips (`MOVIE/CLIP.avi`), or TVQA's frames, a folder or tar
    of numbered pictures; a row whose own file is not there points at where it was sought. Without `videos` movies
    have none. `subtitles` are given by movie; `cast` by movie, film or title id; of the cast, clips know whose face
    the table recognises.
    `on_missing`: `error` refuses movies whose video is not there, `drop` leaves them out and says so in `problems`.

    Errors: BadInput, naming the row, for a missing video or one that a link puts outside of `videos`, or if no movie
      is left; ValueError if on_missing is another.
    """
    if on_missing not in ("error", "drop"):
        raise ValueError(f"on_missing must be error or drop, got {on_missing!r}.")
    by_movie: dict[str, list[Row]] = defaultdict(list)
    for row in annotations.rows:
        by_movie[row.movie].append(row)
    table = annotations.report.path
    movies, missing = [], []
    for key, rows in by_movie.items():
        video = None if videos is None else _video(videos, rows[0], table)
        footage: dict[int, Footage] = {}
        if videos is not None and video is None:
            footage = _footage(videos, rows, table)
            if not footage:
                missing.append(rows[0])
                continue
        movies.append(_movie(key, rows, video, footage, subtitles or {}, cast or {}))
    if missing and (on_missing == "error" or not movies):
        names = ", ".join(row.movie for row in missing[:5]) + (", ..." if len(missing) > 5 else "")
        raise BadInput(
            f"no video for {len(missing)} of {len(by_movie)} movies ({names}) in {videos}",
            where=f"{table}:{missing[0].line}",
            mend=f"add {missing[0].video or missing[0].movie}.mp4, or drop movies without a video (on_missing drop)",
        )
    if problems is not None and missing:
        rows = sum(len(by_movie[row.movie]) for row in missing)
        problems.append(f"{table}: {rows} rows dropped: {len(missing)} movies have no video in {videos}")
    return tuple(movies)


def _movie(
    key: str,
    rows: list[Row],
    video: Path | None,
    footage: Mapping[int, Footage],
    subtitles: Mapping[str, tuple[Line, ...]],
    cast: Mapping[str, tuple[Person, ...]],
) -> Movie:
    ordered = sorted(rows, key=lambda row: (row.start, row.end, row.line))
    people = next((cast[name] for name in (key, rows[0].film, rows[0].imdb) if name in cast), ())
    durations = [row.duration for row in rows if row.duration is not None]
    return Movie(
        key=key,
        video=video,
        clips=tuple(
            Clip(
                key,
                index,
                Span(row.start, row.end),
                row.text,
                footage.get(row.line),
                roles_of(row.faces or (), people),
            )
            for index, row in enumerate(ordered)
        ),
        dialogue=tuple(subtitles.get(key, ())),
        cast=tuple(people),
        duration=max(durations) if durations else None,
    )


def _video(videos: Path, row: Row, table: Path) -> Path | None:
    return _sought(videos, row.video or row.movie, SUFFIXES, row, table)


def _footage(videos: Path, rows: list[Row], table: Path) -> dict[int, Footage]:
    """The own file of each row, by its line; nothing if not one is there."""
    found: dict[int, Footage] = {}
    known: dict[str, Path | None] = {}
    for row in rows:
        if row.own_file not in known:
            known[row.own_file] = _own_file(videos, row, table) if row.own_file else None
        path = known[row.own_file] or videos / (row.own_file or row.movie)
        found[row.line] = Footage(path, row.numbers)
    return found if any(known.values()) else {}


def _own_file(videos: Path, row: Row, table: Path) -> Path | None:
    if row.numbers:
        folder = videos / row.own_file
        return folder if folder.is_dir() else _sought(videos, row.own_file, (".tar",), row, table)
    names = (f"{row.movie}/{row.own_file}", row.own_file)
    return next((path for name in names if (path := _sought(videos, name, SUFFIXES, row, table))), None)


def _sought(videos: Path, name: str, suffixes: tuple[str, ...], row: Row, table: Path) -> Path | None:
    base = videos / name
    own = [base] if base.suffix.lower() in suffixes else []
    for path in (*own, *(base.with_name(base.name + s) for suffix in suffixes for s in (suffix, suffix.upper()))):
        if path.exists():
            if not real(path).is_relative_to(real(videos)):
                raise BadInput(
                    f"the video of movie {row.movie} is a link out of {videos}",
                    where=f"{table}:{row.line}",
                    mend="put the file itself, or name the folder it is in",
                )
            return path
    return None
