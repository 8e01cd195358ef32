"""Two jobs do not work in one workdir; what a dead job left is taken over."""

import json
import os
import subprocess
import sys
import time

import pytest
from places import REPOSITORY

from distinctad_jax.endurance import lock
from distinctad_jax.endurance.lock import WorkdirLock
from distinctad_jax.errors import BadEnvironment

HOLD = """
import sys, time
from pathlib import Path
from distinctad_jax.endurance.lock import WorkdirLock
with WorkdirLock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the lock."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


def test_the_second_job_is_told_who_the_first_is_and_a_dead_ones_lock_is_taken_over(holder, tmp_path):
    with pytest.raises(BadEnvironment, match=rf"in use by process {holder.pid} on \S+, since \d{{4}}-") as told:
        WorkdirLock(tmp_path).__enter__()
    assert told.value.code == 4
    holder.kill()
    holder.wait()
    with pytest.warns(UserWarning, match=rf"the job of process {holder.pid} on .* ended without a word"):
        held = WorkdirLock(tmp_path).__enter__()
    held.__exit__(None, None, None)
    assert not list(tmp_path.iterdir())


def test_one_after_the_other_may(tmp_path):
    for _ in range(2):
        with WorkdirLock(tmp_path / "deep" / "below") as held:
            assert json.loads(held.path.read_text())["pid"] == os.getpid()


@pytest.mark.parametrize(("age", "lives"), [(5, True), (1000, False)])
def test_a_job_on_another_host_lives_as_long_as_it_gives_signs_of_it(tmp_path, age, lives):
    path = tmp_path / ".lock"
    path.write_text(json.dumps({"host": "elsewhere", "pid": 7, "started": "2026-01-01 00:00:00"}))
    os.utime(path, (time.time() - age,) * 2)
    if lives:
        with pytest.raises(BadEnvironment, match="in use by process 7 on elsewhere, since 2026"):
            WorkdirLock(tmp_path).__enter__()
    else:
        with pytest.warns(UserWarning, match="taken over"), WorkdirLock(tmp_path):
            pass


def test_signs_of_life_are_given(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "BEAT", 0.05)
    with WorkdirLock(tmp_path) as held:
        os.utime(held.path, (0, 0))
        deadline = time.monotonic() + 10
        while held.path.stat().st_mtime == 0:
            assert time.monotonic() < deadline
            time.sleep(0.02)


@pytest.mark.parametrize("content", ["", "{", "[1]", "\x00" * 10])
def test_a_lock_file_that_says_nothing_is_taken(tmp_path, content):
    (tmp_path / ".lock").write_text(content)
    with WorkdirLock(tmp_path):
        assert json.loads((tmp_path / ".lock").read_text())["pid"] == os.getpid()
