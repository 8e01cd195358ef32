"""The sound of a film as samples for a speech detector, and how loud its speech band is.

Times are seconds from the first shown picture, as everywhere; sound before it is cut off, sound that begins later has
silence before it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.error import FFmpegError
from jaxtyping import Float32

from distinctad_jax.data.audio_tracks import audio_tracks, main_track
from distinctad_jax.data.film import opened, stamp

RATE = 16_000
"""Samples a second: what detectors of speech expect."""
HOP = 0.1
"""Seconds between two levels."""
_BAND = (300.0, 3400.0)  # Hz; of a telephone: enough to understand speech, and without the bass of music
_LONGEST_SILENCE = 3600.0  # s; a file may claim that its sound begins in a million years


def read_sound(path: Path, rate: int = RATE) -> Iterator[Float32[np.ndarray, " samples"]]:
    """Yields the main sound track mixed to one channel, -1..1, in pieces, from the first shown picture on.

    That is the default one, unless it is a description or comments. Nothing is yielded by a film without sound; a
    damaged track ends where it cannot be decoded.

    Errors: BadInput as `data.film.opened`; ValueError if rate < 1.
    """
    if rate < 1:
        raise ValueError(f"needs a rate >= 1, got {rate}")
    zero = _first_picture(path)
    with opened(path) as film:
        track = main_track(audio_tracks(film.container))
        if track is None:
            return
        stream = film.container.streams[track.stream]
        resampler = AudioResampler(format="flt", layout="mono", rate=rate)
        ahead: int | None = None  # samples to leave out before the first picture; negative: silence to put there
        try:
            for frame in film.container.decode(stream):
                if not isinstance(frame, AudioFrame):
                    continue
                if ahead is None:
                    began = stamp(frame) if frame.pts is not None else zero
                    ahead = round(max(zero - began, -_LONGEST_SILENCE) * rate)
                    if ahead < 0:
                        yield np.zeros(-ahead, np.float32)
                        ahead = 0
                for part in resampler.resample(frame):
                    samples = part.to_ndarray().reshape(-1).astype(np.float32)
                    yield samples[ahead:]
                    ahead = max(ahead - len(samples), 0)
        except (FFmpegError, OSError, ValueError):
            return


def _first_picture(path: Path) -> float:
    """The time stamp, in the file's own clock, of the first shown picture."""
    with opened(path) as film:
        _, first = next(film.pictures(lambda: 0.0))
        return stamp(first)


def levels(path: Path) -> Float32[np.ndarray, " hops"]:
    """How loud the speech band is in each tenth of a second, in dB; empty without sound. Memory stays small.

    Errors: BadInput as `data.film.opened`.
    """
    hop = round(HOP * RATE)
    pitch = np.fft.rfftfreq(hop, 1 / RATE)
    chosen = np.flatnonzero((pitch >= _BAND[0]) & (pitch <= _BAND[1]))
    found, rest = [], np.zeros(0, np.float32)
    for samples in read_sound(path):
        rest = np.concatenate([rest, samples])
        whole = len(rest) // hop
        if whole >= 64:
            found.append(_levels(rest[: whole * hop].reshape(whole, hop), chosen))
            rest = rest[whole * hop :]
    whole = len(rest) // hop
    if whole:
        found.append(_levels(rest[: whole * hop].reshape(whole, hop), chosen))
    return np.concatenate(found) if found else np.zeros(0, np.float32)


def _levels(blocks: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    power = np.abs(np.fft.rfft(blocks, axis=1)[:, chosen]) ** 2
    return (10 * np.log10(power.sum(axis=1) / blocks.shape[1] ** 2 + 1e-10)).astype(np.float32)
