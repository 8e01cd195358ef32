"""Two processes that train together: asked to stop, both save one step; one lost, the other ends; one goes on."""

import dataclasses
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pair
import pytest
from places import REPOSITORY, config_argument
from small_training import small_fit

from distinctad_jax.training.logbook import BATCHES, read_logbook

HEARTBEAT, LIMIT = 5, 200.0
"""Seconds: of silence until a process counts as lost; for two of them to start on a busy machine."""


class Together:
    """Two guarded processes of four devices, in one folder, as often as they are started."""

    def __init__(self, folder: Path):
        self.folder, self.begun = folder, []

    def start(self):
        self.end()
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        flags = [flag for flag in os.environ["XLA_FLAGS"].split() if "device_count" not in flag]
        there = os.environ | {"XLA_FLAGS": " ".join([*flags, "--xla_force_host_platform_device_count=4"])}
        there["PYTHONPATH"] = str(REPOSITORY)
        for index in (0, 1):
            words = [str(Path(pair.__file__)), str(self.folder / "run"), config_argument("stage2:tiny")]
            words += [f"--coordinator=127.0.0.1:{port}", "--processes=2", f"--process={index}"]
            with (self.folder / f"told.{index}").open("w") as told:
                line = [sys.executable, *words, f"--heartbeat={HEARTBEAT}"]
                self.begun.append(subprocess.Popen(line, cwd=REPOSITORY, env=there, stdout=told, stderr=told))
        return self.begun

    def told(self, index: int) -> str:
        return (self.folder / f"told.{index}").read_text()

    def step(self) -> int:
        lines = read_logbook(self.folder / "run")
        return lines[-1]["step"] if lines else 0

    def reach(self, step: int) -> None:
        deadline = time.monotonic() + LIMIT
        while self.step() < step:
            told = self.told(0) + self.told(1)
            assert time.monotonic() < deadline and all(each.poll() is None for each in self.begun), told
            time.sleep(0.02)

    def saved(self) -> list[int]:
        return sorted(
            int(path.name) for path in (self.folder / "run" / "checkpoints").iterdir() if path.name.isdigit()
        )

    def end(self) -> None:
        for process in self.begun:
            process.kill()
            process.wait()
        self.begun = []


@pytest.fixture
def together(tmp_path):
    both = Together(tmp_path)
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
