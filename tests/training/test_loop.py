"""Stop at any step, start again, and nothing shows it."""

import dataclasses
import json
import os
import re
import signal

import jax
import numpy as np
import optax
import pytest
from flax import nnx

from distinctad_jax.errors import BadResume, NonFinite, Stopped
from distinctad_jax.training.journey import Journey
from distinctad_jax.training.logbook import read_logbook
from distinctad_jax.training.loop import TrainingConfig, fit
from distinctad_jax.training.mesh import MeshConfig, make_mesh
from distinctad_jax.training.optimiser import OptimiserConfig, learning_rate, make_optimiser
from distinctad_jax.training.step import Task

CONFIG = TrainingConfig(
    steps=6, batch=4, optimiser=OptimiserConfig(peak=1e-2, warmup_steps=2), save_every=4, log_every=1
)


class Noisy:
    """Batches that are a function of the step; `trouble(step)` is called before each."""

    def __init__(self, trouble=lambda step: None):
        self.step, self.trouble = 0, trouble

    def seek(self, step):
        self.step = step

    def next(self):
        self.trouble(self.step)
        rng = np.random.default_rng(self.step)
        self.step += 1
        return {"x": rng.standard_normal((4, 3), dtype=np.float32)}

    def close(self):
        pass


def encode(model, batch, key):
    return model(batch["x"]) + jax.random.normal(key, (4, 2))  # noise, as dropout is


def objective(model, outputs, batch):
    return (outputs**2).mean(), {}


def run(folder, trouble=lambda step: None, config=CONFIG, name="run"):
    return fit(
        config,
        folder,
        journey=Journey(name),
        seed=3,
        make=lambda: nnx.Linear(3, 2, rngs=nnx.Rngs(0)),
        learns=lambda path: True,
        task=Task(encode, objective),
        batches=Noisy(trouble),
        mesh=make_mesh(MeshConfig(), jax.devices()[:1]),
        progress=lambda done, count, note: None,
    ).learned


def bits(tree):
    return {str(path): np.asarray(leaf).tobytes() for path, leaf in jax.tree_util.tree_leaves_with_path(tree)}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    return bits(run(tmp_path_factory.mktemp("undisturbed")))


@pytest.mark.parametrize("last", [1, 3, 4])
def test_a_crash_and_a_restart_end_at_the_same_bits(tmp_path, undisturbed, last):
    def crash(step):
        if step == last:
            raise MemoryError

    with pytest.raises(MemoryError):
        run(tmp_path, crash)
    assert bits(run(tmp_path)) == undisturbed
    assert [line["step"] for line in read_logbook(tmp_path)] == [1, 2, 3, 4, 5, 6]


def test_sigterm_saves_the_step_in_hand(tmp_path, undisturbed):
    def terminate(step):
        if step == 4:  # batches are read ahead of their steps
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Stopped, match=r"saved at step [2-5] and stopped") as stopped:
        run(tmp_path, terminate)
    saved = int(re.search(r"\d", stopped.value.what)[0])
    seen = []
    assert bits(run(tmp_path, seen.append)) == undisturbed
    assert seen == list(range(saved, 6))


def test_a_finished_run_takes_no_step(tmp_path, undisturbed):
    run(tmp_path)
    seen = []
    assert bits(run(tmp_path, seen.append)) == undisturbed
    assert not seen


def test_a_damaged_checkpoint_is_set_aside_and_the_one_before_used(tmp_path, undisturbed):
    def crash(step):
        if step == 5:
            raise MemoryError

    with pytest.raises(MemoryError):
        run(tmp_path, crash)
    newest = tmp_path / "checkpoints" / "4"
    for path in (newest / "state").rglob("*"):
        if path.is_file():
            path.write_bytes(b"")
    seen = []
    assert bits(run(tmp_path, seen.append)) == undisturbed
    assert seen[0] == 2
    assert (tmp_path / "checkpoints" / "damaged" / "4").is_dir()


def test_another_runs_checkpoint_is_refused(tmp_path):
    run(tmp_path)
    with pytest.raises(BadResume, match="another run"):
        run(tmp_path, name="another")


def test_a_loss_that_is_no_number_stops_the_run(tmp_path):
    config = TrainingConfig(
        steps=9, batch=4, optimiser=OptimiserConfig(peak=1e30, warmup_steps=0), save_every=1, log_every=1
    )
    with pytest.raises(NonFinite, match=r"is (nan|inf)"):
        run(tmp_path, config=config)


def test_the_logbook_survives_a_line_cut_short(tmp_path):
    run(tmp_path)
    with (tmp_path / "log.jsonl").open("a") as file:
        file.write('{"step": 7, "los')
    assert [line["step"] for line in read_logbook(tmp_path)] == [1, 2, 3, 4, 5, 6]
    assert json.loads((tmp_path / "log.jsonl").read_text().splitlines()[0]).keys() >= {
        "step",
        "loss",
        "grad_norm",
        "seconds",
    }


@pytest.mark.parametrize("save_every", [2, 3, 5, 8])
def test_a_save_that_is_lost_with_its_run_loses_no_more_than_an_interval(save_every):
    """A save begins when the one before it has ended, so what stands is at worst the one before that."""
    config = dataclasses.replace(CONFIG, steps=40, save_every=save_every)
    saved = [0, *(step for step in range(1, 40) if config.saves_at(step))]
    assert all(begun - stands <= save_every for stands, begun in zip(saved, saved[2:], strict=False))
    assert {step for step in range(1, 40) if step % save_every == 0} < set(saved)


def test_the_learning_rate_warms_up_and_falls_to_zero():
    rate = learning_rate(OptimiserConfig(peak=1.0, warmup_steps=10), 100)
    assert float(rate(0)) == 0 and float(rate(10)) == 1 and float(rate(100)) == pytest.approx(0, abs=1e-6)
    assert float(rate(5)) == pytest.approx(0.5)


def test_only_matrices_decay():
    params = {"kernel": np.ones((2, 2), np.float32), "bias": np.ones(2, np.float32)}
    optimiser = make_optimiser(OptimiserConfig(peak=1.0, warmup_steps=0, weight_decay=0.5, schedule="constant"), 10)
    zeros = jax.tree.map(np.zeros_like, params)
    updates, _ = optimiser.update(zeros, optimiser.init(params), params)
    moved = optax.apply_updates(params, updates)
    np.testing.assert_allclose(moved["kernel"], 0.5)
    np.testing.assert_allclose(moved["bias"], 1.0)
