"""How alike are predictions and references? Similarities for recall.py, all deterministic and without a model.

Each function reads all sentences once and returns a `Compare`: a function that, asked for some consecutive rows,
gives the similarity of each prediction there (row) to each reference there (column). Print the name of the similarity
with the score: recalls by different similarities cannot be compared. Papers use BERTScore.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
from jaxtyping import Float

from distinctad_jax.metrics.tokenise import tokenise

Compare = Callable[[range], Float[np.ndarray, "rows rows"]]


def given(matrix: Float[np.ndarray, "rows rows"]) -> Compare:
    """Similarities computed elsewhere, of every prediction to every reference."""
    return lambda rows: matrix[rows.start : rows.stop, rows.start : rows.stop]


def unigram_f1(predictions: Sequence[str], references: Sequence[str], *, cut: Callable = tokenise) -> Compare:
    """Words shared, over the mean length: 2 * shared / (words said + words wanted), each word as often as it stands.

    Units: 0..1; 0 if both are empty. `cut` makes words of a sentence.
    """
    said, wanted = _numbered([cut(text) for text in predictions], [cut(text) for text in references])

    def compare(rows: range) -> Float[np.ndarray, "rows rows"]:
        ours, theirs = said[rows.start : rows.stop], wanted[rows.start : rows.stop]
        local = np.unique(np.concatenate([*ours, *theirs]))
        one, other = (
            np.stack([np.bincount(np.searchsorted(local, ids), minlength=len(local)) for ids in side])
            for side in (ours, theirs)
        )
        shared = np.minimum(one[:, None], other[None]).sum(-1)
        lengths = one.sum(-1)[:, None] + other.sum(-1)[None]
        return np.where(lengths > 0, 2 * shared / np.maximum(lengths, 1), 0.0)

    return compare


def tfidf_cosine(predictions: Sequence[str], references: Sequence[str], *, cut: Callable = tokenise) -> Compare:
    """Cosine of word counts, each weighted by ln(references / references with the word).

    Units: 0..1; 0 if a side is empty or has only words of every reference. An unknown word counts as one reference's.
    """
    wanted = [Counter(cut(text)) for text in references]
    within = Counter(word for counts in wanted for word in counts)
    weight = {word: math.log(len(references) / rows) for word, rows in within.items()}
    rarest = math.log(max(len(references), 1))

    def unit(counts: Counter[str]) -> dict[str, float]:
        vector = {word: count * weight.get(word, rarest) for word, count in counts.items()}
        norm = math.sqrt(sum(value * value for value in vector.values()))
        return {word: value / norm for word, value in vector.items()} if norm else {}

    ours, theirs = [unit(Counter(cut(text))) for text in predictions], [unit(counts) for counts in wanted]

    def compare(rows: range) -> Float[np.ndarray, "rows rows"]:
        return np.array(
            [[sum(w * theirs[c].get(word, 0.0) for word, w in ours[r].items()) for c in rows] for r in rows],
            dtype=np.float64,
        )

    return compare


def trigram_greedy_f1(predictions: Sequence[str], references: Sequence[str], *, cut: Callable = tokenise) -> Compare:
    """Shaped like BERTScore, with vectors of character trigrams instead of a model's.

    Each word goes to the word most like it on the other side; precision is the mean over the prediction's words,
    recall over the reference's. It checks everything about BERTScore but the encoder.

    Units: -1..1; 0 if a side is empty.
    """
    ours = [_spelled(tuple(cut(text))) for text in predictions]
    theirs = [_spelled(tuple(cut(text))) for text in references]

    def one(said: np.ndarray, wanted: np.ndarray) -> float:
        if not len(said) or not len(wanted):
            return 0.0
        alike = said @ wanted.T
        precision, recall = alike.max(1).mean(), alike.max(0).mean()
        both = precision + recall
        return float(2 * precision * recall / both) if both else 0.0

    return lambda rows: np.array([[one(ours[r], theirs[c]) for c in rows] for r in rows])


SIMILARITIES = {"unigram_f1": unigram_f1, "tfidf_cosine": tfidf_cosine, "trigram_greedy_f1": trigram_greedy_f1}


def _numbered(*sides: list[list[str]]) -> list[list[np.ndarray]]:
    numbers: dict[str, int] = {}
    return [
        [np.array([numbers.setdefault(word, len(numbers)) for word in words], dtype=np.int64) for words in side]
        for side in sides
    ]


def _spelled(words: tuple[str, ...]) -> Float[np.ndarray, "words 256"]:
    return np.stack([_trigrams(word) for word in words]) if words else np.zeros((0, 256))


@cache
def _trigrams(word: str) -> Float[np.ndarray, " 256"]:
    """Signed, hashed counts of the character trigrams of `^word$`, of unit length."""
    vector, framed = np.zeros(256), f"^{word}$"
    for at in range(len(framed) - 2):
        number = 0xCBF29CE484222325  # FNV-1a, 64 bit: the same on every machine, unlike hash()
        for byte in framed[at : at + 3].encode("utf-8"):
            number = ((number ^ byte) * 0x100000001B3) % (1 << 64)
        vector[number % 256] += 1.0 if number >> 32 & 1 else -1.0
    norm = float(np.linalg.norm(vector))
    return vector / norm if norm else vector
