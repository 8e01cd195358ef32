"""Scores that a judge gives: LLM-AD-eval and action score, with the judge's identity beside the number.

No judge comes with this package. Whoever brings one says which it is, because scores by two judges, or by one judge
at two temperatures, are two metrics.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

_SCORE = re.compile(r"""["']?score["']?\s*[:=]\s*["']?([0-9]+)(?![\w.])""")


@runtime_checkable
class Judge(Protocol):
    """Rates predictions against references; `identity` names model, version and sampling.

    The answer to a pair is a whole number 0..5, or text with an object that has the key `score`.
    """

    identity: str

    def __call__(self, prediction: str, reference: str) -> object: ...


@runtime_checkable
class ActionJudge(Protocol):
    """Compares phrases; `identity` names the embedding and the parser."""

    identity: str

    def phrases(self, text: str) -> Sequence[str]:
        """The verb phrases of a description."""
        ...

    def verb(self, phrase: str) -> str:
        """The lemma of a phrase's main verb, empty if there is none."""
        ...

    def similarity(self, actions: Sequence[str], phrases: Sequence[str]) -> Float[np.ndarray, "actions phrases"]:
        """Cosines."""
        ...


class Judged(NamedTuple):
    """`rows`: the score of each row, NaN where it does not count; `failed`: answers that could not be read."""

    name: str
    judge: str
    rows: Float[np.ndarray, " rows"]
    failed: int

    @property
    def value(self) -> float | None:
        known = self.rows[np.isfinite(self.rows)]
        return float(known.mean()) if len(known) else None


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
