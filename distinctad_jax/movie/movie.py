"""A movie and what is said about it: dialogue, cast, clips, descriptions and tracks."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from distinctad_jax.movie.description import Description
from distinctad_jax.movie.span import Span


@dataclass(frozen=True)
class Line:
    """A caption of the movie and when: what `speaker` says (empty if unknown), or a sound if nobody speaks."""

    span: Span
    text: str
    speaker: str = ""
    spoken: bool = True


@dataclass(frozen=True)
class Person:
    """One role of the cast; `key` is the identifier of the person in the cast file (`nm0000375`)."""

    character: str
    actor: str = ""
    portrait: Path | None = None
    key: str = ""


@dataclass(frozen=True)
class Footage:
    """Where the pictures of one clip lie, if not at its span in the movie's video.

    A video file of the clip alone, from its first picture on; or, with `numbers`, a folder or tar of numbered
    pictures (`00001.jpg`, the first is 1), of which these are the clip's, in order, perhaps with repeats.
    """

    path: Path
    numbers: tuple[int, ...] = ()


@dataclass(frozen=True)
class Clip:
    """A stretch of a movie with one description; `index` counts the clips of the movie in order of time.

    `seen` are the roles that somebody or something has recognised in its pictures, if that was tried.

    Errors: ValueError if index is negative.
    """

    movie: str
    index: int
    span: Span
    text: str
    footage: Footage | None = None
    seen: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.index < 0:
            raise ValueError(f"A clip's index counts from 0, got {self.index} in movie {self.movie!r}.")


@dataclass(frozen=True)
class Movie:
    """All that is known of a movie before it is described; `video` is None where each clip has its own footage.

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
class FilmFile:
    """What is known of the file that a track describes: its name without a folder, and what was measured.

    Units: duration in seconds, width and height in pixels, rate in frames per second; `fingerprint` as by
      `files.fingerprint`, empty if unknown.
    """

    name: str
    duration: float | None = None
    width: int | None = None
    height: int | None = None
    rate: float | None = None
    fingerprint: str = ""


@dataclass(frozen=True)
class Track:
    """All descriptions of a movie, and what they were made with.

    Args:
      movie: what the film is called.
      descriptions: those that are spoken, in order of time.
      language: their language, as BCP 47 has it.
      made_by: names the program, model or person behind them.
      dropped: those that were left out, each with its reason.
      film: the file that is described.
      gaps: the pauses of the dialogue that can be used.
      shots: the shots of the film.
      dialogue: the film's captions, spoken or not.
      cast: who is in it; portraits are not kept.
      options: what the maker was asked for, as JSON has it.
      metrics: what was measured of the track, as JSON has it.
      models: hashes of what made it, by role (`narrator`, `tower`).
      language_told: False if the language is supposed, as the file that it was read from does not tell any.
    Errors: ValueError if a spoken description is of kind dropped, one of `dropped` is not, or two share an id.
    """

    movie: str
    descriptions: tuple[Description, ...]
    language: str = "en"
    made_by: str = ""
    dropped: tuple[Description, ...] = ()
    film: FilmFile | None = None
    gaps: tuple[Span, ...] = ()
    shots: tuple[Span, ...] = ()
    dialogue: tuple[Line, ...] = ()
    cast: tuple[Person, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    models: Mapping[str, str] = field(default_factory=dict)
    language_told: bool = field(default=True, compare=False)

    def __post_init__(self) -> None:
        if any(one.kind == "dropped" for one in self.descriptions) or any(
            one.kind != "dropped" for one in self.dropped
        ):
            raise ValueError(f"Track {self.movie!r}: what is dropped, and nothing else, stands in `dropped`.")
        counts = Counter(one.id for one in self.entries if one.id)
        doubled = [name for name, count in counts.items() if count > 1]
        if doubled:
            raise ValueError(f"Track {self.movie!r}: two descriptions have the id {doubled[0]!r}.")

    @property
    def entries(self) -> tuple[Description, ...]:
        """What is spoken, then what is dropped."""
        return self.descriptions + self.dropped

    def numbered(self) -> Track:
        """The same in order of time, each entry with an id: its own, or else the next free of `ad1`, `ad2` and on."""
        taken = {one.id for one in self.entries}
        free = (name for count in itertools.count(1) if (name := f"ad{count}") not in taken)

        def ordered(entries: tuple[Description, ...]) -> tuple[Description, ...]:
            inside = sorted(entries, key=lambda one: one.span)
            return tuple(one if one.id else replace(one, id=next(free)) for one in inside)

        return replace(self, descriptions=ordered(self.descriptions), dropped=ordered(self.dropped))
