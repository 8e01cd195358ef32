"""Between words and the arrays of `rules`: what a vocabulary spells, what a description is to heed, what was said."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from distinctad_jax.narration.decoding import Decoded
from distinctad_jax.narration.rules import FORBIDDEN, NONE, Lexicon, Rules
from distinctad_jax.text.distinct import STOP_WORDS, words
from distinctad_jax.text.tokenizers import Tokenizer

CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
"""What a model of bytes may say and no track or table should hold."""
MOST_WORDS = 1 << 15  # a budget that no description reaches


@dataclass(frozen=True)
class Brief:
    """What one description has to heed.

    Args:
      budget: the most words; None is any number.
      earlier: descriptions that were said before, whose n-grams are not to come back (`no_repeat_across`).
      neighbours: descriptions of the clips around, whose words are to be avoided (`neighbour_penalty`).
      forced: names that it has to say.
    """

    budget: int | None = None
    earlier: Sequence[str] = ()
    neighbours: Sequence[str] = ()
    forced: Sequence[str] = ()


class Candidate(NamedTuple):
    """One sentence for a clip; the better one of two has the higher score (see `decode`)."""

    text: str
    score: float


class Wording:
    """Turns briefs into `Rules` of one shape, and ids into sentences.

    Args:
      forbidden: names and words that no description may say, in any case (`Jack`, `JACK`, `jack`) and however the
        vocabulary may spell them; a longer word that is one id of its own (`Jackson`) stays allowed.
      spared: words that neighbours may share without a penalty, as the names of the cast.
      names, pieces: room for so many forced names of so many ids.
      earlier, neighbours: room for so many ids of earlier descriptions, and so many words of neighbours; of more, the
        last ones count.
      vocab: how many ids the model scores, if these are more than the tokenizer knows.
    Errors: ValueError if a forbidden name is empty.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        *,
        forbidden: Iterable[str] = (),
        spared: Iterable[str] = (),
        names: int = 0,
        pieces: int = 8,
        earlier: int = 0,
        neighbours: int = 0,
        vocab: int = 0,
    ):
        self.tokenizer, self.names, self.pieces = tokenizer, names, pieces
        self.earlier, self.neighbours = earlier, neighbours
        self.spared = STOP_WORDS | {word.text for name in spared for word in words(name)}
        spellings = tokenizer.spellings()
        spellings += [b""] * (vocab - len(spellings))
        self.lexicon = lexicon(spellings)
        self.unsaid = sorted({" ".join(name.split()) for name in forbidden})
        self.forbidden = _alphabet(self.unsaid, spellings)

    def rules(self, briefs: Sequence[Brief]) -> Rules:
        """The rules of rows, one brief each.

        Errors: ValueError if more names are forced than there is room for, or one of them is longer, or forbidden.
        """
        forced, forced_words = self._forced(briefs)
        budgets = [MOST_WORDS if brief.budget is None else max(brief.budget, 0) for brief in briefs]
        limited = any(brief.budget is not None for brief in briefs)
        return Rules(
            self.lexicon,
            self._padded([self._said(brief.earlier) for brief in briefs], self.earlier),
            self._padded([self._used(brief.neighbours) for brief in briefs], self.neighbours),
            jnp.asarray(budgets, jnp.int32) if limited else None,
            forced,
            forced_words,
            self.forbidden,
        )

    def _said(self, texts: Sequence[str]) -> list[int]:
        ids: list[int] = []
        for text in texts:
            ids += [NONE, *self.tokenizer.encode(f" {text.strip()}")]
        return ids

    def _used(self, texts: Sequence[str]) -> list[int]:
        """The ids that begin the words of texts, stop-words and spared ones left out, in both cases."""
        first: dict[int, None] = {}
        for text in texts:
            for word in words(text):
                if word.text not in self.spared:
                    for spelling in (word.text, word.text.capitalize(), text[word.start : word.end]):
                        first[self.tokenizer.encode(f" {spelling}")[0]] = None
        return list(first)

    @staticmethod
    def _padded(rows: list[list[int]], room: int) -> jnp.ndarray | None:
        if not room:
            return None
        padded = np.full((len(rows), room), NONE, np.int32)
        for row, ids in zip(padded, rows, strict=True):
            kept = ids[-room:]
            row[: len(kept)] = kept
        return jnp.asarray(padded)

    def _forced(self, briefs: Sequence[Brief]) -> tuple[jnp.ndarray | None, jnp.ndarray | None]:
        if not self.names:
            if any(brief.forced for brief in briefs):
                raise ValueError("there is no room for forced names: make Wording with names >= 1.")
            return None, None
        ids = np.full((len(briefs), self.names, self.pieces), NONE, np.int32)
        count = np.zeros((len(briefs), self.names), np.int32)
        for row, brief in enumerate(briefs):
            if len(brief.forced) > self.names:
                raise ValueError(f"{len(brief.forced)} forced names, there is room for {self.names}.")
            for place, name in enumerate(brief.forced):
                if name.casefold() in {other.casefold() for other in self.unsaid}:
                    raise ValueError(f"{name!r} is both forced and forbidden.")
                found = self.tokenizer.encode(f" {' '.join(name.split())}")
                if not 0 < len(found) <= self.pieces:
                    raise ValueError(
                        f"the forced name {name!r} takes {len(found)} ids, there is room for {self.pieces}."
                    )
                ids[row, place, : len(found)], count[row, place] = found, len(name.split())
        return jnp.asarray(ids), jnp.asarray(count)

    def sentences(self, decoded: Decoded) -> list[list[Candidate]]:
        """The candidates of each row, the best first, each text once; those that heed no rules are left out."""
        return [
            self._row(ids, scores)
            for ids, scores in zip(np.asarray(decoded.ids), np.asarray(decoded.scores), strict=True)
        ]

    def _row(self, ids: np.ndarray, scores: np.ndarray) -> list[Candidate]:
        best: dict[str, Candidate] = {}
        for row, score in zip(ids.tolist(), scores.tolist(), strict=True):
            if score > FORBIDDEN / 2:
                text = sentence(self.tokenizer, row)
                best.setdefault(text, Candidate(text, score))
        return list(best.values())


def sentence(tokenizer: Tokenizer, ids: Sequence[int]) -> str:
    """Generated ids as one line of text: up to the end id, control characters and blanks in rows made one blank."""
    tokens = [int(token) for token in ids]
    said = tokenizer.decode(tokens[: tokens.index(tokenizer.end)] if tokenizer.end in tokens else tokens)
    return " ".join(CONTROL.sub(" ", said).split())


def lexicon(spellings: Sequence[bytes]) -> Lexicon:
    """What rules ask of each id, from the bytes that it spells. A part of a character counts as a letter."""

    def letter(character: str) -> bool:
        return character.isalnum() or character == "\ufffd"

    texts = [CONTROL.sub(" ", spelling.decode("utf-8", errors="replace")) for spelling in spellings]

    facts = [
        (
            any(map(letter, text)),
            text[:1].isspace(),
            text[-1:].isspace(),
            bool(text) and letter(text[0]),
            bool(text) and letter(text[-1]),
            sum(any(map(letter, word)) for word in text.split()) > 1,
        )
        for text in texts
    ]
    return Lexicon(*(jnp.asarray(column) for column in np.array(facts, bool).T))


def _alphabet(names: Sequence[str], spellings: Sequence[bytes]) -> jnp.ndarray | None:
    """For each name, in each case, and each stretch of its bytes the id that spells it (see `Rules`)."""
    if not names:
        return None
    if not all(names):
        raise ValueError("a forbidden name is empty.")
    by_bytes = {spelling: number for number, spelling in enumerate(spellings) if spelling}
    closed = _closed(names, spellings, by_bytes)
    cases = {form for name in names for form in (name, name.lower(), name.upper(), name.capitalize())}
    forms = sorted(f" {form}".encode() for form in cases)
    longest = max(map(len, forms))
    # Names end at the right edge, so that all of them are whole at the same place.
    table = np.full((len(forms) + len(closed), longest + 1, longest + 1), NONE, np.int32)
    table[len(forms) :, 0, longest] = closed
    for rows, form in zip(table, forms, strict=False):
        for start in range(len(form)):
            for end in range(start + 1, len(form) + 1):
                place = longest if end == len(form) else end
                rows[start, place] = by_bytes.get(form[start:end], NONE)
    return jnp.asarray(table)


def _closed(names: Sequence[str], spellings: Sequence[bytes], by_bytes: dict[bytes, int]) -> list[int]:
    """The ids that are never said while names are forbidden: those that hold a name and more (`(Jack`), and, where a
    byte and a piece spell the same, the byte, since texts are made of pieces and `by_bytes` knows one of them."""
    named = re.compile(rf"(?<![^\W_])(?:{'|'.join(map(re.escape, names))})(?![^\W_])", re.IGNORECASE)
    found = []
    for number, spelling in enumerate(spellings):
        text = spelling.decode("utf-8", errors="replace").strip()
        name = named.search(text)
        if spelling and (by_bytes[spelling] != number or (name and name[0] != text)):
            found.append(number)
    return found
