"""How loud sound is, as ears hear it, and how high its waves rise between samples.

Source: ITU-R BS.1770-5: K-weighting, blocks of 400 ms that begin 100 ms apart, an absolute gate at -70 LUFS and a
relative one 10 LU below; true peak by fourfold oversampling with the filter of its annex 2. Everything here runs at
48 kHz, for which the recommendation prints its filters.

Energies are kept in steps of 10 ms, so that a programme is decoded once and any stretch of it can be measured later.
The K-filter is applied as its impulse response, through the FFT: recursive filters are slow in NumPy. What is cut off
after 0.16 s is below 1e-15.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Float, Float32, Float64

from distinctad_jax.movie.span import Span

RATE = 48_000  # samples a second
STEPS = 100  # steps a second
SILENCE = -70.0  # LUFS; the absolute gate, below which nothing counts
_STEP = RATE // STEPS
_BLOCK, _HOP = 40, 10  # steps of a gating block, and from one to the next
_RELATIVE = -10.0  # LU
_OFFSET = -0.691  # dB; makes a 997 Hz sine of full scale in one channel -3.01 LUFS
_SHELF = ((1.53512485958697, -2.69169618940638, 1.19839281085285), (1.0, -1.69065929318241, 0.73248077421585))
_HIGHPASS = ((1.0, -2.0, 1.0), (1.0, -1.99004745483398, 0.99007225036621))
_FFT = 1 << 16
_FILTERED = 120 * _STEP  # samples filtered at a time
_TAPS = _FFT - _FILTERED + 1
_PEAK_QUARTER = (
    *(0.0017089843750, 0.0109863281250, -0.0196533203125, 0.0332031250000, -0.0594482421875, 0.1373291015625),
    *(0.9721679687500, -0.1022949218750, 0.0476074218750, -0.0266113281250, 0.0148925781250, -0.0083007812500),
)
_PEAK_HALF = (
    *(-0.0291748046875, 0.0292968750000, -0.0517578125000, 0.0891113281250, -0.1665039062500, 0.4650878906250),
    *(0.7797851562500, -0.2003173828125, 0.1015625000000, -0.0582275390625, 0.0330810546875, -0.0189208984375),
)
_PHASES = np.array([_PEAK_QUARTER, _PEAK_HALF, _PEAK_HALF[::-1], _PEAK_QUARTER[::-1]], np.float32)
_RISE = float(np.abs(_PHASES).sum(axis=1).max())  # no oversampled value exceeds the highest sample by more than this


def weights(channels: Sequence[str]) -> Float32[np.ndarray, " channels"]:
    """How much each channel counts, by FFmpeg's names for them: none for LFE, 1.41 for surrounds at the sides.

    The back pair is the surround pair of 5.1, where there is none at the sides.
    """
    sides = {"SL", "SR"} & set(channels)
    surround = sides or {"BL", "BR"}
    return np.array(
        [0.0 if name in ("LFE", "LFE2") else 1.41 if name in surround else 1.0 for name in channels], np.float32
    )


def decibels(power: float | np.floating) -> float:
    """10 log10, with silence at -inf."""
    return 10 * float(np.log10(power)) if power > 0 else float("-inf")


def gain(level: float | int) -> float:
    """The factor of amplitude for a level in dB."""
    return float(10 ** (level / 20))


@dataclass(frozen=True)
class Levels:
    """What a meter has found.

    Shapes: energies, the K-weighted mean square of each 10 ms, summed over channels as BS.1770 weighs them.
    Units:  peak as amplitude, 1 at full scale, oversampled four times.
    """

    energies: Float64[np.ndarray, " steps"]
    peak: float

    @property
    def true_peak(self) -> float:
        """dBTP."""
        return decibels(self.peak**2)

    def integrated(self, spans: Iterable[Span] | None = None) -> float:
        """Gated loudness in LUFS, of everything or of all blocks that lie within one of `spans`; -inf for silence.

        A span shorter than a block is one block of its own length.
        """
        if spans is None:
            blocks = _blocks(self.energies)
        else:
            blocks = np.concatenate([np.zeros(0), *(_blocks(self.energies[_steps(span)]) for span in spans)])
        return _gated(blocks)

    def plain(self, span: Span) -> float:
        """Loudness in LUFS of a whole span, pauses and all, without a gate."""
        steps = self.energies[_steps(span)]
        return _OFFSET + decibels(steps.mean()) if len(steps) else float("-inf")


def _steps(span: Span) -> slice:
    return slice(int(span.start * STEPS + 1e-6), max(int(np.ceil(span.end * STEPS - 1e-6)), 1))


def _blocks(energies: Float64[np.ndarray, " steps"]) -> Float64[np.ndarray, " blocks"]:
    if len(energies) <= _BLOCK:
        return energies.mean(keepdims=True) if len(energies) else np.zeros(0)
    sums = np.concatenate([[0.0], np.cumsum(energies)])
    return np.maximum(sums[_BLOCK::_HOP] - sums[:-_BLOCK:_HOP], 0) / _BLOCK


def _gated(blocks: Float64[np.ndarray, " blocks"]) -> float:
    loud = blocks[blocks > 10 ** ((SILENCE - _OFFSET) / 10)]
    if not len(loud):
        return float("-inf")
    loud = loud[loud > loud.mean() * 10 ** (_RELATIVE / 10)]
    return _OFFSET + decibels(loud.mean())


class Meter:
    """Measures sound that comes in pieces of any length.

    Errors: ValueError if a piece has not one row for each of `channels`.
    """

    def __init__(self, channels: Sequence[str]):
        self._weights = weights(channels)
        self._waiting = np.zeros((len(channels), _TAPS - 1), np.float32)  # silence before the first sample
        self._found: list[np.ndarray] = []
        self._samples = 0
        self._peaks = TruePeak(len(channels))

    def add(self, samples: Float32[np.ndarray, "channels samples"]) -> None:
        """Takes the next samples, 1 at full scale."""
        if len(samples) != len(self._weights):
            raise ValueError(f"A meter for {len(self._weights)} channels was given {len(samples)}.")
        self._samples += samples.shape[1]
        self._peaks.add(samples)
        self._waiting = np.concatenate([self._waiting, samples], axis=1)
        while self._waiting.shape[1] >= _FFT:
            self._found.append(self._filtered(self._waiting[:, :_FFT]))
            self._waiting = self._waiting[:, _FILTERED:]

    def levels(self) -> Levels:
        """What was measured, the last 10 ms filled up with silence; the meter takes no more after this."""
        rest = self._waiting.shape[1] - (_TAPS - 1)
        if rest:
            padded = np.pad(self._waiting, ((0, 0), (0, _FFT - self._waiting.shape[1])))
            self._found.append(self._filtered(padded)[: -(-rest // _STEP)])
        energies = np.concatenate([np.zeros(0), *self._found])
        return Levels(energies, self._peaks.highest())

    def _filtered(self, samples: Float32[np.ndarray, "channels samples"]) -> Float64[np.ndarray, " steps"]:
        if not samples.any():
            return np.zeros(_FILTERED // _STEP)
        spectrum = np.fft.rfft(samples.astype(np.float32), axis=1) * _response()
        heard = np.fft.irfft(spectrum, n=_FFT, axis=1)[:, _TAPS - 1 :]
        squares = np.square(heard, dtype=np.float64).reshape(len(samples), -1, _STEP).mean(axis=2)
        return self._weights.astype(np.float64) @ squares


class TruePeak:
    """The highest value between samples, over pieces of any length."""

    def __init__(self, channels: int):
        self._tail = np.zeros((channels, _PHASES.shape[1] - 1), np.float32)
        self._highest = 0.0

    def add(self, samples: Float32[np.ndarray, "channels samples"]) -> None:
        """Takes the next samples."""
        if not samples.shape[1]:
            return
        joined = np.concatenate([self._tail, samples], axis=1)
        highest = float(np.abs(joined).max())
        if highest * _RISE > self._highest:  # else nothing between these samples can be higher
            for row in joined:
                for phase in _PHASES:
                    highest = max(highest, float(np.abs(np.convolve(row, phase, mode="valid")).max(initial=0.0)))
        self._highest = max(self._highest, highest)
        self._tail = joined[:, -self._tail.shape[1] :]

    def highest(self) -> float:
        """As amplitude. What follows the last sample is silence."""
        if self._tail.any():
            self.add(np.zeros((len(self._tail), self._tail.shape[1]), np.float32))
        return self._highest


def measured(samples: Float[np.ndarray, "channels samples"], channels: Sequence[str] = ("FC",)) -> Levels:
    """The levels of sound that is all there."""
    meter = Meter(channels)
    meter.add(np.ascontiguousarray(samples, np.float32))
    return meter.levels()


@cache
def _response() -> np.ndarray:
    """The K-filter's frequency response, from its impulse response cut at `_TAPS`."""
    wave = np.zeros(_TAPS)
    wave[0] = 1.0
    for above, below in (_SHELF, _HIGHPASS):
        before, out = wave, np.zeros(_TAPS)
        for at in range(_TAPS):
            heard = sum(b * before[at - lag] for lag, b in enumerate(above) if at >= lag)
            out[at] = heard - sum(a * out[at - lag] for lag, a in enumerate(below) if 0 < lag <= at)
        wave = out
    return np.fft.rfft(wave, n=_FFT).astype(np.complex64)
