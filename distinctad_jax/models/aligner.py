"""Stage I whole: both towers, the temperature between them, and an adapter for features stored without frames."""

from __future__ import annotations

import math
from dataclasses import dataclass

import einops
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Int, UInt8

from distinctad_jax.models.layers import Mlp, layer_norm
from distinctad_jax.models.towers import (
    TextConfig,
    TextFeatures,
    TextTower,
    VisionConfig,
    VisionTower,
    normalise_frames,
)

MOST_SCALE = 100.0  # CLIP's own bound: sharper than this, training grows unstable


@dataclass(frozen=True)
class AlignerConfig:
    """Two towers into one space. `adapter_width` is the hidden width of the feature adapter; 0: none."""

    vision: VisionConfig
    text: TextConfig
    adapter_width: int = 0

    def __post_init__(self) -> None:
        if self.vision.projection != self.text.projection:
            raise ValueError(
                "both towers must project to one width, "
                f"got vision {self.vision.projection}, text {self.text.projection}."
            )
        if self.adapter_width < 0:
            raise ValueError(f"adapter_width must be 0 or more, got {self.adapter_width}.")


class FeatureAdapter(nnx.Module):
    """Adds to each frame feature what an MLP makes of it; changes nothing until it is trained.

    Shapes: features `... projection`, float32, and the same out.
    """

    def __init__(self, projection: int, hidden: int, *, rngs: nnx.Rngs):
        self.norm = layer_norm(projection, rngs=rngs)
        self.mlp = Mlp(projection, hidden, activation="gelu", stddev_out=0.0, rngs=rngs)

    def __call__(self, features: Float[Array, "*rows projection"]) -> Float[Array, "*rows projection"]:
        return features + self.mlp(self.norm(features))


class Aligner(nnx.Module):
    """CLIP as Stage I adapts it.

    Shapes: frames `batch frames h w 3` to features `batch frames projection`; ids `batch length` to TextFeatures.
    Units:  frames are bytes; features are float32 and not of unit length; `scale()` multiplies cosines.
    Source: CLIP (arXiv 2103.00020); the adapter for stored features is ours.
    """

    def __init__(self, config: AlignerConfig, *, rngs: nnx.Rngs):
        self.config = config
        self.vision = VisionTower(config.vision, rngs=rngs)
        self.text = TextTower(config.text, rngs=rngs)
        self.logit_scale = nnx.Param(jnp.asarray(math.log(1 / 0.07), jnp.float32))
        width = config.adapter_width
        self.adapter = FeatureAdapter(config.vision.projection, width, rngs=rngs) if width else None

    def encode_frames(self, frames: UInt8[Array, "batch frames h w 3"]) -> Float[Array, "batch frames projection"]:
        """One feature for each frame, through the adapter if there is one."""
        flat = einops.rearrange(frames, "batch frames h w c -> (batch frames) h w c")
        features = self.vision(normalise_frames(flat))
        return self.adapt(features.reshape(*frames.shape[:2], -1))

    def adapt(self, features: Float[Array, "*rows projection"]) -> Float[Array, "*rows projection"]:
        """Stored vision-tower features through the adapter; as they are if there is none."""
        return features if self.adapter is None else self.adapter(features)

    def encode_text(self, ids: Int[Array, "batch length"]) -> TextFeatures:
        return self.text(ids)

    def scale(self) -> Float[Array, ""]:
        """What cosines are multiplied by: exp of `logit_scale`, at most 100."""
        return jnp.minimum(jnp.exp(self.logit_scale[...]), MOST_SCALE)
