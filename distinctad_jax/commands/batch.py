"""Many films in one command: what a folder holds, the papers that belong to each film, and how a batch ends."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from distinctad_jax.commands.voice import Voice
from distinctad_jax.data.library import SUFFIXES
from distinctad_jax.errors import BadInput, BadUsage, Problem, SomeSkipped, Stopped
from distinctad_jax.files import real

TEXTS = (".vtt", ".srt")
_DIGITS = re.compile(r"\d+")
_SHOWN = 5


def films(inputs: Sequence[Path], suffixes: tuple[str, ...] = SUFFIXES) -> list[Path]:
    """The files that are named, and those of a folder that is named, in order of name, each once.

    A folder is searched to the bottom; hidden files, and links that lead out of it, are passed over.

    Errors: BadUsage without inputs; BadInput for a folder that holds none.
    """
    if not inputs:
        raise BadUsage("no file is named", where="command line", mend="name a film or a folder of films")
    found: dict[Path, None] = {}
    for one in inputs:
        if not one.is_dir():
            found.setdefault(one)
            continue
        inside = [
            path
            for path in sorted(one.rglob("*"))
            if path.suffix.lower() in suffixes
            and not any(part.startswith(".") for part in path.relative_to(one).parts)
            and real(path).is_relative_to(real(one))
            and path.is_file()
        ]
        if not inside:
            raise BadInput(f"holds no file of {', '.join(suffixes)}", where=one, mend="name another folder")
        for path in inside:
            found.setdefault(path)
    return list(found)


def paper(given: Path | None, film: Path, inputs: Sequence[Path], suffixes: tuple[str, ...] = TEXTS) -> Path | None:
    """The paper of a film: the file that was given, or one called as the film in the folder that was given.

    Without either, one beside the film if the film came out of a named folder; a file that nobody named is not read.
    """
    if given is not None and not given.is_dir():
        return given
    named = {real(path) for path in inputs if not path.is_dir()}
    if given is None and real(film) in named:
        return None
    folder = given or film.parent
    names = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in suffixes and path.is_file()]
    beside = [path for path in names if path.stem == film.stem or path.stem.startswith(f"{film.stem}.")]
    inside = [path for path in beside if real(path).is_relative_to(real(folder))]
    if given is not None and not inside:
        raise BadInput(f"holds no {film.stem}{suffixes[0]}", where=given, mend="add it, or name the file itself")
    return min(inside, key=lambda path: (len(path.name), path.name), default=None)


def each(
    found: Sequence[Path], work: Callable[[Path], dict[str, Any]], voice: Voice
) -> tuple[list[dict[str, Any]], list[tuple[Path, Problem]]]:
    """What `work` gives for each file, and the files it could not be done for, each told in a line of its own.

    A single file's problem is the command's own, and raised.
    """
    done, failed = [], []
    for place, path in enumerate(found, start=1):
        if len(found) > 1:
            voice.turn(place, len(found), str(path))
        try:
            done.append(work(path))
        except Problem as problem:
            if len(found) == 1 or isinstance(problem, BadUsage | Stopped):
                raise
            print(f"error: {problem}", file=sys.stderr, flush=True)
            failed.append((path, problem))
    return done, failed


def ended(done: list[dict[str, Any]], failed: list[tuple[Path, Problem]]) -> dict[str, Any]:
    """What `--json` says: a single file's facts, or those of all under `files`, with the sums of what can be added.

    Errors: SomeSkipped, naming them, if some files could not be done; what was done is told with it.
    """
    if failed:
        told = [{"file": path.name, "error": str(problem), **(problem.found or {})} for path, problem in failed]
        names = ", ".join(path.name for path, _ in failed[:_SHOWN]) + (", ..." if len(failed) > _SHOWN else "")
        raise SomeSkipped(
            f"{len(failed)} of {len(done) + len(failed)} files could not be done: {names}",
            mend="see the lines above",
            found=_together([*done, *told]) | {"failed": len(failed)},
        )
    return done[0] if len(done) == 1 else _together(done)


def _together(done: list[dict[str, Any]]) -> dict[str, Any]:
    return {"files": done, **{name: sum(one.get(name) or 0 for one in done) for name in _added(done)}}


def _added(done: list[dict[str, Any]]) -> list[str]:
    names = {name for one in done for name, value in one.items() if isinstance(value, int) and name not in _NOT_ADDED}
    return sorted(names)


_NOT_ADDED = ("width", "height")


def tell(voice: Voice, problems: Iterable[str]) -> None:
    """Says warnings; those that differ in numbers only are of one kind."""
    for problem in problems:
        voice.warn(problem, kind=_DIGITS.sub("N", problem))
