"""From a prefix to sentences: greedy search, beam search and sampling under one `jit`, with a memory.

The rules are those of Hugging Face's `generate` where only embeddings are given as the prompt: penalties see the ids
made so far and nothing else, and the ids chosen are the same. What `generate` has not (budgets of words, names, words
of neighbours) stands in `rules`. Shapes are static, one compilation serves all prefixes of a shape.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from distinctad_jax.narration.rules import (
    FORBIDDEN,
    NONE,
    Progress,
    Rules,
    begin,
    check,
    completions,
    follow,
    heed,
    listed,
)


@dataclass(frozen=True)
class DecodingConfig:
    """How sentences are searched for; a field is the option of `generate` that its comment names, or ours."""

    beams: int = 5  # num_beams; 1 is greedy search, or sampling
    max_tokens: int = 40  # max_new_tokens, the end included
    min_tokens: int = 1  # min_new_tokens: the end cannot be one of the first so many
    repetition_penalty: float = 1.2  # repetition_penalty
    no_repeat: int = 3  # no_repeat_ngram_size; 0 allows all repeats
    length_penalty: float = 1.0  # length_penalty: scores are divided by length ** this; 1 averages over the tokens
    early_stopping: bool = False  # early_stopping: stop at as many ends as beams, though a longer one may be better
    candidates: int = 1  # num_return_sequences: the best beams, or so many samples
    sample: bool = False  # do_sample, with beams=1
    temperature: float = 1.0  # temperature, of samples
    top_k: int = 0  # top_k: samples are drawn from so many ids; 0 from all
    top_p: float = 1.0  # top_p: samples are drawn from the likeliest ids that together have this probability
    no_repeat_across: int = (
        0  # ours, as AutoAD: no n-gram of this size that an earlier description holds; 0 allows all
    )
    neighbour_penalty: float = 0.0  # ours: nats taken off words that the neighbours use, so that others are chosen
    name_first: bool = False  # ours: a forced name begins the description, instead of coming anywhere in it

    def __post_init__(self) -> None:
        if min(self.beams, self.max_tokens, self.candidates) < 1:
            raise ValueError(
                "beams, max_tokens and candidates must be at least 1, "
                f"got {self.beams}, {self.max_tokens} and {self.candidates}."
            )
        if not 0 <= self.min_tokens <= self.max_tokens:
            raise ValueError(f"min_tokens must lie in 0..max_tokens, got {self.min_tokens}.")
        if not self.repetition_penalty > 0:
            raise ValueError(f"repetition_penalty must be positive (1 is none), got {self.repetition_penalty}.")
        if min(self.no_repeat, self.no_repeat_across, self.top_k) < 0 or not self.neighbour_penalty >= 0:
            raise ValueError(
                "no_repeat, no_repeat_across, top_k and neighbour_penalty must be at least 0, "
                f"got {self.no_repeat}, {self.no_repeat_across}, {self.top_k} and {self.neighbour_penalty}."
            )
        if not self.temperature > 0 or not 0 < self.top_p <= 1:
            raise ValueError(f"needs temperature > 0 and 0 < top_p <= 1, got {self.temperature} and {self.top_p}.")
        self._check_kind()

    def _check_kind(self) -> None:
        if self.sample and self.beams > 1:
            raise ValueError(f"sample draws word by word, without beams: set beams=1, got {self.beams}.")
        if not self.sample and self.candidates > self.beams:
            raise ValueError(f"candidates are the best beams, at most {self.beams} here, got {self.candidates}.")
        if not self.sample and (self.temperature, self.top_k, self.top_p) != (1.0, 0, 1.0):
            raise ValueError("temperature, top_k and top_p are for samples: set sample=True.")

    def looks_around(self) -> bool:
        """Whether what other descriptions say matters."""
        return self.no_repeat_across > 0 or self.neighbour_penalty > 0


@runtime_checkable
class LanguageModel(Protocol):
    """What `decode` needs of a model; `models.gpt2.Gpt2` has it. A cache is a tuple with a method `rows`."""

    def embed(self, ids: Array) -> Array: ...

    def __call__(self, embeddings: Array, real: Array, *, cache: Any = None) -> tuple[Array, Any]: ...

    def logits(self, hidden: Array) -> Array: ...

    def new_cache(self, batch: int, length: int) -> Any: ...


class Decoded(NamedTuple):
    """The sentences of each row, the best first."""

    ids: Int[Array, "rows candidates length"]  # as many columns as max_tokens; `end` from the end on
    scores: Float[Array, "rows candidates"]  # FORBIDDEN where no sentence heeds the rules


def decode(
    model: LanguageModel,
    embeddings: Float[Array, "rows seen width"],
    real: Bool[Array, "rows seen"],
    config: DecodingConfig,
    end: int,
    *,
    rules: Rules | None = None,
    key: PRNGKeyArray | None = None,
) -> Decoded:
    """What the model says after each prefix. To be called inside `jax.jit`, `config` and `end` static.

    Shapes: prefix embeddings `rows seen width`, one row a clip; real is False on padding, which may stand anywhere.
      `rules` are those of single rows; `key` is what samples are drawn with.
    Units:  a score is the sum of log-probabilities, end included, over length ** length_penalty. With beams > 1 they
      are the search's own, taken after the penalties (`sequences_scores` of `generate`); greedy search and samples
      are scored with the model's plain ones.
    Errors: ValueError from the model if prefix and max_tokens do not fit into its positions; if samples are to be
      drawn without a key; if rules are of another number of rows or lack their lexicon.
    Source: `generate` of transformers 5.23: greedy and vectorised beam search, which average scores by length as
      AutoAD's decoder does; temperature, top-k and nucleus (arXiv 1904.09751) in its order.
    """
    rows, seen = real.shape
    if config.sample and key is None:
        raise ValueError("samples are drawn with a key.")
    rules = Rules() if rules is None else rules
    check(rules, rows)
    cache = model.new_cache(rows, seen + config.max_tokens - 1)  # the last token made is never read
    hidden, cache = model(embeddings, real, cache=cache)
    last = seen - 1 - jnp.argmax(real[:, ::-1], axis=1)  # the last real token predicts the first word
    logits = model.logits(jnp.take_along_axis(hidden, last[:, None, None], axis=1)[:, 0])
    if config.beams == 1:
        return _word_by_word(model, cache, logits, config, end, rules, key)
    return _beam_search(model, cache, logits, config, end, rules)


def penalised(
    scores: Float[Array, "rows vocab"],
    ids: Int[Array, "rows length"],
    step: Int[Array, ""] | int,
    config: DecodingConfig,
    end: int,
    rules: Rules | None = None,
    progress: Progress | None = None,
) -> Float[Array, "rows vocab"]:
    """The scores of the next token after all rules.

    Only the first `step` ids of a row count, and `end` is never held back for being a repetition. `progress` is what
    they spell, needed if `rules` follow words.
    """
    plain, vocab = scores, scores.shape[1]
    made = jnp.arange(ids.shape[1]) < step
    rows = jnp.arange(ids.shape[0])[:, None]
    if config.repetition_penalty != 1.0:
        said = jnp.zeros(scores.shape, bool).at[rows, ids].max(made & (ids != end))
        weakened = jnp.where(scores < 0, scores * config.repetition_penalty, scores / config.repetition_penalty)
        scores = jnp.where(said, weakened, scores)
    if rules is not None and rules.neighbours is not None and config.neighbour_penalty:
        used = listed(rules.neighbours, vocab).at[:, end].set(False)
        scores = jnp.where(used, scores - config.neighbour_penalty, scores)
    if 0 < config.no_repeat <= ids.shape[1]:
        again = completions(ids, jnp.broadcast_to(made, ids.shape), _last(ids, step, config.no_repeat), vocab)
        scores = jnp.where(again.at[:, end].set(False), FORBIDDEN, scores)
    if rules is not None and rules.earlier is not None and 0 < config.no_repeat_across <= ids.shape[1]:
        size = config.no_repeat_across
        again = completions(rules.earlier, rules.earlier != NONE, _last(ids, step, size), vocab)
        again = again.at[:, end].set(False) & (step >= size - 1)
        scores = jnp.where(again, FORBIDDEN, scores)
    scores = scores.at[:, end].set(jnp.where(step < config.min_tokens, FORBIDDEN, scores[:, end]))
    if rules is None or progress is None or not rules.follows_words():
        return scores
    return heed(scores, plain, progress, step, rules, room=config.max_tokens, end=end, name_first=config.name_first)


def _last(ids: Int[Array, "rows length"], step: Int[Array, ""] | int, size: int) -> Int[Array, "rows before"]:
    """The size - 1 ids before `step`."""
    return jax.lax.dynamic_slice_in_dim(ids, jnp.maximum(step - size + 1, 0), size - 1, axis=1)


def truncated(logits: Float[Array, "rows vocab"], config: DecodingConfig) -> Float[Array, "rows vocab"]:
    """What samples are drawn from: logits over temperature, all but the likeliest ids forbidden."""
    logits = logits / config.temperature
    if 0 < config.top_k < logits.shape[1]:
        least = jax.lax.top_k(logits, config.top_k)[0][:, -1:]
        logits = jnp.where(logits < least, FORBIDDEN, logits)
    if config.top_p < 1:
        order = jnp.argsort(logits, axis=1)  # the least likely first
        rising = jnp.cumsum(jax.nn.softmax(jnp.take_along_axis(logits, order, axis=1)), axis=1)
        out = (rising <= 1 - config.top_p).at[:, -1].set(False)
        rows = jnp.arange(len(logits))[:, None]
        logits = jnp.where(jnp.zeros_like(out).at[rows, order].set(out), FORBIDDEN, logits)
    return logits


def _read(model: LanguageModel, cache: Any, ids: Int[Array, " rows"]) -> tuple[Float[Array, "rows vocab"], Any]:
    """Reads one more token a row; the logits of the next."""
    hidden, cache = model(model.embed(ids)[:, None], jnp.ones((ids.shape[0], 1), bool), cache=cache)
    return model.logits(hidden[:, 0]), cache


class _Said(NamedTuple):
    """What is said word by word so far; `step` tokens are made."""

    step: Int[Array, ""]
    ids: Int[Array, "rows length"]
    scores: Float[Array, " rows"]
    lengths: Int[Array, " rows"]
    done: Bool[Array, " rows"]
    progress: Progress


def _word_by_word(
    model: LanguageModel,
    cache: Any,
    logits: Float[Array, "rows vocab"],
    config: DecodingConfig,
    end: int,
    rules: Rules,
    key: PRNGKeyArray | None,
) -> Decoded:
    """The likeliest word each time, or one that is drawn; samples of a row are rows of their own."""
    key = key if config.sample else None
    wanted, count = logits.shape[0], config.candidates
    rows = wanted * count
    if count > 1:
        order = jnp.repeat(jnp.arange(wanted), count)
        logits, cache, rules = logits[order], cache.rows(order), rules.repeated(count)

    def choose(state: _Said, logits: Array) -> _Said:
        allowed = penalised(logits, state.ids, state.step, config, end, rules, state.progress)
        if key is None:
            best = jnp.argmax(allowed, axis=-1)
        else:
            best = jax.random.categorical(jax.random.fold_in(key, state.step), truncated(allowed, config))
        best = jnp.where(state.done, end, best).astype(jnp.int32)
        gained = jnp.take_along_axis(jax.nn.log_softmax(logits), best[:, None], axis=-1)[:, 0]
        return _Said(
            state.step + 1,
            state.ids.at[:, state.step].set(best),
            state.scores + jnp.where(state.done, 0.0, gained),
            state.lengths + ~state.done,
            state.done | (best == end),
            _followed(state.progress, best, rules),
        )

    def unfinished(carry: tuple[_Said, Any]) -> Array:
        return (carry[0].step < config.max_tokens) & ~carry[0].done.all()

    def advance(carry: tuple[_Said, Any]) -> tuple[_Said, Any]:
        state, cache = carry
        logits, cache = _read(model, cache, state.ids[:, state.step - 1])
        return choose(state, logits), cache

    start = _Said(
        jnp.int32(0),
        jnp.full((rows, config.max_tokens), end, jnp.int32),
        jnp.zeros(rows, jnp.float32),
        jnp.zeros(rows, jnp.int32),
        jnp.zeros(rows, bool),
        begin(rules, rows),
    )
    state, _ = jax.lax.while_loop(unfinished, advance, (choose(start, logits), cache))
    scores = state.scores / state.lengths.astype(jnp.float32) ** config.length_penalty
    scores, ids = scores.reshape(wanted, count), state.ids.reshape(wanted, count, -1)
    order = jnp.argsort(-scores, axis=1)
    return Decoded(_pick(ids, order), _pick(scores, order))


def _followed(progress: Progress, ids: Int[Array, " rows"], rules: Rules) -> Progress:
    return follow(progress, ids, rules) if rules.follows_words() else progress


class _Beams(NamedTuple):
    """Beam search so far; `step` tokens are made."""

    step: Int[Array, ""]
    ids: Int[Array, "rows beams length"]  # sentences still growing, the best first
    scores: Float[Array, "rows beams"]  # their sums of log-probabilities
    parents: Int[Array, "rows beams"]  # the beam of the step before that each one continues
    ended: Int[Array, "rows beams length"]  # the best finished sentences
    ended_scores: Float[Array, "rows beams"]  # divided by their lengths
    full: Bool[Array, "rows beams"]  # which of these places hold a finished sentence
    open: Bool[Array, " rows"]  # whether a growing sentence may still beat the finished ones
    progress: Progress  # what the growing sentences spell, `rows * beams` of them


def _beam_search(
    model: LanguageModel,
    cache: Any,
    logits: Float[Array, "rows vocab"],
    config: DecodingConfig,
    end: int,
    rules: Rules,
) -> Decoded:
    rows, beams = logits.shape[0], config.beams
    rules = rules.repeated(beams)

    def unfinished(carry: tuple[_Beams, Any]) -> Array:
        return (carry[0].step < config.max_tokens) & carry[0].open.any()

    def advance(carry: tuple[_Beams, Any]) -> tuple[_Beams, Any]:
        state, cache = carry
        chosen = (state.parents + jnp.arange(rows)[:, None] * beams).reshape(-1)
        logits, cache = _read(model, cache.rows(chosen), state.ids[:, :, state.step - 1].reshape(-1))
        return _extend(state, logits, config, end, rules), cache

    # One beam holds the empty sentence; the others cannot win until the first has split.
    state = _Beams(
        jnp.int32(0),
        jnp.full((rows, beams, config.max_tokens), end, jnp.int32),
        jnp.full((rows, beams), FORBIDDEN, jnp.float32).at[:, 0].set(0.0),
        jnp.zeros((rows, beams), jnp.int32),
        jnp.full((rows, beams, config.max_tokens), end, jnp.int32),
        jnp.full((rows, beams), FORBIDDEN, jnp.float32),
        jnp.zeros((rows, beams), bool),
        jnp.ones(rows, bool),
        begin(rules, rows * beams),
    )
    state = _extend(state, jnp.repeat(logits, beams, axis=0), config, end, rules)
    cache = cache.rows(jnp.repeat(jnp.arange(rows), beams))  # the prefix was read once a row
    state, _ = jax.lax.while_loop(unfinished, advance, (state, cache))
    return Decoded(state.ended[:, : config.candidates], state.ended_scores[:, : config.candidates])


def _extend(
    state: _Beams, logits: Float[Array, "flat vocab"], config: DecodingConfig, end: int, rules: Rules
) -> _Beams:
    """Every beam by one token: the best go on growing, those that ended compete with the sentences that ended before.

    Twice as many candidates as beams are looked at: each beam ends in one way at most, so enough are left to go on.
    """
    rows, beams, length = state.ids.shape
    vocab, step = logits.shape[1], state.step
    flat = state.ids.reshape(-1, length)
    gained = penalised(jax.nn.log_softmax(logits), flat, step, config, end, rules, state.progress)
    totals = (gained.reshape(rows, beams, vocab) + state.scores[:, :, None]).reshape(rows, -1)
    totals, places = jax.lax.top_k(totals, 2 * beams)
    parents, tokens = (places // vocab).astype(jnp.int32), (places % vocab).astype(jnp.int32)
    ids = _pick(state.ids, parents).at[:, :, step].set(tokens)
    stopped = (tokens == end) | (step + 1 >= config.max_tokens)

    scores, going = jax.lax.top_k(jnp.where(stopped, totals + FORBIDDEN, totals), beams)

    # A candidate outside the first `beams` is there to grow, not to end; a forbidden one is no sentence.
    ending = stopped & (jnp.arange(2 * beams) < beams) & (totals > FORBIDDEN / 2) & state.open[:, None]
    if config.early_stopping:
        ending &= ~state.full.all(axis=1, keepdims=True)
    made = (step + 1).astype(jnp.float32) ** config.length_penalty
    merged = jnp.concatenate([state.ended_scores, jnp.where(ending, totals / made, FORBIDDEN)], axis=1)
    ended_scores, kept = jax.lax.top_k(merged, beams)
    full = _pick(jnp.concatenate([state.full, ending], axis=1), kept)

    # As `generate` has it: the best growing sentence at its length now against the worst finished one.
    worst = jnp.where(full, ended_scores[:, -1:], FORBIDDEN)
    hopeful = (scores[:, :1] / made > worst).any(axis=1)
    if config.early_stopping:
        hopeful &= ~full.all(axis=1)
    grown, parents = _pick(ids, going), _pick(parents, going)
    chosen = (parents + jnp.arange(rows)[:, None] * beams).reshape(-1)
    return _Beams(
        step + 1,
        grown,
        scores,
        parents,
        _pick(jnp.concatenate([state.ended, ids], axis=1), kept),
        ended_scores,
        full,
        state.open & hopeful,
        _followed(state.progress.rows(chosen), grown[:, :, step].reshape(-1), rules),
    )


def _pick(values: Array, places: Int[Array, "rows chosen"]) -> Array:
    """From each row of `values`, the entries at `places`."""
    places = places.reshape(*places.shape, *(1,) * (values.ndim - 2))
    return jnp.take_along_axis(values, places, axis=1)
