"""Sound files in and out, as float32 at 48 kHz.

What is read comes from outside (films, voice programs) and is opened as carefully as films are. Times count from the
film's first shown picture, as everywhere; where a film has no sound it is silent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.error import FFmpegError
from av.packet import Packet
from jaxtyping import Float32

from distinctad_jax.data.audio_tracks import AudioTrack, audio_tracks, main_track, wanted_track
from distinctad_jax.data.film import MEND, container, opened
from distinctad_jax.errors import BadInput, BadUsage
from distinctad_jax.files import whole
from distinctad_jax.movie.language import alike
from distinctad_jax.movie.span import clock
from distinctad_jax.voice.loudness import RATE

CHANNELS = {1: ("mono", ("FC",)), 2: ("stereo", ("FL", "FR")), 6: ("5.1", ("FL", "FR", "FC", "LFE", "BL", "BR"))}
"""The layouts that are mixed in, by the number of channels. Others are mixed down to the next smaller of these."""

CODECS = {
    ".wav": ("wav", "pcm_s24le", "s32"),
    ".flac": ("flac", "flac", "s32"),
    ".m4a": ("ipod", "aac", "fltp"),
    ".mp3": ("mp3", "libmp3lame", "fltp"),
}
"""Container, codec and sample format of the sound files that are written."""

CLIP_FORMATS = "wav,flac,mp3,ogg,mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,w64,aiff"
LONGEST = 24 * 3600
"""No film is longer, in seconds: a clock that leaps further is damaged."""

LONGEST_CLIP = 120
"""No description is longer, in seconds."""

_JITTER = RATE // 50  # samples; clocks of packets are off by less, and sound is not cut and filled for that
BLOCK = RATE  # samples of a piece


@dataclass(frozen=True)
class Programme:
    """The sound of a film, which is that of one of its audio `tracks`; `seconds` and `zero` are of the film.

    `track` is None if the film has no sound: then it is silence, in stereo.
    """

    path: Path
    seconds: float
    zero: float = 0.0
    track: AudioTrack | None = None
    tracks: tuple[AudioTrack, ...] = ()

    @property
    def layout(self) -> str:
        """All channels together, as FFmpeg calls them."""
        return self._mixed_in[0]

    @property
    def channels(self) -> tuple[str, ...]:
        """Each channel by FFmpeg's name."""
        return self._mixed_in[1]

    @property
    def _mixed_in(self) -> tuple[str, tuple[str, ...]]:
        count = self.track.channels if self.track else 2
        return CHANNELS[6 if count >= 5 else min(max(count, 1), 2)]

    def spoken_in(self, language: str) -> Programme:
        """The same with the one track in a language; as it is if none has it, or several have."""
        found = [one for one in self.tracks if not one.aside and alike(one.language, language)]
        return replace(self, track=found[0]) if len(found) == 1 else self

    def pieces(self, problems: list[str] | None = None) -> Iterator[Float32[np.ndarray, "channels samples"]]:
        """Yields the sound from the first shown picture to the end of the film, a second at a time.

        Where the film has no sound there is silence. What is damaged is said in `problems`.

        Errors: BadInput if its clock leaps beyond `LONGEST`.
        """
        total = round(self.seconds * RATE)
        at, whole_pieces = 0, _Blocks(len(self.channels))
        for start, wave in self._waves(problems):
            place = start - round(self.zero * RATE)
            if place > LONGEST * RATE:
                raise BadInput(f"its sound leaps to {clock(place / RATE)}", where=self.path, mend=MEND)
            if place > at + _JITTER:
                yield from whole_pieces.silence(min(place, total) - at)
                at = max(at, min(place, total))
            elif place < at - _JITTER:
                wave = wave[:, at - place :]
            wave = wave[:, : max(total - at, 0)]
            yield from whole_pieces.add(wave)
            at += wave.shape[1]
        if self.track is not None and total - at > RATE and problems is not None:
            problems.append(f"{self.path}: its sound ends at {clock(at / RATE)} of {clock(self.seconds)}")
        yield from whole_pieces.silence(total - at)
        yield from whole_pieces.rest()

    def _waves(self, problems: list[str] | None) -> Iterator[tuple[int, Float32[np.ndarray, "channels samples"]]]:
        """`(start in samples of the file's clock, sound)`."""
        if self.track is None:
            return
        with container(self.path) as box:
            damage = [0]
            frames = _decoded(box, box.streams[self.track.stream], damage)  # pyright: ignore[reportArgumentType]
            for frame in _resampled(frames, self.layout):
                if frame.pts is not None:
                    yield round(frame.pts * _fraction(frame.time_base) * RATE), frame.to_ndarray()
            if damage[0] and problems is not None:
                problems.append(f"{self.path}: {damage[0]} packets of sound are damaged and were left out")


class _Blocks:
    """Turns pieces of any length into pieces of `BLOCK`."""

    def __init__(self, channels: int):
        self._waiting: list[np.ndarray] = []
        self._count, self._channels = 0, channels

    def add(self, wave: np.ndarray) -> Iterator[np.ndarray]:
        self._waiting.append(wave)
        self._count += wave.shape[1]
        if self._count >= BLOCK:
            joined = np.concatenate(self._waiting, axis=1)
            end = self._count - self._count % BLOCK
            yield from np.split(joined[:, :end], range(BLOCK, end, BLOCK), axis=1)
            self._waiting, self._count = [joined[:, end:]], self._count - end

    def silence(self, samples: int) -> Iterator[np.ndarray]:
        for start in range(0, samples, BLOCK):
            yield from self.add(np.zeros((self._channels, min(BLOCK, samples - start)), np.float32))

    def rest(self) -> Iterator[np.ndarray]:
        if self._count:
            yield np.concatenate(self._waiting, axis=1)


def programme(path: Path, wanted: str = "") -> Programme:
    """What is known of a film's sound: of the audio track `wanted`, a number from 0 or a language.

    By default it is the default track. Descriptions and comments are passed over unless they are asked for, or there
    is nothing else.

    Errors: BadInput as `data.film.opened`, if the film lasts longer than `LONGEST`, or has no such track.
    """
    with opened(path) as film:
        _, first = next(film.pictures(lambda: 0.0))
        zero = float((first.pts or 0) * _fraction(first.time_base))
        seconds = film.duration()
        if seconds > LONGEST:
            raise BadInput(f"it lasts {clock(seconds)}, longer than any film", where=path, mend=MEND)
        tracks = audio_tracks(film.container)
    track = wanted_track(tracks, wanted, path) if wanted else main_track(tracks)
    return Programme(path, seconds, zero, track, tracks)


def _fraction(base: Fraction | None) -> Fraction:
    return Fraction(base.numerator, base.denominator) if base else Fraction(1, RATE)


def _decoded(box: InputContainer, stream: AudioStream, damage: list[int]) -> Iterator[AudioFrame]:
    """The frames of a stream; `damage[0]` counts what could not be decoded."""
    packets = box.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except (FFmpegError, OSError):
            damage[0] += 1
            packet = None
        if packet is None:
            return
        try:
            yield from (frame for frame in packet.decode() if isinstance(frame, AudioFrame))
        except (FFmpegError, ValueError):
            damage[0] += 1


def _resampled(frames: Iterable[AudioFrame], layout: str) -> Iterator[AudioFrame]:
    """The frames as float32 at 48 kHz; a stream may change its format on the way."""
    resampler, given = None, None
    for frame in frames:
        found = (frame.format.name, frame.layout.name, frame.sample_rate)
        if resampler is None or found != given:
            if resampler is not None:
                yield from resampler.resample(None)
            resampler, given = AudioResampler(format="fltp", layout=layout, rate=RATE), found
        yield from resampler.resample(frame)
    if resampler is not None:
        yield from resampler.resample(None)


def read_clip(path: Path) -> Float32[np.ndarray, " samples"]:
    """One spoken clip, all channels mixed to one.

    Errors: BadInput if it is missing, no regular file, no sound file, not one sample long, or longer than
      `LONGEST_CLIP`.
    """
    mend = "give a sound file such as .wav or .flac"
    with container(path, CLIP_FORMATS) as box:
        if not box.streams.audio:
            raise BadInput("no sound in it", where=path, mend=mend)
        found, count, damage = [], 0, [0]
        for frame in _resampled(_decoded(box, box.streams.audio[0], damage), "mono"):
            found.append(frame.to_ndarray()[0])
            count += len(found[-1])
            if count > LONGEST_CLIP * RATE:
                raise BadInput(f"longer than {LONGEST_CLIP} s", where=path, mend="give one description to a clip")
    if not count or damage[0]:
        raise BadInput("not all of its sound could be decoded", where=path, mend=mend)
    wave = np.concatenate(found).astype(np.float32)
    if not np.isfinite(wave).all():
        raise BadInput("holds samples that are no numbers", where=path, mend=mend)
    return wave


class Encoder:
    """Sound into packets of an audio stream, from any number of pieces. The clock counts samples from 0."""

    def __init__(self, stream: AudioStream, layout: str):
        self.stream, self.layout, self._at = stream, layout, 0

    def encode(self, wave: Float32[np.ndarray, "channels samples"] | None) -> list[Packet]:
        """The packets that are ready; of what is left if there is nothing more to add."""
        if wave is None:
            return list(self.stream.encode(None))
        frame = AudioFrame.from_ndarray(np.ascontiguousarray(wave), format="fltp", layout=self.layout)
        frame.sample_rate, frame.pts, frame.time_base = RATE, self._at, Fraction(1, RATE)
        self._at += wave.shape[1]
        return list(self.stream.encode(frame))


def write_sound(path: Path, pieces: Iterable[Float32[np.ndarray, "channels samples"]], layout: str = "mono") -> None:
    """Writes .wav, .flac (24 bit, as they are), .m4a or .mp3 (stereo at most), whole or not at all.

    Errors: BadUsage for another suffix, or for more channels than the format holds.
    """
    suffix = path.suffix.lower()
    if suffix not in CODECS:
        raise BadUsage(f"the suffix is {suffix or 'missing'}", where=path, mend=f"use one of {', '.join(CODECS)}")
    if suffix == ".mp3" and layout not in ("mono", "stereo"):
        raise BadUsage(f"MP3 holds two channels, the sound is {layout}", where=path, mend="use .m4a or .flac")
    form, codec, samples = CODECS[suffix]
    exact = {"fflags": "+bitexact"}  # no date and no random number inside: the same input gives the same file
    with whole(path) as partial, av.open(str(partial), "w", format=form, container_options=exact) as box:
        stream = audio_stream(box, codec, layout, samples)
        encoder = Encoder(stream, layout)
        for wave in pieces:
            box.mux(encoder.encode(wave))
        box.mux(encoder.encode(None))


def audio_stream(box: OutputContainer, codec: str, layout: str, samples: str) -> AudioStream:
    """A stream to encode into, at 48 kHz; lossy ones get 96 kbit/s a channel."""
    stream: AudioStream = box.add_stream(codec, rate=RATE)  # pyright: ignore[reportAssignmentType]
    stream.codec_context.layout, stream.codec_context.format = layout, samples
    if samples == "fltp":
        count = next(size for size, (name, _) in CHANNELS.items() if name == layout)
        stream.codec_context.bit_rate = 96_000 * count
    return stream
