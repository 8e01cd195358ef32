"""From a prefix to a sentence: greedy and beam search under one `jit`, with a memory of what was read.

The rules are those of Hugging Face's `generate` where only embeddings are given as the prompt: penalties see the ids
made so far and nothing else, and the ids chosen are the same. Shapes are static, one compilation serves all prefixes
of a shape.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

FORBIDDEN = -1e9  # the score of what must not win; finite, so that sums and means of it stay numbers


@dataclass(frozen=True)
class DecodingConfig:
    """How sentences are searched for; each field is the option of `generate` that its comment names."""

    beams: int = 5  # num_beams; 1 is greedy search
    max_tokens: int = 40  # max_new_tokens, the end included
    min_tokens: int = 1  # min_new_tokens: the end cannot be one of the first so many
    repetition_penalty: float = 1.2  # repetition_penalty
    no_repeat: int = 3  # no_repeat_ngram_size; 0 allows all repeats
    length_penalty: float = 1.0  # length_penalty: scores are divided by length ** this; 1 averages over the tokens
    early_stopping: bool = False  # early_stopping: stop at as many ends as beams, though a longer one may be better

    def __post_init__(self) -> None:
        if self.beams < 1 or self.max_tokens < 1:
            raise ValueError(f"beams and max_tokens must be at least 1, got {self.beams} and {self.max_tokens}.")
        if not 0 <= self.min_tokens <= self.max_tokens:
            raise ValueError(f"min_tokens must lie in 0..max_tokens, got {self.min_tokens}.")
        if not self.repetition_penalty > 0:
            raise ValueError(f"repetition_penalty must be positive (1 is none), got {self.repetition_penalty}.")
        if self.no_repeat < 0:
            raise ValueError(f"no_repeat must be at least 0, got {self.no_repeat}.")


@runtime_checkable
class LanguageModel(Protocol):
    """What `decode` needs of a model; `models.gpt2.Gpt2` has it. A cache is a tuple with a method `rows`."""

    def embed(self, ids: Array) -> Array: ...

    def __call__(self, embeddings: Array, real: Array, *, cache: Any = None) -> tuple[Array, Any]: ...

    def logits(self, hidden: Array) -> Array: ...

    def new_cache(self, batch: int, length: int) -> Any: ...


class Decoded(NamedTuple):
    """One sentence a row."""

    ids: Int[Array, "rows length"]  # as many columns as max_tokens; `end` from the end on
    scores: Float[Array, " rows"]


def decode(
    model: LanguageModel,
    embeddings: Float[Array, "rows seen width"],
    real: Bool[Array, "rows seen"],
    config: DecodingConfig,
    end: int,
) -> Decoded:
    """The sentence that the model says after each prefix. To be called inside `jax.jit`, `config` and `end` static.

    Shapes: prefix embeddings `rows seen width`, one row a clip; real is False on padding, which may stand anywhere.
    Units:  a score is the sum of log-probabilities, end included, over length ** length_penalty. With beams > 1 they
      are the search's own, taken after the penalties (`sequences_scores` of `generate`); greedy search scores with
      the model's plain ones.
    Errors: ValueError from the model if prefix and max_tokens do not fit into its positions.
    Source: `generate` of transformers 5.23: greedy and vectorised beam search, which average scores by length as
      AutoAD's decoder does.
    """
    rows, seen = real.shape
    cache = model.new_cache(rows, seen + config.max_tokens - 1)  # the last token made is never read
    hidden, cache = model(embeddings, real, cache=cache)
    last = seen - 1 - jnp.argmax(real[:, ::-1], axis=1)  # the last real token predicts the first word
    logits = model.logits(jnp.take_along_axis(hidden, last[:, None, None], axis=1)[:, 0])
    if config.beams == 1:
        return _greedy(model, cache, logits, config, end)
    return _beam_search(model, cache, logits, config, end)


def penalised(
    scores: Float[Array, "rows vocab"],
    ids: Int[Array, "rows length"],
    step: Int[Array, ""] | int,
    config: DecodingConfig,
    end: int,
) -> Float[Array, "rows vocab"]:
    """The scores of the next token after the rules: repetition penalty, no repeated n-gram, minimal length.

    Only the first `step` ids of a row count, and `end` is never held back for being a repetition.
    """
    made = jnp.arange(ids.shape[1]) < step
    rows = jnp.arange(ids.shape[0])[:, None]
    if config.repetition_penalty != 1.0:
        said = jnp.zeros(scores.shape, bool).at[rows, ids].max(made & (ids != end))
        weakened = jnp.where(scores < 0, scores * config.repetition_penalty, scores / config.repetition_penalty)
        scores = jnp.where(said, weakened, scores)
    if 0 < config.no_repeat <= ids.shape[1]:
        scores = jnp.where(_repeats(ids, step, config.no_repeat, end, scores.shape[1]), FORBIDDEN, scores)
    return scores.at[:, end].set(jnp.where(step < config.min_tokens, FORBIDDEN, scores[:, end]))


def _repeats(
    ids: Int[Array, "rows length"], step: Int[Array, ""] | int, size: int, end: int, vocab: int
) -> Bool[Array, "rows vocab"]:
    """True for each token that would complete an n-gram of `size` that its row holds already."""
    rows, length = ids.shape
    starts = length - size + 1  # every place where an n-gram may stand
    last = jax.lax.dynamic_slice_in_dim(ids, jnp.maximum(step - size + 1, 0), size - 1, axis=1)
    alike = jnp.ones((rows, starts), bool)
    for offset in range(size - 1):
        alike &= ids[:, offset : offset + starts] == last[:, offset : offset + 1]
    completing = ids[:, size - 1 :]
    alike &= (jnp.arange(starts) + size - 1 < step) & (completing != end)
    return jnp.zeros((rows, vocab), bool).at[jnp.arange(rows)[:, None], completing].max(alike)


def _read(model: LanguageModel, cache: Any, ids: Int[Array, " rows"]) -> tuple[Float[Array, "rows vocab"], Any]:
    """Reads one more token a row; the logits of the next."""
    hidden, cache = model(model.embed(ids)[:, None], jnp.ones((ids.shape[0], 1), bool), cache=cache)
    return model.logits(hidden[:, 0]), cache


class _Greedy(NamedTuple):
    """Greedy search so far; `step` tokens are made."""

    step: Int[Array, ""]
    ids: Int[Array, "rows length"]
    scores: Float[Array, " rows"]
    lengths: Int[Array, " rows"]
    done: Bool[Array, " rows"]


def _greedy(
    model: LanguageModel, cache: Any, logits: Float[Array, "rows vocab"], config: DecodingConfig, end: int
) -> Decoded:
    rows = logits.shape[0]

    def choose(state: _Greedy, logits: Array) -> _Greedy:
        best = jnp.argmax(penalised(logits, state.ids, state.step, config, end), axis=-1)
        best = jnp.where(state.done, end, best).astype(jnp.int32)
        gained = jnp.take_along_axis(jax.nn.log_softmax(logits), best[:, None], axis=-1)[:, 0]
        return _Greedy(
            state.step + 1,
            state.ids.at[:, state.step].set(best),
            state.scores + jnp.where(state.done, 0.0, gained),
            state.lengths + ~state.done,
            state.done | (best == end),
        )

    def unfinished(carry: tuple[_Greedy, Any]) -> Array:
        return (carry[0].step < config.max_tokens) & ~carry[0].done.all()

    def advance(carry: tuple[_Greedy, Any]) -> tuple[_Greedy, Any]:
        state, cache = carry
        logits, cache = _read(model, cache, state.ids[:, state.step - 1])
        return choose(state, logits), cache

    start = _Greedy(
        jnp.int32(0),
        jnp.full((rows, config.max_tokens), end, jnp.int32),
        jnp.zeros(rows, jnp.float32),
        jnp.zeros(rows, jnp.int32),
        jnp.zeros(rows, bool),
    )
    state, _ = jax.lax.while_loop(unfinished, advance, (choose(start, logits), cache))
    return Decoded(state.ids, state.scores / state.lengths.astype(jnp.float32) ** config.length_penalty)


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


def _beam_search(
    model: LanguageModel, cache: Any, logits: Float[Array, "rows vocab"], config: DecodingConfig, end: int
) -> Decoded:
    rows, beams = logits.shape[0], config.beams

    def unfinished(carry: tuple[_Beams, Any]) -> Array:
        return (carry[0].step < config.max_tokens) & carry[0].open.any()

    def advance(carry: tuple[_Beams, Any]) -> tuple[_Beams, Any]:
        state, cache = carry
        chosen = (state.parents + jnp.arange(rows)[:, None] * beams).reshape(-1)
        logits, cache = _read(model, cache.rows(chosen), state.ids[:, :, state.step - 1].reshape(-1))
        return _extend(state, logits, config, end), cache

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
    )
    state = _extend(state, jnp.repeat(logits, beams, axis=0), config, end)
    cache = cache.rows(jnp.repeat(jnp.arange(rows), beams))  # the prefix was read once a row
    state, _ = jax.lax.while_loop(unfinished, advance, (state, cache))
    return Decoded(state.ended[:, 0], state.ended_scores[:, 0])


def _extend(state: _Beams, logits: Float[Array, "flat vocab"], config: DecodingConfig, end: int) -> _Beams:
    """Every beam by one token: the best go on growing, those that ended compete with the sentences that ended before.

    Twice as many candidates as beams are looked at: each beam ends in one way at most, so enough are left to go on.
    """
    rows, beams, length = state.ids.shape
    vocab, step = logits.shape[1], state.step
    gained = penalised(jax.nn.log_softmax(logits), state.ids.reshape(-1, length), step, config, end)
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
    return _Beams(
        step + 1,
        _pick(ids, going),
        scores,
        _pick(parents, going),
        _pick(jnp.concatenate([state.ended, ids], axis=1), kept),
        ended_scores,
        full,
        state.open & hopeful,
    )


def _pick(values: Array, places: Int[Array, "rows chosen"]) -> Array:
    """From each row of `values`, the entries at `places`."""
    places = places.reshape(*places.shape, *(1,) * (values.ndim - 2))
    return jnp.take_along_axis(values, places, axis=1)
