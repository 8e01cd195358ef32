"""Stage I: adapt CLIP's vision tower to what describers say.

Run:    python -m distinctad_jax.main --config=configs/stage1.py
Needs:  configs/pack.py (clips as pixels) and configs/pretrain.py (towers).  Gives: the adapted towers, "CLIP-AD".
Try:    --config.stage1.freeze=adapter, which trains on the stored features of configs/extract.py alone.
"""

from ml_collections import ConfigDict

from distinctad_jax.config import choose, earlier

# Temperatures, weights and the optimiser are our defaults; the paper's values are not known.
STAGE1 = {
    "frames": 8,
    "freeze": "tower",
    "last_n": 2,
    "lora_rank": 8,
    "adapter_width": 512,
    "dtype": "float32",
    "remat": False,
    "workers": 0,  # processes that decode; threads do until many cores wait for pictures
    "loss": {
        "clip_sentence": 1.0,
        "frame_word": 1.0,
        "attention_temperature": 0.1,
        "temperature": 0.07,
        "direction": "frame_to_word",
        "positives": "all",
        "learn_scale": False,
        "most_cells": 1 << 26,
    },
    "training": {
        "steps": 2_000,
        "batch": 256,
        "pieces": 1,
        "save_every": 500,
        "log_every": 10,
        "optimiser": {"peak": 1e-5, "warmup_steps": 100, "weight_decay": 0.05, "max_norm": 1.0},
    },
}


def get_config(size: str = "toy") -> ConfigDict:
    """The config of a size."""
    config = earlier(__file__, "pretrain", size)
    config.update({"recipe": "stage1", "stage1": STAGE1})
    quick = {"steps": 2, "batch": 8, "save_every": 1, "log_every": 1}
    toy = {"steps": 400, "batch": 32, "save_every": 400, "optimiser": {"peak": 5e-4, "warmup_steps": 20}}
    sizes = {
        "toy": {"frames": 4, "training": toy},
        "tiny": {"frames": 4, "adapter_width": 32, "lora_rank": 2, "last_n": 1, "training": quick},
        "small": {
            "dtype": "bfloat16",
            "training": {"steps": 3_000, "batch": 256, "optimiser": {"peak": 2e-4, "warmup_steps": 200}},
        },
        "base": {"dtype": "bfloat16", "training": {"pieces": 8}},
        "large": {"dtype": "bfloat16", "remat": True, "training": {"pieces": 16}},
    }
    config.stage1.update(choose(sizes, size, __file__))
    return config
