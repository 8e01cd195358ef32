"""A movie and what is said about it: dialogue, cast, clips, descriptions and tracks."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from pathlib import Path

from distinctad_jax.movie.span import Span


@dataclass(frozen=True)
class Line:
    """What somebody says in the movie, and when."""

    span: Span
    text: str


@dataclass(frozen=True)
class Person:
    """One role of the cast; `key` is the identifier of the person in the cast file (`nm0000375`)."""

    character: str
    actor: str = ""
    portrait: Path | None = None
    key: str = ""


@dataclass(frozen=True)
class Clip:
    """A stretch of a movie with one description; `index` counts the clips of the movie in order of time.

    Errors: ValueError if index is negative.
    """

    movie: str
    index: int
    span: Span
    text: str

    def __post_init__(self) -> None:
        if self.index < 0:
            raise ValueError(f"A clip's index counts from 0, got {self.index} in movie {self.movie!r}.")


@dataclass(frozen=True)
class Movie:
    """All that is known of a movie before it is described.

    Units:  duration in seconds, None if unknown.
    Errors: ValueError unless `clips[i]` is of this movie, has index i, and the clips stand in order of
      (start, end).
    """

    key: str
    video: Path | None
    clips: tuple[Clip, ...]
    dialogue: tuple[Line, ...] = ()
    cast: tuple[Person, ...] = ()
    duration: float | None = None

    def __post_init__(self) -> None:
        for position, clip in enumerate(self.clips):
            if clip.movie != self.key or clip.index != position:
                raise ValueError(f"Clip {position} of movie {self.key!r} says {clip.movie!r}, index {clip.index}.")
        for before, after in itertools.pairwise(self.clips):
            if after.span < before.span:
                raise ValueError(
                    f"Movie {self.key!r}: clip {after.index} at {after.span.start} s follows clip {before.index} at "
                    f"{before.span.start} s; clips must stand in order of (start, end)."
                )


@dataclass(frozen=True)
class Description:
    """A sentence that is spoken at a time; `score` says how sure its maker is, `notes` what a person should know."""

    span: Span
    text: str
    score: float | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.score is not None and not math.isfinite(self.score):
            raise ValueError(f"A score is a finite number or None, got {self.score}.")


@dataclass(frozen=True)
class Track:
    """All descriptions of a movie, in order of time; `made_by` names the program, model or person behind them."""

    movie: str
    descriptions: tuple[Description, ...]
    language: str = "en"
    made_by: str = ""
