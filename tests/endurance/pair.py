"""One of two processes that train a small model together, started and guarded as a recipe's are.

Run:    python tests/endurance/pair.py FOLDER --config=configs/stage2.py:tiny --coordinator=... --processes=2 ...
"""

from __future__ import annotations

import dataclasses
import sys
import time
from pathlib import Path

from small_training import SMALL, small_fit

from distinctad_jax import main as entry

STEPS = 100_000
PAIR = dataclasses.replace(SMALL, steps=STEPS, batch=8, save_every=40)


def train(given: entry.Given) -> None:
    """In place of a recipe."""

    def slowly(step: int) -> None:
        time.sleep(0.02)

    small_fit(Path(sys.argv[1]), slowly, PAIR, devices=8)


if __name__ == "__main__":
    entry.work = train
    sys.exit(entry.main(sys.argv[2:], program=(__file__, sys.argv[1])))
