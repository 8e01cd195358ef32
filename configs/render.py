"""Toy cinema: made-up movies as real files, the data that everything runs on by default.

Run:    python -m distinctad_jax.main --config=configs/render.py
Gives:  movies (MP4), subtitles (SRT), cast and portraits, one annotation table, splits, and captioned stills.
Sizes:  toy (default), tiny (seconds, for tests), small (112 pixels, for one accelerator), base and large (nothing is
        made up: bring files, see pack.py).
"""

from ml_collections import ConfigDict

from distinctad_jax.config import choose

TOY = {"seed": 0, "train": 88, "val": 2, "test": 10, "stills": 38_400, "still_size": 64, "workers": 2}
TOY |= {"dials": {"preset": "default"}}
TINY = TOY | {"train": 2, "val": 1, "test": 1, "stills": 64, "scenes": (2, 2), "clips": (6, 6), "workers": 1}

# 1,000 movies are about 90 hours; drawing them takes longer than both stages do.
SMALL = TOY | {"train": 1_000, "val": 10, "test": 40, "stills": 262_144, "still_size": 112, "workers": 16}
SMALL |= {"width": 150, "height": 112}


def get_config(size: str = "toy") -> ConfigDict:
    """The config of a size."""
    sizes = {"toy": {"render": TOY}, "tiny": {"render": TINY}, "small": {"render": SMALL}, "base": {}, "large": {}}
    workdir = {"tiny": "runs/tiny", "small": "runs/small"}.get(size, "runs")
    return ConfigDict(
        {"recipe": "render", "workdir": workdir, "seed": 0, "mesh": {"data": -1, "fsdp": 1, "tensor": 1}}
        | choose(sizes, size, __file__)
    )
