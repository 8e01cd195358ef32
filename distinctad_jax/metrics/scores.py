"""All scores of a set of predictions, under the names that reports print."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import numpy as np

from distinctad_jax.metrics.baselines import copy_neighbour
from distinctad_jax.metrics.bleu import bleu_of, bleu_parts
from distinctad_jax.metrics.characters import Resolver, character_overlap
from distinctad_jax.metrics.cider import cider_rows
from distinctad_jax.metrics.corpus import Corpus, Row, in_time_order
from distinctad_jax.metrics.coverage import Spans, coverage_parts, dialogue_parts
from distinctad_jax.metrics.distinctiveness import distinctiveness_parts
from distinctad_jax.metrics.pace import WORDS_PER_SECOND, fits
from distinctad_jax.metrics.recall import Mean, Short, Tail, Ties, recall_parts
from distinctad_jax.metrics.repetition import repeated_grams, repeated_shares, same_as_neighbour_rows, shares_a_word
from distinctad_jax.metrics.rouge import rouge_l
from distinctad_jax.metrics.similarity import SIMILARITIES, Compare
from distinctad_jax.metrics.tally import Tally, mean_of_rows, mean_over_movies, of_movies, quotient
from distinctad_jax.metrics.variety import distinct_n

__all__ = ["MEANINGS", "Policy", "Row", "always", "copied", "in_time_order", "meaning", "score_rows", "tallies"]

Pooling = Literal["pooled", "movie"]
Average = Literal["rows", "movies"]


class Meaning(NamedTuple):
    """What a score says, in one clause, and which way is better."""

    better: str  # "higher", "lower", or "" where it depends: people's own figure is the mark
    says: str


MEANINGS = {
    "CIDEr-D": Meaning("higher", "n-grams shared with the reference, rare ones counting more; 1000 at most"),
    "ROUGE-L": Meaning("higher", "longest shared sequence of words, F with beta 1.2"),
    "BLEU-1": Meaning("higher", "share of words that the reference has"),
    "BLEU-2": Meaning("higher", "the same up to two words in a row"),
    "BLEU-3": Meaning("higher", "the same up to three words in a row"),
    "BLEU-4": Meaning("higher", "the same up to four words in a row"),
    "METEOR": Meaning("higher", "words shared with the reference, also by stem and synonym (Java)"),
    "SPICE": Meaning("higher", "things, properties and relations shared with the reference (Java)"),
    "BERTScore-F1": Meaning("higher", "words matched by a language model's embeddings, rescaled"),
    "distinctive-word recall": Meaning("higher", "of the words that only this reference says in its window"),
    "distinctive-word rate": Meaning("higher", "of the content words said, those distinctive of the reference"),
    "CRITIC": Meaning("higher", "characters meant by prediction and reference, over those meant by either"),
    "repeated words": Meaning("lower", "of the content words said, those that a neighbour in the window says too"),
    "repeated 3-grams": Meaning(
        "lower", "of the three words in a row said, those that a neighbour in the window says too"
    ),
    "shares a word": Meaning("lower", "descriptions with a content word of the one before; people: 27 to 37"),
    "same as neighbour": Meaning("lower", "descriptions with the words of the one before or after"),
    "distinct-1": Meaning("", "different words over all words said"),
    "distinct-2": Meaning("", "different pairs of words over all pairs said"),
    "fits its time": Meaning("higher", "descriptions that can be spoken in their time"),
    "coverage": Meaning("higher", "of the time that people describe, that in which something is said"),
    "over dialogue": Meaning("lower", "of the time in which something is said, that in which somebody speaks"),
}


def meaning(score: str) -> Meaning:
    """What a score of `score_rows` means, `R@k/N` included. Errors: KeyError for a name that it never gives."""
    if score.startswith("R@"):
        k, n = score.removeprefix("R@").split("/")
        return Meaning("higher", f"predictions whose reference is among the {k} most similar of {n} neighbours")
    return MEANINGS[score]


@dataclass(frozen=True)
class Policy:
    """Every choice that moves a score.

    pooling: the rows whose references weigh CIDEr-D's n-grams together, all or a movie's. average: whether rows or
    movies count alike (BLEU and distinct-n are of the whole set). recall: (k, N) of each R@k/N; tail, short and ties
    as in `recall_at_k`; recall_mean: over windows, or over movies of the mean over their windows. window: the
    neighbourhood of distinctive and repeated words. words_per_second: what fits its time.
    Errors: ValueError, saying which, for a choice that there is not.
    """

    pooling: Pooling = "pooled"
    average: Average = "rows"
    recall: tuple[tuple[int, int], ...] = ((1, 5), (1, 16), (5, 16))
    tail: Tail = "drop"
    short: Short = "skip"
    ties: Ties = "expected"
    recall_mean: Mean = "pooled"
    window: int = 16
    words_per_second: float = WORDS_PER_SECOND

    def __post_init__(self) -> None:
        choices = {"pooling": Pooling, "average": Average, "tail": Tail, "short": Short, "ties": Ties}
        for name, known in {**choices, "recall_mean": Mean}.items():
            if getattr(self, name) not in get_args(known):
                raise ValueError(f"{name} is one of {', '.join(get_args(known))}, got {getattr(self, name)!r}")
        if any(not 1 <= k <= n for k, n in self.recall):
            raise ValueError(f"R@k/N needs 1 <= k <= N, got {self.recall}")
        if self.window < 1 or not self.words_per_second > 0:
            raise ValueError(
                f"needs window >= 1 and words_per_second > 0, got {self.window}, {self.words_per_second}"
            )


def tallies(
    corpus: Corpus,
    policy: Policy,
    compare: Compare,
    *,
    cast: Mapping[str, Sequence[str]] | None = None,
    resolve: Resolver | None = None,
    dialogue: Callable[[str], Spans | None] | None = None,
) -> dict[str, Tally]:
    """Every metric that needs no program from outside, in the order of reports, as fractions (CIDEr-D 0..10).

    Args:
      compare: the similarity behind R@k/N (see similarity.py).
      cast, resolve: the names of each movie's cast and the co-reference, for CRITIC.
      dialogue: when somebody speaks in a movie, in seconds; a movie for which it is None does not count.
    With several references CIDEr-D, ROUGE-L and BLEU use all, the others the first. Scores of time need times in
    every row.
    """
    movies, count = corpus.movies, len(corpus.rows)
    pools = np.zeros(count, np.int64)
    if policy.pooling == "movie":
        pools = np.repeat(np.arange(len(movies)), [len(movie) for movie in movies])
    found = {
        "CIDEr-D": mean_of_rows(cider_rows(corpus.ngrams, pools), movies),
        "ROUGE-L": mean_of_rows(np.array(rouge_l(corpus.said, corpus.wanted, already_tokenised=True)[1]), movies),
    }
    parts = _by_movie(bleu_parts(corpus.ngrams), movies)
    for n in range(1, 5):
        found[f"BLEU-{n}"] = Tally(parts, lambda sums, n=n: bleu_of(sums, n))
    for k, n in policy.recall:
        windows = recall_parts(compare, k, n, corpus.groups, tail=policy.tail, short=policy.short, ties=policy.ties)
        tally = Tally(windows, quotient)
        found[f"R@{k}/{n}"] = mean_over_movies(tally) if policy.recall_mean == "per_group" else tally
    distinct = distinctiveness_parts(corpus.predictions, corpus.references, corpus.groups, policy.window)
    found["distinctive-word recall"] = Tally(distinct[:, :2], quotient)
    found["distinctive-word rate"] = Tally(distinct[:, [0, 2]], quotient)
    if cast is not None and resolve is not None:
        found["CRITIC"] = mean_of_rows(_critic(corpus, cast, resolve), movies)
    found |= _said_of(corpus, policy)
    if corpus.timed:
        found |= _timed(corpus, policy, dialogue)
    if policy.average == "movies":
        whole = ("BLEU", "R@", "distinct-")
        found = {name: t if name.startswith(whole) else mean_over_movies(t) for name, t in found.items()}
    return found


def _by_movie(rows: np.ndarray, movies: Sequence[range]) -> np.ndarray:
    return np.stack([rows[movie.start : movie.stop].sum(0) for movie in movies])


def _critic(corpus: Corpus, cast: Mapping[str, Sequence[str]], resolve: Resolver) -> np.ndarray:
    rows = [
        character_overlap(
            corpus.predictions[movie.start : movie.stop],
            corpus.references[movie.start : movie.stop],
            cast.get(name, ()),
            resolve,
        )
        for name, movie in zip(corpus.names, corpus.movies, strict=True)
    ]
    return np.concatenate(rows)


def _said_of(corpus: Corpus, policy: Policy) -> dict[str, Tally]:
    """What does not look at references."""
    texts, groups, movies = corpus.predictions, corpus.groups, corpus.movies
    found = {
        "repeated words": mean_of_rows(repeated_shares(texts, groups, policy.window), movies),
        "repeated 3-grams": mean_of_rows(repeated_grams(corpus.plain, groups, policy.window), movies),
        "shares a word": mean_of_rows(shares_a_word(texts, groups), movies),
        "same as neighbour": mean_of_rows(same_as_neighbour_rows(corpus.plain, groups), movies),
    }
    for n in (1, 2):
        each = [distinct_n(texts[movie.start : movie.stop], n) for movie in movies]
        found[f"distinct-{n}"] = of_movies(each, distinct_n(texts, n))
    return found


def _timed(corpus: Corpus, policy: Policy, dialogue: Callable[[str], Spans | None] | None) -> dict[str, Tally]:
    spoken = [row.spoken for row in corpus.rows]
    found = {"fits its time": mean_of_rows(fits(corpus.predictions, spoken, policy.words_per_second), corpus.movies)}
    covered, over = [], []
    for name, movie in zip(corpus.names, corpus.movies, strict=True):
        track = [spoken[row] for row in movie if corpus.predictions[row].strip()]
        covered.append(
            coverage_parts([(float(corpus.rows[row].start), float(corpus.rows[row].end)) for row in movie], track)
        )
        spoken_by_people = dialogue(name) if dialogue else None
        over.append(np.zeros(2) if spoken_by_people is None else dialogue_parts(spoken_by_people, track))
    found["coverage"] = Tally(np.stack(covered), quotient)
    if dialogue is not None:
        found["over dialogue"] = Tally(np.stack(over), quotient)
    return found


def score_rows(
    rows: Sequence[Row],
    *,
    window: int = 16,
    recall: Sequence[tuple[int, int]] = ((1, 5), (5, 16)),
    similarity: str = "unigram_f1",
    tail: Tail = "drop",
    short: Short = "skip",
    ties: Ties = "expected",
    mean: Mean = "pooled",
) -> dict[str, float]:
    """All scores, by the names of `MEANINGS`, in that order, with `R@k/N` for each (k, N) of `recall`.

    Rows are sorted by time first; see `Policy` for the choices. The similarity behind R@k/N must be printed with it.
    A share of nothing (R@k/N without a movie of N rows; distinctive words where all rows are alike) is left out.

    Units:  all times 100: CIDEr-D 0..1000, others percent.
    Errors: ValueError for no rows, or a similarity that `SIMILARITIES` does not know.
    """
    if not rows or similarity not in SIMILARITIES:
        raise ValueError(
            f"Scores need at least one row and a similarity out of {', '.join(SIMILARITIES)}; "
            f"got {len(rows)} rows and {similarity!r}."
        )
    corpus = Corpus(in_time_order(rows))
    policy = Policy(recall=tuple(recall), tail=tail, short=short, ties=ties, recall_mean=mean, window=window)
    values = {name: tally.value for name, tally in tallies(corpus, policy, word_overlap(corpus, similarity)).items()}
    return {name: 100 * value for name, value in values.items() if np.isfinite(value)}


def word_overlap(corpus: Corpus, similarity: str = "unigram_f1") -> Compare:
    """A similarity of `SIMILARITIES` on the words of a corpus."""
    make: Callable[..., Compare] = SIMILARITIES[similarity]
    return make(corpus.said, [texts[0] for texts in corpus.wanted], cut=str.split)


def copied(rows: Sequence[Row], offset: int) -> list[Row]:
    """The rows in time order, each predicted by its neighbour's reference (-1: the one before, 1: the one after)."""
    ordered = in_time_order(rows)
    texts = copy_neighbour([row.reference for row in ordered], [row.movie for row in ordered], offset)
    return [row._replace(prediction=text) for row, text in zip(ordered, texts, strict=True)]


def always(rows: Sequence[Row], text: str) -> list[Row]:
    """The rows, all predicted by one and the same text."""
    return [row._replace(prediction=text) for row in rows]
