"""A guard tells what befell its child in one line, passes signals on, and takes the child with it when it dies."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from places import REPOSITORY

from distinctad_jax.errors import BadEnvironment
from distinctad_jax.hosts.guard import guard, lost_peer

HEARTBEATS = """E1122 17:32:35.06 2 coordination_service.cc:1549] UNAVAILABLE: The following tasks are unhealthy \
(stopped sending heartbeats):
1
The tasks have crashed. Check the task logs.
F1122 17:32:36.06 2 client.h:80] Terminating process because the JAX distributed service detected fatal errors.
    @     0x7f74d7040634  absl::Flush()
"""
SOCKET = """E1122 17:33:17.2 1073 coordination_service_agent.cc:289] Polled an error from coordination service.
F1122 17:33:17.2 1073 client.h:80] Terminating process because the JAX distributed service detected fatal errors.
"""


def python(code):
    return [sys.executable, "-c", f"import os, sys, signal, time\n{code}"]


def dying(log, number=signal.SIGABRT):
    return python(f"sys.stderr.write('a line\\n' + {log!r}); sys.stderr.flush(); os.kill(os.getpid(), {int(number)})")


@pytest.mark.parametrize(
    ("command", "code", "told"),
    [
        (python("print('fine', file=sys.stderr)"), 0, ["fine"]),
        (python("sys.exit('error: no')"), 1, ["error: no"]),
        (dying(HEARTBEATS), 75, ["a line", "error: process 1: lost, no sign of life for 10 s; this one ends too"]),
        (
            dying(HEARTBEATS.replace("\n1\n", "\n/job:jax_worker/replica:0/task:1\n")),
            75,
            ["a line", "error: process 1:"],
        ),
        (dying(SOCKET), 75, ["a line", "error: process 0: lost, its connection is gone"]),
        (dying("", signal.SIGKILL), 4, ["a line", "error: killed by SIGKILL, likely out of memory"]),
        (dying("", signal.SIGSEGV), 70, ["a line", "error: ended by SIGSEGV"]),
        (python("sys.stderr.write('[Gloo] Rank 0 is connected\\n')"), 0, []),
    ],
)
def test_it_tells_what_befell_its_child(capfd, command, code, told):
    assert guard(command, heartbeat=10) == code
    lines = capfd.readouterr().err.splitlines()
    assert len(lines) == len(told) and all(line.startswith(start) for line, start in zip(lines, told, strict=True))


def test_what_was_held_back_is_told_when_nobody_was_lost(capfd):
    assert guard(python(f"sys.stderr.write({SOCKET!r})"), heartbeat=10) == 0
    assert capfd.readouterr().err == SOCKET


GUARD = """
import sys
from distinctad_jax.hosts.guard import guard
child = "from distinctad_jax.hosts.guard import guarded; import os, signal, sys, time; guarded()\\n"
child += "signal.signal(signal.SIGTERM, lambda *_: sys.exit(75)); print(os.getpid(), flush=True); time.sleep(60)"
sys.exit(guard([sys.executable, "-c", child], heartbeat=10))
"""


@pytest.fixture
def pair():
    """A guard and the process id of its child."""
    process = subprocess.Popen([sys.executable, "-c", GUARD], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
    yield process, int(process.stdout.readline())
    process.kill()
    process.wait()


def test_a_signal_is_passed_on_and_the_childs_code_is_the_guards(pair):
    pair[0].send_signal(signal.SIGTERM)
    assert pair[0].wait(timeout=20) == 75


def test_the_child_dies_with_its_guard(pair):
    process, child = pair
    process.kill()
    process.wait()
    deadline = time.monotonic() + 3
    while time.monotonic() < deadline:
        try:
            os.kill(child, 0)
        except ProcessLookupError:
            return
        state = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0]
        if state == "Z":  # nobody may be there to reap it
            return
        time.sleep(0.05)
    pytest.fail("the child lives on")


def test_which_errors_speak_of_a_lost_fellow():
    assert lost_peer(RuntimeError("[/gloo/pair.cc:547] Connection closed by peer"))
    assert not lost_peer(RuntimeError("RESOURCE_EXHAUSTED: out of memory"))
    assert not lost_peer(KeyError("gloo"))


def test_a_save_that_failed_for_want_of_a_peer_is_told_as_its_loss():
    try:
        raise BadEnvironment("a checkpoint was not saved") from RuntimeError("Socket closed")
    except BadEnvironment as error:
        assert lost_peer(error)
    assert not lost_peer(BadEnvironment("a checkpoint was not saved"))
