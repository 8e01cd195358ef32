"""Where and how a process is started changes no bit."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import damages
import pytest
from places import REPOSITORY

PROGRAM = """
import hashlib, os, sys
from pathlib import Path
sys.path[:0] = [sys.argv[2], sys.argv[3]]
import damages
if len(sys.argv) > 4:
    os.rmdir(os.getcwd())
bits = damages.run(Path(sys.argv[1]))
print(hashlib.sha256(b"".join(bits[name] for name in sorted(bits))).hexdigest())
"""


@pytest.fixture(scope="module")
def digest(tmp_path_factory):
    """Runs the small training in a process of its own; what its bits amount to."""
    place = tmp_path_factory.mktemp("surroundings")

    def run(name, changes=(), gone=False, cwd=REPOSITORY):
        there = {key: value for key, value in os.environ.items() if key not in ("HOME", "LANG", "LC_ALL") or not gone}
        words = [str(place / name), str(Path(__file__).parent), str(REPOSITORY), *(["gone"] if gone else [])]
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, *words],
            cwd=cwd,
            env=there | dict(changes),
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=200,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return run


@pytest.fixture(scope="module")
def usual(tmp_path_factory):
    """The same in this process."""
    bits = damages.run(tmp_path_factory.mktemp("usual"))
    return hashlib.sha256(b"".join(bits[name] for name in sorted(bits))).hexdigest()


@pytest.mark.slow
def test_surroundings_change_no_bit(digest, usual, tmp_path):
    (tmp_path / "gone").mkdir()
    odd = {"LC_ALL": "C", "PYTHONHASHSEED": "7", "TZ": "Asia/Kathmandu", "TERM": "dumb"}
    assert digest("odd", odd, gone=True, cwd=tmp_path / "gone") == usual
    assert not (tmp_path / "gone").exists()


@pytest.mark.slow
def test_a_damaged_compile_cache_changes_no_bit(digest, usual, tmp_path):
    cache = {"JAX_COMPILATION_CACHE_DIR": str(tmp_path / "cache"), "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    shutil.copytree(os.environ["JAX_COMPILATION_CACHE_DIR"], tmp_path / "cache")
    cut = 0
    for path in (tmp_path / "cache").iterdir():
        if path.is_file() and path.stat().st_size > 100:
            path.write_bytes(path.read_bytes()[:50])
            cut += 1
    assert cut
    assert digest("cut", cache) == usual
