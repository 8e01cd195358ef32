"""Check: read an annotation table, count its traps, and say how its descriptions fall into windows.

Run:    python -m distinctad_jax.main --config=configs/check.py --config.check.annotations=madeval_anno.csv
Gives:  a report of every known trap with row numbers; every row is used, or dropped with a reason; and the share of
        word types that are distinctive in windows of N. Without a table it checks the toy cinema's.
"""

from ml_collections import ConfigDict

from distinctad_jax.config import earlier


def get_config(size: str = "toy") -> ConfigDict:
    """The config of a size."""
    config = earlier(__file__, "render", size)
    config.update(
        {
            "recipe": "check",
            "check": {"annotations": "", "kind": "auto", "encoding": "auto", "bad_rows": "error", "clips": 8},
        }
    )
    return config
