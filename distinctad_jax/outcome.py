"""How every command ends: an exit code and, if it went wrong, one line on standard error."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from collections.abc import Callable

from distinctad_jax.errors import Problem, printable


def carried_out(work: Callable[[], None], *, debug: bool) -> int:
    """Runs `work`; 0, or the exit code of what went wrong, which is said in one line.

    With `debug` the traceback goes before that line; without it, a bug of ours leaves its traceback in a file.
    """
    try:
        work()
    except Problem as problem:
        return _complain(str(problem), problem.code, debug)
    except KeyboardInterrupt:
        return _complain("interrupted; run the same command to go on", 130, debug)
    except MemoryError:
        return _complain("out of memory; lower batch or rows, or use a larger machine", 4, debug)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _complain(f"{where}{error.strerror or error}; check path, permissions and space", 4, debug)
    except Exception as error:
        handle, path = tempfile.mkstemp(prefix="distinctad-", suffix=".txt")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            traceback.print_exc(file=file)
        return _complain(f"{type(error).__name__}: a bug of ours; please report it with {path}", Problem.code, debug)
    return 0


def _complain(line: str, code: int, debug: bool) -> int:
    if debug:
        traceback.print_exc()
    print(f"error: {printable(line)}", file=sys.stderr, flush=True)
    return code
