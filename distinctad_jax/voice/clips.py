"""Spoken clips, each made once: a folder of WAV files named by the hash of voice, rate and text."""

from __future__ import annotations

import hashlib
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from distinctad_jax.data.film import container
from distinctad_jax.errors import BadInput
from distinctad_jax.voice.engines import Engine, Unspoken, spoken_form
from distinctad_jax.voice.loudness import RATE, gain
from distinctad_jax.voice.sound import read_clip, write_sound

_QUIET = gain(-50)  # of the highest sample; what is below at the ends is silence
_AUDIBLE = gain(-70)  # of full scale; a clip without a sample above is silent
_EDGE = RATE // 100  # samples kept around the voice, faded against clicks (10 ms, as W3C DAPT recommends)


@dataclass(frozen=True)
class Clip:
    """A spoken text: its file, its length in seconds without silence at the ends, and who spoke it how fast."""

    path: Path
    seconds: float
    voice: str
    rate: float


class Clips:
    """The clips of one engine in one folder, which may hold those of others too."""

    def __init__(self, folder: Path, engine: Engine):
        self.folder, self.engine = folder, engine
        self.made = 0

    def spoken(self, text: str, rate: float) -> Clip:
        """The clip of `text`, spoken now if it never was before.

        Errors: Unspoken if the engine fails or writes something that is no sound.
        """
        rate = round(rate, 3)
        asked = json.dumps([self.engine.identity, rate, spoken_form(text)], ensure_ascii=True)
        path = self.folder / f"{hashlib.sha256(asked.encode()).hexdigest()[:24]}.wav"
        seconds = _length(path)
        if seconds is None:
            seconds = self._speak(text, rate, path)
        return Clip(path, seconds, self.engine.identity, rate)

    def _speak(self, text: str, rate: float, path: Path) -> float:
        with tempfile.TemporaryDirectory(prefix="distinctad-voice-") as folder:
            raw = Path(folder) / "clip.wav"
            self.engine.speak(text, rate, raw)
            try:
                voice = trimmed(read_clip(raw))
            except BadInput as error:
                raise Unspoken(f"wrote no usable sound: {error.what}") from None
        if not len(voice):
            raise Unspoken("wrote silence")
        write_sound(path, [voice[None]])
        self.made += 1
        return len(voice) / RATE


def trimmed(voice: Float32[np.ndarray, " samples"]) -> Float32[np.ndarray, " kept"]:
    """`voice` without the silence at its ends, which are faded over 10 ms; nothing if all of it is silent."""
    loud = np.abs(voice)
    if not len(loud) or loud.max() < _AUDIBLE:
        return voice[:0]
    heard = np.flatnonzero(loud > loud.max() * _QUIET)
    kept = voice[max(heard[0] - _EDGE, 0) : heard[-1] + 1 + _EDGE].copy()
    ramp = (0.5 - 0.5 * np.cos(np.pi * np.arange(_EDGE) / _EDGE)).astype(np.float32)[: len(kept) // 2]
    kept[: len(ramp)] *= ramp
    kept[len(kept) - len(ramp) :] *= ramp[::-1]
    return kept


def _length(path: Path) -> float | None:
    """Seconds of a clip that was written before; None if there is none, or not one of ours."""
    try:
        with container(path, "wav") as box:
            stream = box.streams.audio[0] if box.streams.audio else None
            samples = stream.duration if stream is not None and stream.sample_rate == RATE else None
    except BadInput:
        return None
    return samples / RATE if samples else None
