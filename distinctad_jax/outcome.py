"""How every command ends: an exit code and, if it went wrong, one line on standard error."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable
from typing import Any, TextIO, cast

from distinctad_jax.endurance.stop import Interrupted, code_of
from distinctad_jax.errors import Problem, printable

TOLD = 5
"""Warnings of one kind that are shown; of the rest only the number."""


class WarnedOf(Problem):
    """A warning where warnings are errors."""

    code = 3


class Warned:
    """Shows each warning as a line, `warning: ...`; of those from one place in the code, the first five, and in the
    end how many more there were. A strict one raises WarnedOf instead."""

    def __init__(self, strict: bool = False):
        self.strict, self.kinds = strict, Counter[tuple[str, int]]()

    def show(self, message: Warning | str, _category: Any, file: str, line: int, *_: Any, **__: Any) -> None:
        """In place of `warnings.showwarning`."""
        if self.strict:
            raise WarnedOf(str(message))
        self.kinds[file, line] += 1
        if self.kinds[file, line] <= TOLD:
            print(f"warning: {printable(str(message))}", file=sys.stderr, flush=True)

    def count(self) -> None:
        """How many were not shown."""
        more = sum(count - TOLD for count in self.kinds.values() if count > TOLD)
        if more:
            print(f"warning: {more} more of these kinds", file=sys.stderr, flush=True)


class Unheard:
    """Standard error that nobody has to read: when its other end is gone or full, nothing more is said.

    Ctrl-C also ends what a command is piped into (`... 2>&1 | tee log`), and what is still to be said then must not
    stand in the way of what is still to be saved.
    """

    def __init__(self, stream: Any):  # what stands in for a stream in tests and notebooks is no TextIO
        self._stream = stream

    def write(self, text: str) -> int:
        """Says it, or not."""
        with self._while_heard():
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """As `write`."""
        with self._while_heard():
            self._stream.flush()

    @contextlib.contextmanager
    def _while_heard(self) -> Any:
        try:
            yield
        except OSError:
            with contextlib.suppress(OSError):  # the descriptor itself: what is held back would fail again at the end
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, self._stream.fileno())
                os.close(nowhere)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def carried_out(work: Callable[[], None], *, debug: bool) -> int:
    """Runs `work`; 0, or the exit code of what went wrong, which is said in one line.

    With `debug` the traceback goes before that line; without it, a bug of ours leaves its traceback in a file.
    """
    with contextlib.redirect_stderr(cast(TextIO, Unheard(sys.stderr))):
        return _carried_out(work, debug)


def _carried_out(work: Callable[[], None], debug: bool) -> int:
    try:
        work()
    except Problem as problem:
        return _complain(str(problem), problem.code, debug)
    except Interrupted as signal:
        return _complain(str(signal), code_of(signal.number), debug)
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
