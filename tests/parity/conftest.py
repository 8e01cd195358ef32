"""A process that has torch and transformers, and what it means to be equal to it."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest


class Peer:
    """Asks peer.py, which the interpreter TORCH_PYTHON runs."""

    def __init__(self):
        # It needs none of our packages, and one environment's must not get into another's.
        environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
        self._process = subprocess.Popen(
            [os.environ["TORCH_PYTHON"], str(Path(__file__).parent / "peer.py")],
            env=environment | {"HF_HUB_OFFLINE": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.about = self("about")

    def __call__(self, do, **asked):
        print(json.dumps({"do": do, **asked}), file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        assert answer, "peer.py ended; its own words stand above"
        told = json.loads(answer)
        assert "failed" not in told, told["failed"]
        return told

    def close(self):
        self._process.stdin.close()
        self._process.wait(timeout=60)


@pytest.fixture(scope="session")
def peer():
    made = Peer()
    yield made
    made.close()


def furthest(found, expected):
    """The largest difference, as a share of the largest expected value."""
    found, expected = np.asarray(found, np.float32), np.asarray(expected, np.float32)
    assert found.shape == expected.shape
    return float(np.abs(found - expected).max() / np.abs(expected).max())


def least_cosine(found, expected):
    """Of rows along the last axis."""
    found, expected = np.asarray(found, np.float64), np.asarray(expected, np.float64)
    assert found.shape == expected.shape
    lengths = np.linalg.norm(found, axis=-1) * np.linalg.norm(expected, axis=-1)
    return float(((found * expected).sum(axis=-1) / lengths).min())


@pytest.fixture(scope="session")
def measures():
    """(relative error, cosine) between what was found and what was expected."""
    return furthest, least_cosine
