"""Two processes that train together: asked to stop, both save one step; one lost, the other ends; one goes on."""

import dataclasses
import re
import signal
import time

import pair
import pytest
from small_training import small_fit
from survivor import LIMIT, Together

from distinctad_jax.training.logbook import BATCHES, read_logbook

HEARTBEAT = 5
"""Seconds of silence until a process counts as lost."""


@pytest.fixture
def together(tmp_path):
    both = Together(tmp_path, HEARTBEAT)
    yield both
    both.end()


@pytest.mark.slow
def test_they_stop_together_and_neither_outlives_the_other(together):
    # SIGTERM to one of them: both save the same step.
    first, second = together.start()
    together.reach(5)
    second.send_signal(signal.SIGTERM)
    assert [each.wait(timeout=LIMIT) for each in (first, second)] == [75, 75], together.told(0) + together.told(1)
    steps = [re.search(r"error: .*saved at step (\d+) and stopped", together.told(index))[1] for index in (0, 1)]
    assert steps[0] == steps[1] and int(steps[0]) == together.saved()[-1]
    stopped = int(steps[0])
    # They go on; the second is killed: the first one ends soon.
    first, second = together.start()
    together.reach(stopped + 25)
    begun = [line["step"] for line in read_logbook(together.folder / "run", BATCHES)]
    assert begun == list(range(1, len(begun) + 1))
    second.kill()
    killed = time.monotonic()
    assert first.wait(timeout=LIMIT) == 75, together.told(0)
    assert time.monotonic() - killed < HEARTBEAT + 15
    errors = [line for line in together.told(0).splitlines() if line.startswith("error: ")]
    assert len(errors) == 1 and errors[0].startswith("error: process 1: lost, no sign of life for 5 s")
    # They go on; the first is killed.
    reached = together.step()
    first, second = together.start()
    together.reach(reached + 5)
    first.kill()
    killed = time.monotonic()
    assert second.wait(timeout=LIMIT) == 75, together.told(1)
    assert time.monotonic() - killed < HEARTBEAT + 15
    assert "error: process 0: lost" in together.told(1)
    # One alone goes on, with another mesh.
    before, saved = read_logbook(together.folder / "run"), together.saved()[-1]
    small_fit(together.folder / "run", config=dataclasses.replace(pair.PAIR, steps=saved + 3), devices=2)
    lines = read_logbook(together.folder / "run")
    assert lines[:saved] == before[:saved] and [line["step"] for line in lines] == list(range(1, saved + 4))
