"""Extract: run the adapted vision tower over all clips and keep the frame features.

Run:    python -m distinctad_jax.main --config=configs/extract.py
Needs:  configs/stage1.py.  Gives: TFDS records with features instead of frames, which Stage II reads.
"""

from ml_collections import ConfigDict

from distinctad_jax.config import choose, earlier


def get_config(size: str = "toy") -> ConfigDict:
    """The config of a size."""
    config = earlier(__file__, "stage1", size)
    config.update({"recipe": "extract", "extract": {"tower": "stage1", "batch": 32}})
    sizes = {"toy": {}, "tiny": {"batch": 8}, "small": {"batch": 128}, "base": {}, "large": {"batch": 16}}
    config.extract.update(choose(sizes, size, __file__))
    return config
