"""The text subtitles that a film carries in itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from av.error import FFmpegError
from av.packet import Packet
from av.stream import Disposition
from av.subtitles.stream import SubtitleStream

from distinctad_jax.data.film import MEND, Film, opened, stamp
from distinctad_jax.errors import BadInput
from distinctad_jax.movie.language import chosen
from distinctad_jax.movie.span import Span

TEXT = {"subrip", "srt", "mov_text", "webvtt", "ass", "ssa", "text"}
"""What FFmpeg calls the codecs that `lines_of` reads."""

_ASS_FIELDS = 8  # commas before the text of an event as FFmpeg's decoders hand it out
_OVERRIDE = re.compile(r"\{[^{}]*\}")
_TAG = re.compile(r"<[^<>]*>")


@dataclass(frozen=True)
class CaptionTrack:
    """A subtitle track: its place among the film's, its language (empty if unknown), and its cues, not sorted.

    A cue is a span and the lines of its text without mark-up.
    """

    number: int
    language: str
    cues: tuple[tuple[Span, tuple[str, ...]], ...]


def read_captions(path: Path, wanted: str = "", *, problems: list[str] | None = None) -> CaptionTrack | None:
    """The subtitle track `wanted`, a number from 0 or a language (`de`, `ger`, `deu`); by default the first of text.

    Descriptions and forced tracks are passed over unless they are asked for. None if the film has none and none was
    asked for. Cues without an end are left out, with a sentence in `problems`.

    Errors: BadInput as `data.film.opened`, or if the track that was asked for is not there or is no text.
    """
    with opened(path) as film:
        streams = list(film.container.streams.subtitles)
        number = _chosen(path, streams, wanted)
        if number is None:
            return None
        stream = streams[number]
        _, first = next(film.pictures(lambda: 0.0))
        zero = stamp(first)
    with opened(path) as film:  # again, from its start
        stream = film.container.streams.subtitles[number]
        cues, lost = [], 0
        for cue in _cues(film, stream, zero):
            if cue is None:
                lost += 1
            else:
                cues.append(cue)
        if lost and problems is not None:
            problems.append(f"{path}: {lost} embedded subtitles without a time or an end were left out")
        return CaptionTrack(number, stream.language or "", tuple(cues))


def _chosen(path: Path, streams: list[SubtitleStream], wanted: str) -> int | None:
    readable = [place for place, stream in enumerate(streams) if stream.codec_context.name in TEXT]
    told = ", ".join(
        f"{place}: {one.language or '?'} ({one.codec_context.name})" for place, one in enumerate(streams)
    )
    if wanted:
        mend = f"choose one of its text subtitles ({told or 'it has none'})"
        place = chosen(wanted, {place: streams[place].language or "" for place in readable})
        if place is None:
            raise BadInput(f"no subtitle track {wanted!r} of text", where=path, mend=mend)
        return place
    passed = Disposition.forced | Disposition.descriptions
    return next((place for place in readable if not streams[place].disposition & passed), None)


def _cues(film: Film, stream: SubtitleStream, zero: float) -> Iterator[tuple[Span, tuple[str, ...]] | None]:
    base = stream.time_base or Fraction(1, 1000)
    packets = film.container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except (FFmpegError, OSError) as error:
            raise BadInput(f"its subtitles are damaged ({error})", where=film.path, mend=MEND) from None
        if packet is None:
            return
        if not packet.size:
            continue
        lines = lines_of(packet)
        if not lines:
            continue
        if packet.pts is None or not packet.duration or packet.duration <= 0:
            yield None
            continue
        start, end = float(packet.pts * base) - zero, float((packet.pts + packet.duration) * base) - zero
        yield (Span(max(start, 0.0), end), lines) if end > max(start, 0.0) else None


def lines_of(packet: Packet) -> tuple[str, ...]:
    """The text of a packet without mark-up, line by line."""
    try:
        decoded = packet.decode()
    except (FFmpegError, UnicodeError):
        return ()
    lines = []
    for subtitle in decoded:
        event = getattr(subtitle, "ass", b"")
        text = event.decode("utf-8", "replace") if isinstance(event, bytes) else str(event)
        parts = text.split(",", _ASS_FIELDS)
        text = parts[-1] if len(parts) > _ASS_FIELDS else text
        text = _TAG.sub("", _OVERRIDE.sub("", text)).replace("\\h", " ")
        lines += [line.strip() for line in re.split(r"\\[Nn]|\r\n?|\n", text)]
    return tuple(line for line in lines if line)
