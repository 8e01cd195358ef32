"""What the narrator is told before it speaks: who may be seen, and what to do.

Source: the role -> spoken name rule and the shape of the prompt follow AutoAD; names only, in cast order.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from distinctad_jax.text.distinct import STOP_WORDS, words
from distinctad_jax.text.tokenizers import Tokenizer

INSTRUCTION = "Describe:"
NAMES_LEAD = "Possible characters:"
CAPITALS = frozenset(
    """i monday tuesday wednesday thursday friday saturday sunday january february march april may june july august
    september october november december mr mrs ms dr christmas easter english french german spanish italian chinese
    japanese american british european african asian indian russian christian jewish muslim tv suv ufo dvd cd usb
    """.split()  # noqa: SIM905 (a list of quoted words is unreadable)
)
"""Words that are written with a capital and are nobody's name."""


@dataclass(frozen=True)
class NamesConfig:
    """Whose names the narrator is given.

    `source`: "cast" gives the head of the clip's cast list; "predicted" those who were seen in the clip, by
    recognised faces or by portraits, in the order of the cast; "oracle" those of it that the reference text uses,
    which nobody knows outside an ablation; "none" gives no list. `limit`: at most so many names. `dropout`: in
    training each name is left out with this probability, so that the list is no promise.
    """

    source: Literal["oracle", "predicted", "cast", "none"] = "cast"
    limit: int = 5
    dropout: float = 0.1

    def __post_init__(self):
        if self.source not in ("oracle", "predicted", "cast", "none"):
            raise ValueError(f"names come from oracle, predicted, cast or none, got source={self.source!r}")
        if self.limit < 1 or not 0 <= self.dropout < 1:
            raise ValueError(f"names need limit >= 1 and 0 <= dropout < 1, got {self}")


def spoken_name(role: str) -> str:
    """The name by which a description calls a role: `Jake Sully` -> `Jake`, `Dr. Grace Augustine` -> `Grace`.

    The first token; if it ends with a dot, the second, without punctuation. Brackets (`(uncredited)`) are no part
    of a role. Empty if nothing remains.
    """
    tokens = re.sub(r"[(\[].*?[)\]]", " ", role).split()
    titled = len(tokens) > 1 and tokens[0].endswith(".")
    chosen = tokens[1] if titled else (tokens[0] if tokens else "")
    return re.sub(r"^[^\w]+|[^\w]+$", "", chosen)


def spoken_names(roles: Iterable[str]) -> tuple[str, ...]:
    """The spoken names of a cast list in its order, each once."""
    return tuple(dict.fromkeys(name for role in roles if (name := spoken_name(role))))


def learnt_names(texts: Iterable[str], roles: Iterable[str]) -> tuple[str, ...]:
    """Names that a model which was trained on these texts may say, in lower case, in order of the alphabet.

    They are the words that the texts never write small, and that have a capital within a sentence or are the spoken
    name of a role. Days, months, peoples and abbreviations (`CAPITALS`) are none, unless a role is called so.
    """
    small, large, within = set[str](), set[str](), set[str]()
    for text in texts:
        for word in words(text):
            if text[word.start].islower():
                small.add(word.text)
            elif text[word.start].isupper():
                large.add(word.text)
                if not begins_sentence(text, word.start):
                    within.add(word.text)
    called = {word.text for name in spoken_names(roles) for word in words(name)}
    return tuple(sorted(((within - CAPITALS) | (large & called)) - small - STOP_WORDS))


def begins_sentence(text: str, start: int) -> bool:
    """Whether the word that starts there is the first of a sentence or of what is quoted."""
    before = text[:start].rstrip()
    return not before or before[-1] in '.!?:"“-'


def names_in(text: str, names: Iterable[str]) -> tuple[str, ...]:
    """Those of the spoken names that occur as words of the text, in their own order (the oracle)."""
    used = {word.text for word in words(text)}
    return tuple(name for name in names if (parts := [w.text for w in words(name)]) and used.issuperset(parts))


def names_prompt(names: Sequence[str], limit: int = 5) -> str:
    """`Possible characters: A, B, C.` with at most `limit` names; empty without names."""
    chosen = list(names)[:limit]
    return f"{NAMES_LEAD} {', '.join(chosen)}." if chosen else ""


def narrator_prompt(names: Sequence[str], limit: int = 5) -> str:
    """All that stands before the visual tokens: the names, if any, and the instruction."""
    return f"{names_prompt(names, limit)} {INSTRUCTION}".strip()


def prompt_ids(tokenizer: Tokenizer, names: Sequence[str], length: int, limit: int = 5) -> list[int]:
    """The ids of `narrator_prompt` after what the model expects before all text (`Tokenizer.opening`), at most
    `length`: a list of names that is too long loses its last ones.

    Errors: ValueError if not even the instruction fits.
    """
    for count in range(min(len(names), limit), -1, -1):
        ids = [*tokenizer.opening, *tokenizer.encode(narrator_prompt(names[:count], limit))]
        if len(ids) <= length:
            return ids
    raise ValueError(f"a prompt of {length} ids has no room for {narrator_prompt(())!r}, which takes {len(ids)}")
