"""The method's equations once more, in float64 NumPy with plain loops, for tests to hold the JAX code against.

Written from the equations (docs/method.md names their sources), not from the code under test: no batches, no masks
that multiply, nothing shared with it. Slow, and easy to check against the page by eye. What is padding never gets in
here: a clip is the list of its real frames, a description that of its real words.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np

Vectors = Sequence[np.ndarray]
Pairs = Collection[tuple[int, int]]


def real_rows(array: np.ndarray, real: np.ndarray) -> list[np.ndarray]:
    """For each of a batch, its real rows in float64."""
    return [np.asarray(each, np.float64)[kept] for each, kept in zip(array, np.asarray(real), strict=True)]


def unit(vector: np.ndarray) -> np.ndarray:
    """The vector at length 1."""
    return vector / math.sqrt(float(vector @ vector))


def log_sum_exp(values: Sequence[float]) -> float:
    """log of the sum of exp, of at least one number."""
    highest = max(values)
    return highest + math.log(sum(math.exp(value - highest) for value in values))


def softmax(values: Sequence[float]) -> list[float]:
    """exp over the sum of exp."""
    total = log_sum_exp(values)
    return [math.exp(value - total) for value in values]


def slope_along(
    function: Callable[..., float], point: Sequence[np.ndarray], way: Sequence[np.ndarray], step: float = 1e-6
) -> float:
    """How fast `function` rises at `point` on the way, by a central difference."""
    there = function(*(array + step * move for array, move in zip(point, way, strict=True)))
    back = function(*(array - step * move for array, move in zip(point, way, strict=True)))
    return (there - back) / (2 * step)


# Stage I, clip and sentence: g_b = unit(mean_t v_bt), then InfoNCE both ways.
def clip_sentence(frames: Sequence[Vectors], sentences: Vectors, log_scale: float, twins: Pairs = ()) -> float:
    """Mean over clips of half the loss among sentences and half of that among clips; twins are no negatives."""
    scale = min(math.exp(log_scale), 100.0)
    clips = [unit(sum(unit(frame) for frame in shown) / len(shown)) for shown in frames]
    told = [unit(sentence) for sentence in sentences]
    total = 0.0
    for b in range(len(clips)):
        among = [c for c in range(len(clips)) if (b, c) not in twins and (c, b) not in twins]
        right = scale * float(clips[b] @ told[b])
        total += (log_sum_exp([scale * float(clips[b] @ told[c]) for c in among]) - right) / 2
        total += (log_sum_exp([scale * float(clips[c] @ told[b]) for c in among]) - right) / 2
    return total / len(clips)


def frame_to_word(frames: Vectors, words: Vectors, attention: float) -> list[float]:
    """An instance for each frame: v . unit(sum_j a_j w_j), a = softmax_j(v . w_j / tau_a)."""
    found = []
    for frame in frames:
        weights = softmax([float(frame @ word) / attention for word in words])
        found.append(float(frame @ unit(sum(weight * word for weight, word in zip(weights, words, strict=True)))))
    return found


def word_to_frame(frames: Vectors, words: Vectors, attention: float) -> list[float]:
    """An instance for each word: the frame that shows it best (FILIP)."""
    return [max(float(frame @ word) for frame in frames) for word in words]


# Stage I, frame and word: L_b = LSE[own, foreign descriptions, foreign clips] - LSE[own].
def frame_word(
    frames: Sequence[Vectors],
    words: Sequence[Vectors],
    *,
    attention: float = 0.1,
    temperature: float = 0.07,
    direction: str = "frame_to_word",
    positives: str = "all",
    twins: Pairs = (),
) -> float:
    """Mean over clips; twins are negatives in neither direction, and what has no frame or no word in none."""
    instances = {"frame_to_word": frame_to_word, "word_to_frame": word_to_frame}[direction]
    frames = [[unit(frame) for frame in clip] for clip in frames]
    words = [[unit(word) for word in description] for description in words]
    whole = [b for b in range(len(frames)) if frames[b] and words[b]]
    scores = {
        (b, c): [score / temperature for score in instances(frames[b], words[c], attention)]
        for b in whole
        for c in whole
    }
    total = 0.0
    for b in whole:
        bag = scores[b, b] if positives == "all" else [max(scores[b, b])]
        foreign = [c for c in whole if c != b and (b, c) not in twins and (c, b) not in twins]
        negatives = [score for c in foreign for score in scores[b, c] + scores[c, b]]
        total += log_sum_exp(bag + negatives) - log_sum_exp(bag)
    return total / len(frames)


# Stage II, the distinctive-word loss. `logits[d][u]` are the scores of all ids at place u of description d.
def form_a(logits: Sequence[Vectors], right: Sequence[Sequence[int]], marked: Sequence[Sequence[bool]]) -> float:
    """-(1 / max(1, U)) sum of log p(y_u) over the U tokens of distinctive words."""
    told = [
        log_sum_exp(list(logits[d][u])) - float(logits[d][u][right[d][u]])
        for d in range(len(logits))
        for u in range(len(logits[d]))
        if marked[d][u]
    ]
    return sum(told) / max(1, len(told))


def form_b(logits: Sequence[Vectors], firsts: Sequence[Sequence[int]]) -> float:
    """-mean over distinctive words of log P(w), P(w) = 1 - prod_u (1 - p_u(first token of w))."""
    told = []
    for d in range(len(logits)):
        chances = [softmax(list(scores)) for scores in logits[d]]
        told += [-math.log(1 - math.prod(1 - place[token] for place in chances)) for token in firsts[d]]
    return sum(told) / max(1, len(told))


def form_c(logits: Sequence[Vectors], right: Sequence[Sequence[int]], forbidden: Sequence[Sequence[int]]) -> float:
    """Unlikelihood: sum over forbidden tokens, but the right one, of -log(1 - p_u); mean over places where it asks.

    A description without forbidden words has no such places.
    """
    told = []
    for d in range(len(logits)):
        for u in range(len(logits[d]) if len(forbidden[d]) else 0):
            chances = softmax(list(logits[d][u]))
            told.append(-sum(math.log(1 - chances[token]) for token in forbidden[d] if token != right[d][u]))
    return sum(told) / max(1, len(told))


# Stage II, EM attention over the real tokens X of one window.
def expectation(seen: np.ndarray, bases: np.ndarray, sharpness: float) -> np.ndarray:
    """Z = softmax over bases of lambda x . mu."""
    return np.array([softmax([sharpness * float(x @ basis) for basis in bases]) for x in seen])


def maximisation(seen: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """mu_k = unit(sum_n Z_nk x_n / sum_n Z_nk)."""
    return np.array([unit(shares[:, k] @ seen / shares[:, k].sum()) for k in range(shares.shape[1])])


def rounds(seen: np.ndarray, bases: np.ndarray, sharpness: float, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Z and mu after `count` >= 1 rounds of E and M."""
    for _ in range(count):
        shares = expectation(seen, bases, sharpness)
        bases = maximisation(seen, shares)
    return shares, bases


def log_likelihood(seen: np.ndarray, bases: np.ndarray, sharpness: float) -> float:
    """sum_n log (1/K) sum_k exp(lambda x_n . mu_k): what E and M ascend, up to what no basis moves."""
    each = [log_sum_exp([sharpness * float(x @ basis) for basis in bases]) for x in seen]
    return sum(each) - len(seen) * math.log(len(bases))


def layer_norm(rows: np.ndarray, scale: float | np.ndarray = 1.0, shift: float | np.ndarray = 0.0) -> np.ndarray:
    """(x - mean) / sqrt(variance + 1e-5), scaled and shifted, row by row."""
    out = []
    for row in rows:
        centred = row - row.mean()
        out.append(centred / math.sqrt(float((centred**2).mean()) + 1e-5) * scale + shift)
    return np.array(out)


def attention(queries: np.ndarray, keys: np.ndarray, values: np.ndarray, heads: int) -> np.ndarray:
    """Softmax attention head by head, before the output projection."""
    depth = queries.shape[1] // heads
    out = np.zeros_like(queries)
    for first in range(0, queries.shape[1], depth):
        part = slice(first, first + depth)
        for n, query in enumerate(queries[:, part]):
            weights = softmax([float(query @ key) / math.sqrt(depth) for key in keys[:, part]])
            out[n, part] = np.array(weights) @ values[:, part]
    return out


def evenly_spaced(seen: np.ndarray, count: int) -> np.ndarray:
    """`count` tokens at even steps through those seen, at length 1: the start `data`."""
    return np.array([unit(seen[k * len(seen) // count]) for k in range(count)])


def told(tokens: np.ndarray, common: np.ndarray, bases: np.ndarray, weights: Mapping, fusion: str, heads: int, beta):
    """H + W_o fuse(X~, C) for the real tokens H of a window."""
    out = tokens
    if fusion in ("recon", "recon+xattn"):
        out = out + common @ weights["out_common"]
    if fusion == "add":
        out = out + (tokens + beta * common) @ weights["out_common"]
    if fusion == "residual":
        out = out + (tokens - beta * common) @ weights["out_common"]
    if fusion in ("xattn", "recon+xattn"):
        queries = layer_norm(tokens, weights["query_scale"], weights["query_shift"]) @ weights["query"]
        asked = attention(queries, bases @ weights["key"], bases @ weights["value"], heads)
        out = out + asked @ weights["out_asked"]
    return out
