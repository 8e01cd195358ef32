"""LLM-AD-eval: a language model says how well a prediction means what its reference means."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from distinctad_jax.metrics.judges import Judge, Judged

_SCORE = re.compile(r"""["']?score["']?\s*[:=]\s*["']?([0-9]+)(?![\w.])""")


def llm_ad_eval(predictions: Sequence[str], references: Sequence[str], judge: Judge) -> Judged:
    """LLM-AD-eval: the mean of a judge's whole numbers 0..5; an answer that cannot be read counts as 0.

    Source: AutoAD-III (arXiv 2404.14412). There the judge samples at temperature 1; pin yours.
    """
    rows = []
    failed = 0
    for prediction, reference in zip(predictions, references, strict=True):
        rating = rating_of(judge(prediction, reference))
        failed += rating is None
        rows.append(rating or 0)
    return Judged("LLM-AD-eval", judge.identity, np.array(rows, np.float64), failed)


def rating_of(answer: object) -> int | None:
    """The whole number 0..5 of a judge's answer; None if there is none. Nothing in the answer is run."""
    if isinstance(answer, dict):
        answer = answer.get("score")
    if isinstance(answer, str):
        found = _SCORE.search(answer)
        text = found[1] if found else answer.strip()
        answer = int(text) if re.fullmatch("[0-9]{1,2}", text) else None
    if isinstance(answer, bool) or not isinstance(answer, int) or not 0 <= answer <= 5:
        return None
    return answer
