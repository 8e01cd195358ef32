"""Can what is said be said in its time?"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

WORDS_PER_SECOND = 5.0
"""300 words a minute: the limit of REFRAMED's realistic filter. People's descriptions of TV-AD and CMD-AD have a
median of 3.8 and a 95th percentile of 5.1 to 5.3; the times of MAD-Eval say nothing about pace."""


def pace(texts: Sequence[str], spans: Sequence[tuple[float, float]]) -> Float[np.ndarray, " rows"]:
    """Words (parted by blanks) a second of each description; NaN for one without words or times.

    Units: words per second; infinite where a span has no length.
    """
    found = []
    for text, (start, end) in zip(texts, spans, strict=True):
        words, seconds = len(text.split()), end - start
        if not words or math.isnan(seconds):
            found.append(math.nan)
        else:
            found.append(words / seconds if seconds > 0 else math.inf)
    return np.array(found, np.float64)


def fits(
    texts: Sequence[str], spans: Sequence[tuple[float, float]], limit: float = WORDS_PER_SECOND
) -> Float[np.ndarray, " rows"]:
    """Speech-rate fit: 1 for each description that needs at most `limit` words a second, 0 for others, NaN as `pace`.

    Source: the fit is a filter in REFRAMED (arXiv 2608.09765); taking its share as a score is ours.
    Errors: ValueError unless limit > 0.
    """
    if not limit > 0:
        raise ValueError(f"A speech-rate limit is > 0 words per second, got {limit}.")
    needed = pace(texts, spans)
    return np.where(np.isnan(needed), np.nan, (needed <= limit).astype(np.float64))
