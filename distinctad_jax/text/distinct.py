"""The words of a description that its neighbours do not use.

Source: DistinctAD (arXiv 2411.18180) filters out words that recur in the context's descriptions. The rule in full is
our reading of it: D_i = {w in words(AD_i) : w in no words(AD_j), j != i in the window}, then no stop-words.
"""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

# Letters and digits of any script, joined by single apostrophes, hyphens or inner dots and commas of numbers.
WORD = re.compile(r"[^\W_]+(?:['’\-‐][^\W_]+|(?<=\d)[.,](?=\d)[^\W_]+)*")
POSSESSIVE = re.compile(r"['’]s$")

# Function words of English: articles, pronouns, prepositions, conjunctions, auxiliaries, contractions, adverbs.
STOP_WORDS = frozenset(
    """
    a an the this that these those
    i me my mine myself we us our ours ourselves you your yours yourself yourselves
    he him his himself she her hers herself it its itself they them their theirs themselves one ones oneself
    who whom whose which what where when why how whoever whatever whichever wherever whenever however
    someone somebody something somewhere anyone anybody anything anywhere everyone everybody everything
    everywhere
    nobody nothing nowhere none each either neither both all any some every no other others another such same
    own
    aboard about above across after against along alongside amid among amongst around as at atop before behind
    below
    beneath beside besides between beyond by despite down during except for from in inside into like near of
    off on onto
    opposite out outside over past per round since through throughout till to toward towards under underneath
    until unto
    up upon via with within without
    and or but nor so yet if unless because although though while whereas whether than then once lest
    am is are was were be been being isn't aren't wasn't weren't ain't
    have has had having haven't hasn't hadn't do does did doing done don't doesn't didn't
    can could may might must shall should will would ought cannot can't couldn't mightn't mustn't shan't
    shouldn't won't
    wouldn't needn't
    i'm i've i'd i'll you're you've you'd you'll he'd he'll she'd she'll it'd it'll we're we've we'd we'll
    they're
    they've they'd they'll who'd who'll that'd that'll there'd there'll
    not never also too very just only even still already again now here there ever quite rather much many more
    most less
    least few little several enough almost
    """.split()  # noqa: SIM905  (a list of quoted words is unreadable)
)


@dataclass(frozen=True)
class DistinctConfig:
    """What counts as distinctive.

    `stopwords`: function words are dropped. `lemma`: `walks` and `walked` count as one word (see `stem`).
    `drop_names`: words of the movie's cast names are dropped. `min_count`: a word is common once this many
    neighbours use it.
    """

    stopwords: bool = True
    lemma: bool = False
    drop_names: bool = False
    min_count: int = 1

    def __post_init__(self):
        if self.min_count < 1:
            raise ValueError(f"a common word occurs in at least one neighbour: min_count >= 1, got {self.min_count}")


@dataclass(frozen=True)
class Word:
    """A lower-cased word, and where in the text it stands: characters [start, end), without its possessive."""

    text: str
    start: int
    end: int


def words(text: str) -> list[Word]:
    """The words of a text in order: lower-cased, without punctuation and possessive 's; `half-open` is one word."""
    found = []
    for match in WORD.finditer(text):
        plain = POSSESSIVE.sub("", match[0])
        found.append(
            Word(plain.lower().replace("’", "'").replace("‐", "-"), match.start(), match.start() + len(plain))
        )
    return found


def stem(word: str) -> str:
    """A word without its regular English ending, so that `walks`, `walked` and `walking` are one.

    A few suffix rules of ours, no dictionary: irregular forms (`ran`, `men`) stay as they are, and some stems are no
    words (`hurry` -> `hurri`). Only equality of stems means anything.
    """
    if len(word) <= 3 or "'" in word:
        return word
    if word.endswith(("ss", "us", "is")):
        return word
    for suffix in ("ings", "ing", "ied", "ies", "ed", "es", "s"):
        if word.endswith(suffix) and re.search("[aeiouy]", base := word.removesuffix(suffix)) and len(base) >= 2:
            return _trimmed(base + "i" if suffix in ("ied", "ies") else base)
    return _trimmed(word)


def _trimmed(base: str) -> str:
    if len(base) > 3 and base[-1] == base[-2] and base[-1] not in "aeiouls":
        base = base[:-1]  # sitting, stopped
    if len(base) > 3 and base.endswith("e"):
        return base[:-1]  # gaze, gazing
    return base[:-1] + "i" if base.endswith("y") else base  # hurry, hurried


@functools.lru_cache(maxsize=1 << 14)  # windows overlap, and come back in each epoch
def _bag(text: str | None, lemma: bool) -> dict[str, tuple[str, ...]]:
    """What is compared -> the words of the text that stand for it. Shared between calls: not to be changed."""
    bag: dict[str, tuple[str, ...]] = {}
    for word in dict.fromkeys(found.text for found in words(text or "")):
        key = stem(word) if lemma else word
        bag[key] = (*bag.get(key, ()), word)
    return bag


def _unwanted(stopwords: bool, drop_names: Collection[str]) -> frozenset[str]:
    if isinstance(drop_names, str):
        raise ValueError(f"drop_names is a collection of names, got the one string {drop_names!r}")
    names = {word.text for name in drop_names for word in words(name)}
    return STOP_WORDS | names if stopwords else frozenset(names)


def distinctive(
    texts: Sequence[str | None],
    *,
    stopwords: bool = True,
    lemma: bool = False,
    drop_names: Collection[str] = (),
    min_count: int = 1,
) -> list[frozenset[str]]:
    """For each text of a window, its words that fewer than `min_count` others use; None is padding and has none.

    Source: selection rule of DistinctAD's distinctive-word loss; the switches are ours.
    """
    bags = [_bag(text, lemma) for text in texts]
    unwanted = _unwanted(stopwords, drop_names)
    users = Counter(key for bag in bags for key in bag)
    return [
        frozenset(w for key, forms in bag.items() if users[key] - 1 < min_count for w in forms if w not in unwanted)
        for bag in bags
    ]


def context_only(
    texts: Sequence[str | None],
    *,
    stopwords: bool = True,
    lemma: bool = False,
    drop_names: Collection[str] = (),
) -> list[frozenset[str]]:
    """For each text of a window, the words of the others that it does not use; padding has none."""
    bags = [_bag(text, lemma) for text in texts]
    unwanted = _unwanted(stopwords, drop_names)
    everything: dict[str, set[str]] = {}
    for bag in bags:
        for key, forms in bag.items():
            wanted = [form for form in forms if form not in unwanted]
            if wanted:
                everything.setdefault(key, set()).update(wanted)
    return [
        frozenset(form for key, forms in everything.items() if key not in bag for form in forms)
        if text is not None
        else frozenset()
        for text, bag in zip(texts, bags, strict=True)
    ]


def context_pairs(
    texts: Sequence[str | None],
    said: Sequence[tuple[str, int]],
    *,
    stopwords: bool = True,
    lemma: bool = False,
    drop_names: Collection[str] = (),
) -> list[list[int]]:
    """For each text the numbers of those words said that are `context_only` to it, each once, in the order of `said`.

    Args:
      said: words of the texts, each with a number, such as its first id. Sets of words, as `context_only` makes them,
        would take most of the time in which a window is made.
    """
    bags = [_bag(text, lemma) for text in texts]
    key_of = {form: key for bag in bags for key, forms in bag.items() for form in forms}
    unwanted = _unwanted(stopwords, drop_names)
    wanted = [(key_of[word], number) for word, number in said if word not in unwanted]
    return [
        [] if text is None else list(dict.fromkeys([number for key, number in wanted if key not in bag]))
        for text, bag in zip(texts, bags, strict=True)
    ]


def mark(text: str, spans: Sequence[tuple[int, int]], chosen: Collection[str]) -> list[bool]:
    """For each token of a text, whether it is part of a chosen word.

    Args:
      spans: character offsets [start, end) of the tokens in `text`; the blank before a word may belong to its token.
      chosen: words as `words` writes them. Every token of every occurrence is marked.
    """
    wanted = [(word.start, word.end) for word in words(text) if word.text in chosen]
    return [any(start < last and first < end for first, last in wanted) for start, end in spans]


def distinctive_counts(
    texts: Sequence[str], size: int, *, stopwords: bool = False, lemma: bool = False
) -> tuple[int, int]:
    """(distinctive words, all words), word types summed over the descriptions of one movie in time order.

    Windows are non-overlapping groups of `size`, the last one shorter. With `stopwords`, neither count has them.
    """
    if size < 1:
        raise ValueError(f"a window holds at least one clip, got size={size}")
    kept = total = 0
    for start in range(0, len(texts), size):
        window = texts[start : start + size]
        kept += sum(map(len, distinctive(window, stopwords=stopwords, lemma=lemma)))
        total += sum(len({w.text for w in words(text)} - (STOP_WORDS if stopwords else set())) for text in window)
    return kept, total


def distinctive_share(texts: Sequence[str], size: int, *, stopwords: bool = False, lemma: bool = False) -> float:
    """The share of word types that stay distinctive in windows of `size`, for one movie; nan if it has no words.

    Sum `distinctive_counts` over movies for the share of a collection.
    """
    kept, total = distinctive_counts(texts, size, stopwords=stopwords, lemma=lemma)
    return kept / total if total else float("nan")
