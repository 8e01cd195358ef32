"""Stage II whole: from the frame features of a window of clips to the words of their descriptions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import einops
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from distinctad_jax.models.bridge import Bridge, BridgeConfig
from distinctad_jax.models.em_attention import (
    RIVALS,
    ContextualEMAttention,
    EMAttentionConfig,
    EMAttentionOutput,
    diagnostics,
)
from distinctad_jax.models.language import LanguageConfig, language_model
from distinctad_jax.models.linear import Linear, normal
from distinctad_jax.models.window_rivals import window_rival


@dataclass(frozen=True)
class NarratorConfig:
    """The parts of a narrator; `clips` is the most clips of a window that it has place embeddings for."""

    bridge: BridgeConfig
    em_attention: EMAttentionConfig
    language: LanguageConfig
    clips: int = 8
    clip_positions: bool = True  # ours: EM attention alone does not know the order of the clips

    def __post_init__(self) -> None:
        if self.bridge.width != self.em_attention.width:
            raise ValueError(
                f"the bridge's tokens are {self.bridge.width} wide, EM attention expects {self.em_attention.width}: "
                "these two widths must be equal."
            )
        if self.clips < 1:
            raise ValueError(f"clips must be at least 1, got {self.clips}.")


class NarratorOutput(NamedTuple):
    """Scores of the words, and what EM attention saw; it is None with fusion "none" and with a rival."""

    logits: Float[Array, "batch clips length vocab"]
    em: EMAttentionOutput | None
    watched: dict[str, Float[Array, " batch"]] | None  # `em_attention.diagnostics` of each window


class Narrator(nnx.Module):
    """Describes all clips of a window at once: bridge, EM attention over the window, and a language model.

    What the language model reads of a clip is [names prompt][visual tokens][description]. The clips of a batch are
    its rows, one short sequence each, in the order (batch clips).

    Shapes: features `batch clips frames width`; `*_real` is False on padding. Tokens of a clip that is padding, or
      has no real frame, take no part in EM attention; its logits are finite and mean nothing.
    Errors: ValueError if a window holds more clips than there are place embeddings.
    Source: DistinctAD (arXiv 2411.18180); the order of the prefix is AutoAD's (arXiv 2303.16899).
    """

    def __init__(self, config: NarratorConfig, *, rngs: nnx.Rngs):
        self.config = config
        width = config.bridge.width
        self.bridge = Bridge(config.bridge, rngs=rngs)
        self.places = normal(0.02, (config.clips, width), rngs) if config.clip_positions else None
        self.project = Linear(
            width, config.language.width, stddev=width**-0.5, dtype=config.language.dtype, rngs=rngs
        )
        self.language = language_model(config.language, rngs=rngs)
        # Last, so that with the same seed the other parts start the same with it and without it.
        fusing = config.em_attention.fusion not in ("none", *RIVALS)
        self.em_attention = ContextualEMAttention(config.em_attention, rngs=rngs) if fusing else None
        self.rival = window_rival(config.em_attention, rngs=rngs)

    def see(
        self,
        features: Float[Array, "batch clips frames width"],
        frames_real: Bool[Array, "batch clips frames"],
        clips_real: Bool[Array, "batch clips"],
        *,
        train: bool,
    ) -> tuple[Float[Array, "batch clips tokens model"], EMAttentionOutput | None]:
        """The visual tokens of every clip, told of each other. With train=True a moving average moves."""
        return self.told(self.resample(features, frames_real), self.tokens_real(frames_real, clips_real), train=train)

    def told(
        self,
        tokens: Float[Array, "batch clips tokens model"],
        real: Bool[Array, "batch clips tokens"],
        *,
        train: bool,
    ) -> tuple[Float[Array, "batch clips tokens model"], EMAttentionOutput | None]:
        """The visual tokens that `resample` gave, told of each other: by EM attention, a rival, or not at all."""
        if self.rival is not None:
            return self.rival(tokens, real), None
        if self.em_attention is None:
            return tokens, None
        output = self.em_attention(tokens, real, train=train)
        return output.tokens, output

    def resample(
        self, features: Float[Array, "batch clips frames width"], frames_real: Bool[Array, "batch clips frames"]
    ) -> Float[Array, "batch clips tokens model"]:
        """The visual tokens of every clip before EM attention."""
        batch, clips = features.shape[:2]
        if clips > self.config.clips:
            raise ValueError(f"the narrator was made for windows of {self.config.clips} clips, got {clips}.")
        rows = self.bridge(
            einops.rearrange(features, "b c f w -> (b c) f w"), einops.rearrange(frames_real, "b c f -> (b c) f")
        )
        tokens = einops.rearrange(rows, "(b c) m w -> b c m w", b=batch)
        if self.places is None:
            return tokens
        return tokens + self.places[:clips, None, :].astype(tokens.dtype)

    def tokens_real(
        self, frames_real: Bool[Array, "batch clips frames"], clips_real: Bool[Array, "batch clips"]
    ) -> Bool[Array, "batch clips tokens"]:
        """Which visual tokens speak of something: those of real clips with a real frame."""
        return einops.repeat(clips_real & frames_real.any(axis=-1), "b c -> b c m", m=self.config.bridge.tokens)

    def prefix(
        self,
        visual: Float[Array, "batch clips tokens model"],
        prompt_ids: Int[Array, "batch clips prompt"],
        prompt_real: Bool[Array, "batch clips prompt"],
    ) -> tuple[Float[Array, "rows seen width"], Bool[Array, "rows seen"]]:
        """What the language model reads before a description: the names prompt, then the visual tokens.

        Rows are the clips of the batch, in order; the last token of a row is always real.
        """
        prompt = self.language.embed(einops.rearrange(prompt_ids, "b c p -> (b c) p"))
        shown = self.project(einops.rearrange(visual, "b c m w -> (b c) m w")).astype(prompt.dtype)
        real = [einops.rearrange(prompt_real, "b c p -> (b c) p"), jnp.ones(shown.shape[:2], bool)]
        return jnp.concatenate([prompt, shown], axis=1), jnp.concatenate(real, axis=1)

    def __call__(
        self,
        features: Float[Array, "batch clips frames width"],
        frames_real: Bool[Array, "batch clips frames"],
        clips_real: Bool[Array, "batch clips"],
        prompt_ids: Int[Array, "batch clips prompt"],
        prompt_real: Bool[Array, "batch clips prompt"],
        text_ids: Int[Array, "batch clips length"],
        text_real: Bool[Array, "batch clips length"],
        *,
        train: bool,
        key: PRNGKeyArray | None = None,
    ) -> NarratorOutput:
        """`logits[..., u, :]` predict `text_ids[..., u]`, having read the prefix and the ids before u.

        `key` switches on the language model's dropout.
        """
        tokens, real_tokens = self.resample(features, frames_real), self.tokens_real(frames_real, clips_real)
        visual, em = self.told(tokens, real_tokens, train=train)
        prefix, prefix_real = self.prefix(visual, prompt_ids, prompt_real)
        ids = einops.rearrange(text_ids, "b c u -> (b c) u")[:, :-1]
        real = einops.rearrange(text_real, "b c u -> (b c) u")[:, :-1]
        read = jnp.concatenate([prefix, self.language.embed(ids)], axis=1)
        hidden, _ = self.language(read, jnp.concatenate([prefix_real, real], axis=1), key=key)
        # From the last visual token on, each hidden state predicts a word; the prompt's predict nothing.
        logits = self.language.logits(hidden[:, prefix.shape[1] - 1 :])
        logits = einops.rearrange(logits, "(b c) u v -> b c u v", b=text_ids.shape[0])
        return NarratorOutput(logits, em, None if em is None else diagnostics(tokens, real_tokens, em))
