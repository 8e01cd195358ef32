"""Pretrain: the towers and the language model that the method starts from.

Run:    python -m distinctad_jax.main --config=configs/pretrain.py
        python -m distinctad_jax.main --config=configs/pretrain.py:base --config.pretrain.clip=clip-vit-base-patch16 \
            --config.pretrain.gpt2=gpt2
Needs:  the toy cinema's stills (toy, tiny, small), or folders with published weights in Hugging Face layout (base,
        large).
Gives:  an aligner and a language model, each with its tokenizer.
"""

from ml_collections import ConfigDict

from distinctad_jax.config import choose, earlier

SIZES = {
    "vocab": 1200,
    "image_size": 64,
    "patch": 8,
    "text_length": 28,
    "vision_width": 96,
    "vision_layers": 4,
    "vision_heads": 4,
    "text_width": 128,
    "text_layers": 2,
    "text_heads": 4,
    "projection": 128,
    "language_length": 80,
    "language_width": 128,
    "language_layers": 4,
    "language_heads": 4,
}
TINY_SIZES = SIZES | {
    "vocab": 600,
    "patch": 16,
    "vision_width": 32,
    "vision_layers": 2,
    "vision_heads": 2,
    "text_width": 32,
    "text_heads": 2,
    "projection": 32,
    "language_width": 32,
    "language_layers": 2,
    "language_heads": 2,
    "language_length": 96,
    "text_length": 64,
}
TOY = {
    "source": "stills",
    "sizes": SIZES,
    "jitter": 0.5,
    "towers": {
        "steps": 540,
        "batch": 64,
        "save_every": 360,
        "optimiser": {"peak": 1e-3, "warmup_steps": 40, "weight_decay": 0.05},
    },
    "language": {
        "steps": 150,
        "batch": 128,
        "save_every": 300,
        "optimiser": {"peak": 2e-3, "warmup_steps": 20},
    },
}
# Towers of 26 and 11 million parameters, a language model of 27 million.
SMALL_SIZES = SIZES | {
    "vocab": 2000,
    "image_size": 112,
    "patch": 14,
    "vision_width": 512,
    "vision_layers": 8,
    "vision_heads": 8,
    "text_width": 384,
    "text_layers": 6,
    "text_heads": 6,
    "projection": 384,
    "language_length": 128,
    "language_width": 512,
    "language_layers": 8,
    "language_heads": 8,
}
SMALL = TOY | {
    "sizes": SMALL_SIZES,
    "towers": {
        "steps": 4_000,
        "batch": 512,
        "save_every": 500,
        "optimiser": {"peak": 5e-4, "warmup_steps": 300, "weight_decay": 0.05},
    },
    "language": {
        "steps": 1_500,
        "batch": 256,
        "save_every": 500,
        "optimiser": {"peak": 6e-4, "warmup_steps": 100},
    },
}
QUICK = {"steps": 2, "batch": 16, "save_every": 1, "log_every": 1, "optimiser": {"peak": 1e-3, "warmup_steps": 1}}
TINY = {"source": "stills", "sizes": TINY_SIZES, "towers": QUICK, "language": QUICK}
PUBLISHED = {"source": "published", "clip": "", "gpt2": ""}


def get_config(size: str = "toy") -> ConfigDict:
    """The config of a size."""
    config = earlier(__file__, "pack", size)
    sizes = {"toy": TOY, "tiny": TINY, "small": SMALL, "base": PUBLISHED, "large": PUBLISHED}
    config.update({"recipe": "pretrain", "pretrain": choose(sizes, size, __file__)})
    return config
