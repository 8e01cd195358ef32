"""What is wrong with a data set before anybody trains on it: the table's traps, and papers that do not fit it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from distinctad_jax.data.annotations import read_annotations
from distinctad_jax.data.cast import read_cast, read_splits
from distinctad_jax.data.features import opened_store
from distinctad_jax.data.library import movies_from
from distinctad_jax.data.reach import begins_after, ends_after, film_reaches, frames_over, sampled_finite
from distinctad_jax.data.rows import Annotations, Row, shown_lines
from distinctad_jax.errors import BadInput
from distinctad_jax.movie.movie import Line, Movie
from distinctad_jax.movie.window import training_windows
from distinctad_jax.text.distinct import distinctive_counts

_SHOWN = 5


@dataclass
class Inspection:
    """What was found: `errors` have to be mended before the data can be used, `warnings` are good to know.

    `counts` has every number under a flat name, `lines` the file lines behind those that are not 0, `movies` what is
    wrong with which movies, `rows` with which lines if it is not all of a movie's.
    """

    annotations: Annotations
    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    counts: dict[str, int | float] = field(default_factory=dict)
    movies: dict[str, list[str]] = field(default_factory=dict)
    rows: dict[str, list[int]] = field(default_factory=dict)

    @property
    def lines(self) -> dict[str, list[int]]:
        of_movie: dict[str, list[int]] = {}
        for row in self.annotations.rows:
            of_movie.setdefault(row.movie, []).append(row.line)
        whole = {name: sorted(n for key in keys for n in of_movie.get(key, ())) for name, keys in self.movies.items()}
        return {**self.annotations.report.lines(), **whole, **self.rows}

    def refuse(self, also: Sequence[str] = ()) -> None:
        """Errors: BadInput with the first error, or the first of what counts as one too, and how many there are."""
        errors, table = [*self.errors, *also], self.annotations.report.path
        if errors:
            more = f" (and {len(errors) - 1} more findings)" if len(errors) > 1 else ""
            inside = errors[0].startswith(f"{table}:")
            place, _, what = errors[0].removeprefix(str(table)).partition(": ") if inside else ("", "", errors[0])
            mend = "mend or drop what the report names (bad_rows drop leaves out rows)"
            raise BadInput(what + more, where=f"{table}{place}", mend=mend)

    def told(self) -> dict[str, Any]:
        """All of it as JSON; where files lie is not part of it."""
        return {**self.counts, "lines": self.lines, "in_movies": self.movies, "errors": len(self.errors)}


def inspect(
    table: Path,
    *,
    kind: str = "auto",
    encoding: str = "auto",
    times: str = "auto",
    bad_rows: str = "error",
    videos: Path | None = None,
    features: Path | None = None,
    features_fps: float = 5.0,
    width: int | None = None,
    cast: Path | None = None,
    splits: Path | None = None,
    subtitles: Callable[[Collection[str]], Mapping[str, tuple[Line, ...]]] | None = None,
    clips: int = 8,
    progress: Callable[[int, int], None] = lambda done, count: None,
) -> Inspection:
    """Reads a table and what belongs to it; every fault is found before any is told.

    Of a film the first picture is decoded, of features a few frames are read: how long they are is what they say.

    Args:
      bad_rows: `error` makes an error of rows that cannot be used, or that films and features end before; `drop`
        counts them.
      videos, features: where pictures or stored features should be; of features, `features_fps` are the frames a
        second and `width` is that of the tower, if it matters.
      subtitles: movies -> the dialogue of each.
      clips: the window N, for the share of distinctive words.
      progress: hears how many films are opened, and of how many.
    Errors: BadInput if the table has no row that can be used, or a file is missing or no such file.
    """
    found = Inspection(read_annotations(table, kind=kind, encoding=encoding, times=times, bad_rows="drop"))
    report = found.annotations.report
    unusable = report.dropped.get("cannot be used", 0)
    if unusable and bad_rows == "error":
        more = f" ({unusable} rows cannot be used)" if unusable > 1 else ""
        found.errors.append(f"{table}:{report.first_fault}{more}")
    told = None if subtitles is None else subtitles({row.movie for row in found.annotations.rows})
    movies = _movies(found, cast, told)
    if videos is not None:
        _check_videos(found, movies, videos, progress, drop=bad_rows == "drop")
    if features is not None:
        _check_features(found, movies, features, width, features_fps, drop=bad_rows == "drop")
    if splits is not None:
        _check_splits(found, {movie.key for movie in movies}, splits)
    found.counts = {**report.counts(), **_windows(movies, clips), **found.counts}
    return found


def _note(found: Inspection, name: str, movies: list[str], what: str, *, error: bool) -> None:
    found.counts[name] = len(movies)
    if movies:
        found.movies[name] = movies
        shown = ", ".join(movies[:_SHOWN]) + (", ..." if len(movies) > _SHOWN else "")
        (found.errors if error else found.warnings).append(f"{len(movies)} movies {what} ({shown})")


def _movies(
    found: Inspection, cast: Path | None, subtitles: Mapping[str, tuple[Line, ...]] | None
) -> tuple[Movie, ...]:
    people = read_cast(cast) if cast else None
    movies = movies_from(found.annotations, cast=people, subtitles=subtitles)
    if people is not None:
        _note(found, "no_cast", [movie.key for movie in movies if not movie.cast], "have no cast", error=False)
    if subtitles is not None:
        without = [movie.key for movie in movies if not movie.dialogue]
        _note(found, "no_subtitles", without, "have no subtitles", error=False)
    return movies


def _check_videos(
    found: Inspection, movies: tuple[Movie, ...], videos: Path, progress: Callable[[int, int], None], *, drop: bool
) -> None:
    """`drop`: rows that films end before are counted, and no error."""
    if not videos.is_dir():
        raise BadInput("no such folder", where=videos, mend="correct the path")
    there = _with_video(found.annotations, videos)
    _note(found, "missing_video", [m.key for m in movies if m.key not in there], "have no video", error=True)
    _note_clip_files(found, there.values(), videos)
    shown = _shown_by(found, there.values())
    reaches = film_reaches(list(dict.fromkeys(path for _, path in shown)), progress)
    faults = [f"{path.name}: {reach.fault}" for path, reach in reaches.items() if reach.fault]
    told = f"have videos that cannot be read: {'; '.join(faults[:_SHOWN])}"
    _note_of_rows(found, "damaged_videos", [row for row, path in shown if reaches[path].fault], told, error=True)
    cut = [row for row, path in shown if reaches[path].cut]
    told = "have videos that break off before the end that they state"
    _note_of_rows(found, "cut_videos", cut, told, error=False)
    # A row's own file is held to the row's end, however short it is.
    whole = [(row, reaches[path].end) for row, path in shown if there[row.movie].video and not reaches[path].fault]
    lost = [row for row, end in whole if begins_after(row, end)]
    over = [row for row, end in whole if ends_after(row, end)]
    _note_reach(found, "video", lost, over, "their film's end", drop=drop)


def _note_of_rows(found: Inspection, name: str, rows: Sequence[Row], what: str, *, error: bool) -> None:
    """Counts movies and tells lines, which need not be all of a movie's."""
    lines = sorted(row.line for row in rows)
    _note(found, name, list(dict.fromkeys(row.movie for row in rows)), what + shown_lines(lines), error=error)
    if rows:
        found.rows[name] = lines


def _shown_by(found: Inspection, movies: Iterable[Movie]) -> list[tuple[Row, Path]]:
    """The rows with the film, or else the file of their own, that shows them; not those of numbered pictures."""
    of_movie = _by_movie(found)
    shown = []
    for movie in movies:
        for row, clip in zip(of_movie[movie.key], movie.clips, strict=True):
            path = clip.footage.path if clip.footage and not clip.footage.numbers else movie.video
            if path is not None and path.exists():
                shown.append((row, path))
    return shown


def _by_movie(found: Inspection) -> dict[str, list[Row]]:
    """The rows of each movie, in the order of its clips."""
    rows: dict[str, list[Row]] = {}
    for row in sorted(found.annotations.rows, key=lambda row: (row.start, row.end, row.line)):
        rows.setdefault(row.movie, []).append(row)
    return rows


def _note_reach(
    found: Inspection, of: str, lost: Sequence[Row], over: Sequence[Row], end: str, *, drop: bool
) -> None:
    """Counts rows, not movies. `drop`: those that are lost are no error."""
    for name, rows, what, error in (
        (f"after_{of}", lost, f"begin after {end} and show nothing", not drop),
        (f"past_{of}", over, f"end after {end}", False),
    ):
        found.counts[name] = len(rows)
        if rows:
            lines = sorted(row.line for row in rows)
            found.movies[name], found.rows[name] = list(dict.fromkeys(row.movie for row in rows)), lines
            (found.errors if error else found.warnings).append(f"{len(rows)} rows {what}{shown_lines(lines)}")


def _note_clip_files(found: Inspection, movies: Iterable[Movie], videos: Path) -> None:
    """Counts rows, not movies: of most movies some rows have their file."""
    missing = {
        (movie.key, clip.footage.path)
        for movie in movies
        for clip in movie.clips
        if clip.footage and not clip.footage.path.exists()
    }
    without = [row for row in found.annotations.rows if (row.movie, videos / (row.own_file or row.movie)) in missing]
    keys = list(dict.fromkeys(row.movie for row in without))
    _note(found, "missing_clip_files", keys, f"have {len(without)} clips without a file", error=True)
    found.counts["missing_clip_files"] = len(without)
    if without:
        found.rows["missing_clip_files"] = [row.line for row in without]


def _with_video(annotations: Annotations, videos: Path) -> dict[str, Movie]:
    try:
        return {movie.key: movie for movie in movies_from(annotations, videos=videos, on_missing="drop")}
    except BadInput as problem:
        if "no video for" not in problem.what:  # a link out of the folder
            raise
        return {}


def _check_features(
    found: Inspection, movies: tuple[Movie, ...], path: Path, width: int | None, fps: float, *, drop: bool
) -> None:
    """`drop`: what costs single rows only is no error."""
    missing, wrong, short, widths, damaged, infinite = [], [], [], set(), {}, []
    lost: list[Row] = []
    over: list[Row] = []
    rows = _by_movie(found)
    with opened_store(path) as store:
        known = set(store.movies())
        for movie in movies:
            if movie.key not in known:
                missing.append(movie.key)
                continue
            try:
                frames, found_width = store.shape(movie.key)
                finite = sampled_finite(store, movie.key, frames)
            except BadInput as problem:
                damaged[movie.key] = f"{Path(problem.where).name}: {problem.what}"
                continue
            widths.add(found_width)
            if width is not None and found_width != width:
                wrong.append(movie.key)
            if movie.duration and abs(frames / movie.duration - fps) > 0.01 * fps:
                short.append(movie.key)
            infinite += [] if finite else [movie.key]
            for row in rows[movie.key]:
                begins, ends = frames_over(row, frames, fps)
                lost += [row] if begins else []
                over += [row] if ends and not begins else []
    _note(found, "missing_features", missing, f"have no features in {path.name}", error=True)
    told = f"have features that cannot be read: {'; '.join([*damaged.values()][:_SHOWN])}"
    _note(found, "damaged_features", [*damaged], told, error=True)
    needed = f"needed {width}, found {sorted(widths)}" if width else f"found {sorted(widths)}"
    if width is None and len(widths) > 1:
        _note(found, "wrong_width", [movie.key for movie in movies if movie.key in known], needed, error=True)
    else:
        _note(found, "wrong_width", wrong, f"have features of another width: {needed}", error=True)
    at = f"{fps:g} frames a second of their length"
    _note(found, "wrong_length", short, f"have features that are not {at}", error=False)
    told = "have numbers that are not finite in the first, middle or last of their features"
    _note(found, "not_finite", infinite, told, error=not drop)
    _note_reach(found, "features", lost, over, f"the end of their features at {fps:g} frames a second", drop=drop)


def _check_splits(found: Inspection, keys: set[str], path: Path) -> None:
    splits = read_splits(path)
    inside = {movie for movies in splits.values() for movie in movies}
    _note(found, "in_no_split", sorted(keys - inside), f"are in no split of {path.name}", error=False)
    twice = sorted({movie for movie in inside if sum(movie in movies for movies in splits.values()) > 1} & keys)
    _note(found, "in_two_splits", twice, "are in more than one split", error=False)


def _windows(movies: tuple[Movie, ...], clips: int) -> dict[str, int | float]:
    """How the rows fall into windows, and the share of word types that are distinctive in them."""
    windows, seen, kept, total, small = 0, 0, 0, 0, 0
    for movie in movies:
        texts = [clip.text for clip in movie.clips]
        cut = training_windows(len(texts), clips)
        members = {member for window in cut for member in window.members}
        windows, seen, small = windows + len(cut), seen + len(members - {-1}), small + (len(texts) < clips)
        of_movie = distinctive_counts(texts, clips)
        kept, total = kept + of_movie[0], total + of_movie[1]
    share = round(kept / total, 4) if total else 0.0
    return {"windows": windows, "rows_in_windows": seen, "small_movies": small, "distinctive_share": share}
