"""How hard the toy world is: five numbers, each with one meaning, and three presets."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

PRESET_NAMES = ("easy", "default", "hard")


@dataclass(frozen=True)
class Dials:
    """What makes a world easy or hard. A dial that is None stands as the preset has it; stills know no dials.

    redundancy: 0..1, the chance that a clip plays in the set of the one before (place, light, people, what stands
      about). At 1 sets change between scenes only; at 0 no clip looks like its neighbour.
    evidence: above 0, at most 1: the share of a clip's frames in which the camera is on what the description tells;
      in the others it shows the set without who acts and without the prop of the event.
    gap: 0..2, how far movies are from the clean stills in colour, light, grain and black bars; 0 is not at all.
    vocabulary: 0.5..1, the share of the 12 people, props, places and actions that movies use.
    length: 0, 1 or 2: of what could be added to who does what (manner, where, beside whom, in which place), nothing
      is said, the telling part, or all.
    Errors: ValueError for an unknown preset or a dial out of its range.
    """

    preset: str = "default"
    redundancy: float | None = None
    evidence: float | None = None
    gap: float | None = None
    vocabulary: float | None = None
    length: int | None = None

    def __post_init__(self) -> None:
        if self.preset not in PRESET_NAMES:
            raise ValueError(f"preset is one of {', '.join(PRESET_NAMES)}, got {self.preset!r}")
        for name, (least, most) in RANGES.items():
            value = getattr(self, name)
            if value is not None and not least <= value <= most:
                raise ValueError(f"{name} lies in {least}..{most}, got {value}")

    def turned(self) -> Turned:
        """Every dial's number."""
        own = {each.name: getattr(self, each.name) for each in fields(Turned)}
        return replace(PRESETS[self.preset], **{name: value for name, value in own.items() if value is not None})


@dataclass(frozen=True)
class Turned:
    """The numbers of all dials; the defaults are the default preset's."""

    redundancy: float = 1.0
    evidence: float = 1.0
    gap: float = 1.0
    vocabulary: float = 1.0
    length: int = 1


PRESETS = {
    "easy": Turned(redundancy=0.5, gap=0.4, vocabulary=0.5),
    "default": Turned(),
    "hard": Turned(evidence=0.4, gap=1.6, length=2),
}
RANGES = {
    "redundancy": (0.0, 1.0),
    "evidence": (0.05, 1.0),
    "gap": (0.0, 2.0),
    "vocabulary": (0.5, 1.0),
    "length": (0, 2),
}
