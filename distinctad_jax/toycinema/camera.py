"""What a camera and a lab do to a picture: colour grade, low light, moves, letterbox and grain."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from distinctad_jax.toycinema.sprites import MARGIN, Sprites

TINTS: tuple[tuple[float, float, float], ...] = (  # what is left of red, green, blue
    (1.00, 0.95, 0.80),
    (0.86, 0.98, 1.00),
    (1.00, 0.86, 0.74),
    (0.84, 1.00, 0.84),
    (0.95, 0.88, 1.00),
    (0.80, 0.90, 1.00),
)
LEVELS = {"day": 0.85, "dusk": 0.66, "night": 0.46}
COLD = {"day": (1.0, 1.0, 1.0), "dusk": (1.06, 0.92, 0.84), "night": (0.78, 0.90, 1.16)}
GRAIN_PLANES = 16


@dataclass(frozen=True)
class Grade:
    """One scene's colours: a 3 x 4 matrix for Pillow, a table of 256 tones, and how coarse the grain is."""

    matrix: tuple[float, ...]
    tones: UInt8[np.ndarray, " tones"]
    grain: float


def grade(light: str, look: int) -> Grade:
    """The grade of a scene; `look` is any number of its own, `light` is day, dusk or night."""
    rng = np.random.default_rng(np.random.SeedSequence(look, spawn_key=(7,)))
    tint = np.array(TINTS[int(rng.integers(len(TINTS)))]) * np.array(COLD[light])
    colourful = float(rng.uniform(0.45, 0.75))
    luma = np.array([0.299, 0.587, 0.114])
    rows = (colourful * np.eye(3) + (1 - colourful) * luma[None, :]) * tint[:, None]
    matrix = tuple(float(v) for row in np.hstack([rows, np.zeros((3, 1))]) for v in row)
    level, gamma = LEVELS[light] * float(rng.uniform(0.92, 1.05)), float(rng.uniform(0.95, 1.2))
    floor = float(rng.uniform(4, 20))  # blacks are lifted
    curve = floor + (255 * level - floor) * (np.arange(256) / 255) ** gamma
    tones = np.clip(np.rint(curve), 0, 255).astype(np.uint8)
    return Grade(matrix, tones, float(rng.uniform(3.5, 7.0)))


def regraded(grade: Grade, gap: float) -> Grade:
    """The grade, `gap` times as far from a clean picture; 1 is the grade itself, 0 a clean picture."""
    if gap == 1:
        return grade
    clean, tones = np.eye(3, 4).ravel(), np.arange(256)
    matrix = clean + gap * (np.array(grade.matrix) - clean)
    curve = np.clip(np.rint(tones + gap * (grade.tones.astype(float) - tones)), 0, 255).astype(np.uint8)
    return Grade(tuple(map(float, matrix)), curve, gap * grade.grain)


def developed(
    frames: UInt8[np.ndarray, "frames height width 3"], grade: Grade, bar: int
) -> UInt8[np.ndarray, "frames height width 3"]:
    """Frames, their colours mixed already, with the tones of the grade and `bar` black rows above and below."""
    # Python looks bytes up in a table five times as fast as numpy.
    looked_up = bytearray(frames.tobytes().translate(grade.tones.tobytes()))
    toned = np.frombuffer(looked_up, np.uint8).reshape(frames.shape)
    if bar:
        toned[:, :bar] = 0
        toned[:, -bar:] = 0
    return toned


@dataclass(frozen=True)
class Move:
    """A camera move over a clip: the view's centre, in units off the middle, and closeness, at start and end."""

    start: tuple[float, float, float]
    end: tuple[float, float, float]
    shake: float

    def view(self, done: float, jolt: tuple[float, float]) -> tuple[float, float, float]:
        """Centre and closeness when a share `done` of the clip has passed; `jolt` in -1..1 is scaled by the shake."""
        x, y, near = (a + (b - a) * done for a, b in zip(self.start, self.end, strict=True))
        return x + self.shake * jolt[0], y + self.shake * jolt[1], near


def move(rng: np.random.Generator) -> Move:
    """A still camera, a slow pan, a slow zoom or a hand-held one."""
    kind = int(rng.integers(4))
    near = float(rng.uniform(1.0, 1.06))
    x, y = float(rng.uniform(-2, 2)), float(rng.uniform(-1.5, 1.5))
    if kind == 1:
        reach = float(rng.choice((-1, 1)) * rng.uniform(3, 5))
        return Move((-reach, y, near), (reach, y, near), 0.0)
    if kind == 2:
        ends = (1.0, float(rng.uniform(1.08, 1.14)))
        first, last = ends if rng.random() < 0.5 else ends[::-1]
        return Move((x, y, first), (x, y, last), 0.0)
    return Move((x, y, near), (x, y, near), 1.2 if kind == 3 else 0.0)


def shoot(
    canvas: Image.Image, view: tuple[float, float, float], sprites: Sprites, size: tuple[int, int]
) -> Image.Image:
    """The part of the canvas that the camera sees, as a picture of `size` pixels."""
    x, y, near = view
    width, height = 96 * sprites.aspect / near, 96 / near
    middle_x, middle_y = 48 * sprites.aspect + MARGIN + x, 48 + MARGIN + y
    box = (
        max(0.0, (middle_x - width / 2) * sprites.scale),
        max(0.0, (middle_y - height / 2) * sprites.scale),
        min(float(canvas.width), (middle_x + width / 2) * sprites.scale),
        min(float(canvas.height), (middle_y + height / 2) * sprites.scale),
    )
    return canvas.resize(size, Image.Resampling.BILINEAR, box=box)


class Grain:
    """Film grain: a few large planes of noise, of which every frame gets a random part.

    Units: grey levels of 255; a plane has a standard deviation of 1 before a scene's coarseness.
    """

    def __init__(self, rng: np.random.Generator, size: tuple[int, int]):
        self.size = size
        planes = rng.standard_normal((GRAIN_PLANES, size[1] + 32, size[0] + 32), dtype=np.float32)
        self.planes: Float[np.ndarray, "planes height width"] = planes

    def add(
        self, frames: UInt8[np.ndarray, "frames height width 3"], coarse: float, rng: np.random.Generator
    ) -> UInt8[np.ndarray, "frames height width 3"]:
        """The frames with grain, the same in all three colours."""
        levels = np.rint(self.planes * coarse).astype(np.int16)
        picks = rng.integers((GRAIN_PLANES, 32, 32), size=(len(frames), 3))
        grained = np.empty_like(frames)
        for frame, (plane, down, right), out in zip(frames, picks, grained, strict=True):
            noise = levels[plane, down : down + self.size[1], right : right + self.size[0]]
            np.clip(frame + np.repeat(noise[..., None], 3, axis=2), 0, 255, out=out, casting="unsafe")
        return grained
