"""The language models that can narrate, told apart by their configs."""

from __future__ import annotations

from flax import nnx

from distinctad_jax.models.gpt2 import Gpt2, Gpt2Config
from distinctad_jax.models.llama import Llama, LlamaConfig

LanguageConfig = Gpt2Config | LlamaConfig


def language_model(config: LanguageConfig, *, rngs: nnx.Rngs) -> Gpt2 | Llama:
    """The model of a config, with random weights."""
    return (Llama if isinstance(config, LlamaConfig) else Gpt2)(config, rngs=rngs)  # type: ignore[arg-type]
