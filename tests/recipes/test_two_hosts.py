"""Two processes of four devices are one of eight. What becomes of one when the other is lost: `tests/endurance`."""

import json
import os
import shutil
import socket
import subprocess
import sys

import numpy as np
import pytest
from places import REPOSITORY, config_argument
from safetensors.numpy import load_file

from distinctad_jax import main
from distinctad_jax.training.logbook import read_logbook

HEARTBEAT = 5
LIMIT = 200.0
"""Seconds for two processes to start, compile and train on a busy machine."""


def settings(workdir, steps):
    given = {"batch": 8, "steps": steps, "save_every": 8, "log_every": 1}
    training = [f"--config.stage2.training.{name}={value}" for name, value in given.items()]
    return [config_argument("stage2:tiny"), f"--config.workdir={workdir}", *training]


@pytest.fixture
def untrained(demo, tmp_path):
    """Makes workdirs with what Stage II needs of other trainings; `extract` is left to the hosts."""

    def copy(name):
        for recipe in ("render", "pack", "pretrain", "stage1"):
            shutil.copytree(demo / recipe, tmp_path / name / recipe)
        return tmp_path / name

    return copy


@pytest.fixture
def pair(tmp_path):
    """Starts two processes of four devices that work as one; ends them afterwards."""
    begun = []

    def start(arguments):
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        flags = [flag for flag in os.environ["XLA_FLAGS"].split() if "device_count" not in flag]
        there = os.environ | {"XLA_FLAGS": " ".join([*flags, "--xla_force_host_platform_device_count=4"])}
        for index in (0, 1):
            joined = [f"--coordinator=127.0.0.1:{port}", "--processes=2", f"--process={index}"]
            line = [sys.executable, "-m", "distinctad_jax.main", *arguments, *joined, f"--heartbeat={HEARTBEAT}"]
            with (tmp_path / f"told.{index}").open("w") as told:
                begun.append(subprocess.Popen(line, cwd=REPOSITORY, env=there, stdout=told, stderr=told))
        return begun

    yield start
    for process in begun:
        process.kill()
        process.wait()


def narrator(workdir):
    return next((path.parent for path in workdir.glob("stage2/*/narrator/log.jsonl")), None)


@pytest.mark.slow
def test_two_processes_of_four_devices_are_one_of_eight(untrained, pair, tmp_path):
    together, alone = untrained("together"), untrained("alone")
    ends = [process.wait(timeout=LIMIT) for process in pair(settings(together, 6))]
    told = [(tmp_path / f"told.{index}").read_text() for index in (0, 1)]
    assert ends == [0, 0], told
    assert "extract: made" in told[0] and "extract" not in told[1]  # made once, by the first
    assert main.main(settings(alone, 6)) == 0
    weights = [load_file(narrator(workdir) / "model.safetensors") for workdir in (together, alone)]
    assert weights[0].keys() == weights[1].keys()
    for name, array in weights[1].items():
        np.testing.assert_allclose(weights[0][name], array, atol=1e-5, rtol=0, err_msg=name)
    assert [line["step"] for line in read_logbook(narrator(together))] == list(range(1, 7))
    accounts = [json.loads((narrator(workdir).parent / "artefact.json").read_text()) for workdir in (together, alone)]
    assert accounts[0]["key"] == accounts[1]["key"]
    assert not list((together / ".hosts").iterdir())
