"""What each row of a batch must heed while it is decoded: words it may, must and may not say, and how many.

Everything here runs inside `decode`'s jit. Shapes are static: whoever fills the arrays (`wording.Wording` does) pads
them, so that one compilation serves all descriptions of a film.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

FORBIDDEN = -1e9  # the score of what must not win; finite, so that sums and means of it stay numbers
NONE = -1  # the id that pads the arrays below


class Lexicon(NamedTuple):
    """What each id of a vocabulary spells, as far as rules ask."""

    words: Bool[Array, " vocab"]  # it holds a letter or digit
    blank_first: Bool[Array, " vocab"]
    blank_last: Bool[Array, " vocab"]
    letter_first: Bool[Array, " vocab"]
    letter_last: Bool[Array, " vocab"]
    several: Bool[Array, " vocab"]  # it holds more than one word


class Rules(NamedTuple):
    """Rules of single rows; None is no such rule. Ids that are -1 are padding.

    Shapes: `earlier` and `neighbours` `rows ids`; `budget` `rows`; `forced` `rows names ids` with `forced_words`
      `rows names`; `forbidden` `names starts ends`, one table for all rows: the id that spells what stands from
      `starts` up to `ends` of a name, or -1 (bytes, the leading blank counted; names end at the right edge).
    Units:  `budget` and `forced_words` count words: what stands between blanks and holds a letter or digit.
    """

    lexicon: Lexicon | None = None
    earlier: Int[Array, "rows said"] | None = None  # descriptions whose n-grams are banned, -1 between them
    neighbours: Int[Array, "rows used"] | None = None  # ids that begin words which neighbours use
    budget: Int[Array, " rows"] | None = None  # the most words
    forced: Int[Array, "rows names pieces"] | None = None  # names to be said, each as its ids
    forced_words: Int[Array, "rows names"] | None = None
    forbidden: Int[Array, "names starts ends"] | None = None

    def repeated(self, times: int) -> Rules:
        """Each row so often, one after the other: as many as beams or samples."""
        of_rows = {"earlier", "neighbours", "budget", "forced", "forced_words"}
        given = {name: part for name, part in self._asdict().items() if name in of_rows and part is not None}
        return self._replace(**{name: jnp.repeat(part, times, axis=0) for name, part in given.items()})

    def follows_words(self) -> bool:
        """Whether a rule asks what was spelt so far."""
        return self.budget is not None or self.forced is not None or self.forbidden is not None


class Progress(NamedTuple):
    """What rows have said so far, as far as rules ask."""

    words: Int[Array, " rows"]  # begun
    inside: Bool[Array, " rows"]  # letters without a blank before them would go on with the last word
    fresh: Bool[Array, " rows"]  # the last character is no letter, so a name may begin without a blank
    spelt: Int[Array, "rows names"]  # how many bytes of each forbidden name stand at the end
    told: Bool[Array, "rows names"]  # which forced names have been said
    pieces: Int[Array, "rows names"]  # how many ids of each forced name stand at the end
    closed: Bool[Array, " rows"]  # a forced name has just been said, and no letter may be glued to it

    def rows(self, order: Int[Array, " chosen"]) -> Progress:
        """The rows `order`, as often as they stand in it."""
        return jax.tree.map(lambda part: part[order], self)


def begin(rules: Rules, rows: int) -> Progress:
    """Nothing said yet."""
    forced = jnp.full((rows, 0, 1), NONE) if rules.forced is None else rules.forced
    names = 0 if rules.forbidden is None else rules.forbidden.shape[0]
    return Progress(
        jnp.zeros(rows, jnp.int32),
        jnp.zeros(rows, bool),
        jnp.ones(rows, bool),
        jnp.zeros((rows, names), jnp.int32),
        forced[:, :, 0] == NONE,
        jnp.zeros(forced.shape[:2], jnp.int32),
        jnp.zeros(rows, bool),
    )


def follow(progress: Progress, ids: Int[Array, " rows"], rules: Rules) -> Progress:
    """The progress after one more id a row."""
    lexicon = rules.lexicon
    assert lexicon is not None  # `check` has seen to it
    words, blank = lexicon.words[ids], lexicon.blank_first[ids]
    opened = words & (blank | ~progress.inside)
    told, pieces = _follow_forced(progress, ids, rules)
    return Progress(
        progress.words + opened,
        (words | (progress.inside & ~blank)) & ~lexicon.blank_last[ids],
        ~lexicon.letter_last[ids],
        _follow_forbidden(progress, ids, rules),
        told,
        pieces,
        (told & ~progress.told).any(axis=1),
    )


def _follow_forced(
    progress: Progress, ids: Int[Array, " rows"], rules: Rules
) -> tuple[Bool[Array, "rows names"], Int[Array, "rows names"]]:
    if rules.forced is None:
        return progress.told, progress.pieces
    length = (rules.forced != NONE).sum(axis=-1)
    goes_on = _next_piece(rules.forced, progress.pieces) == ids[:, None]
    pieces = jnp.where(goes_on, progress.pieces + 1, rules.forced[:, :, 0] == ids[:, None])
    done = (pieces == length) & (length > 0)
    return progress.told | done, jnp.where(done, 0, pieces)


def _next_piece(forced: Int[Array, "rows names pieces"], said: Int[Array, "rows names"]) -> Int[Array, "rows names"]:
    return jnp.take_along_axis(forced, said[:, :, None], axis=2, mode="clip")[:, :, 0]


def _starts(progress: Progress) -> Int[Array, "rows names starts"]:
    """Where in each forbidden name the next id may go on: after what is spelt, at its blank, or, after something
    that is no letter, behind its blank."""
    blank = jnp.zeros_like(progress.spelt)
    bare = jnp.broadcast_to(progress.fresh[:, None], blank.shape).astype(jnp.int32)  # 1 skips the blank
    return jnp.stack([progress.spelt, bare, blank], axis=-1)


def _follow_forbidden(progress: Progress, ids: Int[Array, " rows"], rules: Rules) -> Int[Array, "rows names"]:
    if rules.forbidden is None:
        return progress.spelt
    names = jnp.arange(rules.forbidden.shape[0])
    spelt = jnp.zeros_like(progress.spelt)
    for start in jnp.moveaxis(_starts(progress), -1, 0):
        alike = rules.forbidden[names, start] == ids[:, None, None]
        spelt = jnp.maximum(spelt, jnp.where(alike.any(axis=-1), jnp.argmax(alike, axis=-1), 0))
    return spelt.astype(jnp.int32)


def heed(
    scores: Float[Array, "rows vocab"],
    plain: Float[Array, "rows vocab"],
    progress: Progress,
    step: Int[Array, ""] | int,
    rules: Rules,
    *,
    room: int,
    end: int,
    name_first: bool,
) -> Float[Array, "rows vocab"]:
    """Scores of the next id after forbidden names, forced names and the budget of words.

    `plain` are the scores before any rule: no rule stands in the way of a forced name. `room` is the most ids of a
    description. A forced name may come anywhere; a description does not end before it has come, and once no more room
    is left than names need, nothing else may follow. With `name_first` it comes first. A forced name goes before the
    budget: a budget smaller than the names is overrun by them.
    """
    lexicon = rules.lexicon
    assert lexicon is not None
    if rules.forbidden is not None:
        names = jnp.arange(rules.forbidden.shape[0])[None, :, None]
        closing = rules.forbidden[names, _starts(progress), -1].reshape(len(scores), -1)
        scores = jnp.where(listed(closing, scores.shape[1]), FORBIDDEN, scores)
    opens = lexicon.words & (lexicon.blank_first | ~progress.inside[:, None])
    if rules.forced is None or rules.forced_words is None:
        return scores if rules.budget is None else _within(scores, rules.budget - progress.words, opens, lexicon)

    scores = jnp.where(progress.closed[:, None] & lexicon.letter_first, FORBIDDEN, scores)
    untold = ~progress.told
    chosen = jnp.argmax(jnp.where(untold, progress.pieces, NONE), axis=1)[:, None]  # one begun, or else the first
    wanted = jnp.take_along_axis(_next_piece(rules.forced, progress.pieces), chosen, axis=1)
    wanted = jnp.arange(scores.shape[1]) == jnp.where(untold.any(axis=1, keepdims=True), wanted, NONE)
    if rules.budget is not None:
        left = rules.budget - progress.words - (untold * rules.forced_words).sum(axis=1)
        scores = jnp.where(wanted, plain, _within(scores, left, opens, lexicon))
    scores = scores.at[:, end].set(jnp.where(untold.any(axis=1), FORBIDDEN, scores[:, end]))
    needed = (untold[:, :, None] & (rules.forced != NONE)).sum(axis=(1, 2))
    due = (room - step - 1 < needed) & untold.any(axis=1)
    if name_first:
        due |= (progress.words == 0) | (progress.pieces > 0).any(axis=1)
        due &= untold.any(axis=1)
    return jnp.where(due[:, None], jnp.where(wanted, plain, FORBIDDEN), scores)


def _within(
    scores: Float[Array, "rows vocab"], left: Int[Array, " rows"], opens: Bool[Array, "rows vocab"], lexicon: Lexicon
) -> Float[Array, "rows vocab"]:
    """No word is begun where none is left; an id that holds several counts as too many anywhere."""
    return jnp.where((opens & (left <= 0)[:, None]) | lexicon.several, FORBIDDEN, scores)


def listed(ids: Int[Array, "rows some"], vocab: int) -> Bool[Array, "rows vocab"]:
    """True for the ids that stand in a row; -1 stands for none."""
    rows = jnp.arange(ids.shape[0])[:, None]
    return jnp.zeros((ids.shape[0], vocab), bool).at[rows, ids].max(ids != NONE)


def completions(
    history: Int[Array, "rows said"],
    counts: Bool[Array, "rows said"],
    last: Int[Array, "rows before"],
    vocab: int,
) -> Bool[Array, "rows vocab"]:
    """True for each id that would complete an n-gram of `history`, `last` being the n - 1 ids before it.

    Only n-grams all of whose places count are looked at.
    """
    rows, size = history.shape[0], last.shape[1] + 1
    starts = history.shape[1] - size + 1
    if starts < 1:
        return jnp.zeros((rows, vocab), bool)
    alike = jnp.ones((rows, starts), bool)
    for offset in range(size):
        alike &= counts[:, offset : offset + starts]
        if offset < size - 1:
            alike &= history[:, offset : offset + starts] == last[:, offset : offset + 1]
    places = jnp.arange(rows)[:, None]
    return jnp.zeros((rows, vocab), bool).at[places, history[:, size - 1 :]].max(alike)


def check(rules: Rules, rows: int) -> None:
    """Errors: ValueError if a rule is of another number of rows, or asks for words and has no lexicon."""
    if rules.follows_words() and rules.lexicon is None:
        raise ValueError("budget, forced and forbidden need the lexicon of the vocabulary.")
    if (rules.forced is None) != (rules.forced_words is None):
        raise ValueError("forced and forced_words belong together.")
    for name, part in zip(Rules._fields[1:-1], rules[1:-1], strict=True):
        if part is not None and part.shape[0] != rows:
            raise ValueError(f"{name} has {part.shape[0]} rows, needed {rows}.")
