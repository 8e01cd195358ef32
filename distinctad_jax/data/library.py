"""Annotation rows, and folders of videos, subtitles and cast -> movies."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from distinctad_jax.data.rows import Annotations, Row
from distinctad_jax.errors import BadInput
from distinctad_jax.movie.movie import Clip, Line, Movie, Person
from distinctad_jax.movie.span import Span

SUFFIXES = (".mp4", ".mkv", ".webm", ".mov", ".m4v", ".avi", ".mpg", ".mpeg", ".ts")
_UNSAFE = re.compile(r"[\x00-\x1f\x7f\\:]")


def safe_name(name: str) -> bool:
    """True if `name`, put below a folder, names something in that folder on any system.

    Not if it is empty, absolute, a URL, climbs (`..`), begins with a drive, or holds control characters.
    """
    path = PurePosixPath(name)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts and not _UNSAFE.search(name)


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

    A video is sought under `videos` by the file name of the rows or else the movie's name, with or without a suffix;
    without `videos` movies have none. `subtitles` are given by movie; `cast` by movie, film or title id.
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
        if videos is not None and video is None:
            missing.append(rows[0])
            continue
        movies.append(_movie(key, rows, video, subtitles or {}, cast or {}))
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
    subtitles: Mapping[str, tuple[Line, ...]],
    cast: Mapping[str, tuple[Person, ...]],
) -> Movie:
    ordered = sorted(rows, key=lambda row: (row.start, row.end, row.line))
    people = next((cast[name] for name in (key, rows[0].film, rows[0].imdb) if name in cast), ())
    durations = [row.duration for row in rows if row.duration is not None]
    return Movie(
        key=key,
        video=video,
        clips=tuple(Clip(key, index, Span(row.start, row.end), row.text) for index, row in enumerate(ordered)),
        dialogue=tuple(subtitles.get(key, ())),
        cast=tuple(people),
        duration=max(durations) if durations else None,
    )


def _video(videos: Path, row: Row, table: Path) -> Path | None:
    base = videos / (row.video or row.movie)
    own = [base] if base.suffix.lower() in SUFFIXES else []
    for path in (*own, *(base.with_name(base.name + suffix) for suffix in SUFFIXES)):
        if path.exists():
            if not path.resolve().is_relative_to(videos.resolve()):
                raise BadInput(
                    f"the video of movie {row.movie} is a link out of {videos}",
                    where=f"{table}:{row.line}",
                    mend="put the file itself, or name the folder it is in",
                )
            return path
    return None
