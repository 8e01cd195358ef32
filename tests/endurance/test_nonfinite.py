"""Steps that are no numbers change nothing, are told, kept and taken again; too many in a row end the run."""

import dataclasses
import json
import math
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_training import OPTIMISER, SMALL, small_fit

from distinctad_jax.endurance.choices import Choices
from distinctad_jax.errors import BadInput, NonFinite
from distinctad_jax.training.logbook import read_logbook
from distinctad_jax.training.optimiser import OptimiserConfig


def poisoned(*steps):
    """In these steps (from 1) a number of the batch is none."""

    def change(batch):
        batch["x"][2, 5] = np.nan
        return batch

    return lambda step: change if step + 1 in steps else None


def bits(tree):
    return [np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(tree)]


def test_a_few_are_left_out_and_change_nothing_but_the_place_in_the_data(tmp_path):
    told = r"loss is nan at step 5, rows 4, 5, 6, 7; first in the batch's x, row 2 of 4; the step is left out"
    with pytest.warns(UserWarning, match=told):
        one = small_fit(tmp_path / "one", poisoned(5, 6, 7))
    steps = read_logbook(tmp_path / "one")
    assert [line["step"] for line in steps] == list(range(1, 13))
    assert [line.get("skipped", 0) for line in steps] == [0, 0, 0, 0, 1, 2, 3, 3, 3, 3, 3, 3]
    assert [step for step, line in enumerate(steps, 1) if math.isnan(line["loss"])] == [5, 6, 7]
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(one))
    # A run that is stopped among them, and goes on, leaves out the same.
    with pytest.raises(MemoryError), pytest.warns(UserWarning, match="left out"):
        small_fit(tmp_path / "two", crashing(poisoned(5, 6, 7), 8))
    with pytest.warns(UserWarning, match="step 7"):
        assert bits(small_fit(tmp_path / "two", poisoned(5, 6, 7))) == bits(one)


def refused(constant):
    raise AssertionError(f"{constant} is no JSON")


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_the_log_is_json_that_any_program_reads(tmp_path, number):
    def change(batch):
        return {**batch, "x": np.full_like(batch["x"], number)}

    with pytest.warns(UserWarning, match="left out"):
        small_fit(tmp_path, lambda step: change if step == 4 else None)
    text = (tmp_path / "log.jsonl").read_text()
    lines = [json.loads(line, parse_constant=refused) for line in text.splitlines()]
    assert [line["step"] for line in lines if line["loss"] is None] == [5]
    assert lines[4]["skipped"] == 1 and lines[4]["seconds"] > 0


def crashing(trouble, last):
    def both(step):
        if step == last:
            raise MemoryError
        return trouble(step)

    return both


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """A run that was ended by the fourth bad step in a row, and what it said."""
    folder = tmp_path_factory.mktemp("stopped")
    with pytest.raises(NonFinite) as told, pytest.warns(UserWarning):
        small_fit(folder, poisoned(5, 6, 7, 8))
    return folder, told.value


def test_more_in_a_row_end_the_run_and_the_last_is_kept_whole(stopped):
    folder, told = stopped
    assert told.code == 7 and "4 such steps in a row" in told.what and "at step 8" in told.what
    assert f"--replay={folder / 'nonfinite' / '8'}" in told.mend
    kept = folder / "nonfinite" / "8"
    assert json.loads((kept / "step.json").read_text()) == {"step": 8, "run": "run"}
    with np.load(kept / "batch.npz", allow_pickle=False) as batch:
        assert np.isnan(batch["x"][2, 5]) and batch["row"].tolist() == [7, 8, 9, 10]
    assert {path.name for path in (folder / "checkpoints").iterdir()} <= {"3", "6"}  # saved, but with sound weights


def test_it_can_be_taken_again(stopped):
    folder, _ = stopped
    with pytest.raises(NonFinite, match=r"step 8 again: .*loss nan.*first in the batch's x, row 2") as told:
        small_fit(folder, choices=Choices(replay=folder / "nonfinite" / "8"))
    assert re.search(r"grad_norm nan, loss nan", told.value.what)


def test_the_line_is_named_where_it_begins(tmp_path):
    def bad(model, outputs, batch):
        return jnp.log(jnp.minimum(outputs.sum() * 0, -1.0)), {}

    with pytest.raises(NonFinite, match=r"first in what is computed") as told, pytest.warns(UserWarning):
        small_fit(tmp_path, objective=bad)
    kept = tmp_path / "nonfinite" / "4"
    assert str(kept) in told.value.mend
    with pytest.raises(NonFinite, match=r"the first NaN comes up (outside this package|at )"):
        small_fit(tmp_path, objective=bad, choices=Choices(replay=kept))


def test_a_weight_that_is_no_number_is_named(tmp_path):
    config = dataclasses.replace(SMALL, optimiser=OptimiserConfig(peak=1e38, warmup_steps=0, schedule="constant"))
    with pytest.raises(NonFinite, match=r"first in") as told, pytest.warns(UserWarning):
        small_fit(tmp_path, config=config)
    assert told.value.code == 7


def test_none_may_be_asked_to_be_left_out(tmp_path):
    config = dataclasses.replace(SMALL, most_nonfinite=0)
    with pytest.raises(NonFinite, match=r"at step 5, .* 1 such steps in a row"):
        small_fit(tmp_path, poisoned(5), config)


def test_what_is_no_kept_step_is_refused(tmp_path):
    (tmp_path / "nonfinite").mkdir()
    with pytest.raises(BadInput, match=r"step\.json: no such file"):
        small_fit(tmp_path, choices=Choices(replay=tmp_path / "nonfinite"))


def test_a_loss_that_explodes_is_warned_of(tmp_path):
    config = dataclasses.replace(SMALL, steps=14, optimiser=dataclasses.replace(OPTIMISER, peak=1e-6))

    def louder(batch):
        return {**batch, "x": 100 * batch["x"]}

    with pytest.warns(UserWarning, match=r"the loss of step 13 is .*, the median of the steps before "):
        small_fit(tmp_path, lambda step: louder if step == 12 else None, config)
