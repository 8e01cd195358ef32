"""Checkpoints of every format that was ever written are read. Made by `tests/golden/make_checkpoint_golden.py`."""

import runpy
import shutil
from pathlib import Path

import jax
import numpy as np
import pytest

from distinctad_jax.checkpoints.runs import FORMAT, Checkpoints

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.mark.parametrize("number", range(1, FORMAT + 1))
def test_every_format_that_was_written_is_read(tmp_path, number):
    shutil.copytree(GOLDEN / "checkpoints" / str(number), tmp_path / "checkpoints")
    wanted = runpy.run_path(str(GOLDEN / "make_checkpoint_golden.py"))["golden_state"]()
    device = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    found = Checkpoints(tmp_path / "checkpoints", run="golden").restore(
        wanted, jax.tree.map(lambda _: device, wanted)
    )
    assert found.step == 7 and found.facts == {"seed": 3}
    keys = found.state.pop("key"), wanted.pop("key")
    assert jax.random.uniform(keys[0]) == jax.random.uniform(keys[1])
    jax.tree.map(np.testing.assert_array_equal, found.state, wanted)
