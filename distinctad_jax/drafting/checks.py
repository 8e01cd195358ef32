"""What a person should look at in a description: each check a number and a sentence.

Source: guidelines of professional practice, as far as a program can tell; docs/describe.md lists them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from distinctad_jax.drafting.names import Names
from distinctad_jax.movie.description import Check, Description
from distinctad_jax.movie.movie import Line
from distinctad_jax.movie.practice import WORDS_PER_CHARACTER, Practice
from distinctad_jax.movie.span import Span
from distinctad_jax.narration.schedule import TOO_ALIKE, content, shared
from distinctad_jax.text.distinct import words

UNSURE = 0.1
"""Confidence below which the picture is no evidence for a text."""
LONGEST_SENTENCE = 25
"""Words of a sentence."""
_NEAR = 30.0  # s; dialogue so near is heard as well
_SAME_WORDS = 4  # in a row, to be what somebody says
_PAST = frozenset(
    """was were had did went came took saw gave made got said told found left felt kept stood sat ran fell held
    brought began wrote knew thought lay led met rose sang spoke drew drove ate flew grew threw wore won
    """.split()  # noqa: SIM905 (a list of quoted words is unreadable)
)
_NOUNS_TOO = frozenset("left felt rose saw thought".split())  # to the left, a felt hat  # noqa: SIM905
_AUXILIARY = frozenset("is are be been being has have having gets get 's".split())  # before a participle  # noqa: SIM905
_PERSONS = frozenset("we us our ours i me my mine you your yours".split())  # noqa: SIM905
_SHOWING = re.compile(
    r"\b(we (?:can )?see|the camera|on (?:the )?screen|this shot|the shot|the scene|close-?up)\b", re.I
)
_FILLERS = re.compile(r"\b(visible|can be seen|(?:appears?|seems?) to(?: be)?|apparently)\b", re.I)
_UNSPOKEN = re.compile(r"\d|\b(?:e\.g|i\.e|etc|vs|approx|min|sec|St|No)\.|[%&@#+=/]")
_BRACKETS = re.compile(r"[(){}\[\]<>]")
_EMOJI = re.compile("[\u2190-\u2bff\U0001f000-\U0001faff\ufe0f]")
_QUOTED = re.compile('["“”«»]')


def checked(
    one: Description,
    before: Description | None,
    dialogue: Sequence[Line],
    practice: Practice,
    names: Names,
) -> tuple[Check, ...]:
    """All checks of a description that find something. `before` is the one that is spoken before it; `dialogue` are
    the lines near it, at least those of half a minute around."""
    found = [
        *_place(one, dialogue, practice),
        *_repetition(one, before, names),
        *_names(one, names),
        *_language(one.text),
        *_said(one, dialogue),
    ]
    if one.confidence is not None and one.confidence < UNSURE:
        found.append(Check("no_visual_evidence", one.confidence, f"The model is unsure: {one.confidence:.2f} of 1."))
    return tuple(found)


def _place(one: Description, dialogue: Sequence[Line], practice: Practice) -> list[Check]:
    found = []
    over = sum(
        (min(one.span.end, line.span.end) - max(one.span.start, line.span.start))
        for line in dialogue
        if line.spoken and one.span.overlaps(line.span)
    )
    if over > 1e-6:
        found.append(Check("overlaps_dialogue", over, f"It is spoken over {over:.1f} s of dialogue."))
    rate = len(one.text.strip()) / one.span.seconds
    if one.speech is not None and one.speech.measured:
        late = one.speech.seconds - one.span.seconds
        if late > 0.05 and one.kind != "extended":
            found.append(Check("too_fast", rate * WORDS_PER_CHARACTER, f"The voice is {late:.1f} s too long for it."))
    elif rate > practice.fastest_characters_per_second + 1e-6 and one.kind != "extended":
        pace = rate * WORDS_PER_CHARACTER
        found.append(
            Check("too_fast", pace, f"It needs {pace:.0f} words a minute, the highest rate is {practice.fastest:g}.")
        )
    room = one.gap.seconds if one.gap is not None else 0.0
    if one.gap is None or not one.span.within(Span(max(one.gap.start - 1e-6, 0.0), one.gap.end + 1e-6)):
        found.append(Check("too_short_gap", room, "It reaches out of its gap." if one.gap else "It lies in no gap."))
    elif room < practice.minimum_gap - 1e-6:
        found.append(
            Check("too_short_gap", room, f"Its gap lasts {room:.1f} s, {practice.minimum_gap:g} s are wanted.")
        )
    return found


def _repetition(one: Description, before: Description | None, names: Names) -> list[Check]:
    if before is None:
        return []
    known = names.known
    share = shared(one.text, before.text, known)
    if share <= TOO_ALIKE:
        return []
    both = sorted(content(one.text, known) & content(before.text, known))
    return [Check("repeats_previous", share, f"The description before it has these words too: {', '.join(both)}.")]


def _names(one: Description, names: Names) -> list[Check]:
    found = []
    for name in names.named(one.text):
        known = names.introduced.get(name)
        if names.policy == "never":
            found.append(Check("names_too_early", 1, f"{name} is named, and nobody is to be."))
        elif names.policy == "after-intro" and (known is None or known > one.span.start):
            early = (known or 0.0) - one.span.start if known is not None else 0.0
            when = (
                f"{early:.0f} s before the dialogue says the name"
                if known is not None
                else "and the dialogue never is"
            )
            found.append(Check("names_too_early", early, f"{name} is named {when}."))
    strangers = names.strangers(one.text)
    if strangers:
        found.append(Check("not_in_cast", len(strangers), f"Not in the cast: {', '.join(strangers)}."))
    return found


def _language(text: str) -> list[Check]:
    found = []
    said = [word.text for word in words(text)]
    past = [
        word for place, word in enumerate(said) if _is_past(word, said[place - 1] if place else "", said[place + 1 :])
    ]
    if past:
        found.append(Check("past_tense", len(past), f"Descriptions are in the present tense: {', '.join(past)}."))
    persons = sorted(_PERSONS.intersection(said))
    if persons:
        found.append(
            Check("not_third_person", len(persons), f"Descriptions are in the third person: {', '.join(persons)}.")
        )
    for name, pattern, what in (
        ("speaks_of_the_film", _SHOWING, "It tells of the film instead of what is seen"),
        ("filler", _FILLERS, "Fillers"),
        ("not_spelled_out", _UNSPOKEN, "Digits and signs are to be spelled for the voice"),
        ("brackets", _BRACKETS, "Brackets cannot be spoken"),
        ("emoji", _EMOJI, "Signs that cannot be spoken"),
    ):
        hits = [match[0] for match in pattern.finditer(text)]
        if hits:
            found.append(Check(name, len(hits), f"{what}: {', '.join(dict.fromkeys(hits))}."))
    longest = max((len(words(sentence)) for sentence in re.split(r"[.!?]+\s", text)), default=0)
    if longest > LONGEST_SENTENCE:
        found.append(
            Check("long_sentence", longest, f"A sentence of {longest} words, {LONGEST_SENTENCE} are enough.")
        )
    return found


def _is_past(word: str, before: str, after: Sequence[str]) -> bool:
    """Whether a word is a finite verb of the past, as far as its form and neighbours tell."""
    if word in _PAST and word not in _NOUNS_TOO:
        return before not in _AUXILIARY
    if word not in _NOUNS_TOO and (
        not word.endswith("ed")
        or len(word) < 5
        or word in ("speed", "indeed", "naked", "wicked", "hundred", "exceed")
    ):
        return False
    subject = before in {"he", "she", "it", "they", "who"}
    # `walked to`, `opened the`, `picked up`: a verb; `the parked car`, `dressed in black`, `is covered`: none
    object_follows = bool(after) and after[0] in {
        "the",
        "a",
        "an",
        "his",
        "her",
        "their",
        "him",
        "them",
        "it",
        "up",
        "down",
    }
    return before not in _AUXILIARY and before not in {"the", "a", "an"} and (subject or object_follows)


def _said(one: Description, dialogue: Sequence[Line]) -> list[Check]:
    if _QUOTED.search(one.text):
        return [Check("possible_dialogue", 1, "It quotes; what is spoken anyway needs no description.")]
    own = [word.text for word in words(one.text)]
    runs = {tuple(own[at : at + _SAME_WORDS]) for at in range(len(own) - _SAME_WORDS + 1)}
    for line in dialogue:
        if abs(line.span.start - one.span.start) > _NEAR:
            continue
        said = [word.text for word in words(line.text)]
        for at in range(len(said) - _SAME_WORDS + 1):
            if tuple(said[at : at + _SAME_WORDS]) in runs:
                told = " ".join(said[at : at + _SAME_WORDS])
                return [Check("possible_dialogue", _SAME_WORDS, f"The dialogue says it as well: {told}.")]
    return []
