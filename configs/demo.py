"""Demo: the whole method on made-up movies, from files to tracks and a report, in minutes on a laptop.

Run:    python -m distinctad_jax.main --config=configs/demo.py
Gives:  runs/demo/report/index.html and results.json: probe, retrieval, Stage II with its ablations and baselines.
"""

from ml_collections import ConfigDict

from distinctad_jax.config import earlier


def get_config(size: str = "toy") -> ConfigDict:
    """The config of a size: all sections, with the probe's."""
    config = earlier(__file__, "narrate", size)
    config.probe = earlier(__file__, "probe", size).probe
    config.check = earlier(__file__, "check", size).check
    config.update({"recipe": "demo", "demo": {"examples": 6}})
    return config
