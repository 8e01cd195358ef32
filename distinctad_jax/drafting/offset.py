"""Whether subtitles run early or late: the shift at which they agree best with the sound of the film.

Source: the idea of ffsubsync, the shift that maximises agreement. The sound's level is evidence for a warning only;
no gap is ever taken from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from distinctad_jax.movie.span import Span

WORTH_TELLING = 0.5
"""Seconds: subtitles linger and lead by less than that on purpose."""
_FURTHEST = 60.0  # s
_SURE, _BETTER = 0.35, 0.1  # agreement, and how much better than unshifted; music alone stays below
_FEWEST = 3  # cues; fewer would fit almost anywhere


class Offset(NamedTuple):
    """How much later the speech is than the subtitles, in seconds, and how well both agree there and unshifted."""

    seconds: float
    agreement: float
    unshifted: float

    @property
    def matters(self) -> bool:
        """Whether a person should be told."""
        better = self.agreement >= _SURE and self.agreement - self.unshifted >= _BETTER
        return better and abs(self.seconds) > WORTH_TELLING


def measure(spoken: Sequence[Span], evidence: Float[np.ndarray, " hops"], hop: float) -> Offset | None:
    """The shift of `spoken` that agrees best with `evidence`; None if there is too little of either.

    Shapes: evidence has one value for each `hop` seconds, larger where speech is likelier: levels in dB, or 0 and 1.
    Units:  agreement is a correlation, -1..1. Shifts of up to a minute are tried; of equal ones the smallest wins.
    """
    count = len(evidence)
    if len(spoken) < _FEWEST or count * hop < 2 * WORTH_TELLING:
        return None
    talk = mask(spoken, count, hop)
    low, high = np.percentile(evidence, (5, 95))
    heard = np.clip(evidence.astype(np.float64), low, high)
    if talk.std() == 0 or heard.std() == 0:
        return None
    talk, heard = talk - talk.mean(), heard - heard.mean()
    size = 1 << (2 * count - 1).bit_length()
    product = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(talk, size)), size)
    agreement = product / (count * talk.std() * heard.std())
    furthest = min(round(_FURTHEST / hop), count // 2)
    shifts = sorted(range(-furthest, furthest + 1), key=abs)
    scores = np.array([agreement[shift] for shift in shifts])
    best = int(np.argmax(scores > scores.max() - 1e-9))
    return Offset(shifts[best] * hop, float(scores[best]), float(agreement[0]))


def mask(spans: Sequence[Span], count: int, hop: float) -> Float[np.ndarray, " hops"]:
    """1 where some span is, 0 elsewhere, for each of `count` steps of `hop` seconds."""
    found = np.zeros(count)
    for span in spans:
        first = int(span.start / hop)
        if first < count:
            found[first : min(int(np.ceil(span.end / hop)), count)] = 1.0
    return found
