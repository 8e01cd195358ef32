"""The options that several commands share: one for each number of good practice, and the preset they start from."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence

from distinctad_jax.errors import BadUsage
from distinctad_jax.movie.practice import PRESETS, Practice, preset

PLACING = ("minimum_gap", "lead_in", "lead_out")
SPEAKING = ("rate", "fastest", "pause", "shortest", "longest", "extended")
DUCKING = ("duck", "duck_least", "duck_most", "duck_unmeasured", "fade_down", "fade_up", "hold")
MIXING = (*DUCKING, "narration_level", "true_peak")


def practice_options(parser: argparse.ArgumentParser, fields: Sequence[str]) -> None:
    """`--preset`, and an option for each of the fields of `Practice`."""
    group = parser.add_argument_group("practice")
    told = "; ".join(
        f"{name}: " + (", ".join(f"{key} {value:g}" for key, value in changes.items()) or "the defaults")
        for name, changes in PRESETS.items()
    )
    group.add_argument("--preset", choices=list(PRESETS), default="broadcast", help=told)
    for field in dataclasses.fields(Practice):
        if field.name in fields:
            facts = field.metadata
            group.add_argument(
                f"--{field.name.replace('_', '-')}",
                type=float,
                default=None,
                metavar=facts["unit"].replace(" ", "_").upper(),
                help=f"{facts['help']}; {facts['least']:g} to {facts['most']:g}, default {field.default:g}",
            )


def practice_of(given: argparse.Namespace) -> Practice:
    """The practice that was asked for. Errors: BadUsage for a value out of its range."""
    names = {field.name for field in dataclasses.fields(Practice)}
    changes = {name: value for name, value in vars(given).items() if name in names and value is not None}
    try:
        return preset(given.preset, changes)
    except ValueError as error:
        raise BadUsage(str(error), where="command line", mend="give a value in that range") from None
