"""One entry point for every recipe: `python -m distinctad_jax.main --config=configs/demo.py`.

Any key can be changed on the command line: `--config.stage2.clips=4`. Exit codes are those of `errors`. Started
several times, with flags or by a launcher that says so, the processes work as one: see `hosts`.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import warnings
from pathlib import Path
from typing import Any, NamedTuple

from absl import flags
from ml_collections import ConfigDict, config_flags

from distinctad_jax.endurance.choices import Choices, steps_to_trace
from distinctad_jax.endurance.stop import listening
from distinctad_jax.errors import BadUsage, Problem, Stopped
from distinctad_jax.hosts.guard import guard, guarded, lost_peer
from distinctad_jax.hosts.place import HostFlags, find_place, join
from distinctad_jax.outcome import Warned, carried_out

USAGE = "python -m distinctad_jax.main --config=configs/NAME.py[:SIZE] [--config.KEY=VALUE ...] [--debug]"
LASTING = (
    "[--branch-from=STEP] [--no-verify] [--on-full=stop|wait] [--on-bad-example=error|skip] [--replay=FOLDER] "
    "[--profile=FIRST:LAST] [--wandb=PROJECT] [--strict]"
)
HOSTS = "[--coordinator=HOST:PORT --processes=N --process=I | --pod] [--heartbeat=SECONDS] [--join_timeout=SECONDS]"
LAST_WORDS = 2.0
"""Seconds in which the others can read why process 0 ends: once it is gone, JAX ends them."""
LAST_EXIT = 8.0
"""Seconds that what was left running may take to end."""


class Given(NamedTuple):
    """What a command line says."""

    config: ConfigDict
    hosts: HostFlags
    choices: Choices
    strict: bool


def read_flags(arguments: list[str]) -> Given:
    """The config, what is said of other processes, and how the run is to bear what befalls it.

    Errors: BadUsage for an unknown flag or key, a wrong value, or a config that is not there.
    """
    values, arguments = flags.FlagValues(), [_underscored(argument) for argument in arguments]
    config_flags.DEFINE_config_file(
        "config",
        None,
        "the config file, with its size",
        flag_values=values,
        lock_config=False,
        accept_new_attributes=True,  # a field that a config leaves to its default; what is no field is refused later
        sys_argv=["main", *arguments],
    )
    _define(values)
    path = _config_path(arguments)
    if path is not None and not (path.is_file() and path.suffix == ".py"):
        raise BadUsage("no such config", where=path, mend=f"usage: {USAGE}")
    try:
        rest = values(["main", *arguments])
    except Problem:
        raise
    except Exception as error:  # a config is a program, and may raise anything
        raise _complaint(error, path, arguments) from error
    if values.help:
        print(__doc__, f"{USAGE} {LASTING} {HOSTS}", sep="\n\n")
        raise SystemExit(0)
    if len(rest) > 1 or values.config is None:
        what = f"unexpected {rest[1]!r}" if len(rest) > 1 else "no --config"
        raise BadUsage(what, where="command line", mend=f"usage: {USAGE}")
    if not isinstance(values.config, ConfigDict):
        what = f"get_config gives {type(values.config).__name__}, needed a ConfigDict"
        raise BadUsage(what, where=path or "command line", mend="correct the config")
    hosts: Any = {name: values[name].value for name in HostFlags._fields}
    choices = Choices(
        on_full=values.on_full,
        on_bad_example=values.on_bad_example,
        branch_from=values.branch_from,
        verify=values.verify and not values.no_verify,
        replay=Path(values.replay) if values.replay else None,
        profile=steps_to_trace(values.profile),
        wandb=values.wandb,
    )
    return Given(values.config, HostFlags(**hosts), choices, values.strict)


def _define(values: flags.FlagValues) -> None:
    given: dict[str, Any] = {"flag_values": values}
    flags.DEFINE_boolean("debug", False, "print tracebacks", **given)
    flags.DEFINE_boolean("strict", False, "warnings are errors", **given)
    flags.DEFINE_string("coordinator", "", "HOST:PORT of process 0", **given)
    flags.DEFINE_integer("processes", None, "how many processes there are", **given)
    flags.DEFINE_integer("process", None, "which of them this is, from 0", **given)
    flags.DEFINE_boolean("pod", False, "join the other hosts of a TPU slice", **given)
    flags.DEFINE_integer("heartbeat", 30, "seconds of silence until a process counts as gone", **given)
    flags.DEFINE_integer("join_timeout", 300, "seconds to wait for all processes to come", **given)
    flags.DEFINE_alias("init_timeout", "join_timeout", **given)
    flags.DEFINE_enum("on_full", "stop", ["stop", "wait"], "when a checkpoint finds no room", **given)
    flags.DEFINE_enum("on_bad_example", "error", ["error", "skip"], "when a picture is damaged", **given)
    flags.DEFINE_integer("branch_from", None, "begin a new run from an unfinished one's step", lower_bound=0, **given)
    flags.DEFINE_boolean("verify", True, "compare what is read with its digest", **given)
    flags.DEFINE_boolean("no_verify", False, "do not (the same as --noverify)", **given)
    flags.DEFINE_string("replay", "", "take a step again that was no number", **given)
    flags.DEFINE_string("profile", "", "steps to trace, FIRST:LAST", **given)
    flags.DEFINE_string("wandb", "", "project of Weights & Biases", **given)
    flags.DEFINE_boolean("help", False, "print usage", **given)


def _underscored(argument: str) -> str:
    """`--on-full=wait` as absl has it; keys of the config have dots, and stay."""
    name, equals, value = argument.partition("=")
    return name.replace("-", "_").replace("__", "--", 1) + equals + value if name.startswith("--") else argument


def _config_path(arguments: list[str]) -> Path | None:
    """The file that `--config=FILE[:SIZE]` or `--config FILE[:SIZE]` names."""
    for place, argument in enumerate(arguments):
        name, _, value = argument.partition("=")
        if name in ("--config", "-config"):
            return Path((value or "".join(arguments[place + 1 : place + 2])).split(":")[0])
    return None


def _complaint(error: Exception, path: Path | None, arguments: list[str]) -> BadUsage:
    told = (str(error).splitlines() or [""])[0].strip().strip('"')
    if isinstance(error, (KeyError, AttributeError)):  # a key below one that is not there, or that is no section
        for name in (argument.partition("=")[0] for argument in arguments):
            known = told.strip("'") in name.split(".") or told.endswith(f" {name.partition('.')[2]}")
            if name.startswith(("--config.", "-config.")) and known:
                return BadUsage("unknown key", where=name, mend="correct or remove it")
    if isinstance(error, flags.Error):
        return BadUsage(told, where="command line", mend=f"usage: {USAGE}")
    return BadUsage(f"{type(error).__name__}: {told}", where=path or "command line", mend="correct the config")


def work(given: Given) -> None:
    """Builds the spec out of a config, and makes what its recipe makes."""
    from distinctad_jax.recipes.book import carry_out  # imports JAX: slow, so after the flags are known to be right

    with warnings.catch_warnings():
        warned = Warned(given.strict)
        warnings.filterwarnings("always", module="distinctad_jax")
        warnings.showwarning = warned.show
        try:
            carry_out(given.config, given.choices)
        finally:
            warned.count()


def main(arguments: list[str], program: tuple[str, ...] = ("-m", "distinctad_jax.main")) -> int:
    """Runs and returns the exit code; whatever goes wrong is one line on standard error.

    `program` is what a guard is to start again as its child.
    """
    under_guard, codes = guarded(), [0]

    def read_and_work() -> None:
        given = read_flags(arguments)
        place = find_place(given.hosts, os.environ)
        if place is not None and not under_guard:
            command = [sys.executable, *program, *arguments]
            codes.append(guard(command, heartbeat=given.hosts.heartbeat))
            return
        with listening():
            if place is not None:
                join(place, heartbeat=given.hosts.heartbeat, timeout=given.hosts.join_timeout)
                _work_together(given)
            else:
                work(given)

    code = carried_out(read_and_work, debug="--debug" in arguments) or codes[-1]
    if under_guard and code:
        # Leaving in an orderly way would mean to wait for the others.
        time.sleep(LAST_WORDS)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return code


def _work_together(given: Given) -> None:
    try:
        work(given)
    except Exception as error:
        if not lost_peer(error):
            raise
        time.sleep(
            given.hosts.heartbeat + LAST_WORDS
        )  # by then JAX knows which it was, and ends this one: see `guard`
        told = (str(error).splitlines() or [""])[0]
        mend = "start the same command on all hosts again: it goes on from the last checkpoint"
        raise Stopped(f"lost contact with another process ({told})", mend=mend) from error


def leave(code: int) -> None:
    """Ends the process, within `LAST_EXIT` seconds even if a thread of a library hangs.

    All is done and told by now: a signal that still comes must not take the place of the exit code, which launchers
    start again on.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)

    def insist() -> None:
        time.sleep(LAST_EXIT)
        os._exit(code)

    threading.Thread(target=insist, daemon=True).start()
    sys.exit(code)


def ask_for_large_pages() -> None:
    """Starts this program once more, in the same process, with glibc told to ask Linux for large pages.

    XLA on CPUs takes its working memory from glibc at every step and gives it back. With pages of 4 KiB the kernel
    then clears 72,000 of them a step of the toy towers, a third of the step's CPU time; with large pages 600. Whoever
    has set GLIBC_TUNABLES keeps what they set.
    """
    if sys.platform == "linux" and "GLIBC_TUNABLES" not in os.environ:
        os.environ["GLIBC_TUNABLES"] = "glibc.malloc.hugetlb=1"  # read when a program starts, hence the new start
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


if __name__ == "__main__":
    ask_for_large_pages()
    leave(main(sys.argv[1:]))
