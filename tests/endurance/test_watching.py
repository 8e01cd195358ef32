"""A run tells where its time goes, how well it uses its device, and what was lost."""

import dataclasses
import json
import os
import signal
import sys
import types

import jax
import jax.numpy as jnp
import pytest
from small_training import SMALL, small_fit

from distinctad_jax.endurance.choices import Choices, steps_to_trace
from distinctad_jax.errors import BadEnvironment, BadUsage
from distinctad_jax.training import flops
from distinctad_jax.training.feed import batch_hashes
from distinctad_jax.training.gauges import Gauges
from distinctad_jax.training.logbook import read_logbook
from distinctad_jax.training.step import Step


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run that crashed after step 5 and went on, and what it said in the end."""
    folder, said = tmp_path_factory.mktemp("run"), []

    def crash(step):
        if step == 7:
            raise MemoryError

    with pytest.raises(MemoryError):
        small_fit(folder, crash)
    small_fit(folder, say=said.append)
    return folder, said


def test_a_steps_time_is_split(run):
    lines = read_logbook(run[0])
    for line in lines[2:]:
        parts = [line.get(f"{part}_seconds") for part in ("data", "compute", "checkpoint")]
        if None not in parts:
            assert min(parts) >= 0 and sum(parts) <= line["step_seconds"] * 1.01 + 1e-4
    last = lines[-1]
    assert {"loss", "grad_norm", "update_norm", "seconds", "step_seconds", "mfu", "host_memory_peak"} <= last.keys()
    assert 0 < last["mfu"] < 2 and last["host_memory_peak"] > 1e7
    assert any(line.get("checkpoint_seconds", 0) > 0 for line in lines)


def test_the_first_step_has_ended_before_the_second_is_sent_and_no_other_is_waited_for(tmp_path, monkeypatch):
    """Else the second one's time begins while it is computed, and its use of the device is too good to be true."""
    order, send, stepped = [], Step.__call__, Gauges.stepped
    monkeypatch.setattr(Step, "__call__", lambda self, *given: order.append("sent") or send(self, *given))
    monkeypatch.setattr(Gauges, "stepped", lambda self, step: order.append(step) or stepped(self, step))
    small_fit(tmp_path, config=dataclasses.replace(SMALL, steps=4, save_every=100))
    assert order == ["sent", 1, "sent", "sent", 2, "sent", 3, 4]
    assert all("mfu" in line for line in read_logbook(tmp_path)[1:])


def test_goodput_counts_what_was_lost(run):
    folder, said = run
    told = json.loads((folder / "goodput.json").read_text())
    assert told["starts"] == 2 and told["step"] == 12
    assert told["lost_steps"] in (0, 1)  # steps 4 to 7 were taken, 6 was saved
    assert 0 < told["goodput"] < 1 and told["seconds"] >= told["last_start"]["seconds"]
    assert said[0].startswith("  goodput ") and "2 start(s)" in said[0]


def test_the_operations_of_a_step_are_counted_and_a_cpus_peak_is_measured():
    def product(left, right):
        return left @ right

    traced = jax.jit(product).trace(jnp.ones((3, 4)), jnp.ones((4, 5)))
    assert flops.matrix_flops(traced.jaxpr.jaxpr) == 2 * 3 * 4 * 5
    peak, source = flops.peak_flops()
    assert peak > 1e8 and source.startswith("measured")


@pytest.mark.parametrize(
    ("kind", "name"), [("TPU v5 lite", "v5e"), ("TPU v4", "v4"), ("NVIDIA H100 80GB HBM3", "h100")]
)
def test_an_accelerators_peak_is_its_makers(monkeypatch, kind, name):
    device = types.SimpleNamespace(platform="gpu" if "NVIDIA" in kind else "tpu", device_kind=kind)
    monkeypatch.setattr(flops.jax, "devices", lambda: [device] * 4)
    monkeypatch.setattr(flops.jax, "device_count", lambda: 4)
    assert flops.peak_flops()[0] == 4 * flops.CHIPS[name].flops


def test_a_peak_that_is_not_known_is_left_out(monkeypatch):
    device = types.SimpleNamespace(platform="gpu", device_kind="Riva TNT2")
    monkeypatch.setattr(flops.jax, "devices", lambda: [device])
    assert flops.peak_flops() == (0.0, "not known for Riva TNT2")


@pytest.mark.parametrize("asked", ["range", "signal"])
def test_a_trace_is_written_when_it_is_asked_for(tmp_path, asked):
    if asked == "range":
        small_fit(tmp_path, choices=Choices(profile=(4, 5)))
        names = ["step_4"]
    else:
        small_fit(tmp_path, lambda step: os.kill(os.getpid(), signal.SIGUSR1) if step == 5 else None)
        names = [path.name for path in (tmp_path / "profile").iterdir()]
    assert [path.name for path in (tmp_path / "profile").iterdir()] == names and len(names) == 1
    assert list((tmp_path / "profile").rglob("*.xplane.pb"))


@pytest.mark.parametrize("text", ["3", "a:b", "5:3", "0:1"])
def test_steps_to_trace_are_first_and_last(text):
    with pytest.raises(BadUsage, match="is no FIRST:LAST"):
        steps_to_trace(text)


def test_weights_and_biases_hears_only_if_asked_to(tmp_path, monkeypatch):
    told = []
    library = types.ModuleType("wandb")
    library.init = lambda **given: types.SimpleNamespace(
        log=lambda numbers, step: told.append((step, numbers)), finish=lambda: told.append((given["project"], {}))
    )
    monkeypatch.setitem(sys.modules, "wandb", library)
    config = dataclasses.replace(SMALL, steps=2)
    small_fit(tmp_path / "quiet", config=config)
    assert not told
    small_fit(tmp_path / "told", config=config, choices=Choices(wandb="films"))
    assert [step for step, _ in told] == [1, 2, "films"] and told[0][1]["loss"] > 0
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(BadEnvironment, match="Weights & Biases is not installed"):
        small_fit(tmp_path / "none", config=config, choices=Choices(wandb="films"))


def test_the_rows_hash_does_not_depend_on_their_order_and_adds_up_over_processes():
    import numpy as np

    rows = {"a": np.arange(12, dtype=np.float32).reshape(4, 3), "b": np.arange(4)}
    whole = batch_hashes(rows)
    turned = batch_hashes({name: array[::-1] for name, array in rows.items()})
    assert turned["rows"] == whole["rows"] and turned["sha256"] != whole["sha256"]
    halves = [batch_hashes({name: array[part::2] for name, array in rows.items()})["rows"] for part in (0, 1)]
    assert f"{sum(int(half, 16) for half in halves) % (1 << 256):064x}" == whole["rows"]
