"""A narrator and a tower of random weights, laid out as the recipes leave them: a model folder in a second."""

import numpy as np
from flax import nnx

from distinctad_jax.checkpoints.weights import flat, save_weights
from distinctad_jax.config import plain
from distinctad_jax.files import write_json
from distinctad_jax.models.aligner import Aligner, AlignerConfig
from distinctad_jax.models.bridge import BridgeConfig
from distinctad_jax.models.em_attention import EMAttentionConfig
from distinctad_jax.models.gpt2 import Gpt2Config
from distinctad_jax.models.narrator import Narrator, NarratorConfig
from distinctad_jax.models.towers import TextConfig, VisionConfig
from distinctad_jax.text.tokenizers import train_tokenizer

TEXTS = ["A man walks to the door.", "A woman waits near the car.", "Jake opens the window.", "The dog sleeps there."]
SETTINGS = {
    "clips": 3,
    "frames": 2,
    "prompt_length": 40,
    "text_length": 16,
    "names": {"source": "cast", "limit": 3, "dropout": 0.0},
}


def write_model(workdir):
    """Writes `stage1/aa`, `extract/bb` and `stage2/cc` with all that a drafter reads."""
    clip = train_tokenizer(TEXTS, "clip", 600)
    gpt2 = train_tokenizer(TEXTS, "gpt2", 320)
    vision = VisionConfig(image_size=16, patch=8, width=16, layers=1, heads=2, projection=12)
    text = TextConfig(vocab=clip.size, length=16, width=16, layers=1, heads=2, projection=12, end=clip.end)
    towers = AlignerConfig(vision, text)
    config = NarratorConfig(
        BridgeConfig(input_width=12, width=16, tokens=2, layers=1, heads=2, frames=2),
        EMAttentionConfig(width=16, bases=4, rounds=2, heads=2),
        Gpt2Config(vocab=gpt2.size, length=96, width=16, layers=1, heads=2),
        clips=3,
    )
    parts = {
        "stage1/aa/aligner": (lambda: Aligner(towers, rngs=nnx.Rngs(1)), towers, clip),
        "stage2/cc/narrator": (lambda: Narrator(config, rngs=nnx.Rngs(2)), config, gpt2),
    }
    for name, (make, settings, tokenizer) in parts.items():
        folder = workdir / name
        shapes = flat(nnx.to_pure_dict(nnx.split(nnx.eval_shape(make))[1]))
        rng = np.random.default_rng(len(shapes))  # drawn by NumPy: nothing is compiled
        weights = {name: (0.1 * rng.normal(size=one.shape)).astype(one.dtype) for name, one in shapes.items()}
        save_weights(folder / "model.safetensors", weights)
        write_json(folder / "model.json", plain(settings))
        tokenizer.save(folder / "tokenizer")
    write_json(workdir / "stage2/cc/narrator/names.json", ["nell"])
    write_json(workdir / "stage1/aa/artefact.json", {"needs": {}, "results": {}})
    write_json(workdir / "extract/bb/artefact.json", {"needs": {"tower": "aa"}, "settings": {"tower": "stage1"}})
    write_json(workdir / "stage2/cc/artefact.json", {"needs": {"extract": "bb"}, "results": {"settings": SETTINGS}})
    return workdir
