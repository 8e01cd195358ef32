"""CRITIC: do prediction and reference speak of the same characters?"""

from __future__ import annotations

import bisect
import itertools
import re
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float

Clusters = list[list[tuple[int, int]]]
"""Mentions, as character offsets [start, end), that mean one and the same."""
Resolver = Callable[[str, Sequence[str]], Clusters]
"""Co-reference: a text, which begins with the list of its cast, and that cast -> clusters of mentions."""

_NO_NAMES = frozenset(
    "a an and the of in mr mrs ms miss dr sir lady lord king queen captain man woman boy girl young old".split()  # noqa: SIM905
)


def character_overlap(
    predictions: Sequence[str], references: Sequence[str], cast: Sequence[str], resolve: Resolver
) -> Float[np.ndarray, " rows"]:
    """CRITIC of each row of one movie: cast names meant by both, over cast names meant by either.

    The sentences of a movie, in order of time, are joined by blanks after "A, B and C. ", predictions and references
    apart. A cluster of mentions that holds exactly one cast name, spelled as in the cast, stands for that character;
    each sentence with one of its mentions means that character.

    Units:  fraction 0..1; NaN for a row whose reference means nobody, which does not count.
    Source: AutoAD-III (arXiv 2404.14412), metric CRITIC; there `resolve` is F-COREF and the cast has ten names.
    """
    said, wanted = meant(predictions, cast, resolve), meant(references, cast, resolve)
    rows = [len(one & other) / len(one | other) if other else np.nan for one, other in zip(said, wanted, strict=True)]
    return np.array(rows, np.float64)


def meant(sentences: Sequence[str], cast: Sequence[str], resolve: Resolver) -> list[frozenset[str]]:
    """The cast names that each sentence of a movie means."""
    if not cast:
        return [frozenset() for _ in sentences]
    told = f"{', '.join(cast[:-1])} and {cast[-1]}." if len(cast) > 1 else f"{cast[0]}."
    text = " ".join([told, *sentences])
    starts = list(itertools.accumulate((len(sentence) + 1 for sentence in sentences), initial=len(told) + 1))
    found: list[set[str]] = [set() for _ in sentences]
    known = set(cast)
    for cluster in resolve(text, cast):
        names = {text[start:end] for start, end in cluster} & known
        if len(names) != 1:
            continue
        (name,) = names
        for start, end in cluster:
            row = bisect.bisect_right(starts, start) - 1
            # A mention across the border of two sentences is in neither.
            if 0 <= row < len(sentences) and end <= starts[row] + len(sentences[row]):
                found[row].add(name)
    return [frozenset(each) for each in found]


def names_only(text: str, cast: Sequence[str]) -> Clusters:
    """Ours, where there is no co-reference model: a character is meant where its name stands, whole or in part.

    A part is a capitalised word of the name that no other name of the cast has and that is no title or article.
    Pronouns mean nobody, so scores are lower than with co-reference and cannot be compared with published CRITIC.
    """
    parts = Counter(part for name in set(cast) for part in set(name.split()))
    clusters = []
    for name in dict.fromkeys(cast):
        forms = [name]
        for part in name.split():
            plain = part.strip(".,'\"")
            if part[:1].isupper() and parts[part] == 1 and plain.lower() not in _NO_NAMES and len(plain) > 1:
                forms.append(plain)
        pattern = "|".join(re.escape(form) for form in sorted(set(forms), key=len, reverse=True))
        clusters.append([match.span() for match in re.finditer(rf"(?<!\w)(?:{pattern})(?!\w)", text)])
    return clusters
