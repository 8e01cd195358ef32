"""The options that say what a script is to be like: how unlike its neighbours, how dense."""

from __future__ import annotations

import argparse

from distinctad_jax.errors import BadUsage
from distinctad_jax.narration.schedule import Taste

DENSITIES = {"low": 0.35, "normal": 0.6, "high": 0.85}
"""Share of the usable time of the gaps that may be spoken (practice; our defaults)."""


def taste_options(parser: argparse.ArgumentParser) -> None:
    """`--distinctiveness` and `--density`."""
    group = parser.add_argument_group("taste")
    group.add_argument(
        "--distinctiveness",
        type=float,
        default=0.5,
        metavar="0..1",
        help="0: the likeliest texts, repetition or not; 1: those unlike their neighbours (default 0.5)",
    )
    group.add_argument(
        "--density",
        default="normal",
        metavar="low|normal|high|SHARE",
        help="share of the gaps that may be spoken: " + ", ".join(f"{name} {one}" for name, one in DENSITIES.items()),
    )


def taste_of(given: argparse.Namespace) -> Taste:
    """The taste that was asked for. Errors: BadUsage for what is no share."""
    try:
        density = DENSITIES[given.density] if given.density in DENSITIES else float(given.density)
        return Taste(given.distinctiveness, density)
    except ValueError:
        what = f"--distinctiveness {given.distinctiveness} or --density {given.density} is no share"
        raise BadUsage(what, where="command line", mend="give numbers from 0 to 1") from None
