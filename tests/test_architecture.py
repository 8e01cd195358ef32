"""Arrows point one way: what each room may import, and what no file may hold.

A room is a folder of the package, or a file at its top. The table is that of docs/architecture.md.
"""

import ast
import graphlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
PACKAGE = REPOSITORY / "distinctad_jax"
ANYONE = {"errors", "files"}
"""What every room may import."""

MAY_IMPORT = {
    "errors": set(),
    "files": set(),
    "config": set(),
    "movie": set(),
    "text": set(),
    "models": set(),
    "losses": set(),
    "checkpoints": set(),
    "endurance": set(),
    "metrics": {"text"},
    "claims": {"metrics", "text"},
    "tracks": {"movie"},
    "data": {"movie", "text", "endurance"},
    "training": {"checkpoints", "endurance"},
    "narration": {"movie", "text", "models"},
    "drafting": {"movie", "text", "data", "tracks", "narration"},
    "voice": {"movie", "data"},
    "toycinema": {"movie"},
    "report": {"movie", "metrics", "tracks", "data"},
    "evaluation": {"metrics", "text", "data", "tracks", "movie", "models", "checkpoints"},
    "outcome": {"endurance"},
    "hosts": {"endurance"},
    "main": {"recipes", "outcome", "hosts", "endurance"},
    "__main__": {"commands"},
    "api": {"commands"},
}
MAY_IMPORT["recipes"] = set(MAY_IMPORT) - {"main", "outcome", "__main__", "api"}
MAY_IMPORT["commands"] = MAY_IMPORT["recipes"] | {"recipes", "outcome", "main"}
NO_JAX = (
    "movie",
    "text",
    "data",
    "tracks",
    "drafting",
    "voice",
    "toycinema",
    "metrics",
    "claims",
    "report",
    "endurance",
)
JAX = {"jax", "jaxlib", "flax", "optax", "orbax"}
NEVER = {"torch", "tensorflow", "keras", "pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
VAGUE = {"utils", "util", "common", "helpers", "helper", "misc"}
LINES_OF_A_FILE, LINES_OF_A_FUNCTION = 450, 70
DISTRIBUTIONS = {"absl": "absl-py", "PIL": "pillow", "orbax": "orbax-checkpoint"}
"""What a module's distribution is called, where names differ by more than a hyphen."""
OPTIONAL = {"h5py": "h5", "apache_beam": "beam", "wandb": "wandb"}
"""What is imported only where it is needed, and the extra that brings it."""

FILES = sorted(PACKAGE.rglob("*.py"))
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in FILES}


def name_of(path: Path) -> str:
    """`distinctad_jax/movie/span.py` as `distinctad_jax.movie.span`."""
    parts = path.relative_to(REPOSITORY).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path) for path in FILES}


def room(module: str) -> str:
    """The room of a module of ours; the package itself, which holds nothing, has none."""
    return ([*module.split("."), ""])[1]


def imports(tree: ast.AST) -> set[str]:
    """Every module that a file imports, wherever in it, by its full name."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"a relative import at line {node.lineno}"
            submodules = {f"{node.module}.{alias.name}" for alias in node.names} & MODULES
            found |= submodules or {str(node.module)}
    return found


IMPORTS = {path: imports(tree) for path, tree in TREES.items()}


def test_every_room_stands_in_the_table():
    assert {room(name_of(path)) for path in FILES} - {""} == set(MAY_IMPORT)


@pytest.mark.parametrize("name", MAY_IMPORT)
def test_a_room_imports_only_what_it_may(name):
    allowed = MAY_IMPORT[name] | ANYONE | {name, ""}
    wrong = [
        f"{name_of(path)} imports {module}"
        for path in FILES
        if room(name_of(path)) == name
        for module in sorted(IMPORTS[path])
        if module.split(".")[0] == "distinctad_jax" and room(module) not in allowed
    ]
    assert not wrong


def test_no_file_imports_itself_in_a_circle():
    graph = {name_of(path): IMPORTS[path] & MODULES for path in FILES}
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_file_imports_no_torch_no_pickle_and_where_arrays_are_numpys_no_jax(path):
    outside = {module.split(".")[0] for module in IMPORTS[path]}
    assert not outside & NEVER
    if room(name_of(path)) in NO_JAX:
        assert not outside & JAX


def test_rooms_without_arrays_start_without_jax():
    rooms = [
        module for module in sorted(MODULES) if room(module) in set(NO_JAX) - {"data"}
    ]  # Grain brings JAX itself
    code = f"import sys, {', '.join(rooms)}; print(sorted({JAX | {'torch', 'tensorflow'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], check=True, cwd=REPOSITORY, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def test_what_is_imported_is_what_setup_asks_for():
    asked = re.search(r"install_requires=\[(.*?)\]", (REPOSITORY / "setup.py").read_text(), re.DOTALL)[1]
    known = {re.split("[><=]", name)[0].replace("-", "_") for name in re.findall(r'"([^"]+)"', asked)}
    outside = {module.split(".")[0] for modules in IMPORTS.values() for module in modules}
    outside -= {"distinctad_jax", *sys.stdlib_module_names}
    found = {DISTRIBUTIONS.get(name, name).replace("-", "_") for name in outside}
    assert found - set(OPTIONAL) <= known
    setup = (REPOSITORY / "setup.py").read_text()
    assert all(f'"{extra}": ["{name.replace("_", "-")}' in setup for name, extra in OPTIONAL.items())


def test_no_file_has_a_name_that_says_nothing():
    named = {part for path in PACKAGE.rglob("*") for part in path.relative_to(PACKAGE).with_suffix("").parts}
    assert not named & VAGUE


def calls(tree: ast.AST):
    """Each call of a file as (name it goes by, node)."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_file_runs_no_code_that_it_was_handed(path):
    for name, node in calls(TREES[path]):
        last = name.split(".")[-1]
        assert name not in {"eval", "exec", "compile", "__import__", "os.system", "os.popen", "yaml.load"}, name
        assert not (last in {"load", "loads"} and "pickle" in name), name
        # np.load runs a pickle that it is handed unless it is told not to; the default may not be all that protects.
        wanted = {word.arg: ast.unparse(word.value) for word in node.keywords}
        assert wanted.get("shell", "False") == "False" and wanted.get("allow_pickle", "False") == "False", name
        assert name not in {"np.load", "numpy.load"} or wanted.get("allow_pickle") == "False", name


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_files_and_functions_fit_a_readers_head(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LINES_OF_A_FILE
    for node in ast.walk(TREES[path]):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < LINES_OF_A_FUNCTION, node.name


def test_no_two_test_files_have_the_same_name():
    names = [path.name for path in (REPOSITORY / "tests").rglob("test_*.py") if "node_modules" not in path.parts]
    assert len(names) == len(set(names)), sorted({name for name in names if names.count(name) > 1})
