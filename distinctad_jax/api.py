"""The commands as functions: `from distinctad_jax import api`, then `api.describe("film.mp4", model="runs/demo")`.

A function takes what its command takes: inputs first, then the options by name, `-` written `_` (`output_dir=...`,
`names="never"`; flags are True). It returns what `--json` prints, and raises the `Problem` that would end the command
(`distinctad_jax.errors`). Nothing is printed but warnings, on standard error, unless `quiet=False`.

For parts of the work, the rooms have functions of their own: `drafting.survey.survey`, `drafting.describe.describe`,
`drafting.fit.fit`, `tracks.read_track`, `tracks.write_track`.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from distinctad_jax.commands.book import COMMANDS, carry_out

Input = str | Path


def _words(command: str, inputs: Sequence[Input], options: dict[str, Any]) -> list[str]:
    """A call as the words of a command line; inputs come last, so that no name is taken for an option."""
    words = [command]
    for name, value in options.items():
        option = f"--{name.replace('_', '-')}"
        if value is True:
            words.append(option)
        elif value is not None and value is not False:
            told = ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
            words.append(f"{option}={told}")
    return [*words, "--", *map(str, inputs)]


def _function(command: str) -> Callable[..., dict[str, Any]]:
    def call(*inputs: Input, **options: Any) -> dict[str, Any]:
        options.setdefault("quiet", True)
        with contextlib.redirect_stdout(io.StringIO()):
            return carry_out(_words(command, inputs, options))

    call.__name__, call.__doc__ = command, f"`distinctad {command}`: {COMMANDS[command]}."
    return call


def __getattr__(name: str) -> Callable[..., dict[str, Any]]:
    command = name.rstrip("_").replace("_", "-")
    if command not in COMMANDS:
        raise AttributeError(f"distinctad_jax.api has no {name}; there are {', '.join(COMMANDS)}")
    return _function(command)


def __dir__() -> list[str]:
    return [name.replace("-", "_") for name in COMMANDS]
