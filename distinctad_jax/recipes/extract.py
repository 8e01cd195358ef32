"""Run a vision tower over all clips and keep the frame features, as TFDS records that hold no pictures."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any, Literal

import numpy as np

from distinctad_jax.data.datasets import ClipRecord, Records, split_names, write_records
from distinctad_jax.data.pipeline import decode_frames
from distinctad_jax.files import fingerprint
from distinctad_jax.models.aligner import Aligner
from distinctad_jax.recipes.models import open_aligner
from distinctad_jax.recipes.workshop import Need, Recipe, Run
from distinctad_jax.training.step import compiled


@dataclasses.dataclass(frozen=True)
class ExtractConfig:
    """tower: the one that Stage I has adapted, or the one it began with; batch: clips at once."""

    tower: Literal["stage1", "pretrain"] = "stage1"
    batch: int = 64

    def __post_init__(self):
        if self.batch < 1:
            raise ValueError(f"batch is at least 1, got {self.batch}")


def run(settings: ExtractConfig, run: Run) -> dict[str, Any]:
    """Writes the features of every split, with the tower's hash beside them."""
    source = run.needs["tower"].folder
    aligner, _ = open_aligner(source)
    encode = frame_encoder(aligner)
    size = aligner.config.vision.image_size
    pixels = run.needs["pack"].folder / "records"
    splits = {name: Records(pixels, name) for name in split_names(pixels)}
    count, done = sum(len(records) for records in splits.values()), 0
    with run.voice.bar("extracting features") as bar:

        def features(records: Records) -> Iterator[ClipRecord]:
            nonlocal done
            for first in range(0, len(records), settings.batch):
                clips = records.get(range(first, min(first + settings.batch, len(records))))
                frames = np.stack([decode_frames(clip, size) for clip in clips])
                missing = settings.batch - len(frames)  # one shape, one compilation
                encoded = encode(np.pad(frames, ((0, missing), *((0, 0),) * (frames.ndim - 1))))
                for clip, feature in zip(clips, np.asarray(encoded)[: len(clips)], strict=True):
                    yield dataclasses.replace(clip, frames=None, features=feature.astype(np.float16))
                done += len(clips)
                bar(done, count, "")

        write_records(
            run.folder / "records",
            "features",
            {name: features(records) for name, records in splits.items()},
            description=f"frame features of {count} clips",
            metadata={
                "tower": settings.tower,
                "weights_sha256": fingerprint(source / "aligner" / "model.safetensors"),
                "width": aligner.config.vision.projection,
                "normalised": False,
            },
            feature_width=aligner.config.vision.projection,
        )
    return {"clips": count, "width": aligner.config.vision.projection}


def frame_encoder(aligner: Aligner) -> Any:
    """Compiled uint8 `batch frames h w 3` -> float32 `batch frames width`."""
    return compiled(aligner, lambda model, frames: model.encode_frames(frames))


def needs(settings: ExtractConfig) -> dict[str, Need]:
    """The tower and the clips."""
    return {"tower": Need(settings.tower), "pack": Need("pack")}


RECIPE = Recipe("extract", ExtractConfig, run, needs)
