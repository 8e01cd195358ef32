"""A name is a folder, or a model in the hub's cache, or, only when asked, one that is fetched."""

import shutil
from pathlib import Path

import pytest

from distinctad_jax.checkpoints import hub
from distinctad_jax.checkpoints.hub import find_weights
from distinctad_jax.checkpoints.published import load_gpt2
from distinctad_jax.errors import BadInput

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.fixture
def no_network(monkeypatch):
    """Whatever would ask the hub fails the test."""

    def refuse(*_, **__):
        raise AssertionError("the hub was asked")

    monkeypatch.setattr(hub, "HfApi", refuse)
    monkeypatch.setattr("socket.socket.connect", refuse)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A hub cache that holds one model, as other tools lay it out."""
    home = tmp_path / "hub" / "models--somebody--gpt2"
    (home / "refs").mkdir(parents=True)
    (home / "refs" / "main").write_text("abc123")
    (home / "blobs").mkdir()
    (home / "snapshots" / "abc123").mkdir(parents=True)
    for name in ("config.json", "model.safetensors"):
        shutil.copy(GOLDEN / "gpt2" / name, home / "blobs" / f"{name}-blob")
        (home / "snapshots" / "abc123" / name).symlink_to(Path("../../blobs") / f"{name}-blob")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    ask = hub.snapshot_download
    monkeypatch.setattr(hub, "snapshot_download", lambda *a, **k: ask(*a, cache_dir=tmp_path / "hub", **k))
    return home


def test_a_folder_is_itself(no_network):
    assert find_weights(GOLDEN / "gpt2") == GOLDEN / "gpt2"
    assert find_weights(str(GOLDEN / "gpt2"), download=True) == GOLDEN / "gpt2"


def test_a_model_in_the_cache_is_found_without_asking(cache, no_network):
    found = find_weights("somebody/gpt2")
    assert found == cache / "snapshots" / "abc123"
    assert load_gpt2(found)[0]["width"] == 32


@pytest.mark.parametrize("name", ["somebody/else", "gpt2-nowhere", "/no/such/folder", "../weights", "a/b/c", "a//b"])
def test_nothing_is_fetched_unless_asked(cache, no_network, name):
    with pytest.raises(BadInput, match="nothing is downloaded"):
        find_weights(name)


def test_a_path_is_never_taken_for_a_name(cache, no_network):
    with pytest.raises(BadInput, match="no such folder"):
        find_weights("/no/such/folder", download=True)


class Listed:
    """A hub whose models hold these files."""

    def __init__(self, files):
        self.files = files

    def __call__(self):
        return self

    def list_repo_files(self, name, revision=None):
        return self.files


def test_what_is_fetched_are_weights_that_cannot_run_code(cache, monkeypatch):
    asked = {}

    def fetch(name, *, revision=None, allow_patterns=(), local_files_only=False):
        if local_files_only:
            raise hub.LocalEntryNotFoundError("not here")
        asked.update(name=name, revision=revision, patterns=allow_patterns)
        return str(GOLDEN / "gpt2")

    monkeypatch.setattr(hub, "snapshot_download", fetch)
    monkeypatch.setattr(hub, "HfApi", Listed(["model.safetensors", "pytorch_model.bin", "run.py"]))
    assert find_weights("some/model", download=True, revision="v1") == GOLDEN / "gpt2"
    assert asked["name"] == "some/model" and asked["revision"] == "v1"
    assert not any(Path(name).match(each) for name in ("pytorch_model.bin", "run.py") for each in asked["patterns"])
    monkeypatch.setattr(hub, "HfApi", Listed(["pytorch_model.bin", "config.json"]))
    with pytest.raises(BadInput, match=r"some/model: only pickled weights \(pytorch_model\.bin\).*convert"):
        find_weights("some/model", download=True)
