"""Movies, subtitles, annotations and cast -> TFDS records of clips (array_record)."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import numpy as np
import simplejpeg

from distinctad_jax.data.annotations import read_annotations
from distinctad_jax.data.cast import read_cast, read_splits
from distinctad_jax.data.datasets import ClipRecord, write_records
from distinctad_jax.data.library import movies_from
from distinctad_jax.data.video import read_frames
from distinctad_jax.errors import BadInput
from distinctad_jax.movie.movie import Line, Movie
from distinctad_jax.recipes.workshop import Need, Recipe, Run
from distinctad_jax.tracks import read_dialogue

SUBTITLES = (".srt", ".vtt")


@dataclasses.dataclass(frozen=True)
class PackConfig:
    """Where the data lies and what is kept of it.

    source: `toy` reads what the recipe `render` made, and then no path is given; `files` reads the paths.
    bad_rows, missing_videos: whether what cannot be used stops the run or is dropped and counted.
    frames: frames a clip, at the centres of equal segments; image_size: pixels, after CLIP's resize and crop.
    """

    source: Literal["toy", "files"]
    frames: int = 8
    image_size: int = 224
    jpeg_quality: int = 95
    kind: Literal["auto", "cmdad", "madeval", "tvad", "generic"] = "auto"
    annotations: str = ""
    videos: str = ""
    subtitles: str = ""
    cast: str = ""
    splits: str = ""
    bad_rows: Literal["error", "drop"] = "error"
    missing_videos: Literal["error", "drop"] = "error"
    workers: int = 2

    def __post_init__(self):
        if self.frames < 1 or self.image_size < 8 or not 1 <= self.jpeg_quality <= 100 or self.workers < 1:
            raise ValueError(f"needs frames, workers >= 1, image_size >= 8 and jpeg_quality in 1..100, got {self}")
        given = [name for name in ("annotations", "videos", "subtitles", "cast", "splits") if getattr(self, name)]
        if self.source == "toy" and given:
            raise ValueError(
                f"source 'toy' makes its own files, but {', '.join(given)} is set; set source to 'files'"
            )
        if self.source == "files" and not (self.annotations and self.videos and self.splits):
            raise ValueError("source 'files' needs annotations, videos and splits")


def _paths(settings: PackConfig, run: Run) -> dict[str, Path | None]:
    if settings.source == "toy":
        folder = run.needs["render"].folder
        names = {
            "annotations": "annotations.csv",
            "videos": "movies",
            "subtitles": "subtitles",
            "cast": "cast.json",
            "splits": "splits.json",
        }
        return {name: folder / path for name, path in names.items()}
    return {
        name: Path(getattr(settings, name)) if getattr(settings, name) else None
        for name in ("annotations", "videos", "subtitles", "cast", "splits")
    }


def read_subtitles(folder: Path | None, keys: set[str]) -> dict[str, tuple[Line, ...]]:
    """Dialogue by movie key, from `folder/KEY.srt` or `.vtt`; a movie without a file has none."""
    if folder is None:
        return {}
    found = {}
    for key in sorted(keys):
        for path in (folder / f"{key}{suffix}" for suffix in SUBTITLES):
            if path.is_file():
                found[key] = read_dialogue(path)
                break
    return found


def run(settings: PackConfig, run: Run) -> dict[str, Any]:
    """Writes the records of every split; its results count movies, clips and rows dropped, with reasons."""
    paths = _paths(settings, run)
    assert paths["annotations"] and paths["splits"]  # PackConfig has seen to it
    annotations = read_annotations(paths["annotations"], kind=settings.kind, bad_rows=settings.bad_rows)
    for line in annotations.report.sentences():
        run.voice.say(f"  {line}")
    keys = {row.movie for row in annotations.rows}
    movies = movies_from(
        annotations,
        videos=paths["videos"],
        subtitles=read_subtitles(paths["subtitles"], keys),
        cast=read_cast(paths["cast"]) if paths["cast"] else None,
        on_missing=settings.missing_videos,
        problems=(problems := []),
    )
    for line in problems:
        run.voice.say(f"  {line}")
    by_key = {movie.key: movie for movie in movies}
    splits = {
        name: [by_key[key] for key in wanted if key in by_key]
        for name, wanted in read_splits(paths["splits"]).items()
    }
    if not any(splits.values()):
        raise BadInput(
            "no movie of the annotations is in any split", where=paths["splits"], mend="correct the splits"
        )
    count, done = sum(len(movie.clips) for movies in splits.values() for movie in movies), 0
    with run.voice.bar("packing clips") as bar, ThreadPoolExecutor(settings.workers) as pool:

        def records(movies: list[Movie]) -> Iterator[ClipRecord]:
            nonlocal done
            for packed in pool.map(lambda movie: list(pack_movie(movie, settings)), movies):
                done += len(packed)
                bar(done, count, "")
                yield from packed

        write_records(
            run.folder / "records",
            "pixels",
            {name: records(movies) for name, movies in splits.items() if movies},
            description=f"{count} clips with descriptions, {settings.frames} frames each",
            metadata={"frames": settings.frames, "image_size": settings.image_size},
        )
    return {
        "movies": {name: len(movies) for name, movies in splits.items()},
        "clips": {name: sum(len(movie.clips) for movie in movies) for name, movies in splits.items()},
        "rows": annotations.report.counts(),
        "image_size": settings.image_size,
    }


def pack_movie(movie: Movie, settings: PackConfig) -> Iterator[ClipRecord]:
    """A movie's clips with their frames as JPEG, in time order."""
    if movie.video is None:
        raise BadInput("the movie has no video", where=movie.key, mend="put it into the folder of videos")
    spans, pictures = [clip.span for clip in movie.clips], {}
    for place, frames, times in read_frames(movie.video, spans, settings.frames, settings.image_size):
        jpegs = [
            simplejpeg.encode_jpeg(np.ascontiguousarray(f), settings.jpeg_quality, colorsubsampling="444")
            for f in frames
        ]
        pictures[place] = jpegs, times
    for place, clip in enumerate(movie.clips):
        if place not in pictures:
            raise BadInput(
                f"no frame of {clip.span} can be decoded", where=movie.video, mend="mend or leave out the video"
            )
        jpegs, times = pictures[place]
        yield ClipRecord(
            movie=movie.key,
            index=clip.index,
            start=clip.span.start,
            end=clip.span.end,
            text=clip.text,
            frames=jpegs,
            frame_times=times,
            features=None,
            cast=tuple(person.character for person in movie.cast),
            dialogue=tuple(line for line in movie.dialogue if abs(line.span.start - clip.span.start) < 30),
        )


def needs(settings: PackConfig) -> dict[str, Need]:
    """The toy cinema, unless the user brings files."""
    return {"render": Need("render")} if settings.source == "toy" else {}


def inputs(settings: PackConfig) -> tuple[Path, ...]:
    """The tables and subtitles; videos are too large to hash whole and are named by the table."""
    if settings.source == "toy":
        return ()
    for name, folder in {"annotations": 0, "videos": 1, "subtitles": 1, "cast": 0, "splits": 0}.items():
        path = getattr(settings, name)
        if path and not (Path(path).is_dir() if folder else Path(path).is_file()):
            what = f"no such {'folder' if folder else 'file'}"
            raise BadInput(what, where=path, mend=f"correct config.pack.{name}")
    told = sorted(Path(settings.subtitles).iterdir()) if settings.subtitles else []
    tables = [Path(path) for path in (settings.annotations, settings.cast, settings.splits) if path]
    return (*tables, *(path for path in told if path.suffix in SUBTITLES and path.is_file()))


RECIPE = Recipe("pack", PackConfig, run, needs, inputs)
