"""Processes that read die with the one that started them, and one that is killed is told of."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time

import grain
import numpy as np
import pytest
from places import REPOSITORY

from distinctad_jax.data.pipeline import Batches
from distinctad_jax.errors import BadEnvironment

PROGRAM = """
import multiprocessing, time
import grain
from distinctad_jax.data.pipeline import Batches

if __name__ == "__main__":
    given = {"items": 100, "truncated": 0, "host": 0, "hosts": 1, "threads": 1, "ends": False}
    batches = Batches(grain.MapDataset.range(100).repeat(), list, 4, workers=1, **given)
    batches.next()
    print(*[process.pid for process in multiprocessing.active_children()], flush=True)
    time.sleep(60)
"""


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123 (it may vanish)
        return file.read().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.slow
def test_none_is_left_three_seconds_after_their_parent_was_killed(tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM)
    there = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    line = [sys.executable, str(tmp_path / "program.py")]
    process = subprocess.Popen(line, env=there, stdout=subprocess.PIPE, text=True, start_new_session=True)
    workers = [int(word) for word in process.stdout.readline().split()]
    assert workers
    process.kill()
    process.wait()
    deadline = time.monotonic() + 3
    while any(map(alive, workers)):
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.slow
def test_one_that_is_killed_is_told_of_in_one_line_and_another_number_of_them_gives_the_same(tmp_path):
    given = {"items": 100, "truncated": 0, "host": 0, "hosts": 1, "threads": 1, "ends": False}
    source = grain.MapDataset.range(100).seed(0).shuffle().repeat()

    def made(items):
        return {"x": np.array(items)}

    alone = Batches(source, made, 4, workers=0, **given)
    alone.seek(2)
    batches = Batches(source, made, 4, workers=1, **given)
    batches.seek(2)
    np.testing.assert_array_equal(batches.next()["x"], alone.next()["x"])
    (worker,) = multiprocessing.active_children()
    os.kill(worker.pid, signal.SIGKILL)
    began = time.monotonic()
    with pytest.raises(BadEnvironment, match=r"a data worker was killed \(signal 9\), likely out of memory; lower"):
        for _ in range(1000):
            batches.next()
    assert time.monotonic() - began < 30
    batches.close()
    assert not multiprocessing.active_children()
