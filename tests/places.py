"""Where tests find things: the repository, its configs, and the folder of published data."""

import os
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
SHARED = Path(os.environ.get("DISTINCTAD_SHARED", REPOSITORY.parent / "shared"))
"""Data that others publish; the tests that need it are skipped where it is not."""


def config_argument(name: str) -> str:
    """`stage2:tiny` as the argument that names its file."""
    stem, _, size = name.partition(":")
    return f"--config={REPOSITORY / 'configs' / stem}.py:{size or 'tiny'}"
