"""Packing through Apache Beam writes the very bytes that threads write. Needs the extra `beam`, see docs/data.md."""

import pytest
from test_packing import content, films, pack, undisturbed  # noqa: F401  (fixtures)

pytest.importorskip("apache_beam", reason='Beam is not installed: pip install ".[beam]" in an environment of its own')


def test_beam_writes_the_same_bytes(films, undisturbed, tmp_path):  # noqa: F811
    pack(tmp_path / "records", films, beam=["--runner=DirectRunner", "--direct_running_mode=in_memory"])
    assert content(tmp_path / "records") == undisturbed
