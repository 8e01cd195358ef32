"""What a command line says of how a run is to bear what befalls it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple

from distinctad_jax.errors import BadUsage


class Choices(NamedTuple):
    """on_full: what to do when a checkpoint finds no room: `stop`, or `wait` for space.
    on_bad_example: whether a picture that is damaged stops the run (`error`), or another clip stands in (`skip`).
    branch_from: begin a new run, beside an unfinished one of other settings, from its step (0: from the start).
    verify: compare what is read with its digest. replay: the folder of a step that was no number, to be taken again.
    profile: steps to trace, `first:last`. wandb: project of Weights & Biases, none by default.
    """

    on_full: Literal["stop", "wait"] = "stop"
    on_bad_example: Literal["error", "skip"] = "error"
    branch_from: int | None = None
    verify: bool = True
    replay: Path | None = None
    profile: tuple[int, int] | None = None
    wandb: str = ""


USUAL = Choices()


def steps_to_trace(text: str) -> tuple[int, int] | None:
    """`10:15` as numbers. Errors: BadUsage."""
    if not text:
        return None
    first, _, last = text.partition(":")
    if not (first.isdecimal() and last.isdecimal() and 0 < int(first) <= int(last)):
        raise BadUsage(f"{text!r} is no FIRST:LAST", where="--profile", mend="name two steps, as 10:15")
    return int(first), int(last)
