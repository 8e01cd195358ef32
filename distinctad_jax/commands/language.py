"""The option that says which language the descriptions are in."""

from __future__ import annotations

import argparse
import dataclasses

from distinctad_jax.errors import BadUsage
from distinctad_jax.movie.language import well_formed
from distinctad_jax.movie.movie import Track


def language_option(parser: argparse.ArgumentParser) -> None:
    """`--language`."""
    parser.add_argument(
        "--language",
        metavar="TAG",
        help="of the descriptions, such as en or pt-BR; default: what a file that is read says or is called "
        "(film.de.srt), else en",
    )


def language_of(given: argparse.Namespace) -> str | None:
    """The tag that was given. Errors: BadUsage if it is none of BCP 47."""
    tag: str | None = given.language
    if tag is not None and not well_formed(tag):
        raise BadUsage(f"{tag!r} is no language", where="--language", mend="give a tag such as en or pt-BR")
    return tag


def in_language(track: Track, given: argparse.Namespace) -> Track:
    """The track in the language that was given, or as it is. Errors as `language_of`."""
    tag = language_of(given)
    return track if tag is None else dataclasses.replace(track, language=tag, language_told=True)
