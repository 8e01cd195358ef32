"""Judges: what rates descriptions where no formula does, and the score with the judge's identity beside it.

No judge comes with this package. Whoever brings one says which it is, because scores by two judges, or by one judge
at two temperatures, are two metrics.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float


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
