"""Decoding against Hugging Face's `generate`, against a full recount of all sentences, and against its own rules."""

import dataclasses
import itertools
import json
from functools import partial
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from distinctad_jax.checkpoints.published import load_gpt2
from distinctad_jax.checkpoints.weights import assemble, flat
from distinctad_jax.models.gpt2 import Gpt2, Gpt2Config
from distinctad_jax.narration import decoding
from distinctad_jax.narration.decoding import Decoded, DecodingConfig, decode, penalised
from distinctad_jax.narration.rules import Rules

GOLDEN = Path(__file__).parents[1] / "golden"
SHARPER = 25.0  # as in make_decoding_golden.py
NAMES = {
    "num_beams": "beams",
    "max_new_tokens": "max_tokens",
    "min_new_tokens": "min_tokens",
    "repetition_penalty": "repetition_penalty",
    "no_repeat_ngram_size": "no_repeat",
    "length_penalty": "length_penalty",
    "early_stopping": "early_stopping",
}
SHORT = DecodingConfig(beams=3, max_tokens=8, min_tokens=3)
FREE = {"repetition_penalty": 1.0, "no_repeat": 0, "min_tokens": 0}


@pytest.fixture(scope="module")
def golden():
    return dict(np.load(GOLDEN / "decoding.npz"))


@pytest.fixture(scope="module")
def model():
    fields, params = load_gpt2(GOLDEN / "gpt2")
    made = assemble(lambda: Gpt2(Gpt2Config(**fields), rngs=nnx.Rngs(0)), flat(params), GOLDEN / "gpt2")
    made.norm_after.scale[...] *= SHARPER
    made.norm_after.bias[...] *= SHARPER
    return made


@partial(jax.jit, static_argnames=("graph", "config", "end"))
def run(state, embeddings, real, *, graph, config, end):
    return best(decode(nnx.merge(graph, state), embeddings, real, config, end))


def best(found):
    """The first candidate of each row."""
    return Decoded(found.ids[:, 0], found.scores[:, 0])


def search(model, embeddings, real, config, end):
    graph, state = nnx.split(model)
    return run(state, jnp.asarray(embeddings), jnp.asarray(real), graph=graph, config=config, end=end)


@pytest.mark.parametrize(
    "case", ["greedy_rules", "beam_rules", "beam_pairs", "beam_early", "beam_sums", "beam_long", "beam_cut"]
)
def test_the_words_equal_those_of_generate(model, golden, case):
    options = json.loads(golden[f"{case}/options"].tobytes())
    config = DecodingConfig(**{NAMES[key]: value for key, value in options.items()})
    found = search(model, golden["embeddings"], golden["real"], config, int(golden["end"]))
    np.testing.assert_array_equal(found.ids, golden[f"{case}/ids"])
    if config.beams > 1:
        np.testing.assert_allclose(found.scores, golden[f"{case}/scores"], rtol=1e-4)


def slow_greedy(model, embeddings, real, tokens, end):
    """Reads everything anew for each word; places for words to come are padding until then."""
    rows, seen = real.shape
    read = jnp.pad(jnp.asarray(embeddings), ((0, 0), (0, tokens), (0, 0)))
    real = jnp.pad(jnp.asarray(real), ((0, 0), (0, tokens)))
    graph, state = nnx.split(model)
    run = jax.jit(lambda state, read, real: nnx.merge(graph, state)(read, real)[0])
    made, total, done = np.full((rows, tokens), end), np.zeros(rows), np.zeros(rows, bool)
    for step in range(tokens):
        hidden = run(state, read, real)[:, seen + step - 1]
        chances = np.asarray(jax.nn.log_softmax(model.logits(hidden)))
        best = np.where(done, end, np.argmax(chances, axis=-1))
        total += np.where(done, 0, chances[np.arange(rows), best])
        made[:, step] = best
        done |= best == end
        read = read.at[:, seen + step].set(model.embed(jnp.asarray(best)))
        real = real.at[:, seen + step].set(True)
    return made, total / np.minimum((made != end).sum(axis=1) + 1, tokens)


def test_a_cache_changes_no_word(model, golden):
    end, tokens = int(golden["end"]), 8
    ids, scores = slow_greedy(model, golden["embeddings"], golden["real"], tokens, end)
    config = DecodingConfig(beams=1, max_tokens=tokens, **FREE)
    found = search(model, golden["embeddings"], golden["real"], config, end)
    np.testing.assert_array_equal(found.ids, ids)
    np.testing.assert_allclose(found.scores, scores, rtol=1e-4)


class Said(NamedTuple):
    """A cache: the table that a row asks, and the number of the history that it has read."""

    table: jnp.ndarray
    history: jnp.ndarray

    def rows(self, order):
        return Said(self.table[order], self.history[order])


class Tables:
    """A language model of random numbers: `count` tables, in each a row of logits for each history of `depth` ids.

    A prefix is one embedding, whose last channel holds 1 + the number of the table. Histories are numbered as in
    counting, the empty one is 0.
    """

    def __init__(self, count, vocab, depth):
        self.vocab = vocab
        histories = sum(vocab**n for n in range(depth + 1))
        self.scores = jax.random.normal(jax.random.key(0), (count, histories, vocab))

    def prefix(self):
        tables = jnp.arange(len(self.scores)) + 1.0
        return jnp.zeros((len(tables), 1, self.vocab + 1)).at[:, 0, -1].set(tables), jnp.ones((len(tables), 1), bool)

    def embed(self, ids):
        return jax.nn.one_hot(ids, self.vocab + 1)

    def new_cache(self, batch, length):
        return Said(jnp.zeros(batch, jnp.int32), jnp.zeros(batch, jnp.int32))

    def __call__(self, embeddings, real, *, cache=None):
        last = embeddings[:, -1]
        first = last[:, -1] > 0
        table = jnp.where(first, last[:, -1].astype(jnp.int32) - 1, cache.table)
        history = jnp.where(first, 0, cache.history * self.vocab + jnp.argmax(last[:, :-1], axis=-1) + 1)
        return jnp.stack([table, history], axis=-1).astype(jnp.float32)[:, None], Said(table, history)

    def logits(self, hidden):
        table, history = jnp.moveaxis(hidden.astype(jnp.int32), -1, 0)
        return self.scores[table, history]


def best_of_all(scores, tokens, end, penalty):
    """The best sentence by brute force, and its score."""
    chances, vocab = np.asarray(jax.nn.log_softmax(scores), np.float64), scores.shape[-1]
    words = [word for word in range(vocab) if word != end]
    bodies = [[*body, end] for n in range(tokens) for body in itertools.product(words, repeat=n)]
    best = (-np.inf, None)
    for sentence in bodies + [list(body) for body in itertools.product(words, repeat=tokens)]:
        history, total = 0, 0.0
        for word in sentence:
            total += chances[history, word]
            history = history * vocab + word + 1
        score = total / len(sentence) ** penalty
        best = max(best, (score, sentence + [end] * (tokens - len(sentence))))
    return best


@pytest.mark.parametrize("penalty", [0.0, 1.0])
def test_with_enough_beams_no_sentence_is_better(penalty):
    tables, tokens, end = Tables(count=12, vocab=4, depth=4), 4, 2
    expected = [best_of_all(table, tokens, end, penalty) for table in tables.scores]
    config = DecodingConfig(beams=4**3, max_tokens=tokens, length_penalty=penalty, **FREE)
    found = jax.jit(lambda *prefix: best(decode(tables, *prefix, config, end)))(*tables.prefix())
    assert found.ids.tolist() == [sentence for _, sentence in expected]
    np.testing.assert_allclose(found.scores, [score for score, _ in expected], rtol=1e-5)
    if penalty:  # a search that only ever follows the likeliest word does not pass this
        greedy = dataclasses.replace(config, beams=1)
        found = jax.jit(lambda *prefix: best(decode(tables, *prefix, greedy, end)))(*tables.prefix())
        assert found.ids.tolist() != [sentence for _, sentence in expected]


@pytest.mark.parametrize("rules", [FREE, {"repetition_penalty": 1.0, "no_repeat": 2, "min_tokens": 2}])
def test_one_beam_is_greedy(rules):
    """The penalty is left out: as in `generate`, greedy search applies it to logits and beam search to logs of
    probabilities."""
    tables, end = Tables(count=12, vocab=4, depth=6), 2
    config = DecodingConfig(beams=1, max_tokens=6, early_stopping=True, **rules)
    greedy = jax.jit(lambda *prefix: best(decode(tables, *prefix, config, end)))(*tables.prefix())

    @jax.jit
    def as_beams(embeddings, real):
        hidden, cache = tables(embeddings, real, cache=tables.new_cache(len(real), 7))
        return best(decoding._beam_search(tables, cache, tables.logits(hidden[:, 0]), config, end, Rules()))

    beam = as_beams(*tables.prefix())
    assert len(np.unique((greedy.ids == end).argmax(axis=1))) > 1
    np.testing.assert_array_equal(beam.ids, greedy.ids)
    if rules is FREE:
        np.testing.assert_allclose(beam.scores, greedy.scores, rtol=1e-5)


def test_rows_do_not_see_each_other(model, golden):
    end = int(golden["end"])
    together = search(model, golden["embeddings"], golden["real"], SHORT, end)
    order = np.random.default_rng(0).permutation(len(golden["real"]))
    order[:4] = order[0]  # other neighbours, and some of them alike
    shuffled = search(model, golden["embeddings"][order], golden["real"][order], SHORT, end)
    np.testing.assert_array_equal(shuffled.ids, np.asarray(together.ids)[order])


def test_padding_of_the_prefix_may_stand_anywhere(model, golden):
    plain, real, end = golden["embeddings"], golden["real"], int(golden["end"])
    loud, no = np.full((len(plain), 1, plain.shape[-1]), 1e3, np.float32), np.zeros((len(plain), 1), bool)
    padded = np.concatenate([loud, plain[:, :3], loud, plain[:, 3:], loud], axis=1)
    where = np.concatenate([no, real[:, :3], no, real[:, 3:], no], axis=1)
    expected = search(model, plain, real, SHORT, end)
    np.testing.assert_array_equal(search(model, padded, where, SHORT, end).ids, expected.ids)


def restated(scores, ids, config, end):
    """The rules for one row with the ids made so far, word by word."""
    scores = scores.astype(np.float64).copy()
    for word in set(ids) - {end}:
        scores[word] *= config.repetition_penalty if scores[word] < 0 else 1 / config.repetition_penalty
    n = config.no_repeat
    for start in range(len(ids) - n + 1):
        if n and ids[start : start + n - 1] == ids[len(ids) - n + 1 :] and ids[start + n - 1] != end:
            scores[ids[start + n - 1]] = decoding.FORBIDDEN
    if len(ids) < config.min_tokens:
        scores[end] = decoding.FORBIDDEN
    return scores


@pytest.mark.parametrize("no_repeat", [0, 1, 2, 3, 4])
def test_rules_equal_their_restatement(no_repeat):
    numbers, vocab, end, length = np.random.default_rng(no_repeat), 5, 4, 9
    config = DecodingConfig(no_repeat=no_repeat, min_tokens=2, repetition_penalty=1.3, max_tokens=length)
    scores = numbers.normal(size=(40, vocab)).astype(np.float32)
    ids = numbers.integers(0, vocab, (40, length), dtype=np.int32)
    run = jax.jit(partial(penalised, config=config, end=end))
    for step in range(length):
        got = run(jnp.asarray(scores), jnp.asarray(ids), step)
        expected = np.stack(
            [restated(row, made[:step].tolist(), config, end) for row, made in zip(scores, ids, strict=True)]
        )
        np.testing.assert_allclose(got, expected, rtol=1e-6)


def test_no_repeat_never_bans_the_end():
    """Not even where a history holds ends, and padded with them as finished sentences are."""
    ids = jnp.array([[3, 1, 3, 1, 3, 3], [1, 3, 1, 3, 1, 3]], jnp.int32)
    config = DecodingConfig(no_repeat=2, repetition_penalty=5.0, max_tokens=6)
    for step in range(1, 7):
        got = penalised(jnp.full((2, 4), -1.0), ids, step, config, 3)
        np.testing.assert_array_equal(got[:, 3], -1.0)


def test_sentences_have_the_least_length_and_end_in_ends(model, golden):
    end = int(golden["end"])
    ids = np.asarray(search(model, golden["embeddings"], golden["real"], SHORT, end).ids)
    assert (ids[:, : SHORT.min_tokens] != end).all()
    ended = np.cumsum(ids == end, axis=1) > 0
    assert ended.any() and (ids[ended] == end).all()


def test_it_compiles_once_for_a_shape(model, golden):
    end = int(golden["end"])
    search(model, golden["embeddings"], golden["real"], SHORT, end)
    compiled = run._cache_size()
    for factor in (0.5, 2.0):
        search(model, np.float32(factor) * golden["embeddings"], golden["real"][::-1], SHORT, end)
    assert run._cache_size() == compiled


@pytest.mark.parametrize("beams", [1, 2])
def test_it_stops_when_all_rows_have_ended(beams):
    tables, read = Tables(count=3, vocab=5, depth=2), []
    tables.scores = tables.scores.at[:, :, 4].set(50.0)  # the end, as soon as it is allowed

    class Counted(Tables):
        def logits(self, hidden):
            jax.debug.callback(lambda: read.append(1))
            return super().logits(hidden)

    tables.__class__ = Counted
    config = DecodingConfig(beams=beams, max_tokens=30, min_tokens=1, early_stopping=True)
    found = jax.jit(lambda *prefix: best(decode(tables, *prefix, config, 4)))(*tables.prefix())
    assert (found.ids[:, 1:] == 4).all()
    jax.effects_barrier()
    assert len(read) == 2  # after the prefix, and after one word


@pytest.mark.parametrize(
    "wrong", [{"beams": 0}, {"max_tokens": 0}, {"min_tokens": 50}, {"repetition_penalty": 0.0}, {"no_repeat": -1}]
)
def test_a_config_that_cannot_work_is_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        dataclasses.replace(DecodingConfig(), **wrong)


def test_a_prefix_too_long_for_the_model_is_refused(model, golden):
    with pytest.raises(ValueError, match="24"):
        search(model, golden["embeddings"], golden["real"], DecodingConfig(max_tokens=20), 0)
