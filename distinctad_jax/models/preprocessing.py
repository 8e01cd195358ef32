"""Pictures of any size to what a CLIP tower sees, on the device: two matrix products and a rounding after each.

`data/preprocessing.py` does the same on the host. A byte may differ by one level, where a sum in float32 and one of
Pillow's fixed-point numbers round to different sides.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, UInt8

SUPPORT = 2.0  # pixels to each side that a bicubic filter looks at
SHARPNESS = -0.5  # Keys' parameter, as Pillow has it


def bicubic(distance: np.ndarray) -> np.ndarray:
    """Keys' cubic convolution kernel. Source: Keys 1981, with a = -0.5."""
    x, a = np.abs(distance), SHARPNESS
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = (((x - 5) * x + 8) * x - 4) * a
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))


def resampling(source: int, target: int, first: int, count: int) -> Float[np.ndarray, "count source"]:
    """What each of `count` pixels from `first` on takes from a line of `source` pixels scaled to `target`.

    A smaller target widens the filter, which is the antialias; what would lie outside the line counts for nothing.
    Source: Pillow's precompute_coeffs.
    """
    scale = source / target
    widened = max(scale, 1.0)
    centres = (np.arange(first, first + count) + 0.5) * scale
    begin = np.maximum((centres - SUPPORT * widened + 0.5).astype(int), 0)
    end = np.minimum((centres + SUPPORT * widened + 0.5).astype(int), source)
    places = np.arange(source)
    weights = bicubic((places + 0.5 - centres[:, None]) / widened)
    weights = np.where((places >= begin[:, None]) & (places < end[:, None]), weights, 0.0)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def prepare_frames(frames: UInt8[Array, "batch height width 3"], size: int) -> UInt8[Array, "batch size size 3"]:
    """Bicubic with antialias to the short side, then the centre: bytes, as towers take them. `size` is static.

    Source: CLIPImageProcessor of transformers 5.23: margins rounded down. Each row first, rounded to bytes, then each
      column; the other way round, as Pillow 13 goes, for pictures over twice as tall as wide that shrink.
    """
    height, width = frames.shape[1:3]
    short, long = min(height, width), max(height, width)
    other = size * long // short
    tall, wide = (size, other) if height <= width else (other, size)
    passes = [
        ("bhwc,xw->bhxc", resampling(width, wide, (wide - size) // 2, size)),
        ("bhwc,yh->bywc", resampling(height, tall, (tall - size) // 2, size)),
    ]
    if height > 2 * width and tall < height:
        passes.reverse()
    values = frames.astype(jnp.float32)
    for product, weights in passes:
        exact = jnp.einsum(product, values, weights, precision=jax.lax.Precision.HIGHEST)
        values = jnp.clip(jnp.floor(exact + 0.5), 0, 255)
    return values.astype(jnp.uint8)
