"""Rules of single descriptions: budgets of words, names, words of neighbours, n-grams said before; and samples.

The language model is a table of random scores for each pair of ids, with some spellings made tempting, so that every
rule has something to forbid.
"""

import re
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from distinctad_jax.narration.decoding import DecodingConfig, decode, truncated
from distinctad_jax.narration.rules import FORBIDDEN, NONE, Rules, completions
from distinctad_jax.narration.wording import Brief, Wording, lexicon, sentence
from distinctad_jax.text.tokenizers import train_tokenizer

TEXTS = ["Jack walks to the well-known door.", "Mary Ann, who is late, runs in – Jack's hat is gone!", "Zoë's café"]
ROWS = 12
PRINTED = re.compile(rb"[ -~]+|\xc3|\xab")  # ASCII, and the two bytes of one letter
PLAIN = {"repetition_penalty": 1.0, "no_repeat": 0, "min_tokens": 1, "max_tokens": 20}
KINDS = {
    "greedy": DecodingConfig(beams=1, **PLAIN),
    "beams": DecodingConfig(beams=4, candidates=3, **PLAIN),
    "samples": DecodingConfig(beams=1, sample=True, candidates=3, temperature=1.5, **PLAIN),
}


class Nothing(NamedTuple):
    """A cache that remembers nothing."""

    row: jnp.ndarray

    def rows(self, order):
        return Nothing(self.row[order])


class Pairs:
    """A language model that goes by the id before, and by the row's own taste."""

    def __init__(self, tokenizer, tempting=(), strength=6.0, seed=0):
        numbers = np.random.default_rng(seed)
        self.scores = 2 * numbers.normal(size=(tokenizer.size, tokenizer.size)).astype(np.float32)
        spellings = tokenizer.spellings()
        self.scores[:, [number for number, text in enumerate(spellings) if not PRINTED.fullmatch(text)]] -= 100
        self.scores[:, tokenizer.end] = -1.0
        for piece in tempting:
            self.scores[:, spellings.index(piece)] += strength
        self.tastes = numbers.normal(size=(ROWS, tokenizer.size)).astype(np.float32)

    def prefix(self):
        return jnp.stack([jnp.zeros(ROWS), jnp.arange(1.0, ROWS + 1)], axis=-1)[:, None], jnp.ones((ROWS, 1), bool)

    def embed(self, ids):
        return jnp.stack([ids.astype(jnp.float32), jnp.zeros(ids.shape)], axis=-1)

    def new_cache(self, batch, length):
        return Nothing(jnp.zeros(batch))

    def __call__(self, embeddings, real, *, cache=None):
        row = jnp.where(embeddings[:, -1, 1] > 0, embeddings[:, -1, 1], cache.row)
        return jnp.stack([embeddings[:, -1, 0], row], axis=-1)[:, None], Nothing(row)

    def logits(self, hidden):
        last, row = hidden[..., 0].astype(jnp.int32), hidden[..., 1].astype(jnp.int32) - 1
        return jnp.asarray(self.scores)[last] + jnp.asarray(self.tastes)[row]


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(TEXTS * 3, "gpt2", 320)


def said(model, tokenizer, config, wording, briefs, seed=0):
    """The candidates of each row, and the compiled function."""
    run = jax.jit(lambda rules, key: decode(model, *model.prefix(), config, tokenizer.end, rules=rules, key=key))
    return wording.sentences(run(wording.rules(briefs), jax.random.key(seed))), run


def count(text):
    return sum(any(c.isalnum() or c == "\ufffd" for c in word) for word in text.split())


def test_spellings_join_to_the_text(tokenizer):
    spellings = tokenizer.spellings()
    for text in TEXTS:
        assert b"".join(spellings[number] for number in tokenizer.encode(f" {text}")).decode() == f" {text}"
    assert spellings[tokenizer.end] == b""


@pytest.mark.parametrize("kind", KINDS)
def test_no_description_has_more_words_than_its_budget(tokenizer, kind):
    model, wording = Pairs(tokenizer, [b" ", b"-"], 3.0), Wording(tokenizer)
    free, _ = said(model, tokenizer, KINDS[kind], wording, [Brief()] * ROWS)
    budgets = [row % 5 + 1 for row in range(ROWS)]
    found, run = said(model, tokenizer, KINDS[kind], wording, [Brief(budget=budget) for budget in budgets])
    assert any(count(each.text) > budget for row, budget in zip(free, budgets, strict=True) for each in row)
    for row, budget in zip(found, budgets, strict=True):
        assert row
        assert all(count(each.text) <= budget for each in row), (row, budget)
    run(wording.rules([Brief(budget=budget + 3) for budget in budgets]), jax.random.key(0))
    assert run._cache_size() == 1


@pytest.mark.parametrize("kind", ["samples"])
def test_a_forbidden_name_is_not_said_however_it_is_spelt(tokenizer, kind):
    tempting = [piece for piece in (b" ", b"J", b"ack", b" Jack", b" J") if piece in tokenizer.spellings()]
    model, names = Pairs(tokenizer, tempting), ["Jack", "Zoë", "Mary  Ann"]
    free, _ = said(model, tokenizer, KINDS[kind], Wording(tokenizer), [Brief()] * ROWS)
    found, _ = said(model, tokenizer, KINDS[kind], Wording(tokenizer, forbidden=names), [Brief()] * ROWS)
    pattern = re.compile(r"(?<!\w)(jack|Jack|JACK|Zoë|Mary Ann)(?!\w)")
    texts = [each.text for row in found for each in row]
    assert texts and not [text for text in texts if pattern.search(text)]
    assert any(pattern.search(each.text) for row in free for each in row)


def test_every_way_to_spell_a_forbidden_name_is_closed(tokenizer):
    """Word by word over all segmentations: the model may only say one, and cannot finish it."""
    spellings = tokenizer.spellings()
    where = {spelling: number for number, spelling in enumerate(spellings) if spelling}
    name = b" Jack"
    ways = [
        [name[a:b] for a, b in zip((0, *cuts), (*cuts, len(name)), strict=True)]
        for bits in range(1 << (len(name) - 1))
        for cuts in [tuple(place + 1 for place in range(len(name) - 1) if bits >> place & 1)]
    ]
    ways = [[where[piece] for piece in way] for way in ways if all(piece in where for piece in way)]
    assert len(ways) > 3
    model, wording = Pairs(tokenizer), Wording(tokenizer, forbidden=["jack"])  # another case
    model.tastes[:] = 0

    @jax.jit
    def run(scores, rules):
        model.scores = scores
        return decode(model, *model.prefix(), KINDS["greedy"], tokenizer.end, rules=rules)

    for way in ways:
        scores = np.zeros((tokenizer.size, tokenizer.size), np.float32)
        for before, after in zip((0, *way), way, strict=False):
            scores[before, after] = 50.0
        for rules, said_it in ((wording.rules([Brief()] * ROWS), False), (Rules(), True)):
            text = wording.sentences(run(scores, rules))[0][0].text
            assert ("Jack" in re.findall(r"\w+", text)) is said_it, (way, text)


@pytest.mark.parametrize(("kind", "name_first"), [("greedy", True), ("beams", False), ("samples", False)])
def test_forced_names_are_said_as_words(tokenizer, kind, name_first):
    config = DecodingConfig(**{**vars(KINDS[kind]), "name_first": name_first})
    model, wording = Pairs(tokenizer), Wording(tokenizer, names=2)
    briefs = [Brief(forced=["Jack", "Mary Ann"][: row % 3]) for row in range(ROWS)]
    found, _ = said(model, tokenizer, config, wording, briefs)
    for row, brief in zip(found, briefs, strict=True):
        assert row
        for each in row:
            for name in brief.forced:
                assert re.search(rf"(?<!\w){name}(?!\w)", each.text), (each.text, brief)
            if name_first and brief.forced:
                assert each.text.startswith(brief.forced[0])


def test_a_forced_name_counts_to_the_budget(tokenizer):
    model, wording = Pairs(tokenizer, [b" "], 2.0), Wording(tokenizer, names=1)
    briefs = [Brief(budget=row % 4 + 1, forced=["Jack"]) for row in range(ROWS)]
    found, _ = said(model, tokenizer, KINDS["beams"], wording, briefs)
    for row, brief in zip(found, briefs, strict=True):
        assert all("Jack" in each.text and count(each.text) <= brief.budget for each in row)


@pytest.mark.parametrize("size", [2, 3])
def test_no_ngram_of_an_earlier_description_comes_back(tokenizer, size):
    config = DecodingConfig(**{**vars(KINDS["beams"]), "candidates": 1, "no_repeat_across": size})
    model = Pairs(tokenizer)
    run = jax.jit(lambda rules: decode(model, *model.prefix(), config, tokenizer.end, rules=rules).ids[:, 0])
    free = np.asarray(run(Rules(earlier=jnp.full((ROWS, 24), NONE))))
    earlier = np.full((ROWS, 24), NONE)
    earlier[:, :20] = np.where(free == tokenizer.end, NONE, free)
    found = np.asarray(run(Rules(earlier=jnp.asarray(earlier))))

    def grams(ids):
        ids = ids[: ids.index(tokenizer.end)] if tokenizer.end in ids else ids
        return {tuple(ids[at : at + size]) for at in range(len(ids) - size + 1)}

    before, after = [[grams(row) for row in ids.tolist()] for ids in (free, found)]
    assert all(after) and not any(one & other for one, other in zip(before, after, strict=True))


def test_earlier_descriptions_are_laid_one_after_the_other(tokenizer):
    wording = Wording(tokenizer, earlier=12)
    found = wording.rules([Brief(earlier=["Jack", " walks "]), Brief(earlier=TEXTS)]).earlier.tolist()
    jack, walks = tokenizer.encode(" Jack"), tokenizer.encode(" walks")
    assert found[0] == [NONE, *jack, NONE, *walks] + [NONE] * (10 - len(jack) - len(walks))
    assert found[1] == [number for text in TEXTS for number in (NONE, *tokenizer.encode(f" {text}"))][-12:]


def test_ngrams_do_not_reach_across_descriptions():
    history = jnp.array([[NONE, 5, 6, NONE, 7, 8]])
    banned = completions(history, history != NONE, jnp.array([[6]]), 10)
    assert not banned.any()
    assert completions(history, history != NONE, jnp.array([[7]]), 10)[0].tolist() == [n == 8 for n in range(10)]


def test_words_of_neighbours_become_rarer_with_the_knob(tokenizer):
    model, wording = Pairs(tokenizer, [b" door", b" walks"], 3.0), Wording(tokenizer, neighbours=16, spared=["Jack"])
    briefs, rates = [Brief(neighbours=["Jack walks to the door."])] * ROWS, []
    for penalty in (0.0, 2.0, 30.0):
        config = DecodingConfig(**{**vars(KINDS["greedy"]), "neighbour_penalty": penalty})
        found, _ = said(model, tokenizer, config, wording, briefs)
        rates.append(sum(row[0].text.count("door") + row[0].text.count("walks") for row in found))
    assert rates[0] > rates[1] >= rates[2] == 0
    used = wording.rules(briefs).neighbours
    spelt = {tokenizer.spellings()[number] for number in np.unique(used) if number != NONE}
    assert b" door" in spelt and not spelt & {b" Jack", b" J", b" the", b" to"}


def test_candidates_are_sorted_and_differ(tokenizer):
    for kind in ("beams", "samples"):
        found, _ = said(Pairs(tokenizer), tokenizer, KINDS[kind], Wording(tokenizer), [Brief()] * ROWS)
        for row in found:
            scores = [each.score for each in row]
            assert scores == sorted(scores, reverse=True) and len({each.text for each in row}) == len(row)
        assert max(map(len, found)) == 3


def test_one_candidate_is_the_best_of_many(tokenizer):
    model, wording = Pairs(tokenizer), Wording(tokenizer)
    many, _ = said(model, tokenizer, KINDS["beams"], wording, [Brief()] * ROWS)
    alone = DecodingConfig(**{**vars(KINDS["beams"]), "candidates": 1})
    one, _ = said(model, tokenizer, alone, wording, [Brief()] * ROWS)
    assert [row[:1] for row in many] == one


def restated(logits, config):
    """Temperature, top-k and nucleus for one row, as `generate` has them: what stays and its probabilities."""
    logits = logits.astype(np.float64) / config.temperature
    order = np.argsort(-logits, kind="stable")
    kept = order[: config.top_k or len(order)]
    chances = np.exp(logits[kept] - logits[kept].max())
    chances /= chances.sum()
    if config.top_p < 1:
        tail = np.cumsum(chances[::-1])[::-1]  # what it and all less likely ones have together
        chances = chances[(tail > 1 - config.top_p) | (np.arange(len(kept)) == 0)]
    found = np.zeros(len(logits))
    found[kept[: len(chances)]] = chances / chances.sum()
    return found


@pytest.mark.parametrize(
    ("top_k", "top_p", "temperature"), [(0, 0.7, 1.0), (5, 1.0, 0.6), (6, 0.5, 2.0), (0, 1e-6, 1.0)]
)
def test_samples_are_drawn_from_the_likeliest(top_k, top_p, temperature):
    config = DecodingConfig(beams=1, sample=True, top_k=top_k, top_p=top_p, temperature=temperature)
    logits = np.random.default_rng(1).normal(size=(50, 12)).astype(np.float32) * 2
    found = jax.nn.softmax(jax.jit(partial(truncated, config=config))(logits))
    np.testing.assert_allclose(found, [restated(row, config) for row in logits], atol=1e-6)


def test_samples_follow_their_probabilities(tokenizer):
    config = DecodingConfig(beams=1, sample=True, max_tokens=1, min_tokens=0, candidates=400, repetition_penalty=1.0)
    model = Pairs(tokenizer)
    found = jax.jit(lambda key: decode(model, *model.prefix(), config, tokenizer.end, key=key))(jax.random.key(3))
    logits = model.logits(jnp.stack([jnp.zeros(ROWS), jnp.arange(1.0, ROWS + 1)], axis=-1))
    chances = np.asarray(jax.nn.softmax(logits))
    drawn = np.stack([np.bincount(row, minlength=tokenizer.size) for row in np.asarray(found.ids[:, :, 0])]) / 400
    assert abs(drawn - chances).max() < 5 * 0.5 / 20  # five deviations of a share of 400 draws
    again = jax.jit(lambda key: decode(model, *model.prefix(), config, tokenizer.end, key=key))(jax.random.key(4))
    assert (np.asarray(found.ids) != np.asarray(again.ids)).any()


def test_a_lexicon_knows_words_blanks_and_letters():
    facts = lexicon([b" door", b"-", b"", b"a b", b"\xc3", "é ".encode(), b" -"])
    assert facts.words.tolist() == [True, False, False, True, True, True, False]
    assert facts.blank_first.tolist() == [True, False, False, False, False, False, True]
    assert facts.blank_last.tolist() == [False, False, False, False, False, True, False]
    assert facts.letter_first.tolist() == [False, False, False, True, True, True, False]
    assert facts.several.tolist() == [False, False, False, True, False, False, False]


def test_a_sentence_is_one_line_without_what_no_track_holds(tokenizer):
    ids = [*tokenizer.encode(" Jack\n walks\x07\u2028in"), tokenizer.end, *tokenizer.encode(" never")]
    assert sentence(tokenizer, ids) == "Jack walks in"


def test_rules_that_cannot_be_kept_are_refused(tokenizer):
    with pytest.raises(ValueError, match="both forced and forbidden"):
        Wording(tokenizer, forbidden=["Jack"], names=1).rules([Brief(forced=["jack"])])
    with pytest.raises(ValueError, match="no room for forced names"):
        Wording(tokenizer).rules([Brief(forced=["Jack"])])
    with pytest.raises(ValueError, match="room for 1"):
        Wording(tokenizer, names=1).rules([Brief(forced=["Jack", "Tom"])])
    with pytest.raises(ValueError, match="takes"):
        Wording(tokenizer, names=1, pieces=1).rules([Brief(forced=["Mary Ann"])])
    with pytest.raises(ValueError, match="empty"):
        Wording(tokenizer, forbidden=[" "])
    model = Pairs(tokenizer)
    with pytest.raises(ValueError, match="budget has 1 rows, needed 12"):
        rules = Wording(tokenizer).rules([Brief(budget=3)])
        decode(model, *model.prefix(), KINDS["greedy"], tokenizer.end, rules=rules)
    with pytest.raises(ValueError, match="lexicon"):
        decode(model, *model.prefix(), KINDS["greedy"], tokenizer.end, rules=Rules(budget=jnp.ones(ROWS, jnp.int32)))
    with pytest.raises(ValueError, match="with a key"):
        decode(model, *model.prefix(), KINDS["samples"], tokenizer.end)


def test_what_heeds_no_rule_is_no_candidate(tokenizer):
    """With one word of room and beams to spare, some beams hold nothing."""
    config = DecodingConfig(beams=4, candidates=4, max_tokens=2, min_tokens=0, repetition_penalty=1.0, no_repeat=0)
    model = Pairs(tokenizer)
    model.scores[:] = -2e9  # nothing can be said, but
    model.scores[:, [tokenizer.end, 65]] = 0.0
    model.tastes[:] = 0
    found, _ = said(model, tokenizer, config, Wording(tokenizer), [Brief()] * ROWS)
    assert all(1 <= len(row) <= 4 and all(each.score > FORBIDDEN / 2 for each in row) for row in found)
