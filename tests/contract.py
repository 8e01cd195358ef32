"""The contract of every command, held to on any input: exit code, one line, nothing half-written or else opened.

An audit hook sees every file that Python opens and every address that it looks up; `watched` sees, through the
kernel, what libraries open, too.
"""

import contextlib
import ctypes
import json
import os
import struct
import sys
import time
from pathlib import Path

from places import REPOSITORY

from distinctad_jax.commands.book import main

_LIBRARIES = [REPOSITORY, sys.prefix, sys.base_prefix, *filter(None, sys.path)]
_ALWAYS = (
    *{os.path.realpath(path) for path in _LIBRARIES},
    *("/dev/null", "/dev/urandom", "/proc/self", "/etc/mime"),
)
_NEVER = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "urllib.Request", "http.client.connect")
_STARTS = ("subprocess.Popen", "os.exec", "os.posix_spawn", "os.system", "os.fork", "pty.spawn")
_heard: list[tuple[str, str]] | None = None


def _hook(event, arguments):
    if _heard is None:
        return
    if event == "open" and isinstance(arguments[0], str | bytes | Path):
        _heard.append((event, os.fsdecode(arguments[0])))
    elif event in _NEVER or event in _STARTS:
        _heard.append((event, str(arguments)[:200]))


sys.addaudithook(_hook)  # there is no way to remove one; it listens only within `audited`


@contextlib.contextmanager
def audited():
    """Yields a list that fills with `(event, what)`: files opened, addresses asked for, programs started."""
    global _heard
    _heard = found = []
    try:
        yield found
    finally:
        _heard = None


@contextlib.contextmanager
def watched(folder):
    """Yields a set that holds, at the end of the block, the names in `folder` that anything opened."""
    libc = ctypes.CDLL(None, use_errno=True)
    opened, isdir = 0x20, 0x40000000
    handle = libc.inotify_init1(os.O_NONBLOCK)
    assert handle >= 0 and libc.inotify_add_watch(handle, os.fsencode(folder), opened) >= 0
    found: set[str] = set()
    try:
        yield found
        with contextlib.suppress(BlockingIOError):
            while data := os.read(handle, 1 << 20):
                while data:
                    _, mask, _, length = struct.unpack_from("iIII", data)
                    if not mask & isdir:
                        found.add(os.fsdecode(data[16 : 16 + length].rstrip(b"\0")))
                    data = data[16 + length :]
    finally:
        os.close(handle)


def tree(folder):
    """What lies in a folder: names, kinds and contents of small files."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            found[str(path)] = ("link", str(path.readlink()))
        elif path.is_file():
            found[str(path)] = ("file", path.stat().st_size, path.stat().st_mtime_ns)
        else:
            found[str(path)] = ("other",)
    return found


class Kept:
    """What a command did: `code`, `found` (its JSON, or None), `warnings` and `error`."""

    def __init__(self, code, out, told):
        self.code, lines = code, told.splitlines()
        self.error = lines[-1] if code else ""
        self.warnings = [line for line in lines if line.startswith("warning: ")]
        self.found = json.loads(out.splitlines()[-1]) if out.strip() and code in (0, 6) else None


def keep(capsys, folder, arguments, *, codes=(0, 3), within=20.0, may_open=()):
    """Runs a command in this process, and holds it to the contract; `folder` is where all that it may touch lies.

    Args:
      codes: the exit codes that are right.
      within: seconds of this process's time.
      may_open: files, or folders with all in them, that are named besides those in `folder`.
    """
    line = [*map(str, arguments), "-q", "--json"]
    before, began = tree(folder), time.process_time()
    with audited() as heard:
        code = main(line)
    lasted = time.process_time() - began
    told = capsys.readouterr()
    shown = f"{' '.join(line)[:300]}\nexit code {code}\n{told.err[:2000]}"
    assert code in codes, shown
    assert lasted < within, f"{lasted:.1f} s\n{shown}"
    _keep_lines(code, told.err, shown)
    if code == 0:
        assert isinstance(json.loads(told.out.splitlines()[-1]), dict), shown
    elif code != 6:
        assert tree(folder) == before, f"something was left\n{shown}"
    allowed = (*_ALWAYS, os.path.realpath(folder), *(os.path.realpath(one) for one in may_open))
    for event, what in heard:
        assert event == "open", f"{event} {what}\n{shown}"
        real = os.path.realpath(what)
        assert what in line or real.startswith(allowed), f"opened {what}\n{shown}"
    left = [path for path in folder.rglob("*") if ".partial" in path.name or path.name.startswith("distinctad-")]
    assert not left, f"{left}\n{shown}"
    return Kept(code, told.out, told.err)


def _keep_lines(code, told, shown):
    lines = told.split("\n")
    assert lines.pop() == "", shown
    assert "Traceback" not in told, shown
    assert all(line.startswith(("warning: ", "error: ")) for line in lines), shown
    errors = [line for line in lines if line.startswith("error: ")]
    if code == 0:
        assert not errors, shown
    else:
        assert errors and lines[-1] == errors[-1] and (len(errors) == 1 or code == 6), shown
        where, _, rest = errors[-1].removeprefix("error: ").partition(": ")
        assert (where and rest) or code == 6, shown
    kinds = [line[:40] for line in lines if line.startswith("warning: ")]
    assert len(kinds) <= 60, shown
