"""Probe: can GPT-2 say a description again from its text feature, and from its clip before and after Stage I?

Run:    python -m distinctad_jax.main --config=configs/probe.py
Needs:  configs/extract.py, of both towers.  Gives: CIDEr-D and ROUGE-L of three arms, and retrieval within movies.
"""

from ml_collections import ConfigDict

from distinctad_jax.config import choose, earlier

PROBE = {
    "split": "test",
    "prefix": 10,
    "text_length": 48,
    "rows": 64,
    "arms": ("text", "vision before Stage I", "vision after Stage I"),
    "noise": 1.0,
    "training": {
        "steps": 3_000,
        "batch": 128,
        "save_every": 1_000,
        "log_every": 10,
        "optimiser": {"peak": 2e-5, "warmup_steps": 100, "weight_decay": 0.01},
    },
    "decoding": {"beams": 1, "max_tokens": 40},
}


def get_config(size: str = "toy") -> ConfigDict:
    """The config of a size."""
    config = earlier(__file__, "extract", size)
    config.update({"recipe": "probe", "probe": PROBE})
    toy = {"steps": 130, "batch": 96, "optimiser": {"peak": 1.5e-3, "warmup_steps": 20}}
    quick = {"steps": 2, "batch": 8, "save_every": 1, "log_every": 1}
    sizes = {
        "toy": {"text_length": 24, "training": toy, "decoding": {"max_tokens": 24}},
        "tiny": {"text_length": 48, "prefix": 2, "rows": 8, "training": quick, "decoding": {"max_tokens": 8}},
        "small": {
            "text_length": 32,
            "rows": 256,
            "training": {"steps": 1_500, "batch": 256, "optimiser": {"peak": 5e-4}},
            "decoding": {"max_tokens": 32},
        },
        "base": {},
        "large": {},
    }
    config.probe.update(choose(sizes, size, __file__))
    return config
