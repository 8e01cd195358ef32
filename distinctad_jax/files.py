"""Files that appear whole or not at all, and fingerprints of files."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from distinctad_jax.errors import BadEnvironment, BadInput

_LONGEST_STEM = 50  # characters of four bytes at most, so that the name of 255 bytes that a file may have is kept


@contextlib.contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Yields a path beside `path` to write to; it takes the name `path` when the block ends without an error.

    Errors: BadEnvironment if the folder cannot be written. Whatever ends the block early leaves nothing behind.
    """
    partial = path.with_name(f".{path.stem[-_LONGEST_STEM:]}.{os.getpid()}.partial{path.suffix}")
    new, done = not path.parent.exists(), False
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        with partial.open("rb") as written:
            os.fsync(written.fileno())
        partial.replace(path)
        done = True
    except OSError as error:
        if not _ours(error, partial, path):
            raise
        raise BadEnvironment(
            f"cannot write: {error.strerror}", where=path, mend="free space or choose a folder that can be written"
        ) from error
    finally:
        with contextlib.suppress(OSError):  # where nothing could be written, nothing is left to remove
            partial.unlink(missing_ok=True)
        if new and not done:
            with contextlib.suppress(OSError):  # a folder in which others have written stays
                path.parent.rmdir()


def _ours(error: OSError, partial: Path, path: Path) -> bool:
    """Whether an error is about the file that is written, and not about one that the block reads."""
    if error.filename is None:  # a write knows no name; only writing fills a disk
        return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    return Path(str(error.filename)) in (partial, path, *path.parents)


def write_text(path: Path, text: str) -> None:
    """Writes UTF-8 text with LF line ends, whole or not at all."""
    with whole(path) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path, value: Any) -> None:
    """Writes readable JSON with sorted keys, whole or not at all; NaN is refused."""
    write_text(path, json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n")


def regular(path: Path) -> None:
    """Errors: BadInput for a device, a pipe or one of the kernel's files, which may never end.

    Reading says what is wrong of anything else.
    """
    with contextlib.suppress(OSError, ValueError):  # ValueError: a name with a NUL
        mode = path.stat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)) or real(path).is_relative_to("/proc"):
            raise BadInput("cannot be read: is no regular file", where=path, mend="give a file")


def read_json(path: Path) -> Any:
    """Errors: BadInput if the file is missing, a device, not UTF-8 or not JSON, with line and column."""
    regular(path)
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))  # Notepad writes a byte-order mark
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        raise BadInput("no such file", where=path, mend="correct the path") from None
    except UnicodeDecodeError as error:
        raise BadInput(f"not UTF-8 at byte {error.start}", where=path, mend="save it as UTF-8") from None
    except json.JSONDecodeError as error:
        place, what = f"{path}:{error.lineno}:{error.colno}", f"not valid JSON: {error.msg}"
        raise BadInput(what, where=place, mend="correct the file") from None
    except RecursionError:
        raise BadInput("not valid JSON: nested too deeply", where=path, mend="correct the file") from None
    except ValueError:  # more digits than Python reads
        raise BadInput("not valid JSON: a number is too long", where=path, mend="correct the file") from None


def fingerprint(path: Path) -> str:
    """sha256 of a file's bytes; for one over 64 MiB, of its size and its first and last MiB.

    Errors: BadInput if it is not a regular file.
    """
    if not path.is_file():
        raise BadInput("no such file", where=path, mend="correct the path")
    size, digest, end = path.stat().st_size, hashlib.sha256(), 1 << 20
    with path.open("rb") as file:
        if size <= 64 * end:
            for block in iter(lambda: file.read(end), b""):
                digest.update(block)
        else:
            digest.update(f"{size}:".encode() + file.read(end))
            file.seek(-end, os.SEEK_END)
            digest.update(file.read(end))
    return digest.hexdigest()


def glance(path: Path) -> str:
    """sha256 of a file's size and its first and last 64 KiB: tells another film of one name, and reads none whole.

    Errors: BadInput if it is not a regular file.
    """
    if not path.is_file():
        raise BadInput("no such file", where=path, mend="correct the path")
    size, end = path.stat().st_size, 1 << 16
    with path.open("rb") as file:
        digest = hashlib.sha256(f"{size}:".encode() + file.read(end))
        file.seek(max(size - end, 0))
        digest.update(file.read(end))
    return digest.hexdigest()


def real(path: Path) -> Path:
    """`path` without links, as far as they lead somewhere; a link to itself and a name with a NUL are no errors."""
    try:
        return Path(os.path.realpath(path))
    except ValueError:
        return path


def written_name(name: str) -> str:
    """The name of a file as texts can hold it: bytes of it that are no UTF-8 become question marks."""
    return name.encode("utf-8", "replace").decode()


def read_bytes(path: Path) -> bytes:
    """A file from outside. Errors: BadInput if it is missing or no file, BadEnvironment if it may not be read."""
    regular(path)
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise BadInput("no such file", where=path, mend="correct the path") from None
    except PermissionError:
        raise BadEnvironment("may not be read", where=path, mend="give read permission") from None
    except (OSError, ValueError) as error:  # ValueError: a name with a NUL
        what = getattr(error, "strerror", None) or "no file has such a name"
        raise BadInput(f"cannot be read: {what}", where=path, mend="give a file") from None
