"""What good practice asks of a description's place, pace and sound: every number that a person may want to change.

Source: the numbers come from the guidelines and studies that each field names; guidelines give principles, so most
are choices within them. The presets are ours.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

WORDS_PER_CHARACTER = 10.0
"""Words a minute for one character a second: 160 words a minute are 16 characters a second, blanks counted."""


def _number(default: float, least: float, most: float, unit: str, help: str) -> Any:
    return dataclasses.field(default=default, metadata={"least": least, "most": most, "unit": unit, "help": help})


@dataclass(frozen=True)
class Practice:
    """How descriptions are placed, spoken and mixed.

    Units:  in each field's metadata (`unit`), with the allowed range (`least`, `most`) and the reason (`help`).
    Errors: ValueError, naming the field, for a value out of its range, or a target rate above the highest.
    """

    minimum_gap: float | int = _number(2.0, 1.0, 10.0, "s", "shortest pause that is used (WCAG F113)")
    lead_in: float | int = _number(0.3, 0.0, 1.0, "s", "kept free after dialogue (ramp of the W3C DAPT examples)")
    lead_out: float | int = _number(0.3, 0.0, 1.0, "s", "kept free before dialogue (ramp of the W3C DAPT examples)")
    rate: float | int = _number(
        160.0, 120.0, 220.0, "words a minute", "at which descriptions are spoken (studies 167-189)"
    )
    fastest: float | int = _number(
        180.0,
        120.0,
        220.0,
        "words a minute",
        "highest rate before a flag (Jankowska 179, Brysbaert 183)",
    )
    pause: float | int = _number(0.4, 0.2, 1.0, "s", "between two descriptions of one gap (breath pause 0.19)")
    shortest: float | int = _number(1.0, 0.2, 5.0, "s", "shortest description")
    longest: float | int = _number(12.0, 2.0, 60.0, "s", "longest description: one sentence or two")
    duck: float | int = _number(10.0, 0.0, 30.0, "LU", "programme below the narration (Torcoli 2019)")
    duck_least: float | int = _number(6.0, 0.0, 30.0, "dB", "least depth of ducking")
    duck_most: float | int = _number(20.0, 0.0, 60.0, "dB", "largest depth of ducking")
    duck_unmeasured: float | int = _number(9.0, 0.0, 30.0, "dB", "depth where loudness is not measured (DAPT 8.2)")
    fade_down: float | int = _number(0.3, 0.0, 2.0, "s", "from full to ducked (W3C DAPT example)")
    fade_up: float | int = _number(0.5, 0.0, 3.0, "s", "from ducked to full (NDA: quickly, not instantly)")
    hold: float | int = _number(2.0, 0.0, 10.0, "s", "stay ducked between descriptions closer than this (NDA)")
    narration_level: float | int = _number(0.0, -3.0, 6.0, "LU", "narration above the programme's dialogue")
    true_peak: float | int = _number(-1.0, -9.0, 0.0, "dBTP", "ceiling of the mix (EBU R128; Netflix -2)")
    extended: float | int = _number(
        0.0, 0.0, 8.0, "s", "longest pause of an extended description; 0 makes none (DCMP)"
    )

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value, least, most = getattr(self, field.name), field.metadata["least"], field.metadata["most"]
            if not (math.isfinite(value) and least <= value <= most):
                raise ValueError(
                    f"{field.name} must lie in {least:g}..{most:g} {field.metadata['unit']}, got {value:g}"
                )
            object.__setattr__(self, field.name, float(value))
        if self.rate > self.fastest:
            raise ValueError(f"rate ({self.rate:g}) must not exceed fastest ({self.fastest:g}) words a minute")
        if self.shortest > self.longest:
            raise ValueError(f"shortest ({self.shortest:g}) must not exceed longest ({self.longest:g}) s")
        if self.duck_least > self.duck_most:
            raise ValueError(f"duck_least ({self.duck_least:g}) must not exceed duck_most ({self.duck_most:g}) dB")

    @property
    def characters_per_second(self) -> float:
        """The rate as characters a second, blanks counted: characters predict the voiced length, words do not."""
        return self.rate / WORDS_PER_CHARACTER

    @property
    def fastest_characters_per_second(self) -> float:
        """The highest rate as characters a second."""
        return self.fastest / WORDS_PER_CHARACTER


PRESETS: Mapping[str, Mapping[str, float]] = {
    # Television: constant level, R128, nothing in short breaths.
    "broadcast": {},
    # A player in a page: WCAG's pause, a ceiling that survives lossy coding.
    "web": {"true_peak": -2.0, "duck_unmeasured": 12.0},
    # Learners: slower, with more air, and a film that may pause (DCMP).
    "education": {"rate": 140.0, "fastest": 160.0, "minimum_gap": 2.5, "pause": 0.6, "extended": 8.0},
    # Data sets and experiments: as much as the film holds.
    "research": {"minimum_gap": 1.0, "lead_in": 0.1, "lead_out": 0.1, "fastest": 200.0, "pause": 0.2},
}
"""What each preset changes of the defaults of `Practice`."""


def preset(name: str, changes: Mapping[str, float | int] | None = None) -> Practice:
    """The practice of a preset with some fields changed. Errors: ValueError for another preset, field or value."""
    if name not in PRESETS:
        raise ValueError(f"the presets are {', '.join(PRESETS)}; got {name!r}")
    fields = {**PRESETS[name], **(changes or {})}
    unknown = set(fields) - {field.name for field in dataclasses.fields(Practice)}
    if unknown:
        raise ValueError(f"practice has no {', '.join(sorted(unknown))}")
    return Practice(**fields)
