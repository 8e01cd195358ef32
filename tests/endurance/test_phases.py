"""Asked to stop in whatever it is doing, a training saves the step in hand, or what it has, and goes on later."""

import os
import re
import signal
import threading

import jax
import numpy as np
import pytest
from small_training import SMALL, small_fit

from distinctad_jax.checkpoints.runs import Checkpoints
from distinctad_jax.endurance.stop import Interrupted
from distinctad_jax.errors import Stopped
from distinctad_jax.outcome import carried_out
from distinctad_jax.training.gauges import Gauges
from distinctad_jax.training.logbook import BATCHES, read_logbook


def bits(tree):
    return [np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(tree)]


@pytest.fixture(scope="module")
def quiet(tmp_path_factory):
    folder = tmp_path_factory.mktemp("quiet")
    return bits(small_fit(folder)), read_logbook(folder, BATCHES)


def ask(number=signal.SIGTERM):
    os.kill(os.getpid(), number)


def in_a_step(patch, number):
    return lambda step: ask(number) if step == 8 else None


def in_data_wait(patch, number):
    waits = threading.Event()

    def trouble(step):
        if step == 6:
            threading.Timer(1.0, ask, [number]).start()
            waits.wait(3)  # longer than the time to stop

    return trouble


def in_a_save(patch, number):
    begin = Checkpoints._begin

    def begun(self, step, state, meta):
        if step == 6:
            ask(number)
        begin(self, step, state, meta)

    patch.setattr(Checkpoints, "_begin", begun)
    return lambda step: None


@pytest.mark.parametrize("phase", [in_a_step, in_data_wait, in_a_save])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_saves_says_which_step_and_goes_on(tmp_path, quiet, monkeypatch, capfd, phase, number):
    with monkeypatch.context() as patch:
        trouble = phase(patch, number)
        code = carried_out(lambda: small_fit(tmp_path, trouble) and None, debug=False)
    told = capfd.readouterr().err.splitlines()
    assert code == (75 if number == signal.SIGTERM else 130)
    assert told[0].startswith("stopping: the step in hand is finished and saved")
    saved = max(int(path.name) for path in (tmp_path / "checkpoints").iterdir() if path.name.isdigit())
    if number == signal.SIGTERM:
        assert int(re.search(r"saved at step (\d+) and stopped; run the same command to go on", told[-1])[1]) == saved
    assert len(read_logbook(tmp_path, BATCHES)) == saved
    assert bits(small_fit(tmp_path)) == quiet[0]
    assert read_logbook(tmp_path, BATCHES) == quiet[1]


def test_while_compiling_it_ends_at_once(tmp_path, quiet, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(Gauges, "compiled", lambda *_: ask())
        with pytest.raises(Interrupted, match="stopped by SIGTERM"):
            small_fit(tmp_path)
    assert bits(small_fit(tmp_path)) == quiet[0]


def test_without_a_step_there_is_nothing_to_save(tmp_path):
    waits = threading.Event()

    def trouble(step):
        threading.Timer(0.5, ask).start()
        waits.wait(3)

    with pytest.raises(Stopped, match="stopped before the first step was done"):
        small_fit(tmp_path, trouble)


def test_the_handlers_are_given_back(tmp_path):
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    small_fit(tmp_path, config=SMALL)
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before
