"""Movies, subtitles, annotations and cast -> TFDS records of clips (array_record), of pictures or stored features."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from distinctad_jax.data.annotations import read_annotations
from distinctad_jax.data.cast import read_cast, read_splits
from distinctad_jax.data.clips import FeatureClips, PixelClips
from distinctad_jax.data.datasets import pack_records
from distinctad_jax.data.features import Provenance, is_normalised, named_tower, opened_store
from distinctad_jax.data.library import SUFFIXES, movies_from
from distinctad_jax.data.portraits import write_portraits
from distinctad_jax.data.rows import Annotations
from distinctad_jax.data.shards import BadClip
from distinctad_jax.errors import BadInput, BadUsage
from distinctad_jax.files import write_json
from distinctad_jax.movie.movie import Movie
from distinctad_jax.recipes.workshop import Need, Recipe, Run
from distinctad_jax.tracks.folder import SUBTITLES, read_subtitles

PATHS = {"annotations": 0, "videos": 1, "features": 2, "subtitles": 1, "cast": 0, "splits": 0}
"""What is brought, and whether it is a file (0), a folder (1) or either (2)."""


@dataclasses.dataclass(frozen=True)
class PackConfig:
    """Where the data lies and what is kept of it.

    source: `toy` reads what the recipe `render` made, and then no path is given; `files` reads the paths, with either
      `videos` or `features`: an .h5 file or a folder of .npy, `features_fps` frames a second, made by
      `features_tower`; of MAD's own files the name tells it.
    bad_rows, missing_videos: whether what cannot be used stops the run or is dropped and counted; max_bad_clips: the
      share of clips that may be left out because nothing of them can be decoded, before the run stops.
    frames: frames a clip, by a rule of `data.video.moments`; image_size: pixels, after CLIP's resize and crop.
    workers: threads that pack, one shard each; beam: options of a Beam pipeline that packs instead, such as
      `--runner=DirectRunner`.
    """

    source: Literal["toy", "files"]
    frames: int = 8
    rule: Literal["centres", "starts", "endpoints", "autoad", "uniad"] = "centres"
    image_size: int = 224
    jpeg_quality: int = 95
    kind: Literal["auto", "cmdad", "madeval", "tvad", "generic"] = "auto"
    encoding: str = "auto"
    annotations: str = ""
    videos: str = ""
    features: str = ""
    features_fps: float = 5.0
    features_tower: str = ""
    subtitles: str = ""
    cast: str = ""
    splits: str = ""
    bad_rows: Literal["error", "drop"] = "error"
    missing_videos: Literal["error", "drop"] = "error"
    max_bad_clips: float = 0.01
    workers: int = 2
    beam: str = ""

    def __post_init__(self):
        if self.frames < 1 or self.image_size < 8 or not 1 <= self.jpeg_quality <= 100 or self.workers < 1:
            raise ValueError(f"needs frames, workers >= 1, image_size >= 8 and jpeg_quality in 1..100, got {self}")
        if not 0 <= self.max_bad_clips <= 1 or self.features_fps <= 0:
            raise ValueError(f"needs max_bad_clips in 0..1 and features_fps > 0, got {self}")
        given = [name for name in PATHS if getattr(self, name)]
        if self.source == "toy" and given:
            raise ValueError(
                f"source 'toy' makes its own files, but {', '.join(given)} is set; set source to 'files'"
            )
        seen = bool(self.videos) + bool(self.features)
        if self.source == "files" and not (self.annotations and seen == 1 and self.splits):
            raise ValueError("source 'files' needs annotations, videos or features (not both), and splits")


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
        return {"features": None, **{name: folder / path for name, path in names.items()}}
    return {name: Path(getattr(settings, name)) if getattr(settings, name) else None for name in PATHS}


def run(settings: PackConfig, run: Run) -> dict[str, Any]:
    """Writes the records of every split; its results count movies, clips, rows dropped and clips left out."""
    paths = _paths(settings, run)
    annotations = _read_table(settings, paths)
    for line in annotations.report.sentences():
        run.voice.say(f"  {line}")
    splits, dropped = _splits(settings, paths, annotations, run)
    faces = any(row.faces is not None for row in annotations.rows)
    seen = {"seen": {"by": "faces"}} if faces and paths["cast"] else {}
    with run.voice.bar("packing clips") as bar:
        common: dict[str, Any] = {
            "identity": run.key,
            "workers": settings.workers,
            "beam": shlex.split(settings.beam) if settings.beam else None,
            "most_bad": settings.max_bad_clips,
            "progress": lambda done, count: bar(done, count, ""),
        }
        about = f"clips with descriptions, from {annotations.report.path.name}"
        if paths["features"] is None:
            make = PixelClips(settings.frames, settings.image_size, settings.jpeg_quality, settings.rule)
            told = {"frames": settings.frames, "image_size": settings.image_size}
            told |= seen if settings.rule == "centres" else {"rule": settings.rule, **seen}
            bad = pack_records(
                run.folder / "records", "pixels", splits, make, description=about, metadata=told, **common
            )
        else:
            made_by = _provenance(settings, paths["features"], splits)
            width = made_by.width
            make = FeatureClips(paths["features"], settings.frames, settings.features_fps, width, settings.rule)
            bad = pack_records(
                run.folder / "records",
                "features",
                splits,
                make,
                description=about,
                metadata={"frames": settings.frames, **made_by.told(), **seen},
                feature_width=width,
                **common,
            )
    everybody = [movie for movies in splits.values() for movie in movies]
    write_portraits(run.folder, everybody, settings.image_size)
    return _results(settings, run, _rows(annotations, dropped), splits, bad)


def _read_table(settings: PackConfig, paths: dict[str, Path | None]) -> Annotations:
    assert paths["annotations"]
    return read_annotations(
        paths["annotations"], kind=settings.kind, encoding=settings.encoding, bad_rows=settings.bad_rows
    )


def _splits(
    settings: PackConfig, paths: dict[str, Path | None], annotations: Annotations, run: Run
) -> tuple[dict[str, list[Movie]], dict[str, int]]:
    """The movies of each split, and how many rows of the table are in none, by reason."""
    assert paths["splits"]
    problems: list[str] = []
    movies = movies_from(
        annotations,
        videos=paths["videos"],
        subtitles=read_subtitles(paths["subtitles"], {row.movie for row in annotations.rows}),
        cast=read_cast(paths["cast"]) if paths["cast"] else None,
        on_missing=settings.missing_videos,
        problems=problems,
    )
    for line in problems:
        run.voice.say(f"  {line}")
    by_key = {movie.key: movie for movie in movies}
    wanted = read_splits(paths["splits"])
    splits = {name: [by_key[key] for key in keys if key in by_key] for name, keys in wanted.items()}
    if not any(splits.values()):
        raise BadInput(
            "no movie of the annotations is in any split", where=paths["splits"], mend="correct the splits"
        )
    outside = set(by_key) - {key for keys in wanted.values() for key in keys}
    unsplit = sum(len(by_key[key].clips) for key in outside)
    if outside:
        named = ", ".join(sorted(outside)[:5])
        run.voice.say(f"  {unsplit} rows dropped: {len(outside)} movies are in no split ({named})")
    unseen = annotations.report.used - sum(len(movie.clips) for movie in movies)
    dropped = {"no video": unseen, "in no split": unsplit}
    return {name: found for name, found in splits.items() if found}, dropped


def _rows(annotations: Annotations, dropped: dict[str, int]) -> dict[str, int]:
    """The account of the table, in which rows that are in no split are not used but dropped for a reason."""
    counts = annotations.report.counts()
    counts["used"] -= sum(dropped.values())
    return counts | {f"dropped: {reason}": count for reason, count in dropped.items() if count}


def _provenance(settings: PackConfig, path: Path, splits: dict[str, list[Movie]]) -> Provenance:
    """Where stored features come from: as told or as their name tells, and as they look."""
    tower = settings.features_tower or named_tower(path)
    if not tower:
        mend = "set it to the tower that made the features, such as vit-l-14"
        raise BadUsage("the file's name does not tell it", where="config.pack.features_tower", mend=mend)
    with opened_store(path) as store:
        known = set(store.movies())
        keys = [movie.key for movies in splits.values() for movie in movies if movie.key in known]
        if not keys:
            raise BadInput("features of not one movie of the table", where=path, mend="give those of the table")
        _, width = store.shape(keys[0])
        return Provenance(tower, "", width, settings.features_fps, is_normalised(store, keys[0]))


def _results(
    settings: PackConfig, run: Run, rows: dict[str, int], splits: dict[str, list[Movie]], bad: Sequence[BadClip]
) -> dict[str, Any]:
    kept = sum(clip.kept for clip in bad)
    if bad:
        run.voice.say(f"  {len(bad) - kept} clips left out and {kept} damaged, listed in bad_clips.json")
        for clip in sorted(bad, key=lambda clip: clip.kept)[:5]:
            run.voice.say(f"  {clip}")
        write_json(run.folder / "bad_clips.json", [dataclasses.asdict(clip) for clip in bad])
    return {
        "movies": {name: len(movies) for name, movies in splits.items()},
        "clips": {name: sum(len(movie.clips) for movie in movies) for name, movies in splits.items()},
        "bad_clips": len(bad) - kept,
        "damaged_clips": kept,
        "rows": rows,
        "image_size": settings.image_size,
    }


def needs(settings: PackConfig) -> dict[str, Need]:
    """The toy cinema, unless the user brings files."""
    return {"render": Need("render")} if settings.source == "toy" else {}


def inputs(settings: PackConfig) -> tuple[Path, ...]:
    """The tables and subtitles."""
    if settings.source == "toy":
        return ()
    for name, folder in PATHS.items():
        path = Path(getattr(settings, name)) if getattr(settings, name) else None
        if path and not (path.exists() if folder == 2 else path.is_dir() if folder else path.is_file()):
            what = f"no such {'folder' if folder == 1 else 'file'}"
            raise BadInput(what, where=path, mend=f"correct config.pack.{name}")
    told = sorted(Path(settings.subtitles).rglob("*")) if settings.subtitles else []
    tables = [Path(path) for path in (settings.annotations, settings.cast, settings.splits) if path]
    return (*tables, *(path for path in told if path.suffix in SUBTITLES and path.is_file()))


def glances(settings: PackConfig) -> tuple[Path, ...]:
    """Videos or stored features: too large to hash whole."""
    if settings.source == "toy":
        return ()
    path = Path(settings.videos or settings.features)
    if path.is_file():
        return (path,)
    kept = (*SUFFIXES, ".tar", ".npy", ".jpg", ".jpeg")
    return tuple(sorted(found for found in path.rglob("*") if found.suffix.lower() in kept and found.is_file()))


RECIPE = Recipe("pack", PackConfig, run, needs, inputs, glances=glances, version=3)
