"""Windows: N consecutive clips of one movie, and what happens at the edges of a movie.

A window never crosses from one movie into another, for it is made of positions in one movie's list of clips.
"""

from __future__ import annotations

from dataclasses import dataclass

POLICIES = ("block", "centered", "causal")
PADDING = -1


@dataclass(frozen=True)
class Window:
    """Positions in a movie's list of clips.

    Shapes: `members` and `targets` have the size of the window; members are consecutive and rising, and `PADDING`
      (-1) fills what is left at the end. `targets` marks the members that are to be learned from or scored.
    Errors: ValueError if the two differ in length or a padding slot is a target.
    """

    members: tuple[int, ...]
    targets: tuple[bool, ...]

    def __post_init__(self) -> None:
        if len(self.members) != len(self.targets):
            raise ValueError(f"{len(self.members)} members need as many targets, got {len(self.targets)}.")
        if any(wanted and member == PADDING for member, wanted in zip(self.members, self.targets, strict=True)):
            raise ValueError(f"Padding cannot be a target, got {self}.")


def _window(first: int, stop: int, size: int, targets: range) -> Window:
    members = (*range(first, stop), *[PADDING] * (size - (stop - first)))
    return Window(members, tuple(member in targets for member in members))


def _check(count: int, size: int) -> None:
    if count < 0 or size < 1:
        raise ValueError(f"Windows need count >= 0 clips and size >= 1, got {count=}, {size=}.")


def training_windows(count: int, size: int, stride: int = 1) -> list[Window]:
    """Windows over a movie of `count` clips, every real member a target.

    Starts are `stride` apart; one more window ends at the last clip where the stride would leave clips out, so every
    clip is in some window. A movie shorter than `size` makes one padded window, one without clips none.

    Errors: ValueError if count < 0, size < 1, or stride is not in 1..size (a larger one would skip clips).
    """
    _check(count, size)
    if not 1 <= stride <= size:
        raise ValueError(f"A stride must lie in 1..size={size}, or clips would be skipped; got {stride}.")
    if count == 0:
        return []
    starts = list(range(0, max(count - size, 0) + 1, stride))
    if starts[-1] + size < count:
        starts.append(count - size)
    return [_window(start, min(start + size, count), size, range(count)) for start in starts]


def evaluation_windows(count: int, size: int, policy: str) -> list[Window]:
    """Windows over a movie of `count` clips in which each clip is a target exactly once, in order of the clips.

    `block`: groups that do not overlap, the last one padded. `centered`: one window for each clip, `size // 2` clips
    before it, moved inwards at the edges so that it stays full. `causal`: one window for each clip, which is its last
    real member, so nothing is seen of what follows.

    Errors: ValueError if count < 0, size < 1 or the policy is another.
    """
    _check(count, size)
    if policy == "block":
        starts = range(0, count, size)
        return [_window(start, min(start + size, count), size, range(count)) for start in starts]
    if policy == "centered":
        last_start = max(count - size, 0)
        starts = [min(max(clip - size // 2, 0), last_start) for clip in range(count)]
        return [
            _window(start, min(start + size, count), size, range(clip, clip + 1)) for clip, start in enumerate(starts)
        ]
    if policy == "causal":
        return [_window(max(clip + 1 - size, 0), clip + 1, size, range(clip, clip + 1)) for clip in range(count)]
    raise ValueError(f"The window policies are {', '.join(POLICIES)}; got {policy!r}.")
