"""Two processes that train a small model together, to be stopped and killed; and how long the one that is left lasts.

Run:    python tests/endurance/survivor.py --heartbeat=30 --times=2 > survivor.json       (three minutes on two cores)
Gives:  for each loss, which process was killed (kill -9), and after how many seconds the other one was gone.
Bars:   45 s at the default heartbeat of 30 s; 15 s at a heartbeat of 10 s.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pair

from distinctad_jax.training.logbook import read_logbook

ROOT = Path(__file__).parents[2]
LIMIT = 200.0
"""Seconds for two of them to start, or to end, on a busy machine."""


class Together:
    """Two guarded processes of four devices, in one folder, as often as they are started."""

    def __init__(self, folder: Path, heartbeat: int):
        self.folder, self.heartbeat = folder, heartbeat
        self.begun: list[subprocess.Popen] = []

    def start(self) -> list[subprocess.Popen]:
        self.end()
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        flags = [flag for flag in os.environ.get("XLA_FLAGS", "").split() if "device_count" not in flag]
        there = os.environ | {"XLA_FLAGS": " ".join([*flags, "--xla_force_host_platform_device_count=4"])}
        there |= {"PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"}
        for index in (0, 1):
            words = [
                str(Path(pair.__file__)),
                str(self.folder / "run"),
                f"--config={ROOT / 'configs' / 'stage2.py'}:tiny",
            ]
            words += [f"--coordinator=127.0.0.1:{port}", "--processes=2", f"--process={index}"]
            with (self.folder / f"told.{index}").open("w") as told:
                line = [sys.executable, *words, f"--heartbeat={self.heartbeat}"]
                self.begun.append(subprocess.Popen(line, cwd=ROOT, env=there, stdout=told, stderr=told))
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


def lasted(together: Together, lost: int) -> float:
    """Seconds from the kill of one of the two, in the midst of training, to the end of the other."""
    reached = together.step()
    begun = together.start()
    together.reach(reached + 5)
    begun[lost].kill()
    killed = time.monotonic()
    code = begun[1 - lost].wait(timeout=LIMIT)
    seconds = time.monotonic() - killed
    assert code == 75, together.told(1 - lost)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--heartbeat", type=int, default=30)
    parser.add_argument("--times", type=int, default=2)
    given = parser.parse_args()
    found = []
    with tempfile.TemporaryDirectory(prefix="survivor-") as folder:
        together = Together(Path(folder), given.heartbeat)
        try:
            for _ in range(given.times):
                for lost in (1, 0):
                    found.append({"killed": lost, "seconds": round(lasted(together, lost), 1)})
                    print(json.dumps(found[-1]), file=sys.stderr, flush=True)
        finally:
            together.end()
    json.dump({"heartbeat": given.heartbeat, "losses": found}, sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    main()
