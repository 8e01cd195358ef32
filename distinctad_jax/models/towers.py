"""CLIP's two towers: frames and texts into one space, as OpenAI published them and LAION retrained them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import einops
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Int, UInt8

from distinctad_jax.models.layers import Block, BlockConfig, causal_mask, layer_norm, run_blocks
from distinctad_jax.models.linear import Linear, LoraConfig, normal

# Mean and deviation of CLIP's training images, per colour channel, in 0..1.
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_DEVIATION = (0.26862954, 0.26130258, 0.27577711)


def _clip_block(
    width: int, layers: int, heads: int, activation: str, dtype: str, *, lora_rank: int = 0
) -> BlockConfig:
    """The block with CLIP's starting weights, which shrink with width and, where layers add up, with depth."""
    return BlockConfig(
        width,
        heads,
        activation=activation,
        stddev=width**-0.5,
        stddev_up=(2 * width) ** -0.5,
        stddev_residual=(2 * layers * width) ** -0.5,
        lora=LoraConfig(lora_rank, float(max(lora_rank, 1)), ("attention", "mlp")),  # a scale of 1
        dtype=dtype,
    )


@dataclass(frozen=True)
class VisionConfig:
    """Sizes of a vision tower; image and patch sizes in pixels."""

    image_size: int
    patch: int
    width: int
    layers: int
    heads: int
    projection: int
    activation: str = "quick_gelu"
    dtype: str = "float32"
    lora_rank: int = 0  # 0: no low-rank update beside the blocks' weights
    remat: bool = False

    def __post_init__(self) -> None:
        if min(self.image_size, self.patch, self.layers, self.projection) < 1 or self.image_size % self.patch:
            raise ValueError(f"sizes must be positive and image_size a multiple of patch, got {self}.")
        self.block()  # checks the rest

    def block(self) -> BlockConfig:
        return _clip_block(self.width, self.layers, self.heads, self.activation, self.dtype, lora_rank=self.lora_rank)


@dataclass(frozen=True)
class TextConfig:
    """Sizes of a text tower. `end` is the id that closes a text; the sentence is read off its first occurrence."""

    vocab: int
    length: int
    width: int
    layers: int
    heads: int
    projection: int
    end: int
    activation: str = "quick_gelu"
    dtype: str = "float32"
    remat: bool = False

    def __post_init__(self) -> None:
        if min(self.vocab, self.length, self.layers, self.projection) < 1 or not 0 <= self.end < self.vocab:
            raise ValueError(f"sizes must be positive and 0 <= end < vocab, got {self}.")
        self.block()  # checks the rest

    def block(self) -> BlockConfig:
        return _clip_block(self.width, self.layers, self.heads, self.activation, self.dtype)


VISION_PRESETS: dict[str, VisionConfig] = {
    "vit-b-32": VisionConfig(224, 32, 768, 12, 12, 512),
    "vit-b-16": VisionConfig(224, 16, 768, 12, 12, 512),
    "vit-l-14": VisionConfig(224, 14, 1024, 24, 16, 768),
    "vit-l-14-336": VisionConfig(336, 14, 1024, 24, 16, 768),
    "tiny": VisionConfig(32, 8, 32, 2, 2, 32),
}
TEXT_PRESETS: dict[str, TextConfig] = {
    "vit-b-32": TextConfig(49408, 77, 512, 12, 8, 512, end=49407),
    "vit-b-16": TextConfig(49408, 77, 512, 12, 8, 512, end=49407),
    "vit-l-14": TextConfig(49408, 77, 768, 12, 12, 768, end=49407),
    "vit-l-14-336": TextConfig(49408, 77, 768, 12, 12, 768, end=49407),
    "tiny": TextConfig(512, 32, 32, 2, 2, 32, end=511),
}


def normalise_frames(frames: UInt8[Array, "*batch h w 3"]) -> Float[Array, "*batch h w 3"]:
    """Bytes to the scale that CLIP was trained on, float32."""
    mean, deviation = jnp.asarray(CLIP_MEAN, jnp.float32), jnp.asarray(CLIP_DEVIATION, jnp.float32)
    return (frames.astype(jnp.float32) / 255 - mean) / deviation


class VisionTower(nnx.Module):
    """A CLIP vision transformer.

    Shapes: images `batch h w 3`, h and w equal to `image_size`. Returns features `batch projection`, float32.
    Units:  images as `normalise_frames` gives them; features are not of unit length.
    Errors: ValueError if the images are of another size.
    Source: CLIP (arXiv 2103.00020): patches without bias, class token, a norm before and one after the blocks.
    """

    def __init__(self, config: VisionConfig, *, rngs: nnx.Rngs):
        self.config = config
        width, scale = config.width, config.width**-0.5
        shared = {"bias": False, "dtype": config.dtype, "rngs": rngs}
        # A convolution whose stride is its size is one matrix product over flattened patches (row, column, channel).
        pixels = 3 * config.patch**2
        self.patch_embedding = Linear(pixels, width, stddev=pixels**-0.5, **shared)
        self.class_token = normal(scale, (width,), rngs)
        self.positions = normal(scale, ((config.image_size // config.patch) ** 2 + 1, width), rngs)
        self.norm_before = layer_norm(width, dtype=config.dtype, rngs=rngs)
        self.blocks = nnx.List([Block(config.block(), rngs=rngs) for _ in range(config.layers)])
        self.norm_after = layer_norm(width, dtype=config.dtype, rngs=rngs)
        self.projection = Linear(width, config.projection, stddev=scale, **shared)

    def __call__(self, images: Float[Array, "batch h w 3"]) -> Float[Array, "batch projection"]:
        size, patch = self.config.image_size, self.config.patch
        if images.shape[1:3] != (size, size):
            raise ValueError(f"the tower sees images of {size} x {size} pixels, got {images.shape[1:3]}.")
        patches = einops.rearrange(images, "b (h p) (w q) c -> b (h w) (p q c)", p=patch, q=patch)
        tokens = self.patch_embedding(patches)
        first = jnp.broadcast_to(self.class_token[...].astype(tokens.dtype), (len(tokens), 1, self.config.width))
        tokens = jnp.concatenate([first, tokens], axis=1) + self.positions[...].astype(tokens.dtype)
        tokens = run_blocks(self.blocks, self.norm_before(tokens), remat=self.config.remat)
        return self.projection(self.norm_after(tokens[:, 0])).astype(jnp.float32)


class TextFeatures(NamedTuple):
    """A text in the space shared with frames, float32, not of unit length."""

    sentence: Float[Array, "batch projection"]
    words: Float[Array, "batch length projection"]  # of every position, start, end and padding included


class TextTower(nnx.Module):
    """A CLIP text transformer; each position sees only what stands before it.

    Shapes: ids `batch length`, no longer than the tower's positions.
    Errors: ValueError if the texts are longer.
    Source: CLIP (arXiv 2103.00020). The sentence is the last block's output at the first `end`, normed and projected;
      words pass through the same norm and projection. Ours: a text without `end` is read off its last position.
    """

    def __init__(self, config: TextConfig, *, rngs: nnx.Rngs):
        self.config = config
        self.token_embedding = normal(0.02, (config.vocab, config.width), rngs)
        self.positions = normal(0.01, (config.length, config.width), rngs)
        self.blocks = nnx.List([Block(config.block(), rngs=rngs) for _ in range(config.layers)])
        self.norm_after = layer_norm(config.width, dtype=config.dtype, rngs=rngs)
        self.projection = Linear(
            config.width, config.projection, bias=False, stddev=config.width**-0.5, dtype=config.dtype, rngs=rngs
        )

    def __call__(self, ids: Int[Array, "batch length"]) -> TextFeatures:
        length = ids.shape[1]
        if length > self.config.length:
            raise ValueError(f"needs at most {self.config.length} ids, the tower's positions, got {length}.")
        tokens = jnp.take(self.token_embedding[...], ids, axis=0) + self.positions[:length]
        tokens = run_blocks(
            self.blocks, tokens.astype(self.config.dtype), causal_mask(length), remat=self.config.remat
        )
        words = self.projection(self.norm_after(tokens)).astype(jnp.float32)
        ends = ids == self.config.end
        last = jnp.where(ends.any(axis=1), jnp.argmax(ends, axis=1), length - 1)
        return TextFeatures(words[jnp.arange(len(ids)), last], words)
