"""What is heard: babble with the rhythm of speech where somebody speaks, a soft ambience everywhere."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from distinctad_jax.movie.span import Span

RATE = 16_000  # samples a second
SYLLABLES = 24
VOWELS = ((730.0, 1090.0), (270.0, 2290.0), (300.0, 870.0), (530.0, 1840.0), (570.0, 840.0))  # formants in Hz


def syllables(rng: np.random.Generator) -> list[Float[np.ndarray, " samples"]]:
    """A few voiced syllables of 0.12 to 0.22 s, each with its own pitch and vowel."""
    made = []
    for number in range(SYLLABLES):
        count = int(RATE * rng.uniform(0.12, 0.22))
        time = np.arange(count) / RATE
        pitch = float(rng.uniform(105, 220))
        vowel = VOWELS[number % len(VOWELS)]
        wave = np.zeros(count)
        for harmonic in range(1, 16):
            hertz = pitch * harmonic
            weight = sum(np.exp(-(((hertz - formant) / 180.0) ** 2)) for formant in vowel) + 0.08 / harmonic
            wave += weight * np.sin(2 * np.pi * hertz * time)
        envelope = np.sin(np.pi * np.arange(count) / count) ** 0.7
        made.append((0.22 * envelope * wave / np.abs(wave).max()).astype(np.float32))
    return made


def soundtrack(rng: np.random.Generator, duration: float, spoken: Sequence[Span]) -> Float[np.ndarray, " samples"]:
    """One channel in -1..1 at RATE samples a second, `duration` seconds long; loud only within `spoken`."""
    count = round(duration * RATE)
    loop = rng.standard_normal(3 * RATE, dtype=np.float32)
    loop = np.convolve(loop, np.full(12, 1 / 12, np.float32), mode="same") * np.float32(0.012)
    wave = np.resize(loop, count)
    bank = syllables(rng)
    for span in spoken:
        at, end = round(span.start * RATE), round(span.end * RATE)
        while True:
            syllable = bank[int(rng.integers(len(bank)))]
            if at + len(syllable) > end:
                break
            wave[at : at + len(syllable)] += syllable
            at += len(syllable) + int(rng.integers(RATE // 50, RATE // 12))
    return wave
