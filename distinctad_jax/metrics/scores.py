"""All scores of a set of predictions, under the names that reports print."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from distinctad_jax.metrics.baselines import copy_neighbour
from distinctad_jax.metrics.bleu import bleu
from distinctad_jax.metrics.cider import cider_d
from distinctad_jax.metrics.distinctiveness import distinctiveness
from distinctad_jax.metrics.recall import Mean, Short, Tail, Ties, recall_at_k
from distinctad_jax.metrics.repetition import distinct_n, repeated_share, same_as_neighbour
from distinctad_jax.metrics.rouge import rouge_l
from distinctad_jax.metrics.similarity import SIMILARITIES
from distinctad_jax.metrics.tokenise import tokenised


class Row(NamedTuple):
    """What was said of a clip and what should have been; start and end in seconds."""

    movie: str
    start: float
    end: float
    prediction: str
    reference: str


class Meaning(NamedTuple):
    """What a score says, in one clause, and which way is better."""

    better: str  # "higher", "lower", or "" where it depends: people's own figure is the mark
    says: str


MEANINGS = {
    "CIDEr-D": Meaning("higher", "n-grams shared with the reference, rare ones counting more; 1000 at most"),
    "ROUGE-L": Meaning("higher", "longest shared sequence of words, F with beta 1.2"),
    "BLEU-1": Meaning("higher", "share of words that the reference has"),
    "BLEU-4": Meaning("higher", "the same up to four words in a row"),
    "distinctive-word recall": Meaning("higher", "of the words that only this reference says in its window"),
    "distinctive-word rate": Meaning("higher", "of the content words said, those distinctive of the reference"),
    "repeated words": Meaning("lower", "of the content words said, those that a neighbour in the window says too"),
    "same as neighbour": Meaning("lower", "descriptions with the words of the one before or after"),
    "distinct-1": Meaning("", "different words over all words said"),
    "distinct-2": Meaning("", "different pairs of words over all pairs said"),
}


def meaning(score: str) -> Meaning:
    """What a score of `score_rows` means, `R@k/N` included. Errors: KeyError for a name that it never gives."""
    if score.startswith("R@"):
        k, n = score.removeprefix("R@").split("/")
        return Meaning("higher", f"predictions whose reference is among the {k} most similar of {n} neighbours")
    return MEANINGS[score]


def in_time_order(rows: Sequence[Row]) -> list[Row]:
    """The rows by movie, start and end; equal ones stay in the order given."""
    return sorted(rows, key=lambda row: (row.movie, row.start, row.end))


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

    Rows are sorted by time first. `window` is the neighbourhood of distinctive and repeated words. The similarity
    behind R@k/N has to be printed with it; how tails, short movies and ties are treated, too (see `recall_at_k`).
    A share of nothing (R@k/N without a movie of N rows; distinctive words where all rows are alike) is left out.

    Units:  all times 100: CIDEr-D 0..1000, others percent.
    Errors: ValueError for no rows, or a similarity that `SIMILARITIES` does not know.
    """
    if not rows or similarity not in SIMILARITIES:
        raise ValueError(
            f"Scores need at least one row and a similarity out of {', '.join(SIMILARITIES)}; "
            f"got {len(rows)} rows and {similarity!r}."
        )
    ordered = in_time_order(rows)
    movies = [row.movie for row in ordered]
    predictions, references = [row.prediction for row in ordered], [row.reference for row in ordered]
    said, wanted = [tokenised(text) for text in predictions], [[tokenised(text)] for text in references]
    bleu_1, _, _, bleu_4 = bleu(said, wanted, already_tokenised=True)
    distinct = distinctiveness(predictions, references, movies, window)
    compare = SIMILARITIES[similarity](said, [text for (text,) in wanted], cut=str.split)
    recalls = {
        f"R@{k}/{n}": recall_at_k(compare, k, n, movies, tail=tail, short=short, ties=ties, mean=mean).value
        for k, n in recall
    }
    found = {
        "CIDEr-D": cider_d(said, wanted, already_tokenised=True)[0],
        "ROUGE-L": rouge_l(said, wanted, already_tokenised=True)[0],
        "BLEU-1": bleu_1,
        "BLEU-4": bleu_4,
        **recalls,
        "distinctive-word recall": distinct.recall,
        "distinctive-word rate": distinct.rate,
        "repeated words": repeated_share(predictions, movies, window),
        "same as neighbour": same_as_neighbour(predictions, movies),
        "distinct-1": distinct_n(predictions, 1),
        "distinct-2": distinct_n(predictions, 2),
    }
    return {name: 100 * value for name, value in found.items() if value is not None}


def copied(rows: Sequence[Row], offset: int) -> list[Row]:
    """The rows in time order, each predicted by its neighbour's reference (-1: the one before, 1: the one after)."""
    ordered = in_time_order(rows)
    texts = copy_neighbour([row.reference for row in ordered], [row.movie for row in ordered], offset)
    return [row._replace(prediction=text) for row, text in zip(ordered, texts, strict=True)]


def always(rows: Sequence[Row], text: str) -> list[Row]:
    """The rows, all predicted by one and the same text."""
    return [row._replace(prediction=text) for row in rows]
