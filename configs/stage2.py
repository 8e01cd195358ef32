"""Stage II: train the narrator on windows of consecutive clips.

Run:    python -m distinctad_jax.main --config=configs/stage2.py --config.stage2.clips=8
Needs:  frame features from configs/extract.py, a language model from configs/pretrain.py.  Gives: the narrator.
Try:    configs/stage2.py:tiny, two steps on made-up movies, on a laptop.
"""

from ml_collections import ConfigDict

from distinctad_jax.config import choose, earlier

# N, K, R, M, weights and optimiser are our defaults; the paper's values are not known.
STAGE2 = {
    # What is seen: this many neighbouring clips, a new window every `stride` clips, so many frames from each.
    "clips": 8,
    "stride": 1,
    "frames": 8,
    "shuffle": "window",
    "workers": 0,
    # From frames to visual tokens, and what the clips of a window share.
    "seeing": {
        "tokens": 32,
        "bridge": "flamingo",
        "layers": 2,
        "heads": 12,
        "bases": 32,
        "rounds": 3,
        "temperature": 1.0,
        "init": "buffer",
        "gradient": "stop",
        "fusion": "recon+xattn",
        "beta": 1.0,
        "momentum": 0.9,
        "clip_positions": True,
    },
    # What is asked: fluent words, and words that the neighbours do not use.
    "loss": {"caption": 1.0, "distinctive": 0.5, "form": "A"},
    "distinct": {"stopwords": True, "lemma": False, "drop_names": False, "min_count": 1},
    # What is told beforehand.
    "names": {"source": "cast", "limit": 5, "dropout": 0.1},
    "prompt_length": 48,
    "text_length": 48,
    # What learns, and how; a batch counts windows over all devices.
    "language": "full",
    "lora": {"rank": 8, "alpha": 16.0, "targets": ("attention",)},
    "dropout": 0.0,
    "dtype": "float32",
    "remat": False,
    "training": {
        "steps": 30_000,
        "batch": 8,
        "pieces": 1,
        "save_every": 1_000,
        "log_every": 10,
        "optimiser": {"peak": 1e-4, "warmup_steps": 1_000, "weight_decay": 0.01, "max_norm": 1.0},
    },
}


def get_config(size: str = "toy") -> ConfigDict:
    """The config of a size."""
    config = earlier(__file__, "extract", size)
    config.update({"recipe": "stage2", "stage2": STAGE2})
    toy = {"steps": 240, "batch": 16, "save_every": 240, "optimiser": {"peak": 1e-3, "warmup_steps": 20}}
    quick = {"steps": 2, "batch": 4, "save_every": 1, "log_every": 1}
    small = {"tokens": 2, "heads": 2, "layers": 1, "bases": 4, "rounds": 2}
    sizes = {
        "toy": {
            "clips": 4,  # clips of one scene look alike, so large windows would fill a step with few scenes
            "text_length": 24,
            "prompt_length": 20,
            "seeing": {"tokens": 8, "heads": 4, "bases": 16},
            "loss": {"distinctive": 2.0},  # the toy model has learnt little English: its few good words need weight
            "training": toy,
        },
        "tiny": {"clips": 3, "frames": 2, "prompt_length": 32, "seeing": small, "training": quick},
        "small": {
            "text_length": 32,
            "prompt_length": 24,
            "seeing": {"tokens": 16, "heads": 8},
            "loss": {"distinctive": 1.0},
            "dtype": "bfloat16",
            "training": {"steps": 6_000, "batch": 32, "optimiser": {"peak": 4e-4, "warmup_steps": 300}},
        },
        "base": {"dtype": "bfloat16"},
        "large": {"dtype": "bfloat16", "remat": True, "training": {"pieces": 4}},
    }
    config.stage2.update(choose(sizes, size, __file__))
    return config
