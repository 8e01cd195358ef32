"""A description, and all that a person who reviews, voices or mixes it wants to know of it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from distinctad_jax.movie.span import Span

KINDS = ("inline", "extended", "dropped")
"""Spoken in a pause of the dialogue; spoken while the film waits; left out, and kept with the reason."""

STATUSES = ("draft", "edited", "approved")
"""As a program left it; changed by a person; read by a person who wants it so."""

NON_TEXT = "visual.nonText"
"""What most descriptions tell of: pictures. Titles and signs that are read out are `visual.text` or below."""


def _finite(**numbers: float | int | None) -> None:
    for name, number in numbers.items():
        if number is not None and not math.isfinite(number):
            raise ValueError(f"A {name} is a finite number or None, got {number}.")


@dataclass(frozen=True)
class Check:
    """Something a person should look at: `name` for programs (`too_fast`), the number found, and a sentence.

    Errors: ValueError if the name is empty or the number is not finite.
    """

    name: str
    value: float | int
    sentence: str

    def __post_init__(self) -> None:
        _finite(value=self.value)
        if not self.name:
            raise ValueError("A check needs a name.")
        object.__setattr__(self, "value", float(self.value))


@dataclass(frozen=True)
class Alternative:
    """Another text for the same moment, as good as its `score`, and why it was not taken.

    Units: `seconds` is its speaking time, None if unknown; `distinctiveness` as in `Description`.
    """

    text: str
    score: float | None = None
    distinctiveness: float | None = None
    seconds: float | None = None
    reason: str = ""

    def __post_init__(self) -> None:
        _finite(score=self.score, distinctiveness=self.distinctiveness, seconds=self.seconds)


@dataclass(frozen=True)
class Speech:
    """How long a text takes to speak: measured with `voice`, or estimated from its characters if that is empty.

    Units:  `seconds` without silence at its ends; `rate` is 1 as the voice likes to speak, 1.15 that much faster;
      `clip` is the file name of the sound, relative to the track's own file, empty if there is none.
    Errors: ValueError unless seconds is finite and >= 0, and rate finite and > 0.
    """

    seconds: float | int
    voice: str = ""
    rate: float | int = 1.0
    clip: str = ""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.seconds) and self.seconds >= 0 and math.isfinite(self.rate) and self.rate > 0):
            raise ValueError(f"Speech needs finite seconds >= 0 and rate > 0, got {self.seconds}, {self.rate}.")
        object.__setattr__(self, "seconds", float(self.seconds))
        object.__setattr__(self, "rate", float(self.rate))

    @property
    def measured(self) -> bool:
        """Whether a voice has spoken it."""
        return bool(self.voice)


@dataclass(frozen=True)
class Duck:
    """How the sound of the film steps back: from the start of `span` it falls within `down` s by `decibels`, and from
    `up` s before the end of `span` it rises to what it was.

    Two that touch are one: the first has `up` 0 and the second `down` 0, and the film stays low between them.

    Errors: ValueError unless decibels, down and up are finite and >= 0, and both ramps fit into the span.
    """

    span: Span
    decibels: float | int
    down: float | int = 0.3
    up: float | int = 0.5

    def __post_init__(self) -> None:
        numbers = (self.decibels, self.down, self.up)
        if not all(math.isfinite(number) and number >= 0 for number in numbers):
            raise ValueError(f"A duck needs finite decibels, down and up >= 0, got {numbers}.")
        if self.down + self.up > self.span.seconds + 1e-9:
            raise ValueError(f"The ramps of a duck, {self.down} and {self.up} s, do not fit into {self.span}.")
        for name, number in zip(("decibels", "down", "up"), numbers, strict=True):
            object.__setattr__(self, name, float(number))


@dataclass(frozen=True)
class Provenance:
    """What a text was made from.

    Args:
      clip: the stretch of the film that was looked at.
      frames: the times of the frames that were looked at, in seconds.
      shots: the shots that the clip lies in.
      context: ids of the descriptions, or the words, that the model was shown besides.
      model: hash of the weights that spoke.
    """

    clip: Span | None = None
    frames: tuple[float, ...] = ()
    shots: tuple[Span, ...] = ()
    context: tuple[str, ...] = ()
    model: str = ""

    def __post_init__(self) -> None:
        if not all(math.isfinite(time) and time >= 0 for time in self.frames):
            raise ValueError(f"Frames have finite times >= 0 s, got {self.frames}.")


@dataclass(frozen=True)
class Description:
    """A sentence that is spoken at a time.

    Args:
      span: when it is spoken; of a dropped one, where it would have been.
      text: what is spoken.
      score: how sure its maker is, as a model counts (larger is better).
      notes: what a person should know.
      id: its name in the track, which stays when it is edited; `Track.numbered` gives one to each that has none.
      kind: one of `KINDS`; those of `Track.dropped` are dropped, the others are not.
      status: one of `STATUSES`.
      reason: why it was dropped.
      represents: a content descriptor of W3C DAPT, `visual.nonText` or for example `visual.text.title`.
      language: of this text, if it is not that of the track.
      confidence: score as a share, 0 to 1.
      distinctiveness: share of its content words that its neighbours do not use, 0 to 1.
      gap: the pause of the dialogue that it stands in.
      characters: who is seen, as the cast calls them.
      checks: what a person should look at.
      alternatives: other texts for the same moment, best first.
      speech: how long it takes to speak.
      duck: how the film's sound steps back for it.
      provenance: what it was made from.
      edited_by: the person who changed it last.
    Errors: ValueError for a kind or status that is none, a score that is not finite, a share outside 0..1, or a
      reason without being dropped.
    """

    span: Span
    text: str
    score: float | None = None
    notes: tuple[str, ...] = ()
    id: str = ""
    kind: str = "inline"
    status: str = "draft"
    reason: str = ""
    represents: str = NON_TEXT
    language: str = ""
    confidence: float | None = None
    distinctiveness: float | None = None
    gap: Span | None = None
    characters: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()
    alternatives: tuple[Alternative, ...] = ()
    speech: Speech | None = None
    duck: Duck | None = None
    provenance: Provenance = Provenance()
    edited_by: str = ""

    def __post_init__(self) -> None:
        _finite(score=self.score)
        if self.kind not in KINDS or self.status not in STATUSES:
            raise ValueError(f"Kinds are {KINDS} and statuses {STATUSES}, got {self.kind!r}, {self.status!r}.")
        if self.reason and self.kind != "dropped":
            raise ValueError(f"Only a dropped description has a reason to be so, got {self.kind!r}: {self.reason!r}.")
        for name in ("confidence", "distinctiveness"):
            share = getattr(self, name)
            if share is not None and not 0 <= share <= 1:
                raise ValueError(f"A {name} lies in 0..1 or is None, got {share}.")
