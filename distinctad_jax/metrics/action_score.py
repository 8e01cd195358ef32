"""Action score: are the actions of the reference told, whatever else is said?"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from distinctad_jax.metrics.judges import ActionJudge, Judged


def action_score(predictions: Sequence[str], actions: Sequence[Sequence[str]], judge: ActionJudge) -> Judged:
    """Action score of each row: how well its reference actions are told.

    An action scores 0.8 times its best cosine with the prediction's verb phrases, its parts between commas and
    semicolons, and the prediction as a whole, plus 0.2 times its best cosine with the phrases that have its verb.
    A row is the mean over its actions, then (x - 0.25) * 2; so the mean over rows is that of the published score.

    Units:  about -0.5..1.5; NaN for a row without reference actions, which does not count.
    Source: Shot-by-Shot (arXiv 2504.01020), whose judge is GTE-Qwen2-7B with a parser.
    """
    rows = []
    for text, wanted in zip(predictions, actions, strict=True):
        if not wanted:
            rows.append(np.nan)
            continue
        phrases = [*judge.phrases(text)]
        parts = [part.strip() for part in re.split("[,;]", text) if part.strip()]
        alike = np.asarray(judge.similarity(wanted, [*phrases, *parts, text]))
        verbs = [judge.verb(phrase) for phrase in phrases]
        scores = []
        for action, row in zip(wanted, alike, strict=True):
            verb = judge.verb(action)
            same = [row[at] for at, other in enumerate(verbs) if verb and other == verb]
            scores.append(0.8 * row.max() + 0.2 * max(same, default=0.0))
        rows.append((float(np.mean(scores)) - 0.25) * 2)
    return Judged("action score", judge.identity, np.array(rows, np.float64), 0)
