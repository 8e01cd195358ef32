"""Frame features of all clips, as TFDS records that hold no pictures: a vision tower's, or an oracle's."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from distinctad_jax.config import build
from distinctad_jax.data.datasets import ClipRecord, Records, split_names, write_records
from distinctad_jax.data.features import Provenance
from distinctad_jax.data.pipeline import decode_frames
from distinctad_jax.data.portraits import (
    Agreement,
    RecogniseConfig,
    agreement,
    best_threshold,
    by_split,
    likeness,
    read_portraits,
    seen_roles,
    shares,
)
from distinctad_jax.errors import BadInput
from distinctad_jax.files import fingerprint, read_json
from distinctad_jax.models.aligner import Aligner
from distinctad_jax.models.towers import VISION_PRESETS
from distinctad_jax.recipes.models import open_aligner
from distinctad_jax.recipes.workshop import Need, Recipe, Run
from distinctad_jax.text.prompt import names_in, spoken_name
from distinctad_jax.toycinema import CinemaConfig, oracle
from distinctad_jax.toycinema.script import Screenplay
from distinctad_jax.toycinema.studio import movie_key, screenplay
from distinctad_jax.training.step import compiled


@dataclasses.dataclass(frozen=True)
class ExtractConfig:
    """tower: the one that Stage I has adapted, the one it began with, or, in its place, `oracle`: what the screenplay
      of made-up movies says that a frame shows. batch: clips at once.

    seen: who is seen in a clip: `stored` as the packed records say (recognised faces, or nobody), `portraits` by
      likeness to the portraits of the cast, with a threshold from the training split's first `calibrate` movies.
    """

    tower: Literal["stage1", "pretrain", "oracle"] = "stage1"
    batch: int = 64
    seen: Literal["stored", "portraits"] = "stored"
    recognise: RecogniseConfig = dataclasses.field(default_factory=RecogniseConfig)
    calibrate: int = 20

    def __post_init__(self):
        if self.batch < 1 or self.calibrate < 1:
            raise ValueError(f"batch and calibrate are at least 1, got {self}")
        if self.tower == "oracle" and self.seen == "portraits":
            raise ValueError("seen 'portraits' needs a tower that looks at them, and tower is 'oracle'")


def run(settings: ExtractConfig, run: Run) -> dict[str, Any]:
    """Writes the features of every split, with the tower's hash beside them.

    Of records that hold stored features, these go through the tower's adapter, if it has one; they must be those of
    the tower. Errors: BadInput in one line if they are not, or if the oracle does not know a movie.
    """
    packed = run.needs["pack"].folder / "records"
    splits = {name: Records(packed, name) for name in split_names(packed)}
    found = next(iter(splits.values()))
    if settings.tower == "oracle":
        aligner, made_by = None, Provenance("oracle", "", oracle.WIDTH, 0.0, False)
        look = _oracle(run.needs["render"].folder)
    else:
        aligner, _ = open_aligner(run.needs["tower"].folder)
        made_by = _made_by(settings.tower, run.needs["tower"].folder, aligner, found)
        look = _eyes(found, aligner, settings.batch)
    count, done = sum(len(records) for records in splits.values()), 0
    with run.voice.bar("extracting features") as bar:

        def encoded(records: Records, rows: range) -> Iterator[ClipRecord]:
            for first in range(rows.start, rows.stop, settings.batch):
                clips = records.get(range(first, min(first + settings.batch, rows.stop)))
                for clip, feature in zip(clips, look(clips), strict=True):
                    kept = feature[: len(clip.frame_times)].astype(np.float16)
                    yield dataclasses.replace(clip, frames=None, features=kept)

        def heard(clips: Iterator[ClipRecord]) -> Iterator[ClipRecord]:
            nonlocal done
            for clip in clips:
                yield clip
                done += 1
                if done % settings.batch == 0 or done == count:
                    bar(done, count, "")

        told, streams = made_by.told(), {name: encoded(each, range(len(each))) for name, each in splits.items()}
        lookout = None
        if settings.seen == "portraits" and aligner is not None:
            lookout = Lookout.of(run.needs["pack"].folder, aligner, settings.recognise)
            train = splits.get("train", found)
            movies = [*train.movies.values()][: settings.calibrate]
            lookout.calibrate(encoded(train, range(movies[-1].stop)))
            streams = {name: lookout.named(name, clips) for name, clips in streams.items()}
            told["seen"] = {"by": "portraits", "threshold": lookout.threshold}
        elif "seen" in found.metadata:
            told["seen"] = found.metadata["seen"]
        write_records(
            run.folder / "records",
            "features",
            {name: heard(clips) for name, clips in streams.items()},
            description=f"frame features of {count} clips",
            metadata=told,
            feature_width=made_by.width,
        )
    results: dict[str, Any] = {"clips": count, "width": made_by.width}
    if lookout is not None:
        results["seen"] = {"threshold": lookout.threshold, **by_split(lookout.agreements())}
        for split, one in lookout.agreements().items():
            run.voice.say(
                f"  people named in {split}: precision {one.precision:.2f}, recall {one.recall:.2f} "
                f"({one.predicted} seen, {one.true} named)"
            )
    return results


class Lookout:
    """Looks out for the cast in the features of clips, by their portraits, and keeps account of how well.

    What is so is taken from the descriptions: whom they name. People in view whom nobody speaks of count against
    precision.
    """

    def __init__(self, casts: dict[str, dict[str, int]], portraits: np.ndarray, config: RecogniseConfig):
        self.casts, self.portraits, self.config = casts, portraits, config
        self.threshold = float("inf") if config.threshold is None else config.threshold
        self._pairs: dict[str, list[np.ndarray]] = {}

    @classmethod
    def of(cls, folder: Path, aligner: Aligner, config: RecogniseConfig) -> Lookout:
        """With the portraits that `pack` has kept, as this tower sees them."""
        casts, pictures = read_portraits(folder)
        return cls(casts, np.asarray(frame_encoder(aligner)(pictures[:, None]))[:, 0], config)

    def scores(self, clips: list[ClipRecord]) -> tuple[list[str], np.ndarray, np.ndarray]:
        """The roles of a movie that have a portrait, and `people clips`: how likely each is there, and who is
        named."""
        cast = self.casts.get(clips[0].movie, {})
        roles = [role for role in clips[0].cast if role in cast]
        if not roles:
            return [], np.zeros((0, len(clips))), np.zeros((0, len(clips)), bool)
        features = [np.asarray(clip.features, np.float32) for clip in clips]
        times = np.concatenate([np.asarray(clip.frame_times, np.float64) for clip in clips])
        frames = likeness(
            self.portraits[[cast[role] for role in roles]], np.concatenate(features), times, self.config
        )
        stops = np.cumsum([len(each) for each in features])
        best = np.stack([part.max(axis=1) for part in np.split(frames, stops[:-1], axis=1)], axis=1)
        if self.config.contrast:
            best = shares(best, self.config.contrast)
        spoken = [spoken_name(role) for role in roles]
        named = np.array([[bool(names_in(clip.text, [name])) for clip in clips] for name in spoken])
        return roles, best, named

    def calibrate(self, clips: Iterator[ClipRecord]) -> None:
        """Sets the threshold, unless the config gives one, to what serves these movies best."""
        if self.config.threshold is None:
            found = [self.scores(list(group)) for _, group in itertools.groupby(clips, lambda clip: clip.movie)]
            best = np.concatenate([scores.ravel() for _, scores, _ in found])
            self.threshold = best_threshold(best, np.concatenate([named.ravel() for _, _, named in found]))
            if not np.isfinite(self.threshold):
                mend = "set config.extract.recognise.threshold"
                raise BadInput("no description names anybody who has a portrait", where="train", mend=mend)

    def named(self, split: str, clips: Iterator[ClipRecord]) -> Iterator[ClipRecord]:
        """The clips, with who is seen in each."""
        for _, group in itertools.groupby(clips, lambda clip: clip.movie):
            movie = list(group)
            roles, best, named = self.scores(movie)
            pairs = np.stack([best.ravel() >= self.threshold, named.ravel()])
            self._pairs.setdefault(split, []).append(pairs)
            for clip, seen in zip(movie, seen_roles(roles, best, self.threshold), strict=True):
                yield dataclasses.replace(clip, seen=seen)

    def agreements(self) -> dict[str, Agreement]:
        """How well those seen are those named, by split."""
        joined = {split: np.concatenate(pairs, axis=1) for split, pairs in self._pairs.items()}
        return {split: agreement(predicted, true) for split, (predicted, true) in joined.items()}


def tower_provenance(name: str, folder: Path, aligner: Aligner) -> Provenance:
    """Where features come from that the aligner in `folder` makes of pictures."""
    weights = fingerprint(folder / "aligner" / "model.safetensors")
    return Provenance(name, weights, aligner.config.vision.projection, 0.0, False)


def named_size(aligner: Aligner) -> str:
    """The name of a published tower of this size; empty if there is none."""
    vision = dataclasses.replace(aligner.config.vision, lora_rank=0, dtype="float32", remat=False)
    return next((name for name, preset in VISION_PRESETS.items() if preset == vision), "")


def _made_by(name: str, source: Path, aligner: Aligner, records: Records) -> Provenance:
    """Where features come from that this tower makes of records. Errors: BadInput if they hold another tower's."""
    made_by = tower_provenance(name, source, aligner)
    if records.variant == "pixels":
        return made_by
    stored = Provenance.of(records.metadata, records.folder)
    # Nobody knows the hash of the weights behind a published store, so name and width must do.
    wanted = replace(stored, tower=named_size(aligner) or stored.tower, width=made_by.width)
    wanted.check(stored, records.folder)
    return replace(made_by, fps=stored.fps, normalised=stored.normalised and not aligner.config.adapter_width)


Look = Callable[[Sequence[ClipRecord]], Iterable[np.ndarray]]
"""From clips to the features of each, float `frames width`; rows behind a clip's last frame are left out later."""


def _eyes(records: Records, aligner: Aligner, batch: int) -> Look:
    """A tower that looks at up to `batch` clips; one shape for all, so one compilation."""
    if records.variant == "pixels":
        encode, size = frame_encoder(aligner), aligner.config.vision.image_size

        def pictures(clips: Sequence[ClipRecord]) -> np.ndarray:
            frames = np.stack([decode_frames(clip, size) for clip in clips])
            return np.pad(frames, ((0, batch - len(frames)), *((0, 0),) * (frames.ndim - 1)))

        return lambda clips: np.asarray(encode(pictures(clips)))[: len(clips)]
    adapt = compiled(aligner, lambda model, stored: model.adapt(stored))
    longest = int(records.metadata["frames"])

    def vectors(clips: Sequence[ClipRecord]) -> np.ndarray:
        out = np.zeros((batch, longest, records.feature_width), np.float32)
        for place, clip in enumerate(clips):
            assert clip.features is not None  # of the features variant
            out[place, : len(clip.features)] = clip.features
        return out

    return lambda clips: np.asarray(adapt(vectors(clips)))[: len(clips)]


def _oracle(folder: Path) -> Look:
    """One who has read the screenplays of the movies in `folder`."""
    config = build(CinemaConfig, read_json(folder / "artefact.json")["settings"], str(folder / "artefact.json"))
    numbers = {movie_key(index): index for index in range(config.movies)}

    @functools.lru_cache(maxsize=1)  # clips come movie by movie
    def play(movie: str) -> Screenplay:
        if movie not in numbers:
            raise BadInput(f"no made-up movie {movie!r}", where=folder, mend="set config.extract.tower to a tower")
        return screenplay(config, numbers[movie])

    rate = config.frames_per_second
    return lambda clips: [oracle.features(play(clip.movie), rate, np.asarray(clip.frame_times)) for clip in clips]


def frame_encoder(aligner: Aligner) -> Any:
    """Compiled uint8 `batch frames h w 3` -> float32 `batch frames width`."""
    return compiled(aligner, lambda model, frames: model.encode_frames(frames))


def needs(settings: ExtractConfig) -> dict[str, Need]:
    """The tower, or the movies whose screenplays are read, and the clips."""
    if settings.tower == "oracle":
        return {"render": Need("render"), "pack": Need("pack")}
    return {"tower": Need(settings.tower), "pack": Need("pack")}


RECIPE = Recipe("extract", ExtractConfig, run, needs, version=2)
