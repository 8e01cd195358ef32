"""Programs that speak: espeak-ng, or any other by its command line, run without a shell and with a time limit.

A program gets one text at a time and writes one sound file. What it is told comes from descriptions, which come from
models and files: so a text is one argument, never begins like an option, and holds no control characters.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import signal
import string
import subprocess
import tempfile
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from distinctad_jax.errors import BadEnvironment, BadUsage, printable

TARGET = 160.0  # words a minute at rate 1
SECONDS = 120.0
"""A program that takes longer over one text is stopped."""

_FIELDS = ("text", "wav", "rate", "voice", "language")
_BRACKETS = str.maketrans({"[": "(", "]": ")", "{": "(", "}": ")", "<": " ", ">": " "})
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_NOTHING = re.compile(r"^[\W_]*$")


class Unspoken(Exception):
    """One text could not be spoken; the others can be."""


@runtime_checkable
class Engine(Protocol):
    """What can speak.

    `identity` names program, version and voice: the same text at the same rate sounds the same for the same identity.
    `has_rates` says whether it can be asked to speak faster.
    """

    @property
    def identity(self) -> str: ...

    @property
    def has_rates(self) -> bool: ...

    def speak(self, text: str, rate: float, wav: Path) -> None:
        """Writes a sound file with `text` spoken at `rate` times the target rate. Errors: Unspoken."""
        ...


def spoken_form(text: str) -> str:
    """`text` as it is handed to a program: one line, no brackets that programs take for commands, no leading dash.

    Errors: Unspoken if there is nothing to speak.
    """
    kept = unicodedata.normalize("NFC", _CONTROL.sub(" ", text.translate(_BRACKETS)))
    kept = " ".join(kept.split()).lstrip("-–— @\\")
    if _NOTHING.match(kept):
        raise Unspoken("nothing to speak")
    return kept


@dataclass(frozen=True)
class Espeak:
    """espeak-ng with one of its voices (`espeak-ng --voices` lists them).

    Its `-s` is not the real rate: 130, 140, 150, 160 and 175 were measured as 145, 156, 166, 177 and 194 words a
    minute over English descriptions, which the line through the ends gives within one word a minute.
    """

    program: str
    version: str
    voice: str

    has_rates = True

    @property
    def identity(self) -> str:
        return f"{self.version} {self.voice}"

    def speak(self, text: str, rate: float, wav: Path) -> None:
        """See `Engine.speak`."""
        speed = round(130 + (TARGET * rate - 145) * (175 - 130) / (194 - 145))
        line = [self.program, "-v", self.voice, "-s", str(min(max(speed, 80), 450)), "-w", str(wav), "--stdin"]
        _run(line, spoken_form(text))


def espeak(voice: str = "en-gb") -> Espeak:
    """Errors: BadEnvironment if espeak-ng is not installed; BadUsage if it has no such voice."""
    program = shutil.which("espeak-ng")
    if program is None:
        raise BadEnvironment("is not installed", where="espeak-ng", mend="install it, or give --voice-command")
    if not re.fullmatch(r"[A-Za-z0-9][\w+. -]*", voice):
        raise BadUsage(f"{voice!r} is no name of a voice", mend="see espeak-ng --voices")
    told = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=20, check=False).stdout
    version = " ".join(["espeak-ng", *re.findall(r"\d+(?:\.\d+)+\S*", told)[:1]])
    found = Espeak(program, version, voice)
    with tempfile.TemporaryDirectory(prefix="distinctad-voice-") as folder:
        try:
            found.speak("one", 1.0, Path(folder) / "one.wav")
        except Unspoken as error:
            raise BadUsage(f"espeak-ng does not speak as {voice!r}: {error}", mend="see espeak-ng --voices") from None
    return found


@dataclass(frozen=True)
class Command:
    """Any program: `arguments` with {text}, {wav}, {rate}, {voice} and {language} in them; made by `command`.

    Each field is put into its argument after the line was cut into arguments, so no text can become two of them. A
    program without {text} reads it from standard input.
    """

    arguments: tuple[str, ...]
    voice: str = ""
    language: str = "en"

    @property
    def identity(self) -> str:
        return f"{shlex.join(self.arguments)} {self.voice} {self.language}".strip()

    @property
    def has_rates(self) -> bool:
        return any("{rate}" in argument for argument in self.arguments)

    def speak(self, text: str, rate: float, wav: Path) -> None:
        """See `Engine.speak`."""
        form = spoken_form(text)
        values = {
            "text": form,
            "wav": str(wav),
            "rate": f"{rate:.3g}",
            "voice": self.voice,
            "language": self.language,
        }
        line = [re.sub(r"\{(\w+)\}", lambda found: values[found[1]], argument) for argument in self.arguments]
        _run(line, "" if any("{text}" in argument for argument in self.arguments) else form)
        if not wav.is_file():
            raise Unspoken(f"{Path(line[0]).name} wrote no {wav.name}")


def command(line: str | Sequence[str], voice: str = "", language: str = "en") -> Command:
    """A program from its command line (cut as a shell cuts it, but by no shell) or its arguments.

    Errors: BadUsage if the line cannot be cut, names no program that is there, has an unknown field, or no {wav}.
    """
    mend = "write for example --voice-command 'say --text {text} --out {wav} --rate {rate}'"
    try:
        arguments = tuple(shlex.split(line)) if isinstance(line, str) else tuple(line)
        fields = {field for one in arguments for _, field, _, _ in string.Formatter().parse(one) if field is not None}
    except ValueError as error:
        raise BadUsage(f"cannot be read ({error})", where="--voice-command", mend=mend) from None
    if not arguments or "{" in arguments[0]:
        raise BadUsage("names no program", where="--voice-command", mend=mend)
    if fields - set(_FIELDS):
        known = ", ".join(f"{{{field}}}" for field in _FIELDS)
        raise BadUsage(
            f"has a field {sorted(fields - set(_FIELDS))[0]!r}", where="--voice-command", mend=f"use {known}"
        )
    if "wav" not in fields:
        raise BadUsage("has no {wav}, the file to write", where="--voice-command", mend=mend)
    if shutil.which(arguments[0]) is None:
        raise BadEnvironment("no such program", where=arguments[0], mend="install it or correct --voice-command")
    return Command(arguments, voice, language)


def _run(line: Sequence[str], text: str) -> None:
    """Errors: Unspoken, with what the program said last, if it fails or takes too long."""
    with tempfile.TemporaryFile() as said:
        try:
            process = subprocess.Popen(
                line, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said, start_new_session=True
            )
        except (OSError, ValueError) as error:
            raise Unspoken(f"cannot be run: {error}") from None
        try:
            process.communicate(text.encode(), timeout=SECONDS)
        except subprocess.TimeoutExpired:
            raise Unspoken(f"took longer than {SECONDS:.0f} s") from None
        finally:  # whatever it started is ended too, on a time-out as on Ctrl-C
            if process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        if process.returncode:
            said.seek(max(said.seek(0, os.SEEK_END) - 2000, 0))
            last = said.read().decode(errors="replace").strip().splitlines()[-1:]
            raise Unspoken(f"ended with {process.returncode}: {printable(' '.join(last))[:200]}")
