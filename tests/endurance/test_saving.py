"""A disk that is full, slow, failing or not to be written: older steps stay whole, and the run says so in time."""

import errno
import os
import subprocess
import sys
import time
import warnings
from collections import namedtuple
from pathlib import Path

import pytest
from places import REPOSITORY
from small_training import small_fit

from distinctad_jax.checkpoints import runs
from distinctad_jax.checkpoints.runs import Checkpoints
from distinctad_jax.endurance.choices import Choices
from distinctad_jax.errors import BadEnvironment

Usage = namedtuple("Usage", "total used free")


def failing(monkeypatch, error, times):
    """So many saves of orbax fail in the background; returns the steps that were tried."""
    real, tried = Checkpoints._begin, []

    def begin(self, step, state, meta):
        tried.append(step)
        if step > 3 and len(tried) <= 1 + times:
            raise error
        real(self, step, state, meta)

    monkeypatch.setattr(Checkpoints, "_begin", begin)
    return tried


def test_a_disk_nearly_full_is_refused_before_the_first_step(tmp_path, monkeypatch):
    monkeypatch.setattr(runs.shutil, "disk_usage", lambda path: Usage(10**6, 10**6 - 999, 999))
    with pytest.raises(BadEnvironment, match=r"checkpoints need \d+ bytes, 999 are free; free space") as told:
        small_fit(tmp_path)
    needed = int(told.value.what.split()[2])
    weights = 4 * (64 * 64 + 64 + 64 * 8 + 8)
    assert needed >= 3 * 3 * weights  # two steps are kept and one is written, with two moments each
    assert not (tmp_path / "log.jsonl").exists()


def test_a_full_disk_ends_the_run_and_leaves_the_older_step(tmp_path, monkeypatch):
    failing(monkeypatch, OSError(errno.ENOSPC, "No space left on device"), times=99)
    with pytest.raises(BadEnvironment, match=r"it needs \d+ bytes and \d+ are free \(No space left") as told:
        small_fit(tmp_path)
    assert told.value.code == 4
    monkeypatch.undo()
    begun = []
    small_fit(tmp_path, begun.append)
    assert begun[0] == 3


def test_it_waits_for_space_if_asked_to(tmp_path, monkeypatch):
    tried = failing(monkeypatch, OSError(errno.ENOSPC, "No space left on device"), times=2)
    monkeypatch.setattr(runs, "LOOK_AGAIN", 0.01)
    with pytest.warns(UserWarning, match="the disk is full .*; waiting"):
        small_fit(tmp_path, choices=Choices(on_full="wait"))
    assert tried == [3, 6, 6, 6, 9, 12]


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE])
def test_a_disk_that_fails_once_is_tried_again(tmp_path, monkeypatch, number):
    failing(monkeypatch, OSError(number, os.strerror(number)), times=1)
    with pytest.warns(UserWarning, match="a checkpoint was not saved .*; it is tried again"):
        small_fit(tmp_path)
    assert (tmp_path / "checkpoints" / "12").is_dir()


def test_a_disk_that_fails_for_good_ends_the_run(tmp_path, monkeypatch):
    tried = failing(monkeypatch, OSError(errno.EIO, "Input/output error"), times=99)
    with pytest.raises(BadEnvironment, match="not saved, 3 times in a row: Input/output"), pytest.warns(UserWarning):
        small_fit(tmp_path)
    assert tried == [3, 6, 6, 6]


LIMITED = """
import resource, sys
from pathlib import Path
from distinctad_jax.outcome import carried_out
sys.path.insert(0, sys.argv[2])
from small_training import small_fit

def work():
    small_fit(Path(sys.argv[1]), lambda step: None, width=8)
    resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
    small_fit(Path(sys.argv[1]) / "large", width=1024)

sys.exit(carried_out(work, debug=False))
"""


def test_a_file_that_may_not_grow_ends_the_run_with_one_line(tmp_path):
    line = [sys.executable, "-c", LIMITED, str(tmp_path), str(Path(__file__).parent)]
    done = subprocess.run(line, cwd=REPOSITORY, capture_output=True, text=True, timeout=200)
    assert done.returncode == 4, done.stderr
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1 and "large/checkpoints: a checkpoint was not saved" in errors[0]
    assert "Traceback" not in done.stderr
    assert not [path for path in (tmp_path / "large" / "checkpoints").iterdir() if path.name.isdigit()]


@pytest.mark.parametrize("name", ["log.jsonl", "batches.jsonl"])
def test_a_disk_that_takes_no_numbers_is_warned_of_once(tmp_path, name):
    (tmp_path / name).symlink_to("/dev/full")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        small_fit(tmp_path)
    mine = [str(one.message) for one in told if name in str(one.message)]
    assert len(mine) == 1 and "No space left on device; training goes on without it" in mine[0]
    assert (tmp_path / "checkpoints" / "12").is_dir()


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises((BadEnvironment, NotADirectoryError)):
        small_fit(tmp_path / "file" / "below")
    if os.geteuid():
        locked = tmp_path / "locked"
        locked.mkdir(mode=0o555)
        with pytest.raises((BadEnvironment, PermissionError)):
            small_fit(locked / "below")


def test_a_save_is_in_the_background(tmp_path):
    import jax.numpy as jnp

    checkpoints = Checkpoints(tmp_path, run="run")
    state = {"a": jnp.arange(10)}
    began = time.monotonic()
    checkpoints.save(1, state)
    blocked = time.monotonic() - began
    assert checkpoints.wait() and blocked < 30
    checkpoints.close()
    assert checkpoints.steps() == [1]
