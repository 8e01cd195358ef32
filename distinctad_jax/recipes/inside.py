"""What goes on inside the models of a run, measured on a split: the arrays behind the pictures of `report.inside`.

What EM attention finds in every clip (`seen_clips`), which words lie near to it (`nearest_words`), how well frames
fit words before and after Stage I (`frame_word_fits`), how likely a narrator finds each word of the references
(`chances`).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from distinctad_jax.data.datasets import ClipRecord, Records
from distinctad_jax.data.windows import Descriptions, frame_choice
from distinctad_jax.losses.captioning import log_likelihood
from distinctad_jax.models.em_attention import unit
from distinctad_jax.models.narrator import Narrator
from distinctad_jax.movie.window import PADDING, evaluation_windows
from distinctad_jax.recipes.models import open_aligner
from distinctad_jax.report.inside import Told
from distinctad_jax.text.distinct import STOP_WORDS, distinctive, words
from distinctad_jax.text.tokenizers import Tokenizer, clip_ids
from distinctad_jax.training.step import compiled

COMPARED = 256  # clips whose frames make the average frame
SHOWN_FRAMES = 6
LEAST_CLIPS = 3  # that use a word, for it to have a place among the clips


class Seen(NamedTuple):
    """What EM attention makes of each clip of a split: means over the clip's visual tokens.

    kept: the direction of the reconstruction X~; left: what of X stands at right angles to it, token by token. (X is
    longer than X~ by far, so their plain difference would be X again.)
    """

    shares: Float[np.ndarray, "clips bases"]
    kept: Float[np.ndarray, "clips width"]
    left: Float[np.ndarray, "clips width"]


def seen_clips(
    narrator: Narrator,
    records: Records,
    movies: Sequence[range],
    *,
    clips: int,
    frames: int,
    policy: str,
    batch: int = 16,
) -> Seen:
    """Looks at every clip of some movies (rows, as `records.movies` has them), in order, `batch` windows at once.

    Args:
      records: features of the tower that the narrator was trained on.
      clips, frames: of a window, as the narrator was trained; policy: as `movie.window.evaluation_windows`.
    Errors: ValueError if the narrator has no EM attention.
    """
    if narrator.em_attention is None:
        raise ValueError("this narrator was trained with fusion 'none' and has no EM attention to look into.")

    def look(model: Narrator, features: Any, frames_real: Any, clips_real: Any) -> Any:
        assert model.em_attention is not None
        real = model.tokens_real(frames_real, clips_real)
        found = model.em_attention(model.resample(features, frames_real), real, train=False)
        kept = unit(found.common)
        left = found.seen - jnp.sum(found.seen * kept, axis=-1, keepdims=True) * kept
        weights = real / jnp.maximum(real.sum(axis=-1, keepdims=True), 1)
        return [jnp.einsum("bct,bctw->bcw", weights, part) for part in (found.responsibilities, kept, left)]

    windows = _feature_windows(records, movies, clips=clips, frames=frames, policy=policy, batch=batch)
    return Seen(*_by_row(compiled(narrator, look), ("features", "frames_real", "clips_real"), windows))


def _feature_windows(
    records: Records, movies: Sequence[range], *, clips: int, frames: int, policy: str, batch: int
) -> Iterator[dict[str, np.ndarray]]:
    """Features alone of the windows of some movies; `row` counts through these movies, -1 is padding."""
    count = sum(len(rows) for rows in movies)
    features = np.zeros((count + 1, frames, records.feature_width), np.float32)  # the last row is padding's
    real = np.zeros((count + 1, frames), bool)
    for at, clip in enumerate(records.get([row for rows in movies for row in rows])):
        assert clip.features is not None  # of the features variant
        chosen = frame_choice(len(clip.features), frames)
        features[at, : len(chosen)], real[at, : len(chosen)] = clip.features[chosen], True
    members, targets, first = [], [], 0
    for rows in movies:
        for window in evaluation_windows(len(rows), clips, policy):
            members.append([first + member if member != PADDING else PADDING for member in window.members])
            targets.append(list(window.targets))
        first += len(rows)
    members += [[PADDING] * clips] * (-len(members) % batch)
    targets += [[False] * clips] * (len(members) - len(targets))
    for place in range(0, len(members), batch):
        some, target = np.array(members[place : place + batch]), np.array(targets[place : place + batch])
        seen = {"features": features[some], "frames_real": real[some], "clips_real": some != PADDING}
        yield {**seen, "row": some, "target": target}


def chances(narrator: Narrator, windows: Iterable[Mapping[str, np.ndarray]]) -> Float[np.ndarray, "clips length"]:
    """The log-probability of each id of every reference, given the ids before it, the clip, its window, its names.

    windows: all of a split, as `recipes.evaluate.windows_for` gives them.
    """

    def read(model: Narrator, *fields: Any) -> Any:
        return [log_likelihood(model(*fields, train=False).logits, fields[-2])]

    names = ("features", "frames_real", "clips_real", "prompt_ids", "prompt_real", "text_ids", "text_real")
    [found] = _by_row(compiled(narrator, read), names, windows)
    return found


def _by_row(function: Any, fields: Sequence[str], windows: Iterable[Mapping[str, np.ndarray]]) -> list[np.ndarray]:
    """What a function of windows finds in each clip that is a target, in the order of the rows."""
    rows, parts = [], []
    for given in windows:
        found = jax.tree.map(np.asarray, function(*(given[name] for name in fields)))
        asked = given["target"] & (given["row"] >= 0)
        rows.append(given["row"][asked])
        parts.append([part[asked] for part in found])
    order = np.argsort(np.concatenate(rows))
    return [np.concatenate(part)[order] for part in zip(*parts, strict=True)]


def nearest_words(
    known: Float[np.ndarray, "clips width"],
    texts: Sequence[str],
    asked: Float[np.ndarray, "queries width"],
    *,
    most: int = 6,
) -> list[list[tuple[str, float]]]:
    """For each vector of `asked`, the words nearest to it, best first, with their cosines.

    A word lies where the mean of the `known` clips lies whose texts use it (at least `LEAST_CLIPS`; no function
    words). All is seen from the mean of all clips: what every clip has is no word's. Empty lists if no word is used
    often enough.
    """
    bags = [{word.text for word in words(text)} - STOP_WORDS for text in texts]
    users = Counter(word for bag in bags for word in bag)
    vocabulary = sorted(word for word, count in users.items() if count >= LEAST_CLIPS)
    if not vocabulary:
        return [[] for _ in asked]
    centre = known.mean(axis=0)
    uses = np.array([[word in bag for bag in bags] for word in vocabulary], np.float32)
    fits = _directions(asked - centre) @ _directions(uses @ (known - centre)).T
    best = np.argsort(-fits, axis=1, kind="stable")[:, :most]
    return [[(vocabulary[word], float(fits[row, word])) for word in some] for row, some in enumerate(best)]


class Fits(NamedTuple):
    """How well frames of a clip fit the words of its description, cosines above the average frame's.

    chosen: which of the clip's frames these are.
    """

    words: list[str]
    chosen: np.ndarray
    before: Float[np.ndarray, "frames words"]
    after: Float[np.ndarray, "frames words"]


def frame_word_fits(towers: Path, before: Records, after: Records, rows: Sequence[int]) -> list[Fits]:
    """Frames against words for some clips, as the towers of Stage I see them.

    Args:
      towers: the folder of the pretrained towers; Stage I leaves the text tower as it is.
      before, after: features of the same clips by the vision tower before and after Stage I.
    """
    aligner, tokenizer = open_aligner(towers)
    texts = [before.index[row].text for row in rows]
    ids = clip_ids(tokenizer, texts, aligner.config.text.length)
    states = np.asarray(compiled(aligner, lambda model, ids: model.encode_text(ids).words)(ids))
    some = range(min(len(before), COMPARED))
    averages = [_directions(_features(records.get(some))).mean(axis=0) for records in (before, after)]
    found = []
    for row, text, state in zip(rows, texts, _directions(states), strict=True):
        told = _word_states(tokenizer, text, state)
        frames = [_directions(_features(records.get([row]))) for records in (before, after)]
        chosen = frame_choice(len(frames[0]), SHOWN_FRAMES)
        maps = [
            (seen[chosen] - average) @ np.array([vector for _, vector in told]).T
            for seen, average in zip(frames, averages, strict=True)
        ]
        found.append(Fits([word for word, _ in told], chosen, *maps))
    return found


def _features(clips: Sequence[ClipRecord]) -> np.ndarray:
    return np.concatenate([np.asarray(clip.features, np.float32) for clip in clips])


def _directions(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)


def _word_states(tokenizer: Tokenizer, text: str, states: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """Each word of a text and the mean of its pieces' states, which follow the start; cut words are left out."""
    plain = tokenizer.clean(text)
    spans = tokenizer.encode_with_spans(plain)[1][: len(states) - 2]
    told = []
    for word in words(plain):
        pieces = [1 + at for at, (start, end) in enumerate(spans) if start < word.end and word.start < end]
        if pieces:
            told.append((word.text, states[pieces].mean(axis=0)))
    return told


def distinctive_of(records: Records, clips: int) -> list[frozenset[str]]:
    """The distinctive words of every description of a split, in windows of so many clips that do not overlap."""
    found: list[frozenset[str]] = []
    for rows in records.movies.values():
        for window in evaluation_windows(len(rows), clips, "block"):
            texts = [records.index[rows.start + member].text if member >= 0 else None for member in window.members]
            found += [words for words, member in zip(distinctive(texts), window.members, strict=True) if member >= 0]
    return found


def told_words(
    descriptions: Descriptions, row: int, after: np.ndarray, before: np.ndarray, marked: Collection[str]
) -> Told:
    """A description word by word, with the chance of each: that of its first id, times that of its next, and so on.

    after, before: log-probabilities of its ids under two narrators.
    """
    pieces = descriptions.pieces(row)
    said = [word for word, _ in pieces]

    def sure(chance: np.ndarray) -> list[float]:
        return [math.exp(float(chance[places.start : places.stop].sum())) for _, places in pieces]

    return Told(said, sure(after), sure(before), set(said) & set(marked))


def mean_chances(told: Sequence[Told]) -> dict[str, dict[str, float]]:
    """Mean probability of distinctive words and of the others, under both narrators; 0 where there are none."""

    def mean(side: str, marked: bool) -> float:
        found = [
            chance
            for each in told
            for word, chance in zip(each.words, getattr(each, side), strict=True)
            if (word in each.marked) == marked
        ]
        return float(np.mean(found)) if found else 0.0

    return {side: {"distinctive": mean(side, True), "other": mean(side, False)} for side in ("after", "before")}
