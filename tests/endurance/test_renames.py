"""Killed in the moment in which orbax renames a step, or removes an old one, a run ends at the same bits."""

import os
import subprocess
import sys
from pathlib import Path

import damages
import pytest
from places import REPOSITORY

from distinctad_jax.training.logbook import BATCHES, read_logbook

PROGRAM = """
import os, shutil, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
moment, number = sys.argv[3], int(sys.argv[4])
seen = 0

def audited(event, arguments):
    # Orbax goes through pathlib and shutil; both end in these.
    global seen
    if event != moment or "checkpoints" not in str(arguments[0]):
        return
    seen += 1
    if seen == number:
        os.kill(os.getpid(), signal.SIGKILL)

import damages
sys.addaudithook(audited)
damages.run(Path(sys.argv[1]))
print("not killed")
"""


@pytest.fixture(scope="module")
def quiet(tmp_path_factory):
    folder = tmp_path_factory.mktemp("quiet")
    return damages.run(folder), read_logbook(folder, BATCHES)


@pytest.mark.slow
@pytest.mark.parametrize(("moment", "number"), [("os.rename", 2), ("os.remove", 1), ("os.rmdir", 2)])
def test_killed_at_a_rename_or_a_removal_it_ends_at_the_same_bits(tmp_path, quiet, moment, number):
    line = [sys.executable, "-c", PROGRAM, str(tmp_path), str(Path(__file__).parent), moment, str(number)]
    there = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(line, cwd=REPOSITORY, env=there, capture_output=True, text=True, timeout=200)
    assert done.returncode == -9, done.stdout + done.stderr
    assert damages.run(tmp_path) == quiet[0]
    assert read_logbook(tmp_path, BATCHES) == quiet[1]
