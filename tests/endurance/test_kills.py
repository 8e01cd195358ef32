"""Killed at random moments, half of them inside a save, both stages end at the bytes of a run left in peace.

Fifty kills, in all four cases: `python tests/endurance/kills.py --kills=50`.
"""

import random
import shutil
from pathlib import Path

import kills
import pytest


@pytest.fixture(scope="module")
def base(demo, tmp_path_factory):
    """A workdir with all that both stages need."""
    folder = tmp_path_factory.mktemp("base")
    for name in ("render", "pack", "pretrain", "stage1", "extract"):
        shutil.copytree(demo / name, folder / name)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("case", ["stage1:bfloat16", "stage2:float32"])
def test_three_kills_change_nothing(base, start, case):
    def begin(case: str, workdir: Path):
        stage, *words = case.partition(":")[0], *kills.settings(case)[1:]
        return start(f"{stage}:tiny", workdir, *words)

    told = kills.storm(case, base, kills=3, inside=2, rng=random.Random(7), start=begin)
    assert told["kills"] == 3 and told["equal"]
    assert told["most_steps_lost"] <= kills.SAVE_EVERY
