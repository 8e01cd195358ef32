"""R@k/N: does a prediction find its own reference among N neighbours?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float

from distinctad_jax.metrics.neighbours import stretches
from distinctad_jax.metrics.similarity import Compare

Tail = Literal["drop", "flush"]
Short = Literal["skip", "single"]
Ties = Literal["expected", "first", "pessimistic", "optimistic"]
Mean = Literal["pooled", "per_group"]


class Recall(NamedTuple):
    """R@k/N with what it rests on; `value` is None if no group is long enough for a window."""

    value: float | None
    rows: int  # rows that stand in at least one window
    windows: int
    groups: int
    groups_without_window: int


def recall_at_k(
    similarity: Compare,
    k: int,
    window: int,
    groups: Sequence[object],
    *,
    tail: Tail = "drop",
    short: Short = "skip",
    ties: Ties = "expected",
    mean: Mean = "pooled",
) -> Recall:
    """Recall at `k` among `window` neighbours of one movie.

    Windows start at rows 0, N//2, 2(N//2), ... of each group; a prediction hits if its own reference is among the
    k most similar of its window.
    - tail: rows after the last full window are left out (`drop`, as published), or one more window ends at the
      last row (`flush`).
    - short: a group of fewer than N rows is left out (`skip`), or is one smaller, easier window (`single`).
    - ties: the mean over random orders (`expected`), the earlier reference wins (`first`), the own one loses or wins.
      With `expected` a constant prediction scores exactly k/N.
    - mean: over all windows (`pooled`), or over groups of the mean over their windows (`per_group`).

    Shapes: `groups` names the movie of each row; rows of a movie follow each other, in time order.
    Units:  fraction 0..1.
    Errors: ValueError unless 1 <= k <= window, or if a similarity is not finite.
    Source: R@k/N of AutoAD-II; the ways to treat tails, short groups and ties are ours to choose.

    Nine rows, N = 4: windows begin at rows 0, 2 and 4, so row 8 is never asked and there are 12 decisions. Row 0
    likes all others of its window better than its own reference, rows 1, 6 and 7 one of them:

    >>> likes = np.eye(9) / 2
    >>> likes[0, 1:4] = likes[1, 0] = likes[6, 7] = likes[7, 6] = likes[8, :8] = 1
    >>> [round(recall_at_k(lambda rows: likes[np.ix_(rows, rows)], k, 4, ["m"] * 9).value, 3) for k in (1, 3)]
    [0.667, 0.917]
    """
    parts = recall_parts(similarity, k, window, groups, tail=tail, short=short, ties=ties)
    seen = parts[parts[:, 1] > 0]
    value = None
    if len(seen):
        value = float(
            (seen[:, 0] / seen[:, 1]).mean() if mean == "per_group" else seen[:, 0].sum() / seen[:, 1].sum()
        )
    touched = {row for movie in stretches(groups) for rows in windows_of(movie, window, tail, short) for row in rows}
    return Recall(value, len(touched), int(parts[:, 1].sum()), len(parts), len(parts) - len(seen))


def recall_parts(
    similarity: Compare,
    k: int,
    window: int,
    groups: Sequence[object],
    *,
    tail: Tail = "drop",
    short: Short = "skip",
    ties: Ties = "expected",
) -> Float[np.ndarray, "movies two"]:
    """For each movie the sum of its windows' recalls, and how many windows it has; `recall_at_k` says the rest."""
    if not 1 <= k <= window:
        raise ValueError(f"R@k/N needs 1 <= k <= N, got k={k}, N={window}.")
    parts = []
    for movie in stretches(groups):
        blocks = windows_of(movie, window, tail, short)
        parts.append([sum(float(hits(similarity(rows), k, ties).mean()) for rows in blocks), len(blocks)])
    return np.array(parts, np.float64).reshape(-1, 2)


def windows_of(movie: range, window: int, tail: Tail, short: Short) -> list[range]:
    """The windows of a movie's rows, neighbouring ones half shared."""
    if len(movie) < window:
        return [movie] if short == "single" and len(movie) else []
    step = max(window // 2, 1)
    found = [movie[at : at + window] for at in range(0, len(movie) - window + 1, step)]
    if tail == "flush" and found[-1].stop < movie.stop:
        found.append(movie[-window:])
    return found


def hits(similarity: Float[np.ndarray, "rows rows"], k: int, ties: Ties) -> Float[np.ndarray, " rows"]:
    """The chance, for each prediction, that its own reference (the diagonal) is among its k most similar."""
    if not np.isfinite(similarity).all():
        raise ValueError("R@k/N needs finite similarities, got NaN or infinity.")
    # Sums in another order differ in the last bits; what is equal must stay equal.
    rounded = np.round(similarity, 9)
    own = np.diagonal(rounded)[:, None]
    better, equal = (rounded > own).sum(1), (rounded == own).sum(1)
    if ties == "expected":
        return np.clip((k - better) / equal, 0.0, 1.0)
    ahead = {"optimistic": 0, "pessimistic": equal - 1, "first": np.tril(rounded == own, -1).sum(1)}[ties]
    return (better + ahead < k).astype(np.float64)
