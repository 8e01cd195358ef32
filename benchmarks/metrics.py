"""How long scoring takes: a made-up benchmark of MAD-Eval's size, or your own file.

Run:    python benchmarks/metrics.py [--predictions p.csv] [--java]
Gives:  one JSON object on standard output. With --java (needs Java and `pip install ".[java]"`) the Java tokeniser
        and the reference scorers run on the same sentences, in the same run; `ratio` is their time over ours.
        With --bertscore FOLDER: BERTScore of the whole set, with its counters (for accelerators).
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from distinctad_jax.evaluation.predictions import read_predictions
from distinctad_jax.evaluation.scoring import Setup, score
from distinctad_jax.metrics.bleu import bleu_parts
from distinctad_jax.metrics.cider import cider_rows
from distinctad_jax.metrics.corpus import Corpus, Row, in_time_order
from distinctad_jax.metrics.rouge import rouge_l
from distinctad_jax.metrics.tokenise import _pieces

ROWS, MOVIES = 6520, 10


def made_up() -> list[Row]:
    """Descriptions of 4 to 14 words out of 9,000, rare ones rarely; predictions share some of them."""
    draw = random.Random(0)
    letters = "bdfgklmnprst"
    words = [
        a + v + b + w for a in letters for v in "aeiou" for b in letters for w in ("", "s", "ed", "ing", "er", "y")
    ]
    weights = [1 / (at + 2) for at in range(len(words))]
    rows = []
    for at in range(ROWS):
        wanted = draw.choices(words, weights, k=draw.randint(4, 14))
        said = [word if draw.random() < 0.4 else draw.choices(words, weights)[0] for word in wanted]
        one, other = (" ".join(each).capitalize() + "." for each in (said, wanted))
        rows.append(Row(f"movie{at * MOVIES // ROWS}", at * 3.0, at * 3.0 + 2, one, other))
    return rows


def seconds(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def ours(corpus: Corpus) -> None:
    """Tokeniser, BLEU, ROUGE-L and CIDEr-D."""
    import numpy as np

    _pieces.clear()  # nothing is known from the repeat before
    bleu_parts(corpus.ngrams)
    rouge_l(corpus.said, corpus.wanted, already_tokenised=True)
    cider_rows(corpus.ngrams, np.zeros(len(corpus.rows), np.int64))


def theirs(corpus: Corpus) -> None:
    """The same by the Java tokeniser and the reference scorers."""
    load = importlib.import_module
    tokenise = load("pycocoevalcap.tokenizer.ptbtokenizer").PTBTokenizer().tokenize
    with contextlib.redirect_stdout(sys.stderr):
        said = tokenise({at: [{"caption": text}] for at, text in enumerate(corpus.predictions)})
        wanted = tokenise({at: [{"caption": text}] for at, text in enumerate(corpus.references)})
        for scorer in (
            load("pycocoevalcap.bleu.bleu").Bleu(4),
            load("pycocoevalcap.rouge.rouge").Rouge(),
            load("pycocoevalcap.cider.cider").Cider(),
        ):
            scorer.compute_score(wanted, said)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--predictions", type=Path)
    parser.add_argument("--java", action="store_true")
    parser.add_argument("--bertscore", type=Path, metavar="FOLDER")
    parser.add_argument("--layer", type=int, default=17, help="of BERTScore; 3 for tests/golden/roberta")
    parser.add_argument("--repeats", type=int, default=3, help="the best of so many is told")
    given = parser.parse_args()
    rows = in_time_order(read_predictions([given.predictions]).rows if given.predictions else made_up())
    best = {
        "tokeniser, BLEU, ROUGE-L, CIDEr-D": lambda: ours(Corpus(rows)),
        "all metrics, 1000 resamples": lambda: score(rows),
    }
    if given.java:
        best["Java tokeniser, reference scorers"] = lambda: theirs(Corpus(rows))
    found: dict[str, Any] = {"rows": len(rows), "seconds": {}}
    for name, work in best.items():
        found["seconds"][name] = min(seconds(work) for _ in range(max(given.repeats, 1)))
    if given.java:
        ratio = [
            found["seconds"][name]
            for name in ("Java tokeniser, reference scorers", "tokeniser, BLEU, ROUGE-L, CIDEr-D")
        ]
        found["ratio"] = ratio[0] / ratio[1]
    if given.bertscore:
        from distinctad_jax.evaluation.bertscore import BertScore

        scorer = BertScore.load(given.bertscore, layer=given.layer)
        found["seconds"]["with BERTScore"] = seconds(lambda: score(rows, setup=Setup(bertscore=scorer)))
        found["BERTScore"] = {"identity": scorer.identity, **scorer.counters}
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
