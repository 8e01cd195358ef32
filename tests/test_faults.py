"""docs/faults.md says of each fault which test shows what a user gets; those tests are there."""

import ast
import re

from places import REPOSITORY

TEXT = (REPOSITORY / "docs" / "faults.md").read_text(encoding="utf-8")
ROW = re.compile(r"\| `(tests/[\w/]+\.py)::(\w+)` \|$")


def rows(title):
    section = TEXT.split(f"## {title}\n")[1].split("\n## ")[0]
    return [line for line in section.splitlines() if line.startswith("| ") and not line.startswith("| fault ")]


def test_every_row_names_a_test_that_is_there():
    table = rows("What befalls a training") + rows("Weights and containers")
    assert len(rows("What befalls a training")) >= 41 and len(rows("Weights and containers")) >= 14
    missing = []
    for line in table:
        named = ROW.search(line)
        assert named, line
        path = REPOSITORY / named[1]
        tree = ast.parse(path.read_text(encoding="utf-8")) if path.is_file() else ast.Module([], [])
        if named[2] not in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}:
            missing.append(f"{named[1]}::{named[2]}")
    assert not missing
