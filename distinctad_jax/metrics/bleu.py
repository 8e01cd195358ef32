"""BLEU-1 to BLEU-4 of a whole set of predictions."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from distinctad_jax.metrics.tokenise import tokenised

LONGEST = 4
_TINY, _SMALL = 1e-15, 1e-9  # the customary tool adds these to counts; a perfect score is therefore a little under 1


def bleu(
    predictions: Sequence[str], references: Sequence[Sequence[str]], *, already_tokenised: bool = False
) -> tuple[float, ...]:
    """(BLEU-1, BLEU-2, BLEU-3, BLEU-4): n-gram precision over the whole set, times a penalty for being brief.

    Units:  fractions 0..1.
    Errors: ValueError if the lengths differ, a row has no reference, or nothing is given.
    Source: Papineni et al. (2002) as in the COCO caption tools: the closest reference length counts.
    """
    if not predictions or len(predictions) != len(references) or not all(references):
        raise ValueError(
            f"BLEU needs predictions and a list of references for each, got {len(predictions)} predictions and "
            f"{len(references)} lists, {sum(not each for each in references)} of them empty."
        )
    cut = str.split if already_tokenised else lambda text: tokenised(text).split()
    right, said = [0] * LONGEST, [0] * LONGEST
    length = wanted_length = 0
    for text, each in zip(predictions, references, strict=True):
        words, wanted = cut(text), [cut(reference) for reference in each]
        length += len(words)
        wanted_length += min((abs(len(other) - len(words)), len(other)) for other in wanted)[1]
        for n in range(1, LONGEST + 1):
            most: Counter[tuple[str, ...]] = Counter()
            for other in wanted:
                most |= _ngrams(other, n)
            right[n - 1] += (_ngrams(words, n) & most).total()
            said[n - 1] += max(0, len(words) - n + 1)
    ratio = (length + _TINY) / (wanted_length + _SMALL)
    penalty = math.exp(1 - 1 / ratio) if ratio < 1 else 1.0
    scores, product = [], 1.0
    for n in range(LONGEST):
        product *= (right[n] + _TINY) / (said[n] + _SMALL)
        scores.append(product ** (1 / (n + 1)) * penalty)
    return tuple(scores)


def _ngrams(words: list[str], n: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(words[at : at + n]) for at in range(len(words) - n + 1))
