"""Stopped at any moment and started again, Stage II ends at the same bytes; asked to stop, it saves and says so."""

import json
import shutil
import signal
import time
from pathlib import Path

import pytest

from distinctad_jax.training.logbook import read_logbook

STEPS, SAVE_EVERY = 40, 8
SETTINGS = (
    f"--config.stage2.training.steps={STEPS}",
    f"--config.stage2.training.save_every={SAVE_EVERY}",
    "--config.stage2.training.log_every=1",
    "--config.stage2.dropout=0.1",
    "--config.stage2.training.optimiser.peak=0.001",
)
LIMIT = 120.0
"""Seconds that a process may take to reach a moment."""


def trained(workdir: Path) -> Path | None:
    """The folder of the one narrator that these settings train, if it is there."""
    return next((path.parent for path in workdir.glob("stage2/*/narrator/log.jsonl")), None)


def at_step(step):
    def reached(folder):
        lines = read_logbook(folder)
        return bool(lines) and lines[-1]["step"] >= step

    return reached


def inside_a_save(folder):
    """Orbax writes a step under another name and renames it at the end."""
    return any("tmp" in path.name for path in folder.glob("checkpoints/*"))


def run_until(process, workdir, moment, number=None):
    """Sends a signal at the moment; the exit code and what the process said."""
    deadline = time.monotonic() + LIMIT
    try:
        while number is not None and process.poll() is None:
            folder = trained(workdir)
            if folder is not None and moment(folder):
                process.send_signal(number)
                break
            assert time.monotonic() < deadline, "the moment did not come"
            time.sleep(0.002)
        told = process.communicate(timeout=LIMIT)[1]
    finally:
        process.kill()
    return process.returncode, told


def steps_saved(folder: Path) -> list[int]:
    return sorted(int(path.name) for path in (folder / "checkpoints").iterdir() if path.name.isdigit())


@pytest.fixture(scope="module")
def untrained(demo, tmp_path_factory):
    """A workdir with all that Stage II needs and no narrator."""
    folder = tmp_path_factory.mktemp("untrained")
    for name in ("render", "pack", "pretrain", "stage1", "extract"):
        shutil.copytree(demo / name, folder / name)
    return folder


@pytest.mark.slow
def test_killed_and_stopped_at_any_moment_it_ends_at_the_same_bytes(untrained, tmp_path, start):
    quiet, stormy = (Path(shutil.copytree(untrained, tmp_path / name)) for name in ("quiet", "stormy"))
    code, told = run_until(start("stage2:tiny", quiet, *SETTINGS), quiet, None)
    assert code == 0, told

    begun = [0]

    def storm(moment, number):
        code, told = run_until(start("stage2:tiny", stormy, *SETTINGS), stormy, moment, number)
        begun.append(read_logbook(trained(stormy))[-1]["step"])
        assert begun[-1] < STEPS, "the run was over before the signal came"
        return code, told

    assert storm(at_step(3), signal.SIGKILL)[0] == -signal.SIGKILL  # nothing is saved yet
    assert storm(inside_a_save, signal.SIGKILL)[0] == -signal.SIGKILL
    saved = steps_saved(trained(stormy))
    code, told = storm(at_step((saved[-1] if saved else 0) + SAVE_EVERY + 3), signal.SIGTERM)
    stopped_at = begun[-1]
    assert code == 75
    errors = [line for line in told.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1 and f"saved at step {stopped_at} and stopped; run the same command to go on" in errors[0]
    assert steps_saved(trained(stormy))[-1] == stopped_at
    assert not (trained(stormy) / "model.safetensors").exists()

    code, told = run_until(start("stage2:tiny", stormy, *SETTINGS), stormy, None)
    assert code == 0, told
    assert "stage2: goes on in" in told
    calm, wild = trained(quiet), trained(stormy)
    assert (wild / "model.safetensors").read_bytes() == (calm / "model.safetensors").read_bytes()
    assert [line["step"] for line in read_logbook(wild)] == list(range(1, STEPS + 1))
    losses = [[line["loss"] for line in read_logbook(folder)] for folder in (calm, wild)]
    assert losses[0] == losses[1] and losses[0][-1] < losses[0][0]
    accounts = [json.loads((folder.parent / "artefact.json").read_text()) for folder in (calm, wild)]
    assert accounts[0]["key"] == accounts[1]["key"] and accounts[0]["results"] == accounts[1]["results"]
