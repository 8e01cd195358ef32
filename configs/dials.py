"""Dials: how hard is the toy world? Each dial measured on what was rendered.

Run:    python -m distinctad_jax.main --config=configs/dials.py --config.render.dials.preset=hard
        python -m distinctad_jax.main --config=configs/dials.py --config.render.dials.redundancy=0.5
Gives:  dials.json: for each dial what it was turned to and what was measured.
"""

from ml_collections import ConfigDict

from distinctad_jax.config import earlier


def get_config(size: str = "toy") -> ConfigDict:
    """The config of a size."""
    config = earlier(__file__, "render", size)
    config.update({"recipe": "dials", "dials": {"films": 4}})
    return config
