"""Where what is no sound checkpoint goes: into `damaged/` beside the checkpoints, and never away."""

from __future__ import annotations

from pathlib import Path

from distinctad_jax.errors import BadEnvironment, BadInput
from distinctad_jax.files import regular

DAMAGED = "damaged"


def strays(folder: Path) -> list[str]:
    """Names of what lies among checkpoints and is none; a file that has the name of the folder for them comes first,
    as it has to make room."""
    paths = sorted(folder.iterdir()) if folder.is_dir() else []
    found = [path.name for path in paths if not _belongs(path)]
    return sorted(found, key=DAMAGED.__ne__)


def is_step(name: str) -> bool:
    """Whether a checkpoint may have this name."""
    return name.isdecimal() and name.isascii() and str(int(name)) == name


def set_aside(folder: Path, name: str) -> None:
    """Moves it into `damaged/`, where nothing is written over. Errors: BadEnvironment."""
    damaged = folder / DAMAGED
    try:
        if name == DAMAGED:
            room = folder / f"{DAMAGED}.folder"
            room.mkdir(exist_ok=True)
            damaged.rename(room / name)
            room.rename(damaged)
            return
        damaged.mkdir(exist_ok=True)
        place = next(
            place
            for number in range(1 << 20)
            if not (place := damaged / (f"{name}.{number}" if number else name)).exists()
        )
        (folder / name).rename(place)
    except OSError as error:
        what = f"{name} is no sound checkpoint and cannot be moved to {DAMAGED}/: {error.strerror}"
        raise BadEnvironment(what, where=folder, mend=f"look at {damaged}, or move it by hand") from error


def refuse_endless(folder: Path) -> None:
    """Errors: ValueError that names a device or a pipe in a step's folder, which a reader would wait at for ever."""
    for path in sorted(folder.rglob("*")):
        try:
            regular(path)
        except BadInput:
            raise ValueError(f"{path.relative_to(folder)}: it is no regular file") from None


def _belongs(path: Path) -> bool:
    if path.is_dir() and (is_step(path.name) or path.name == DAMAGED):
        return True
    return path.name != DAMAGED and "orbax" in path.name
