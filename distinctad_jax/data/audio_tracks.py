"""The audio tracks of a film, and which of them is its sound."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from av.container import InputContainer
from av.stream import Disposition

from distinctad_jax.errors import BadInput
from distinctad_jax.movie.language import chosen

_ASIDE = Disposition.visual_impaired | Disposition.descriptions | Disposition.comment


@dataclass(frozen=True)
class AudioTrack:
    """An audio track of a film.

    Args:
      number: its place among them, from 0.
      stream: its index among all streams of the file.
      language: as the file has it; may be empty.
      channels: how many.
      default: whether players take it, unless they are told otherwise.
      aside: whether it is a description, or comments on the film.
    """

    number: int
    stream: int
    language: str
    channels: int
    default: bool
    aside: bool

    def __str__(self) -> str:
        return f"{self.number} ({self.language or '?'})"


def audio_tracks(box: InputContainer) -> tuple[AudioTrack, ...]:
    """All that can be decoded."""
    return tuple(
        AudioTrack(
            number,
            stream.index,
            stream.metadata.get("language", ""),
            stream.channels,
            bool(stream.disposition & Disposition.default),
            bool(stream.disposition & _ASIDE),
        )
        for number, stream in enumerate(box.streams.audio)
        if stream.codec_context is not None
    )


def main_track(tracks: Iterable[AudioTrack]) -> AudioTrack | None:
    """The default one; descriptions and comments only if there is nothing else. None without any."""
    return min(tracks, key=lambda one: (one.aside, not one.default), default=None)


def wanted_track(tracks: Sequence[AudioTrack], wanted: str, path: Path) -> AudioTrack:
    """The track that is asked for by its number or language. Errors: BadInput that names the film at `path`."""
    ordered = sorted(tracks, key=lambda one: one.aside)
    number = chosen(wanted, {one.number: one.language for one in ordered})
    if number is None:
        told = ", ".join(map(str, tracks)) or "it has none"
        raise BadInput(f"no audio track {wanted!r}", where=path, mend=f"choose one of its audio tracks: {told}")
    return next(one for one in tracks if one.number == number)
