"""Who is seen in a clip, told from portraits of the cast: AutoAD-II's idea with a threshold that means something.

A tower's features of portraits and of frames are compared. Where AutoAD-II calls everybody active who has a portrait
(its threshold is cos > -1), a person is seen here only if some frame of the clip reaches a threshold, and the
threshold is the one that serves training movies best, where the descriptions say who is there.
Source: AutoAD-II (arXiv 2310.06838): the best frames of a film, some way apart, stand for a person in that film.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, UInt8

from distinctad_jax.data.stills import read_picture
from distinctad_jax.errors import BadInput
from distinctad_jax.files import read_bytes, read_json, whole, write_json
from distinctad_jax.movie.movie import Movie

NAMES, PICTURES = "portraits.json", "portraits.npy"


@dataclass(frozen=True)
class RecogniseConfig:
    """exemplars: how many frames of the film stand for a person, `apart` seconds from one another, 0 for the portrait
    alone; contrast: how sharply the people of a cast compete for a clip, 0 for likenesses as they are; threshold:
    what a clip must reach, None for the one that is best on the training movies. Values are our defaults."""

    exemplars: int = 3
    apart: float = 10.0
    contrast: float = 3.0
    threshold: float | None = None

    def __post_init__(self):
        if self.exemplars < 0 or self.apart < 0 or self.contrast < 0:
            raise ValueError(f"exemplars, apart and contrast are at least 0, got {self}")


@dataclass(frozen=True)
class Agreement:
    """How well predictions agree with what is so: shares of the predicted and of the true that are both."""

    precision: float
    recall: float
    predicted: int
    true: int

    @property
    def f1(self) -> float:
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0


def agreement(predicted: Bool[np.ndarray, "*any"], true: Bool[np.ndarray, "*any"]) -> Agreement:
    """Precision and recall; 0 where nothing was predicted, or nothing is so."""
    both = int((predicted & true).sum())
    found, wanted = int(predicted.sum()), int(true.sum())
    return Agreement(both / found if found else 0.0, both / wanted if wanted else 0.0, found, wanted)


def write_portraits(folder: Path, movies: Sequence[Movie], size: int) -> int:
    """Keeps the portraits of all casts as pictures of `size` pixels, each once; returns how many there are.

    Errors: BadInput if a picture is none or too large.
    """
    files: dict[Path, int] = {}
    casts: dict[str, dict[str, int]] = {}
    for movie in movies:
        for person in movie.cast:
            if person.portrait is not None:
                number = files.setdefault(person.portrait, len(files))
                casts.setdefault(movie.key, {}).setdefault(person.character, number)
    if files:
        pictures = np.stack([read_picture(read_bytes(path), size, str(path)) for path in files])
        buffer = io.BytesIO()
        np.save(buffer, pictures)
        with whole(folder / PICTURES) as partial:
            partial.write_bytes(buffer.getvalue())
        write_json(folder / NAMES, casts)
    return len(files)


def read_portraits(folder: Path) -> tuple[dict[str, dict[str, int]], UInt8[np.ndarray, "people size size 3"]]:
    """For each movie the roles with the number of their picture, and the pictures.

    Errors: BadInput if there are none, or they are damaged.
    """
    if not (folder / NAMES).is_file():
        raise BadInput("no portraits of the cast", where=folder, mend="pack with a cast file that names portraits")
    casts = read_json(folder / NAMES)
    try:
        pictures = np.load(folder / PICTURES, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise BadInput(f"damaged ({error})", where=folder / PICTURES, mend="pack again") from None
    if pictures.ndim != 4 or any(number >= len(pictures) for cast in casts.values() for number in cast.values()):
        raise BadInput("does not fit its names", where=folder / PICTURES, mend="pack again")
    return casts, pictures


def likeness(
    portraits: Float[np.ndarray, "people width"],
    frames: Float[np.ndarray, "shown width"],
    times: Float[np.ndarray, " shown"],
    config: RecogniseConfig,
) -> Float[np.ndarray, "people shown"]:
    """How much each frame of a movie looks as if each person were in it: cosines, about the mean of the movie.

    What all frames of a movie share, and what all portraits share, tells nobody apart and is taken out. The frames
    that look most like the portrait, `apart` seconds from one another, then stand for the person in this film.
    """
    seen, known = _centred(frames), _centred(portraits)
    similar = known @ seen.T
    if not config.exemplars:
        return similar
    exemplars = []
    for person in range(len(portraits)):
        chosen: list[int] = []
        for frame in np.argsort(-similar[person], kind="stable"):
            if all(abs(times[frame] - times[other]) >= config.apart for other in chosen):
                chosen.append(int(frame))
            if len(chosen) == config.exemplars:
                break
        mean = seen[chosen].mean(axis=0) + known[person]
        exemplars.append(mean / max(float(np.linalg.norm(mean)), 1e-6))
    return np.stack(exemplars) @ seen.T


def _centred(vectors: Float[np.ndarray, "rows width"]) -> Float[np.ndarray, "rows width"]:
    """Unit vectors about the mean of unit vectors."""
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6)
    apart = unit - unit.mean(axis=0) if len(unit) > 1 else unit
    return apart / np.maximum(np.linalg.norm(apart, axis=1, keepdims=True), 1e-6)


def shares(likenesses: Float[np.ndarray, "people clips"], contrast: float) -> Float[np.ndarray, "people clips"]:
    """Each person's share of a clip: likenesses in deviations from the person's mean over the film, then a softmax
    over the cast. So neither a portrait that is like everything wins, nor a frame that is like everybody."""
    deviations = likenesses - likenesses.mean(axis=1, keepdims=True)
    deviations /= np.maximum(likenesses.std(axis=1, keepdims=True), 1e-6)
    weights = np.exp(contrast * (deviations - deviations.max(axis=0, initial=-np.inf, keepdims=True)))
    return weights / weights.sum(axis=0, keepdims=True)


def best_threshold(scores: Float[np.ndarray, " pairs"], true: Bool[np.ndarray, " pairs"]) -> float:
    """The score from which on `seen` agrees best (F1) with what is so; infinity if nothing is so."""
    if not true.any():
        return float("inf")
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(true[order])
    f1 = 2 * hits / (np.arange(1, len(order) + 1) + true.sum())
    return float(scores[order[int(np.argmax(f1))]])


def seen_roles(
    roles: Sequence[str], scores: Float[np.ndarray, "people clips"], threshold: float
) -> list[tuple[str, ...]]:
    """The roles seen in each clip, in the order of the cast."""
    return [
        tuple(role for role, score in zip(roles, of_clip, strict=True) if score >= threshold) for of_clip in scores.T
    ]


def by_split(found: Mapping[str, Agreement]) -> dict[str, dict[str, float]]:
    """As JSON, with figures of four digits."""
    return {
        split: {
            "precision": round(one.precision, 4),
            "recall": round(one.recall, 4),
            "predicted": one.predicted,
            "true": one.true,
        }
        for split, one in found.items()
    }
