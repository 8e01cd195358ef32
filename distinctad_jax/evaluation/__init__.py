"""From files to tables of scores: `score`, `compare`, `written`. JAX is imported only if a model is asked for.

predictions.py reads what others write; scoring.py scores it beside baselines, comparison.py sets two systems against
each other, tables.py writes both down. bertscore.py is the similarity that needs a model.
"""

from distinctad_jax.evaluation.comparison import compare
from distinctad_jax.evaluation.scoring import score
from distinctad_jax.evaluation.tables import written

__all__ = ["compare", "score", "written"]
