"""Whatever happens to the newest checkpoint, a run ends at the same bits, or refuses; nothing is read in silence."""

import json
import os
import shutil
import warnings

import damages
import pytest
from small_training import SMALL, small_fit

from distinctad_jax.checkpoints import aside, runs
from distinctad_jax.errors import BadEnvironment, BadResume

# Orbax leaves the coroutines behind that were reading when one of them found the damage.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

HARMLESS = {"delete_checkpoint_metadata", "delete_commit_mark", "odd_time_stamps"}
"""What orbax does not need, and no time stamp tells which step is newest: step 9 is as good as it was."""
SILENT = {"flip_bit_in_any"}
"""May hit a file that nothing is read from."""


@pytest.fixture(scope="module")
def quiet(tmp_path_factory):
    return damages.run(tmp_path_factory.mktemp("quiet"))


@pytest.fixture(scope="module")
def before(tmp_path_factory):
    folder = tmp_path_factory.mktemp("interrupted")
    damages.interrupted(folder)
    assert sorted(path.name for path in (folder / "checkpoints").iterdir()) == ["6", "9"]
    return folder


def test_there_are_twenty_four():
    assert len(damages.DAMAGES) == 24


@pytest.mark.parametrize("way", damages.DAMAGES)
def test_a_damaged_checkpoint_is_named_set_aside_and_made_up_for(way, quiet, before, tmp_path):
    found = damages.suffered(way, before, tmp_path / "run", seed=1)
    assert found["bits"] == quiet
    if way in SILENT:
        return
    if way in HARMLESS:
        assert found["from"] == 9 and not found["damaged"]
        return
    assert found["said"]
    if way in ("stray_folders", "empty_newer_folder"):
        assert found["from"] == 9 and "9" not in found["damaged"]
    elif way == "swap_steps":
        assert found["from"] == 9 and "what stands there as step 9 is step 6; it is put back" in found["said"][0]
    elif way == "file_named_damaged":
        assert found["from"] == 6 and found["damaged"] == ["9", "damaged"]
        assert "damaged: no checkpoint, set aside" in found["said"][0]
        assert (tmp_path / "run" / "checkpoints" / "damaged" / "damaged").read_text() == "a note"
    else:
        assert found["from"] == 6 and found["damaged"] == ["9"] and "step 9" in found["said"][0]
        assert ("it is no regular file" in found["said"][0]) == way.startswith(("pipe", "device"))


def test_what_cannot_be_set_aside_is_told_in_one_line(before, tmp_path, monkeypatch):
    shutil.copytree(before, tmp_path / "run")
    damages.cut(damages.data(tmp_path / "run" / "checkpoints" / "9")[0])

    def refused(self, target):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(aside.Path, "rename", refused)
    told = r"9 is no sound checkpoint and cannot be moved to damaged/: Permission denied; look at .*damaged, or"
    with pytest.raises(BadEnvironment, match=told), pytest.warns(UserWarning, match="step 9 is not used"):
        small_fit(tmp_path / "run")


def test_all_steps_damaged_says_so_and_moves_nothing(before, tmp_path):
    shutil.copytree(before, tmp_path / "run")
    for step in ("6", "9"):
        damages.cut(damages.data(tmp_path / "run" / "checkpoints" / step)[0])
    names = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*"))
    with pytest.raises(
        BadResume, match=r"no checkpoint is sound .step 9: .*; step 6: .*; nothing was removed"
    ) as told:
        small_fit(tmp_path / "run")
    assert told.value.code == 5
    checkpoints = [name for name in names if "checkpoints" in name.parts]
    assert [path for path in names if not (tmp_path / path).exists()] == []
    assert checkpoints


def test_a_step_of_another_run_is_not_used(before, tmp_path):
    shutil.copytree(before, tmp_path / "run")
    with pytest.raises(BadResume, match=r"it is step 9 of another run .run."):
        small_fit(tmp_path / "run", run="another")
    other = tmp_path / "other"
    with pytest.raises(MemoryError):
        small_fit(other, lambda step: [][0] if step > 99 else crash_at(step, 4), run="another")
    shutil.copytree(tmp_path / "run" / "checkpoints" / "9", other / "checkpoints" / "9")
    begun = []
    with pytest.warns(UserWarning, match="step 9 is not used, meta: it is step 9 of another run"):
        small_fit(other, begun.append, run="another")
    assert begun[0] == 3 and (other / "checkpoints" / "damaged" / "9").is_dir()


def crash_at(step, last):
    if step == last:
        raise MemoryError


def test_a_copy_under_a_later_name_is_set_aside(before, tmp_path):
    shutil.copytree(before, tmp_path / "run")
    shutil.copytree(tmp_path / "run" / "checkpoints" / "6", tmp_path / "run" / "checkpoints" / "11")
    begun = []
    with pytest.warns(UserWarning, match="as step 11 is step 6"):
        small_fit(tmp_path / "run", begun.append)
    assert begun[0] == 9 and (tmp_path / "run" / "checkpoints" / "damaged").is_dir()


def test_no_verify_takes_what_can_be_read(before, tmp_path):
    shutil.copytree(before, tmp_path / "run")
    digest = next((tmp_path / "run" / "checkpoints" / "9" / "digest").glob("*.json"))
    about = json.loads(digest.read_text())
    first = sorted(about["arrays"])[0]
    about["arrays"][first] = {place: "0" * 64 for place in about["arrays"][first]}
    about["self"] = runs.sha256({"meta": about["meta"], "arrays": about["arrays"]})
    digest.write_text(json.dumps(about))
    choices = small_fit.__kwdefaults__["choices"]
    begun = []
    small_fit(tmp_path / "run", begun.append, choices=choices._replace(verify=False))
    assert begun[0] == 9


def test_a_newer_format_is_refused_with_the_version_that_wrote_it(tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "FORMAT", 99)
    monkeypatch.setattr(runs.distinctad_jax, "__version__", "9.9.9")
    with pytest.raises(MemoryError):
        small_fit(tmp_path, lambda step: crash_at(step, 4))
    monkeypatch.undo()
    with pytest.raises(BadResume, match=r"written by version 9\.9\.9, in a newer format than ours; install that"):
        small_fit(tmp_path)


def test_time_stamps_and_clocks_decide_nothing(before, tmp_path, monkeypatch):
    shutil.copytree(before, tmp_path / "run")
    for path in (tmp_path / "run").rglob("*"):
        os.utime(path, (2**33, 2**33))  # the year 2242
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")
    begun = []
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        small_fit(tmp_path / "run", begun.append, SMALL)
    assert begun[0] == 9
