import math
from collections import Counter

import numpy as np
import pytest

from distinctad_jax.metrics.bleu import bleu
from distinctad_jax.metrics.cider import cider_d, cider_rows
from distinctad_jax.metrics.ngrams import Ngrams


def counted(words: list[str], n: int) -> Counter:
    return Counter(tuple(words[at : at + n]) for at in range(len(words) - n + 1))


def test_ngrams_are_counted_as_one_by_one():
    said, wanted = ["a b a b a", "", "c"], [["a b", "b a b a"], ["a b c d e"], ["c c c c"]]
    ngrams = Ngrams(said, wanted)
    for n in range(1, 5):
        side, flat = ngrams.wanted[n - 1], [text for each in wanted for text in each]
        assert ngrams.row_of.tolist() == [0, 0, 1, 2]
        for sentence, text in enumerate(flat):
            inside = side.sentences == sentence
            mine = counted(said[ngrams.row_of[sentence]].split(), n)
            assert sorted(side.counts[inside].tolist()) == sorted(counted(text.split(), n).values())
            shared = sum(min(count, mine[gram]) for gram, count in counted(text.split(), n).items())
            assert np.minimum(side.counts[inside], ngrams.in_prediction[n - 1][inside]).sum() == shared


def test_several_references_clip_together_in_bleu_and_average_in_cider():
    two = cider_d(["a b c d", "x"], [["a b c d", "q r s t"], ["x"]])[1][0]
    assert two == pytest.approx(cider_d(["a b c d", "x"], [["a b c d", "a b c d"], ["x"]])[1][0] / 2)
    assert bleu(["a b", "c"], [["a x", "y b"], ["c"]])[0] == pytest.approx(1)


def test_pools_of_ngrams_are_separate():
    said, wanted = (
        ["a dog runs home", "a cat", "a dog sits here", "a"],
        [["a dog runs off"], ["a cat"], ["a dog"], ["b"]],
    )
    ngrams = Ngrams(said, wanted)
    apart = cider_rows(ngrams, np.array([0, 0, 1, 1]))
    for rows in ([0, 1], [2, 3]):
        alone = cider_d([said[row] for row in rows], [wanted[row] for row in rows])[1]
        assert apart[rows].tolist() == pytest.approx(alone)


def test_a_sentence_of_ten_thousand_words_is_nothing_special():
    long = " ".join(f"w{at % 97}" for at in range(10_000))
    scores = bleu([long, "a"], [[long], ["a b"]], already_tokenised=True)
    assert all(math.isfinite(score) for score in scores)
    assert cider_d([long, "a"], [[long], ["a b"]])[1][0] > 0
