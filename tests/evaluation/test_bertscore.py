"""BERTScore: what bert_score says with the same weights; each sentence read once, only pairs in windows matched."""

import os
import shutil
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from distinctad_jax.checkpoints.published import load_roberta
from distinctad_jax.errors import BadInput, BadUsage
from distinctad_jax.evaluation.bertscore import BertScore, read_baseline
from distinctad_jax.evaluation.scoring import Setup, score
from distinctad_jax.metrics.corpus import Corpus, Row
from distinctad_jax.metrics.recall import windows_of
from distinctad_jax.metrics.scores import Policy
from distinctad_jax.text.roberta import load_roberta_tokenizer

GOLDEN = Path(__file__).parents[1] / "golden"
LAYER = 2


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN / "bertscore.npz", allow_pickle=False) as file:
        return dict(file)


@pytest.fixture
def scorer():
    return BertScore.load(GOLDEN / "roberta", layer=LAYER)


def test_ids_are_those_of_the_published_tokenizer(golden):
    tokenizer = load_roberta_tokenizer(GOLDEN / "roberta")
    for text, ids, real in zip(golden["sentences"], golden["ids"], golden["real"], strict=True):
        assert tokenizer.encode(f" {text}", 64) == ids[real].tolist()
    assert tokenizer.encode("a b c d e f g h", 5)[-1] == tokenizer.end


def test_vectors_equal_hugging_faces(golden, scorer):
    hidden = np.asarray(scorer.model(jnp.asarray(golden["ids"]), jnp.asarray(golden["real"])))
    np.testing.assert_allclose(hidden[golden["real"]], golden["hidden"][golden["real"]], atol=2e-5)


def test_scores_equal_those_of_bert_score(golden, scorer):
    texts = golden["sentences"].tolist()
    said, wanted = np.indices((len(texts), len(texts))).reshape(2, -1)
    found = scorer.match([texts[i] for i in said], [texts[i] for i in wanted])
    np.testing.assert_allclose(found.reshape(len(texts), -1), golden["scores"][2], atol=2e-5)


def test_rescaling_moves_scores_and_no_recall(scorer):
    texts = ["Tony switches on the light.", "He opens the door.", "A detective stands outside.", "Margo turns away."]
    rows = [Row("m", at, at + 1.0, texts[at - 1], text) for at, text in enumerate(texts)]
    other = BertScore(scorer.model, scorer.tokenizer, baseline=(0.5, 0.5, 0.5))
    policy = Policy(recall=((1, 2), (2, 4)))
    (one, own), (two, rescaled) = (each.similarity(Corpus(rows), policy) for each in (scorer, other))
    np.testing.assert_allclose(rescaled, (own - 0.5) / 0.5, atol=1e-6)
    assert (np.argsort(one(range(4))) == np.argsort(two(range(4)))).all()


def test_sentences_are_read_once_and_only_pairs_in_windows_are_matched(scorer):
    rows = [Row(f"m{at // 30}", at, at + 1.0, f"He opens door {at}.", f"Tony stands {at} times.") for at in range(60)]
    policy = Policy(recall=((1, 5), (5, 16)))
    corpus = Corpus(rows)
    windows = [w for n in (5, 16) for movie in corpus.movies for w in windows_of(movie, n, "drop", "skip")]
    pairs = {(i, j) for window in windows for i in window for j in window} | {(i, i) for i in range(60)}
    scorer.similarity(corpus, policy)
    assert scorer.counters == {"sentences": 120, "sentences embedded": 120, "pairs matched": len(pairs)}
    scorer.similarity(Corpus([row._replace(prediction=row.reference) for row in rows]), policy)
    assert scorer.counters["sentences embedded"] == 120


def test_a_score_names_its_model_and_counts(scorer):
    rows = [Row("m", at, at + 1.0, "Tony stands.", f"Tony stands {at}.") for at in range(6)]
    found = score(rows, setup=Setup(bertscore=scorer, resamples=0))
    assert "roberta, layer 2, not rescaled" in found.header["similarity"]
    assert found.counters["pairs matched"] == 26 and found.values["BERTScore-F1"] > 0
    assert found.values["R@1/5"] == pytest.approx(20)  # one sentence for all: chance


def test_a_sentence_longer_than_the_model_is_cut(scorer):
    assert np.isfinite(scorer.match(["door " * 10_000], ["He opens the door."])).all()


def test_a_baseline_is_read_by_layer(tmp_path):
    path = tmp_path / "b.tsv"
    path.write_text("LAYER,P,R,F\n1,0.1,0.2,0.3\n2,0.4,nan,0.6\n")
    assert read_baseline(path, 1) == (0.1, 0.2, 0.3)
    for layer, what in ((2, "no three numbers"), (7, "no layer 7")):
        with pytest.raises(BadInput, match=what):
            read_baseline(path, layer)


def test_weights_and_vocabularies_that_do_not_fit_are_refused(tmp_path):
    with pytest.raises(BadUsage, match="layer 4 of 3"):
        load_roberta(GOLDEN / "roberta", 4)
    folder = Path(shutil.copytree(GOLDEN / "roberta", tmp_path / "roberta"))
    (folder / "merges.txt").unlink()
    with pytest.raises(BadInput, match=r"no vocab\.json with merges.txt"):
        load_roberta_tokenizer(folder)
    (folder / "merges.txt").write_text("#version\nqq qq\n")
    with pytest.raises(BadInput, match="not RoBERTa's vocabulary"):
        load_roberta_tokenizer(folder)


@pytest.mark.skipif("DISTINCTAD_ROBERTA" not in os.environ, reason="needs the published roberta-large weights")
def test_the_published_example_scores_as_published():
    scorer = BertScore.load(Path(os.environ["DISTINCTAD_ROBERTA"]))
    rows = [Row("m", at, at + 1.0, *pair) for at, pair in enumerate(EXAMPLE)]
    found = score(rows, setup=Setup(policy=Policy(recall=((1, 4), (3, 4))), bertscore=scorer))
    assert found.values["R@1/4"] == pytest.approx(100 * 8 / 12)
    assert found.values["R@3/4"] == pytest.approx(100 * 11 / 12)


EXAMPLE = [
    ("Tony stands.", "Inside the flat, Tony switches on the light."),
    ("They stand facing him.", "Mark and Margo and Inspector Hubbard stand facing him."),
    ("He stand.", "He quickly opens the door."),
    ("A man stands.", "A detective stands outside."),
    ("Tony closes the door.", "Tony slowly closes the door again."),
    ("Margo turns away.", "Distressed, Margo turns away."),
    (
        "Tony walks around.",
        "Tony shrugs, looks at the drinks on the sideboard, then walks calmly to the desk and picks up a bottle of "
        "whisky.",
    ),
    ("He walks towards the desk.", "He puts the key on the desk."),
    ("He holds a book.", "Taking a glass from the sideboard, he pours himself a large drink."),
]
"""Predictions and references of the docstring of AutoAD-II's script: R@1/4 0.667 and R@3/4 0.917."""
