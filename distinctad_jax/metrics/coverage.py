"""Is something said where people say something, and does it run into the dialogue?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

Spans = Sequence[tuple[float, float]]


def joined(spans: Spans) -> list[tuple[float, float]]:
    """The same moments as sorted spans that neither overlap nor touch; spans without length are left out."""
    found: list[tuple[float, float]] = []
    for start, end in sorted(span for span in spans if span[0] < span[1]):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found


def shared_seconds(one: Spans, other: Spans) -> float:
    """How long both go on at once. Takes O(n log n)."""
    first, second = joined(one), joined(other)
    total, i, j = 0.0, 0, 0
    while i < len(first) and j < len(second):
        total += max(0.0, min(first[i][1], second[j][1]) - max(first[i][0], second[j][0]))
        if first[i][1] <= second[j][1]:
            i += 1
        else:
            j += 1
    return total


def coverage_parts(described: Spans, spoken: Spans) -> Float[np.ndarray, " two"]:
    """(seconds, of those that people describe, in which the track speaks; seconds that people describe)."""
    return np.array([shared_seconds(described, spoken), sum(end - start for start, end in joined(described))])


def dialogue_parts(dialogue: Spans, spoken: Spans) -> Float[np.ndarray, " two"]:
    """(seconds, of those in which the track speaks, that lie in dialogue; seconds in which the track speaks)."""
    return np.array([shared_seconds(dialogue, spoken), sum(end - start for start, end in joined(spoken))])
