"""Eight fake CPU devices and a cache of compiled programs, before anything imports JAX; one finished tiny demo."""

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from places import REPOSITORY, SHARED, config_argument
from xdist.scheduler import LoadScopeScheduling

os.environ.setdefault("JAX_PLATFORMS", "cpu")
QUICK = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
"""Tests compile much and compute little."""
os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', QUICK)} --xla_force_host_platform_device_count=8"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:  # what one test compiles, the next and the processes it starts load
    os.environ["JAX_COMPILATION_CACHE_DIR"] = tempfile.mkdtemp(prefix="distinctad-compiled-")
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    atexit.register(shutil.rmtree, os.environ["JAX_COMPILATION_CACHE_DIR"], ignore_errors=True)

NEED_DEMO = frozenset(
    {
        "endurance/test_kills.py",
        "recipes/test_demo.py",
        "recipes/test_dials_recipe.py",
        "recipes/test_inside_measured.py",
        "recipes/test_narrate.py",
        "recipes/test_pack_files.py",
        "recipes/test_resuming.py",
        "recipes/test_stored_features.py",
        "recipes/test_two_hosts.py",
        "test_configs.py",
        "test_main.py",
    }
)
"""Files with tests that need the finished demo."""


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of published data; the test is skipped if it is not here."""
    if not SHARED.is_dir():
        pytest.skip(f"no published data in {SHARED}; name their folder in DISTINCTAD_SHARED")
    return SHARED


@pytest.fixture(scope="session")
def command() -> Callable[..., int]:
    """`command("stage2:tiny", workdir, "--config.seed=1")`: main in this process, on one device; its exit code."""
    import jax

    from distinctad_jax import main
    from distinctad_jax.recipes import book

    make_mesh = book.make_mesh

    def run(name: str, workdir: Path, *arguments: str) -> int:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(book, "make_mesh", lambda config: make_mesh(config, jax.devices()[:1]))
            return main.main([config_argument(name), f"--config.workdir={workdir}", *arguments])

    return run


@pytest.fixture(scope="session")
def start() -> Callable[..., subprocess.Popen]:
    """As `command`, but as a process of its own, as users start it; its standard error is a pipe."""
    environment = {**os.environ, "XLA_FLAGS": QUICK}
    if environment.pop("PYTHONDONTWRITEBYTECODE", ""):  # then each process would compile all modules again
        environment["PYTHONPYCACHEPREFIX"] = os.environ["JAX_COMPILATION_CACHE_DIR"] + "/modules"

    def run(name: str, workdir: Path, *arguments: str, program: tuple[str, ...] = ("-m", "distinctad_jax.main")):
        line = [sys.executable, *program, config_argument(name), f"--config.workdir={workdir}", *arguments]
        return subprocess.Popen(line, cwd=REPOSITORY, env=environment, stderr=subprocess.PIPE, text=True)

    return run


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory, command: Callable[..., int]) -> Path:
    """The workdir of a finished tiny demo: nobody may change it, see `workdir`."""
    folder = tmp_path_factory.mktemp("demo")
    assert command("demo:tiny", folder) == 0
    return folder


@pytest.fixture
def workdir(demo: Path, tmp_path: Path) -> Path:
    """A copy of the finished tiny demo's workdir, to go on from."""
    return Path(shutil.copytree(demo, tmp_path / "workdir"))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> LoadScopeScheduling:
    """With `-n 2` the tests of a file stay together, and one process runs all files that need the demo, first.

    So the demo is made once, and nothing is traced twice. (pytest-xdist's own groups are lost under pytest 9.2.)
    """

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0].removeprefix("tests/")
            return "demo" if file in NEED_DEMO else file

    config.option.loadscopereorder = False
    return ByFile(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What needs the demo comes first, and is slow, whichever of these tests makes it; what needs torch is left out
    where no interpreter that has it is named.
    """
    here = Path(__file__).parent
    for item in items:
        if "demo" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.slow)
            if (file := item.path.relative_to(here).as_posix()) not in NEED_DEMO:
                raise pytest.UsageError(f"{file} needs the demo, and is not among NEED_DEMO of tests/conftest.py")
    items.sort(key=lambda item: item.path.relative_to(here).as_posix() not in NEED_DEMO)
    if "TORCH_PYTHON" not in os.environ:
        left_out = [item for item in items if item.get_closest_marker("parity")]
        if left_out:
            config.hook.pytest_deselected(items=left_out)
            items[:] = [item for item in items if not item.get_closest_marker("parity")]
