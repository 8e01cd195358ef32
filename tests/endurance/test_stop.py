"""A signal ends a command at once where nothing is lost, and is noted where a step is in hand."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from places import REPOSITORY

PROGRAM = """
import hashlib, sys, time
from distinctad_jax.endurance.stop import listening
from distinctad_jax.outcome import carried_out

def ready():
    print("ready", flush=True)

def starting(stop):
    ready()
    time.sleep(60)

def compiling(stop):
    with stop.deferred(), stop.at_once():
        ready()
        hashlib.pbkdf2_hmac("sha256", b"", b"", 10**9)  # in a library that looks at no signal

def stepping(stop):
    with stop.deferred():
        ready()
        stop.asked.wait(60)
        time.sleep(0.5)
        print("saved", flush=True)

def stuck(stop):
    with stop.deferred():
        ready()
        time.sleep(60)

def work():
    with listening() as stop:
        globals()[sys.argv[1]](stop)

sys.exit(carried_out(work, debug=False))
"""


@pytest.fixture
def program():
    begun = []

    def start(name):
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, name],
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        begun.append(process)
        assert process.stdout.readline() == "ready\n"
        return process

    yield start
    for process in begun:
        process.kill()
        process.wait()


@pytest.mark.parametrize(
    ("number", "code", "told"),
    [(signal.SIGTERM, 75, "stopped by SIGTERM"), (signal.SIGINT, 130, "interrupted")],
)
@pytest.mark.parametrize("phase", ["starting", "compiling"])
def test_where_nothing_is_lost_it_ends_at_once(program, phase, number, code, told):
    process = program(phase)
    began = time.monotonic()
    process.send_signal(number)
    _, err = process.communicate(timeout=20)
    assert process.returncode == code
    assert err == f"error: {told}; run the same command to go on\n"
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("times", [1, 2])
def test_where_a_step_is_in_hand_it_is_noted_and_two_in_one_breath_are_one(program, times):
    process = program("stepping")
    for _ in range(times):
        process.send_signal(signal.SIGTERM)
        time.sleep(0.05)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (0, "saved\n")
    assert err == "stopping: the step in hand is finished and saved; again to stop at once\n"


def test_a_second_one_later_ends_it_without_saving(program):
    process = program("stuck")
    process.send_signal(signal.SIGTERM)
    time.sleep(1.3)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=5)
    assert process.returncode == 75 and "saved" not in out
    assert err.splitlines()[-1] == "error: stopped by SIGTERM; run the same command to go on"


@pytest.mark.parametrize("full", [False, True])
def test_nobody_has_to_listen_to_standard_error(full):
    told = [sys.executable, "-c", PROGRAM, "stepping"]
    with Path("/dev/full").open("w") as device:
        started = subprocess.Popen(
            told, stdout=subprocess.PIPE, stderr=device if full else subprocess.PIPE, text=True, cwd=REPOSITORY
        )
    assert started.stdout is not None and started.stdout.readline() == "ready\n"
    if started.stderr is not None:
        started.stderr.close()  # as when Ctrl-C ends `tee` too
    started.send_signal(signal.SIGINT)
    assert started.stdout.read() == "saved\n" and started.wait(timeout=20) == 0


ENDING = """
import atexit, time
from distinctad_jax.main import leave

def end():
    print("ending", flush=True)
    time.sleep(1)

atexit.register(end)
leave(75)
"""


def test_a_signal_at_the_very_end_does_not_take_the_place_of_the_exit_code():
    line = [sys.executable, "-c", ENDING]
    started = subprocess.Popen(line, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY)
    assert started.stdout is not None and started.stdout.readline() == "ending\n"
    started.terminate()
    assert started.wait(timeout=20) == 75
