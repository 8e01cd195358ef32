"""Models that earlier recipes have made, taken off the shelf for use."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from flax import nnx

from distinctad_jax.checkpoints.weights import Stored, assemble, check_weights, load_weights
from distinctad_jax.config import build
from distinctad_jax.data.features import Provenance
from distinctad_jax.errors import BadInput, BadUsage
from distinctad_jax.files import read_json
from distinctad_jax.models.aligner import Aligner, AlignerConfig
from distinctad_jax.models.language import LanguageConfig, language_model
from distinctad_jax.models.narrator import Narrator, NarratorConfig
from distinctad_jax.text.tokenizers import Tokenizer, load_tokenizer

FEATURES = "features.json"
"""What a narrator's folder says of the features that it reads."""
LEARNT_NAMES = "names.json"
"""The names that stand in what a narrator was trained on (`text.prompt.learnt_names`)."""


class Shelved(NamedTuple):
    """A model in a folder: its config, its arrays by path, read one at a time, and its tokenizer."""

    config: Any
    weights: Stored
    tokenizer: Tokenizer


def take(folder: Path, config: Any) -> Shelved:
    """Reads `model.json`, `model.safetensors` and `tokenizer/`. Errors: BadInput if one is missing or broken."""
    about = folder / "model.json"
    try:
        built = build(config, read_json(about), str(about))
    except BadUsage as problem:  # of a file that a recipe wrote, not of what the user asked for
        raise BadInput(problem.what, where=problem.where, mend="run the recipe that makes it again") from None
    return Shelved(built, load_weights(folder / "model.safetensors"), load_tokenizer(folder / "tokenizer"))


def take_aligner(folder: Path) -> Shelved:
    """The towers in `folder/aligner`. Errors: BadInput, also if arrays do not fit the config."""
    shelved = take(folder / "aligner", AlignerConfig)
    check_weights(lambda: Aligner(shelved.config, rngs=nnx.Rngs(0)), shelved.weights, folder / "aligner")
    return shelved


def take_language(folder: Path) -> Shelved:
    """The language model in `folder/language`. Errors: BadInput, also if arrays do not fit the config."""
    shelved = take(folder / "language", LanguageConfig)
    check_weights(lambda: language_model(shelved.config, rngs=nnx.Rngs(0)), shelved.weights, folder / "language")
    return shelved


def take_narrator(folder: Path) -> Shelved:
    """The narrator in `folder/narrator`. Errors: BadInput, also if arrays do not fit the config."""
    shelved = take(folder / "narrator", NarratorConfig)
    check_weights(lambda: Narrator(shelved.config, rngs=nnx.Rngs(0)), shelved.weights, folder / "narrator")
    return shelved


def check_room(language: LanguageConfig, before: int, words: int, where: str) -> None:
    """Errors: BadUsage at `where` if `words` ids of text, the last one unread, do not fit after `before` tokens."""
    if before + words - 1 > language.length:
        raise BadUsage(
            f"{words} ids of text after {before} other tokens, the language model reads {language.length} in all",
            where=where,
            mend="lower it",
        )


def open_aligner(folder: Path) -> tuple[Aligner, Tokenizer]:
    """The towers in `folder/aligner`, ready to encode."""
    shelved = take(folder / "aligner", AlignerConfig)
    model = assemble(lambda: Aligner(shelved.config, rngs=nnx.Rngs(0)), shelved.weights, folder / "aligner")
    return model, shelved.tokenizer


def open_narrator(folder: Path) -> tuple[Narrator, Tokenizer]:
    """The narrator in `folder/narrator`, ready to speak."""
    shelved = take(folder / "narrator", NarratorConfig)
    model = assemble(lambda: Narrator(shelved.config, rngs=nnx.Rngs(0)), shelved.weights, folder / "narrator")
    return model, shelved.tokenizer


def check_features(folder: Path, found: Provenance, where: object) -> None:
    """Errors: BadInput in one line if the narrator in `folder/narrator` was trained on features of another tower."""
    about = folder / "narrator" / FEATURES
    Provenance.of(read_json(about), about).check(found, where)


def read_learnt_names(folder: Path) -> tuple[str, ...]:
    """The names that the narrator in `folder/narrator` may know. Errors: BadInput if they are missing or no names."""
    about = folder / "narrator" / LEARNT_NAMES
    found = read_json(about)
    if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
        raise BadInput("not a list of names", where=about, mend="train the narrator again")
    return tuple(found)
