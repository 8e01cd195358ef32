"""What the dials came to: each measured on the files that were rendered.

Pictures are read from the films and stills. Only the question which frames show what is told cannot be put to a film
alone; there the script draws the clip again, once as told and once without, and each frame of the film is held
against both.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from distinctad_jax.errors import BadInput
from distinctad_jax.toycinema.studio import CinemaConfig, clips_drawn, movie_key, screenplay, sheet_name

WORD = re.compile(r"[a-z]+")
FEWEST_FILMS = 2


class Measure(NamedTuple):
    """A dial: what it was turned to, what was measured, and in one clause what that is."""

    turned: float
    measured: float
    says: str


def measure(config: CinemaConfig, folder: Path, films: int = 4) -> dict[str, Measure]:
    """All dials of what `render` wrote into `folder`; pictures of its first so many films, words of all.

    Errors: BadInput if there are fewer than two films, or no stills, or a file is missing.
    """
    count = min(films, config.movies)
    if count < FEWEST_FILMS or not config.stills:
        what = f"found {config.movies} films and {config.stills} stills, needed {FEWEST_FILMS} films and stills"
        raise BadInput(what, where=folder, mend="render more")
    dials = config.dials.turned()
    means, shown, pixels = [], [], []
    for index in range(count):
        frames = _frames(folder / "movies" / f"{movie_key(index)}.mp4")
        spans = [beat.span for scene in screenplay(config, index).scenes for beat in scene.beats]
        rate = config.frames_per_second
        clips = [frames[round(span.start * rate) : round(span.end * rate)] for span in spans]
        means.append(np.stack([clip.astype(np.float32).mean(axis=0) for clip in clips]))
        shown += list(_shown(config, index, clips))
        pixels.append(frames[::rate].reshape(-1, 3))
    texts = _texts(folder)
    said = [WORD.findall(text.lower()) for text in texts]
    return {
        "redundancy": Measure(
            dials.redundancy, _alike(means), "1 - how far neighbouring clips are apart, over strangers"
        ),
        "evidence": Measure(dials.evidence, float(np.mean(shown)), "share of a clip's frames that show who acts"),
        "gap": Measure(dials.gap, _gap(folder, pixels), "brightness and colour of stills that films have lost"),
        "vocabulary": Measure(dials.vocabulary, float(len({w for words in said for w in words})), "different words"),
        "length": Measure(dials.length, float(np.mean([len(words) for words in said])), "words of a description"),
        "clips": Measure(float("nan"), len(texts) / config.movies, "descriptions of a movie"),
    }


def _frames(path: Path) -> UInt8[np.ndarray, "frames height width 3"]:
    try:
        with av.open(str(path)) as box:
            return np.stack([frame.to_ndarray(format="rgb24") for frame in box.decode(video=0)])
    except (OSError, ValueError) as error:
        raise BadInput(f"cannot be read: {error}", where=path, mend="render it again") from None


def _texts(folder: Path) -> list[str]:
    with (folder / "annotations.csv").open(encoding="utf-8", newline="") as file:
        return [row["text"] for row in csv.DictReader(file)]


def _alike(means: Sequence[Float[np.ndarray, "_ height width 3"]]) -> float:
    """1 - (distance of a clip's mean picture to the next clip's) / (its distance to a clip's of the next film)."""

    def apart(one: np.ndarray, other: np.ndarray) -> float:
        return float(np.abs(one - other).mean())

    near = [apart(a, b) for film in means for a, b in pairwise(film)]
    films = [*means, means[0]]
    far = [apart(a, b) for one, other in pairwise(films) for a, b in zip(one, other, strict=False)]
    return 1 - float(np.mean(near)) / float(np.mean(far))


def _shown(
    config: CinemaConfig, index: int, clips: Sequence[UInt8[np.ndarray, "_ height width 3"]]
) -> Iterator[float]:
    """For each clip the share of its frames that are nearer to the drawing with who acts than to that without."""
    drawn = clips_drawn(config, screenplay(config, index), index)
    for film, (acting, away) in zip(clips, drawn, strict=True):
        seen = [
            np.abs(frame.astype(np.int16) - one).mean() < np.abs(frame.astype(np.int16) - other).mean()
            for frame, one, other in zip(film, acting, away, strict=True)
        ]
        yield float(np.mean(seen))


def _gap(folder: Path, films: Sequence[UInt8[np.ndarray, "_ 3"]]) -> float:
    """The mean of two losses from stills to films, as shares: of brightness, and of colour (largest less smallest of
    red, green and blue)."""
    with Image.open(folder / "stills" / sheet_name(0)) as sheet:
        stills = np.asarray(sheet.convert("RGB")).reshape(-1, 3)

    def facets(pixels: np.ndarray) -> np.ndarray:
        values = pixels.astype(np.float32)
        return np.array([values.mean(), (values.max(axis=1) - values.min(axis=1)).mean()])

    clean, film = facets(stills), facets(np.concatenate(list(films)))
    return float(((clean - film) / clean).mean())
