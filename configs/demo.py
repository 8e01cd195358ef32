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
    # The same number of clips a step for the model that sees one at a time.
    rows, asked = config.stage2.clips * config.stage2.training.batch, config.stage2.clips * config.evaluate.windows
    # Without neighbours no word is distinctive: that model has the next-word loss alone.
    alone = {"clips": 1, "training": {"batch": rows}, "loss": {"distinctive": 0.0}}
    variants = {
        "full": {},
        "no_em_attention": {"stage2": {"seeing": {"fusion": "none"}}},
        "no_distinctive_loss": {"stage2": {"loss": {"distinctive": 0.0}}},
        "no_context": {"stage2": alone, "evaluate": {"windows": asked}},
    }
    config.update({"recipe": "demo", "demo": {"examples": 6, "variants": variants}})
    return config
