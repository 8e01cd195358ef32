"""Notebooks without running them: valid, without outputs, installing first, and naming only what the package has."""

import ast
import importlib
import re

import nbformat
import pytest
from places import REPOSITORY

from distinctad_jax import api

PATHS = sorted((REPOSITORY / "notebooks").glob("*.ipynb"))
BOOKS = {path.stem: nbformat.read(path, as_version=nbformat.NO_CONVERT) for path in PATHS}
MAGIC = re.compile(r"^(\s*)[!%].*$", re.MULTILINE)


def codes(book) -> list[str]:
    return [cell.source for cell in book.cells if cell.cell_type == "code"]


def tree_of(source: str) -> ast.Module:
    """A cell as Python reads it, its magics left out."""
    return ast.parse(MAGIC.sub(r"\1pass", source))


def test_there_is_a_notebook_for_each_thing_that_is_taught():
    assert set(BOOKS) == {"quickstart", "em_attention", "stage1", "scores", "describe"}
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    assert all(f"notebooks/{name}.ipynb" in readme for name in BOOKS)


@pytest.mark.parametrize("name", BOOKS)
def test_a_notebook_is_valid_and_was_committed_without_outputs(name):
    book = BOOKS[name]
    nbformat.validate(book)
    assert (book.nbformat, book.nbformat_minor) == (4, 5)
    assert len({cell.id for cell in book.cells}) == len(book.cells)
    for cell in book.cells:
        assert cell.cell_type in ("markdown", "code") and cell.source.strip()
        if cell.cell_type == "code":
            assert cell.execution_count is None and cell.outputs == []


@pytest.mark.parametrize("name", BOOKS)
def test_it_opens_in_colab_and_its_first_cell_installs_what_is_missing(name):
    title, first, *_ = BOOKS[name].cells
    assert title.cell_type == "markdown" and title.source.startswith("# ")
    assert "colab-badge.svg" in title.source and "colab.research.google.com" in title.source
    assert first.cell_type == "code" and first.source == codes(BOOKS["quickstart"])[0]
    [guard] = [node for node in tree_of(first.source).body if isinstance(node, ast.If)]
    assert ast.unparse(guard.test) == "importlib.util.find_spec('distinctad_jax') is None"
    # All that installs or fetches stands under that condition.
    lines = first.source.splitlines()
    assert [n for n, line in enumerate(lines, start=1) if MAGIC.match(line) and n < guard.lineno] == []
    assert sum(bool(MAGIC.match(line)) for line in lines) == 2 and "pip install" in first.source


@pytest.mark.parametrize("name", BOOKS)
def test_every_name_that_it_takes_from_the_package_is_there(name):
    taken = 0
    for source in codes(BOOKS[name]):
        for node in ast.walk(tree_of(source)):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    importlib.import_module(alias.name)
            elif isinstance(node, ast.ImportFrom) and str(node.module).startswith("distinctad_jax"):
                module = importlib.import_module(str(node.module))
                for alias in node.names:
                    taken += 1
                    if not hasattr(module, alias.name):
                        importlib.import_module(f"{node.module}.{alias.name}")
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "api":
                assert node.attr in dir(api), node.attr
    assert taken


@pytest.mark.parametrize("name", BOOKS)
def test_links_to_other_notebooks_and_files_named_in_prose_are_there(name):
    prose = "\n".join(cell.source for cell in BOOKS[name].cells if cell.cell_type == "markdown")
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", prose):
        assert (REPOSITORY / "notebooks" / target).is_file(), target
    for path in re.findall(r"`((?:docs|configs)/[\w./]+?)(?::\w+)?`", prose):
        assert (REPOSITORY / path).exists(), path
