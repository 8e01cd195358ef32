"""Pictures of any size to what a CLIP tower sees, as Hugging Face's CLIPImageProcessor does it, on the host.

`models/preprocessing.py` does the same on a device.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, UInt8
from PIL import Image


class Geometry(NamedTuple):
    """How a picture is scaled, and where the square is cut out of it, in pixels."""

    height: int
    width: int
    top: int
    left: int


def clip_geometry(height: int, width: int, size: int) -> Geometry:
    """The short side becomes `size`, the long one is cut off to a whole number; an odd margin is less before it.

    OpenAI's own code rounds half a pixel of margin to the even number instead, and `video.read_frames` as well: by
    that the cut may differ by one pixel.
    Errors: ValueError if a side is less than 1.
    """
    if min(height, width, size) < 1:
        raise ValueError(f"pictures and squares have sides of at least 1, got {height} x {width} and {size}.")
    short, long = sorted((height, width))
    other = size * long // short
    tall, wide = (size, other) if height <= width else (other, size)
    return Geometry(tall, wide, (tall - size) // 2, (wide - size) // 2)


def prepare_frames(
    frames: UInt8[np.ndarray, "batch height width 3"], size: int
) -> UInt8[np.ndarray, "batch size size 3"]:
    """Bicubic with antialias to the short side, then the centre: bytes, as towers take them (`normalise_frames`).

    Source: CLIPImageProcessor of transformers 5.23, whose filter is Pillow's; equal to it in every byte.
    """
    shape = clip_geometry(frames.shape[1], frames.shape[2], size)
    out = np.empty((len(frames), size, size, 3), np.uint8)
    for place, frame in enumerate(frames):
        scaled = Image.fromarray(frame).resize((shape.width, shape.height), Image.Resampling.BICUBIC)
        out[place] = np.asarray(scaled)[shape.top : shape.top + size, shape.left : shape.left + size]
    return out


def normalised(
    frames: UInt8[np.ndarray, "*batch height width 3"], mean: tuple[float, ...], deviation: tuple[float, ...]
) -> Float32[np.ndarray, "*batch height width 3"]:
    """Bytes over 255, less `mean`, over `deviation`, by channel: the processor's `pixel_values`, channels last."""
    values = frames.astype(np.float32) / np.float32(255)
    return (values - np.asarray(mean, np.float32)) / np.asarray(deviation, np.float32)
