"""The film once more, with the narration inside: its own packets copied, an audio and a text track added and flagged.

No picture is decoded and none is encoded again. Sound is encoded and decoded at once, so that what is measured is
what players will play; where coding has raised a peak over the ceiling, the mix is written again, a little lower.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Disposition, Stream
from av.subtitles.stream import SubtitleStream

from distinctad_jax.data.captions import TEXT, lines_of
from distinctad_jax.data.film import opened
from distinctad_jax.errors import BadInput, BadUsage
from distinctad_jax.files import whole
from distinctad_jax.movie.language import code
from distinctad_jax.movie.span import Span
from distinctad_jax.voice.loudness import RATE, TruePeak, decibels
from distinctad_jax.voice.mixing import Mix
from distinctad_jax.voice.sound import Encoder, audio_stream

CONTAINERS = {".mkv": ("matroska", "subrip"), ".mp4": ("mp4", "mov_text"), ".m4v": ("mp4", "mov_text")}
"""Muxer and text codec of the films that are written."""

LANGUAGES = {
    "ara": "Arabic",
    "ces": "Czech",
    "dan": "Danish",
    "deu": "German",
    "ell": "Greek",
    "eng": "English",
    "fin": "Finnish",
    "fra": "French",
    "heb": "Hebrew",
    "hin": "Hindi",
    "hun": "Hungarian",
    "ita": "Italian",
    "jpn": "Japanese",
    "kor": "Korean",
    "nld": "Dutch",
    "nor": "Norwegian",
    "pol": "Polish",
    "por": "Portuguese",
    "ron": "Romanian",
    "rus": "Russian",
    "spa": "Spanish",
    "swe": "Swedish",
    "tur": "Turkish",
    "ukr": "Ukrainian",
    "zho": "Chinese",
}
"""The English names of languages by their codes, for the titles of tracks. Source: ISO 639-2."""

TIMES = Fraction(1, 1000)
_TRIES = 4
_LEEWAY = 0.05  # dB lower than the peak that was too high
_REORDERED = 32  # packets; codecs look ahead by 16 at most
_STYLE = {"Name": "Default", "Fontname": "Arial", "Fontsize": "16", "PrimaryColour": "&Hffffff", "Alignment": "2"}
_ASS = (
    "[Script Info]\nScriptType: v4.00+\n\n[V4+ Styles]\n"
    f"Format: {', '.join(_STYLE)}\nStyle: {','.join(_STYLE.values())}\n\n"
    "[Events]\nFormat: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
).encode()
"""The style that text encoders ask for before they open."""


@dataclass(frozen=True)
class TextTrack:
    """Timed texts for the film, `(span, text)` in order of time and without overlap; `describes` if not captions."""

    cues: Sequence[tuple[Span, str]]
    title: str
    language: str
    describes: bool


def write_film(
    path: Path,
    mix: Mix,
    texts: Sequence[TextTrack],
    *,
    title: str,
    language: str,
    ceiling: float,
    problems: list[str],
) -> Mix:
    """Writes the film of a mix as .mkv or .mp4, whole or not at all; returns the mix as it was written in the end.

    Video and sound of the film are copied, and so are its subtitles where the container holds them; the new sound is
    AAC, flagged as made for people who cannot see, and not the default.

    Args:
      title: of the new audio track; players look for words such as `audio description` in it.
      ceiling: highest true peak in dBTP, measured after coding.
      problems: gets a sentence for what could not be taken over.
    Errors: BadUsage for another suffix; BadInput if the container cannot hold the film's streams.
    """
    suffix = path.suffix.lower()
    if suffix not in CONTAINERS:
        raise BadUsage(f"the suffix is {suffix or 'missing'}", where=path, mend=f"use one of {', '.join(CONTAINERS)}")
    with whole(path) as partial:
        for _ in range(_TRIES):
            notes: list[str] = []
            peak = _Writer(path, partial, mix, notes).write(texts, title, language)
            if peak <= ceiling:
                problems += notes
                return replace(mix, peak=peak)
            mix = replace(mix, gain=mix.gain - (peak - ceiling) - _LEEWAY)
        raise BadInput(f"peaks stay above {ceiling:g} dBTP", where=path, mend="give a lower --loudness")


def named(language: str) -> tuple[str, str]:
    """Code (ISO 639-2/T) and title of a track in a language; players look for the words of the title."""
    known = code(language)
    name = LANGUAGES.get(known, "")
    return known or "und", f"{name} (audio description)" if name else "Audio description"


class _Writer:
    """One attempt at a film."""

    def __init__(self, path: Path, partial: Path, mix: Mix, notes: list[str]):
        self.path, self.partial, self.mix, self.notes = path, partial, mix, notes
        self.form, self.text_codec = CONTAINERS[path.suffix.lower()]
        self.zero = mix.programme.zero
        self.reworded: set[Stream] = set()  # subtitles of the film in a codec of another container

    def write(self, texts: Sequence[TextTrack], title: str, language: str) -> float:
        """Writes the film; the true peak of the new sound as decoded again, in dBTP."""
        source = self.mix.programme.path
        options = {"fflags": "+bitexact"} | ({"movflags": "+faststart"} if self.form == "mp4" else {})
        with (
            opened(source) as film,
            av.open(str(self.partial), "w", format=self.form, container_options=options) as box,
        ):
            box.metadata.update(film.container.metadata)
            with contextlib.suppress(NotImplementedError, ValueError, FFmpegError):
                box.set_chapters(film.container.chapters())
            copied = self._copies(film.container, box)
            clocks = {stream: _Clock() for stream in copied}
            sound = self._sound(box, title, language)
            captioned = any(not each.describes for each in texts) or any(one.type == "subtitle" for one in copied)
            written = [self._text(box, text, captioned) for text in texts]
            try:
                box.start_encoding()
            except (FFmpegError, ValueError) as error:
                raise self._refused(str(getattr(error, "strerror", error)).lower()) from None
            heard = _Heard(sound, self.mix.programme.layout)
            waiting = _Waiting([self._spoken(sound, heard), *written])
            for found in film.container.demux(list(copied)):
                for packet in clocks[found.stream].timed(found):
                    at = float((packet.dts or 0) * Fraction(packet.time_base.numerator, packet.time_base.denominator))
                    for ready in waiting.until(at):
                        box.mux(ready)
                    ready = self._plain(packet) if found.stream in self.reworded else packet
                    if ready is not None:
                        ready.stream = copied[found.stream]
                        box.mux(ready)
            for ready in waiting.until(float("inf")):
                box.mux(ready)
            return heard.true_peak()

    def _copies(self, source: InputContainer, box: OutputContainer) -> dict[Stream, Stream]:
        copied: dict[Stream, Stream] = {}
        for stream in source.streams:
            kind, codec = stream.type, stream.codec_context
            if (
                kind not in ("video", "audio", "subtitle")
                or codec is None
                or stream.disposition & Disposition.attached_pic
            ):
                self.notes.append(f"{self.path.name}: a {kind} stream that players do not play was left out")
                continue
            if codec.name not in box.supported_codecs and codec.codec.name not in box.supported_codecs:
                if kind != "subtitle":
                    raise self._refused(f"{codec.name} in it")
                if codec.name not in TEXT:
                    note = f"{self.path.name}: subtitles in {codec.name} were left out"
                    self.notes.append(f"{note}, .mkv would hold them" if self.form == "mp4" else note)
                    continue
                copy = self._new_text(box)
                self.reworded.add(stream)
            else:
                copy = box.add_stream_from_template(stream)
            copy.metadata.update({"title": stream.metadata["name"]} if "name" in stream.metadata else {})  # of MP4
            copy.metadata.update(stream.metadata)
            copy.disposition = Disposition(stream.disposition)
            copied[stream] = copy
        return copied

    def _refused(self, what: str) -> BadInput:
        mend = "use .mkv" if self.form == "mp4" else "write the film anew with a program that edits films"
        return BadInput(f"{self.path.suffix} cannot hold the film's streams: {what}", where=self.path, mend=mend)

    def _sound(self, box: OutputContainer, title: str, language: str) -> AudioStream:
        stream = audio_stream(box, "aac", self.mix.programme.layout, "fltp")
        stream.disposition = Disposition.visual_impaired
        stream.metadata.update({"title": title, "handler_name": title, "language": language})
        return stream

    def _text(self, box: OutputContainer, text: TextTrack, captioned: bool) -> Iterator[tuple[float, Packet]]:
        stream = self._new_text(box)
        if self.form == "mp4" and not captioned:  # the only subtitle track is switched on, whatever its flags say
            self.notes.append(f"{self.path.name}: players may show the descriptions; give captions to prevent it")
        stream.disposition = Disposition.descriptions if text.describes else Disposition.default
        stream.metadata.update({"title": text.title, "handler_name": text.title, "language": text.language})
        return self._cues(stream, text)

    def _new_text(self, box: OutputContainer) -> SubtitleStream:
        stream: SubtitleStream = box.add_stream(self.text_codec)  # pyright: ignore[reportAssignmentType]
        stream.codec_context.subtitle_header = _ASS
        stream.time_base = TIMES
        return stream

    def _plain(self, packet: Packet) -> Packet | None:
        """A subtitle of the film as the codec of this container has it, without its style; None for an empty one."""
        lines = lines_of(packet)
        if not lines or packet.pts is None:
            return None
        told = self._worded("\n".join(lines))
        told.pts = told.dts = packet.pts
        told.duration, told.time_base, told.is_keyframe = packet.duration, packet.time_base, True
        return told

    def _worded(self, words: str) -> Packet:
        data = words.encode("utf-8")[:60_000].decode("utf-8", "ignore").encode("utf-8")
        return Packet(len(data).to_bytes(2, "big") + data if self.form == "mp4" else data)

    def _cues(self, stream: SubtitleStream, text: TextTrack) -> Iterator[tuple[float, Packet]]:
        for span, words in text.cues:
            packet = self._worded(words)
            packet.pts = packet.dts = round((span.start + self.zero) * 1000)
            packet.duration = max(round((span.end + self.zero) * 1000) - packet.pts, 1)
            packet.time_base, packet.stream, packet.is_keyframe = TIMES, stream, True
            yield span.start + self.zero, packet

    def _spoken(self, stream: AudioStream, heard: _Heard) -> Iterator[tuple[float, Packet]]:
        encoder = Encoder(stream, self.mix.programme.layout)
        late = round(self.zero * RATE)
        for piece in itertools.chain(self.mix.pieces(), [None]):
            for packet in encoder.encode(piece):
                heard.add(packet)
                if late and packet.pts is not None and packet.dts is not None:
                    packet.pts, packet.dts = packet.pts + late, packet.dts + late
                yield (packet.dts or 0) / RATE, packet


class _Clock:
    """The packets of one copied stream, each with a time of decoding.

    Matroska has none: FFmpeg works them out, but not for the first packets where pictures are shown in another order.
    These hold the first picture, so they wait, and their times are counted back from the first one that is known.
    """

    def __init__(self) -> None:
        self._early: list[Packet] = []
        self._next: int | None = None

    def timed(self, packet: Packet) -> list[Packet]:
        """The packets that are ready now, in order; all that are left for the empty packet that ends a stream."""
        if packet.dts is None and not packet.size:
            return self._counted_back(self._first_shown(self._early))
        if packet.dts is None and self._next is None and len(self._early) < _REORDERED:
            self._early.append(packet)
            return []
        if packet.dts is None:
            packet.dts = self._first_shown([*self._early, packet]) if self._next is None else self._next
        ready = [*self._counted_back(packet.dts), packet]
        self._next = packet.dts + max(packet.duration or 0, 1)
        return ready

    @staticmethod
    def _first_shown(packets: Sequence[Packet]) -> int:
        return min([packet.pts for packet in packets if packet.pts is not None], default=0)

    def _counted_back(self, at: int) -> list[Packet]:
        early, self._early = self._early, []
        for packet in reversed(early):
            at -= max(packet.duration or 0, 1)
            packet.dts = at
        return early


class _Waiting:
    """New packets in order of time, handed out as far as the copied ones have come: then no queue grows."""

    def __init__(self, streams: Sequence[Iterator[tuple[float, Packet]]]):
        self._merged = heapq.merge(*streams, key=lambda pair: pair[0])
        self._next = next(self._merged, None)

    def until(self, time: float) -> Iterator[Packet]:
        while self._next is not None and self._next[0] <= time:
            yield self._next[1]
            self._next = next(self._merged, None)


class _Heard:
    """What a listener gets of the packets of an encoder: its true peak."""

    def __init__(self, stream: AudioStream, layout: str):
        self._stream, self._layout = stream, layout
        self._decoder: AudioCodecContext | None = None
        self._peaks: TruePeak | None = None

    def add(self, packet: Packet) -> None:
        if self._decoder is None:
            self._decoder = AudioCodecContext.create("aac", "r")
            self._decoder.extradata = self._stream.codec_context.extradata
        self._take(self._decoder.decode(Packet(bytes(packet))))

    def _take(self, frames: Sequence[AudioFrame]) -> None:
        for frame in frames:
            wave = frame.to_ndarray()
            self._peaks = self._peaks or TruePeak(len(wave))
            self._peaks.add(wave)

    def true_peak(self) -> float:
        """dBTP."""
        if self._decoder is not None:
            self._take(self._decoder.decode(None))
        return decibels(self._peaks.highest() ** 2) if self._peaks else float("-inf")
