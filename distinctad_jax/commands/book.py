"""The commands of `distinctad`, and how a command line is read and carried out.

A command is a module of this folder with two functions: `arguments(parser)` adds what it takes; `run(given, voice)`
does it, returns what `--json` prints, and raises a `Problem` for whatever else than 0 the exit code is to be.
Nothing but the module asked for is imported, so `distinctad score` never waits for JAX.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import signal
import sys
import threading
import warnings
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

from distinctad_jax import __version__
from distinctad_jax.commands.voice import Voice
from distinctad_jax.errors import BadUsage, Problem, Stopped, one_line
from distinctad_jax.outcome import carried_out

COMMANDS = {
    "check": "say what is wrong with an annotation table, row by row",
    "convert": "write tracks in other formats, any to any",
    "validate": "say what a player or the W3C would reject in tracks and subtitles",
    "score": "score predictions against references",
    "compare": "set two systems against each other on the same rows",
    "plan": "compile a training step for chips that you do not have",
    "gaps": "find the silences of a film that can hold a description",
    "describe": "draft the description track of a film",
    "fit": "fit a script into the silences of a film",
    "voice": "speak a track, fit it by measured lengths, write the narration",
    "mix": "mix film and narration, and put both into the film",
    "report": "make the page in which a person reviews a track",
    "import": "published CLIP or GPT-2 weights into our own folders",
    "export": "a model of ours as a folder that transformers loads",
}
"""Name and what it does; the module's name is the command's, with `_` for `-`."""

_RENAMED = {"import": "import_", "voice": "speak"}
"""Modules that cannot be called as their command: one is a word of Python, one the console's."""


class _Parser(argparse.ArgumentParser):
    """Wrong usage is a `Problem` like any other: one line, exit code 2."""

    def error(self, message: str) -> NoReturn:
        raise BadUsage(message, where="command line", mend=f"see {self.prog} --help")


def read(arguments: list[str]) -> argparse.Namespace:
    """The command and what was given to it. Errors: BadUsage for an unknown command or option, or a wrong value."""
    parser = _Parser(prog="distinctad", description="Audio descriptions of films: make, check, voice and score them.")
    parser.add_argument("--version", action="version", version=f"distinctad {__version__}")
    told = "".join(f"  {name:<10} {what}\n" for name, what in COMMANDS.items())
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = f"commands:\n{told}\n`distinctad COMMAND --help` tells what a command takes."
    parser.add_argument("command", choices=list(COMMANDS), metavar="COMMAND")
    parser.add_argument("rest", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    first = parser.parse_args(arguments)
    rest = arguments[arguments.index(first.command) + 1 :]  # argparse's own remainder loses a `--` in front
    of_command = _Parser(prog=f"distinctad {first.command}", description=module(first.command).__doc__)
    of_command.formatter_class = argparse.RawDescriptionHelpFormatter
    module(first.command).arguments(of_command)
    always = of_command.add_argument_group("every command takes")
    always.add_argument("--json", action="store_true", help="end standard output with what was found, as JSON")
    always.add_argument("--json-progress", action="store_true", help="progress as JSON lines on standard error")
    always.add_argument("-q", "--quiet", action="store_true", help="say nothing but warnings and errors")
    always.add_argument("--strict", action="store_true", help="treat warnings as errors")
    always.add_argument("--debug", action="store_true", help="print tracebacks")
    if "" in rest:
        of_command.error("an empty argument")  # as a path it would mean the folder that one is in
    given, left = of_command.parse_known_args(rest)
    if left and not getattr(module(first.command), "TAKES_CONFIG", False):
        of_command.error(f"unrecognized arguments: {' '.join(left)}")
    given.rest = left  # keys of a config, for a command that takes one
    given.command = first.command
    return given


def module(command: str) -> Any:
    """The module of a command."""
    name = command.replace("-", "_")
    return importlib.import_module(f"distinctad_jax.commands.{_RENAMED.get(name, name)}")


def carry_out(arguments: list[str]) -> dict[str, Any]:
    """Reads a command line and does what it says; returns what was found, which `--json` prints.

    What was done before a `Problem` ended the command is printed, too, if the problem tells it (`found`).

    Errors: a `Problem`, BadUsage among them.
    """
    given = read(arguments)
    voice = Voice(quiet=given.quiet, json_progress=given.json_progress, strict=given.strict)
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_, **__: voice.warn(str(message))
        try:
            found = module(given.command).run(given, voice)
        except Problem as problem:
            _tell(given, problem.found)
            raise
        finally:
            voice.close()
    _tell(given, found)
    return found


def _tell(given: argparse.Namespace, found: Mapping[str, Any] | None) -> None:
    """What `--json` asks for: one object, the last line of standard output."""
    if given.json and found is not None:
        print(one_line(json.dumps(found, ensure_ascii=False, allow_nan=False)), file=sys.stdout, flush=True)


@contextlib.contextmanager
def _stopping() -> Iterator[None]:
    """Makes SIGTERM a `Stopped` within the block, so that what was begun is cleaned up or kept to go on from."""

    def stop(number: int, frame: object) -> NoReturn:
        raise Stopped("stopped by a signal", mend="give the same command again to go on")

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def main(arguments: list[str]) -> int:
    """Reads a command line, carries it out, and returns the exit code."""

    def work() -> None:
        with _stopping():
            carry_out(arguments)

    return carried_out(work, debug="--debug" in arguments)
