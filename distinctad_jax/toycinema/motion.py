"""Actions as motion: each is a walk through poses that other actions strike as well.

No pose belongs to one action, so a single frame leaves the action open; what tells is which poses a clip goes
through, how long each is held and how far the body travels.
"""

from __future__ import annotations

from dataclasses import dataclass

SLOW, BRISK = 0, 1


@dataclass(frozen=True)
class Pose:
    """How a body is held, in units and degrees; `side` faces right, mirrored for the other direction.

    `arms` are angles from hanging (0) to straight up (180), left then right; `tilt` leans the whole figure forwards.
    """

    hip: float = 17.0
    feet: tuple[float, float] = (-3.5, 3.5)
    arms: tuple[float | int, float | int] = (12.0, 12.0)
    side: bool = False
    tilt: float | int = 0
    lift: float | int = 0
    back: float = 0.0  # how far the feet are behind the spot where the person is
    hand: tuple[float, float] = (13.0, -26.0)  # where a held prop is


POSES: dict[str, Pose] = {
    "stand": Pose(),
    "pass": Pose(side=True, feet=(-1.0, 2.0), arms=(8, 8)),
    "stride": Pose(side=True, hip=15.5, feet=(-8.5, 9.0), arms=(40, 40)),
    "lean": Pose(side=True, hip=15.0, feet=(-9.0, 6.0), arms=(65, 65), tilt=28),
    "bend": Pose(hip=11.0, feet=(-5.0, 5.0), arms=(35, 35)),
    "crouch": Pose(hip=6.0, feet=(-4.5, 4.5), arms=(20, 30), hand=(14.0, -8.0)),
    "seated": Pose(hip=4.5, feet=(-12.0, 12.0), arms=(45, 45)),
    "lying": Pose(side=True, arms=(10, 10), tilt=90, lift=4.0, back=22.0),
    "reach": Pose(arms=(12, 95), hand=(15.0, -31.0)),
    "raise": Pose(arms=(12, 165), hand=(7.0, -52.0)),
    "spread": Pose(arms=(95, 95)),
    "both": Pose(arms=(160, 160)),
    "leap": Pose(hip=15.0, feet=(-8.0, 8.0), arms=(160, 160), lift=9),
}

Part = tuple[float, tuple[str, ...]]  # share of the clip; the poses that take turns in it


@dataclass(frozen=True)
class Action:
    """What a person does: per tempo (slow, brisk) the verbs, the manner, the parts of the motion, the way travelled.

    `holds` lists the parts in which the prop is in the hand; such an action needs a prop.
    """

    verbs: tuple[tuple[str, str], tuple[str, str]]  # [tempo][0 indoors, 1 outdoors]
    manners: tuple[str, str]
    parts: tuple[tuple[Part, ...], tuple[Part, ...]]
    travel: tuple[float, float] = (0.0, 0.0)
    holds: bool = False


ACTIONS: dict[str, Action] = {
    "walk": Action(
        (("walks", "strolls"), ("strides", "marches")),
        ("calmly", "firmly"),
        (((1.0, ("pass", "pass", "stride", "stride")),), ((1.0, ("pass", "stride")),)),
        (14.0, 31.0),
    ),
    "run": Action(
        (("jogs", "trots"), ("sprints", "races")),
        ("lightly", "fast"),
        (((1.0, ("lean", "stride")),), ((1.0, ("lean", "lean", "stride")),)),
        (46.0, 66.0),
    ),
    "sit": Action(
        (("sits down", "settles down"), ("slumps", "sinks down")),
        ("stiffly", "wearily"),
        (
            ((0.30, ("stand",)), (0.20, ("bend",)), (0.50, ("seated",))),
            ((0.10, ("stand",)), (0.05, ("bend",)), (0.85, ("seated",))),
        ),
    ),
    "rise": Action(
        (("rises", "stands up"), ("gets up", "scrambles up")),
        ("slowly", "suddenly"),
        (
            ((0.28, ("seated",)), (0.17, ("bend",)), (0.55, ("stand",))),
            ((0.25, ("lying",)), (0.15, ("crouch",)), (0.60, ("stand",))),
        ),
    ),
    "wave": Action(
        (("waves", "beckons"), ("signals", "gestures")),
        ("gently", "wildly"),
        (
            ((0.15, ("stand",)), (0.85, ("raise", "raise", "reach", "reach"))),
            ((0.10, ("stand",)), (0.90, ("both", "both", "spread", "spread"))),
        ),
    ),
    "jump": Action(
        (("hops", "skips"), ("leaps", "bounds")),
        ("softly", "high"),
        (
            ((0.20, ("stand",)), (0.80, ("bend", "bend", "leap", "stand"))),
            ((0.10, ("crouch",)), (0.90, ("leap", "leap", "crouch"))),
        ),
    ),
    "turn": Action(
        (("turns around", "looks around"), ("spins", "whirls")),
        ("warily", "dizzily"),
        (
            ((0.25, ("stand",)), (0.35, ("pass",)), (0.40, ("<pass",))),
            ((0.05, ("stand",)), (0.95, ("pass", "spread", "<pass", "spread"))),
        ),
    ),
    "fall": Action(
        (("stumbles", "trips"), ("falls", "tumbles")),
        ("clumsily", "hard"),
        (
            ((0.20, ("pass",)), (0.35, ("lean",)), (0.45, ("crouch",))),
            ((0.15, ("stand",)), (0.15, ("lean",)), (0.70, ("lying",))),
        ),
        (8.0, 0.0),
    ),
    "kneel": Action(
        (("kneels", "squats"), ("ducks", "crouches")),
        ("quietly", "low"),
        (
            ((0.35, ("stand",)), (0.20, ("bend",)), (0.45, ("crouch",))),
            ((0.05, ("stand",)), (0.95, ("crouch",))),
        ),
    ),
    "lift": Action(
        (("picks up", "lifts"), ("grabs", "snatches")),
        ("carefully", "eagerly"),
        (
            ((0.35, ("crouch",)), (0.65, ("reach",))),
            ((0.15, ("crouch",)), (0.20, ("reach",)), (0.65, ("raise",))),
        ),
        holds=True,
    ),
    "lower": Action(
        (("puts down", "lays down"), ("drops", "dumps")),
        ("neatly", "carelessly"),
        (
            ((0.25, ("reach",)), (0.75, ("crouch",))),
            ((0.35, ("raise",)), (0.15, ("reach",)), (0.50, ("crouch",))),
        ),
        holds=True,
    ),
    "dance": Action(
        (("sways", "rocks"), ("dances", "twirls")),
        ("dreamily", "happily"),
        (
            ((1.0, ("spread", "spread", "stand", "stand", "<reach", "<reach", "stand", "stand")),),
            ((1.0, ("reach", "leap", "<reach", "both")),),
        ),
    ),
}
CROSSING = ("walk", "run")


@dataclass(frozen=True)
class Moment:
    """One frame of an action: the pose, whether it is mirrored, and how much of the way is done (0 to 1)."""

    pose: str
    mirrored: bool
    done: float


def moments(action: str, tempo: int, count: int) -> list[Moment]:
    """The action as `count` frames; the parts share the frames out, and poses within a part take turns."""
    parts = ACTIONS[action].parts[tempo]
    bounds, past = [], 0.0
    for share, _ in parts:
        past += share
        bounds.append(round(past * count))
    seen = []
    for frame in range(count):
        part = next(i for i, bound in enumerate(bounds) if frame < bound or i == len(bounds) - 1)
        first = bounds[part - 1] if part else 0
        poses = parts[part][1]
        name = poses[(frame - first) % len(poses)]
        pace = 1.0 if tempo == SLOW else 0.75  # who is brisk arrives early
        done = min(1.0, frame / max(1, count - 1) / pace)
        seen.append(Moment(name.removeprefix("<"), name.startswith("<"), done))
    return seen


def poses_of(action: str) -> frozenset[str]:
    """All poses that the action goes through at either tempo."""
    return frozenset(
        name.removeprefix("<") for parts in ACTIONS[action].parts for _, names in parts for name in names
    )
