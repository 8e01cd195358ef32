"""Frames and sound into one MP4 file: H.264 and AAC, small, and the same bytes for the same input."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import av.container
import numpy as np
from jaxtyping import Float, UInt8

from distinctad_jax.files import whole
from distinctad_jax.toycinema.sound import RATE

BLOCK = 1024  # samples of an AAC frame


class _Film:
    """An open MP4 with one video and one audio stream."""

    def __init__(self, box: av.container.OutputContainer, size: tuple[int, int], rate: int):
        self.box = box
        self.picture = box.add_stream("libx264", rate=rate)
        self.picture.width, self.picture.height, self.picture.pix_fmt = *size, "yuv420p"
        # One thread: the bytes must not depend on the number of cores.
        self.picture.codec_context.thread_count = 1
        self.picture.options = {"preset": "ultrafast", "crf": "25", "g": str(2 * rate)}
        self.sound = box.add_stream("aac", rate=RATE)
        self.sound.layout, self.sound.bit_rate, self.sound.options = "mono", 32_000, {"aac_coder": "fast"}
        self.rate, self.frames, self.samples = rate, 0, 0

    def show(self, frames: UInt8[np.ndarray, "frames height width 3"]) -> None:
        for array in frames:
            frame = av.VideoFrame.from_ndarray(array, format="rgb24")
            frame.pts, frame.time_base = self.frames, Fraction(1, self.rate)
            self.frames += 1
            for packet in self.picture.encode(frame):
                self.box.mux(packet)

    def play(self, wave: Float[np.ndarray, " samples"], until: float) -> None:
        """Encodes whole blocks of the soundtrack up to `until` seconds."""
        end = min(len(wave), round(until * RATE))
        while self.samples < end and (self.samples + BLOCK <= end or end == len(wave)):
            part = np.ascontiguousarray(wave[None, self.samples : min(end, self.samples + BLOCK)])
            frame = av.AudioFrame.from_ndarray(part, format="fltp", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = RATE, self.samples, Fraction(1, RATE)
            self.samples += part.shape[1]
            for packet in self.sound.encode(frame):
                self.box.mux(packet)

    def finish(self) -> None:
        for stream in (self.picture, self.sound):
            for packet in stream.encode(None):
                self.box.mux(packet)


def save(
    path: Path,
    shots: Iterable[UInt8[np.ndarray, "frames height width 3"]],
    wave: Float[np.ndarray, " samples"],
    size: tuple[int, int],
    frames_per_second: int,
) -> None:
    """Writes the movie, whole or not at all; shots follow each other, the sound starts with the first.

    Units: size is (width, height) in pixels; wave in -1..1 at `sound.RATE` samples a second.
    """
    with whole(path) as partial, av.open(str(partial), "w", container_options={"movflags": "+faststart"}) as box:
        film = _Film(box, size, frames_per_second)
        for shot in shots:
            film.show(shot)
            film.play(wave, film.frames / frames_per_second)
        film.play(wave, len(wave) / RATE)
        film.finish()
