"""Evaluate: score the narrator on unseen movies, beside predictions that see no movie.

Run:    python -m distinctad_jax.main --config=configs/evaluate.py
Needs:  configs/stage2.py.  Gives: predictions.csv in the peers' columns, and scores.json.
"""

from ml_collections import ConfigDict

from distinctad_jax.config import choose, earlier

# Beam search as the AutoAD line of work does it; the toy model, being unsure, says more with greedy search.
# The last two look at what was said before: no n-gram of so many words again, and nats off the neighbours' words.
DECODING = {
    "beams": 5,
    "max_tokens": 67,
    "repetition_penalty": 1.2,
    "no_repeat": 3,
    "no_repeat_across": 0,
    "neighbour_penalty": 0.0,
}
EVALUATE = {
    "split": "test",
    "policy": "block",
    "windows": 4,
    "neighbours": 8,
    "recall": ((1, 5), (5, 16)),
    "similarity": "unigram_f1",
    "decoding": DECODING,
}


def get_config(size: str = "toy") -> ConfigDict:
    """The config of a size."""
    config = earlier(__file__, "stage2", size)
    config.update({"recipe": "evaluate", "evaluate": EVALUATE})
    sizes = {
        "toy": {"windows": 16, "decoding": {"beams": 1, "max_tokens": 24}},
        "tiny": {"windows": 2, "neighbours": 3, "decoding": {"beams": 2, "max_tokens": 8}},
        "small": {"windows": 32, "decoding": {"max_tokens": 32}},
        "base": {},
        "large": {"windows": 1},
    }
    config.evaluate.update(choose(sizes, size, __file__))
    return config
