"""What people say between the clips, and what movies are called; none of it is ever described."""

from __future__ import annotations

import numpy as np

from distinctad_jax.movie.movie import Line
from distinctad_jax.movie.span import Span

SAYINGS = (
    "You came after all.",
    "I told you not to wait.",
    "Did anybody follow you?",
    "It was here this morning.",
    "Nobody will believe us.",
    "Keep your voice down.",
    "What do we do now?",
    "I never liked this place.",
    "Give me one more day.",
    "You should have called.",
    "That is not what we agreed.",
    "Tell me what you saw.",
    "They know about the letter.",
    "I have heard that before.",
    "We leave at seven.",
    "My brother wrote to me.",
    "Then we have a problem.",
    "It was only a dream.",
    "I cannot remember his name.",
    "Trust me, please.",
    "How long have you known?",
    "It does not matter any more.",
    "Somebody has to stay.",
    "Ask me again tomorrow.",
    "You are not listening.",
    "All right. One last time.",
)
TITLE_HEADS = (
    "The Silent",
    "A Borrowed",
    "The Last",
    "Beyond the",
    "An Honest",
    "The Paper",
    "Under a",
    "The Second",
)
TITLE_TAILS = (
    "Harvest",
    "Letter",
    "Summer",
    "Tide",
    "Witness",
    "Window",
    "Promise",
    "Station",
    "Orchard",
    "Key",
    "Winter",
)


def title(index: int) -> str:
    """The title of the movie with this number; 88 titles differ, later movies are their sequels."""
    part, place = divmod(index, len(TITLE_HEADS) * len(TITLE_TAILS))
    name = f"{TITLE_HEADS[place % len(TITLE_HEADS)]} {TITLE_TAILS[place % len(TITLE_TAILS)]}"
    return f"{name} {part + 1}" if part else name


def lines_of(rng: np.random.Generator, span: Span, lead: float) -> list[Line]:
    """One or two lines that fill `span` but for `lead` seconds at either end and a breath between them.

    Units: seconds. The breath is far too short to hold a description.
    """
    start, end = span.start + lead, span.end - lead
    said = [SAYINGS[int(i)] for i in rng.permutation(len(SAYINGS))[:2]]
    if rng.random() < 0.5:
        return [Line(Span(start, end), said[0])]
    middle = start + (end - start) * float(rng.uniform(0.4, 0.6))
    return [Line(Span(start, middle - 0.1), said[0]), Line(Span(middle + 0.1, end), said[1])]
