"""A training that was stopped goes on with the same settings and data, and with no others, unless it is asked to."""

import json
import shutil
from pathlib import Path

import pytest
from places import config_argument

from distinctad_jax.errors import BadResume
from distinctad_jax.main import read_flags
from distinctad_jax.recipes.book import RECIPES, read_spec
from distinctad_jax.recipes.console import Voice
from distinctad_jax.recipes.workshop import Need, Recipe, Spec, Workshop
from distinctad_jax.training.logbook import BATCHES, Logbook, read_logbook
from distinctad_jax.training.mesh import MeshConfig, make_mesh

SETTINGS = (
    "--config.stage2.training.steps=6",
    "--config.stage2.training.save_every=4",
    "--config.stage2.training.log_every=1",
)


@pytest.fixture(scope="module")
def untrained(demo, tmp_path_factory):
    """A workdir with all that Stage II needs and no narrator."""
    folder = tmp_path_factory.mktemp("untrained")
    for name in ("render", "pack", "pretrain", "stage1", "extract"):
        shutil.copytree(demo / name, folder / name)
    return folder


@pytest.fixture(scope="module")
def stopped(untrained, tmp_path_factory, command):
    """A Stage II that crashed after step 5: steps 2 and 4 are saved."""
    folder = Path(shutil.copytree(untrained, tmp_path_factory.mktemp("stopped") / "workdir"))
    write = Logbook.write

    def crash(self, step, metrics):
        write(self, step, metrics)
        if step == 5:
            raise MemoryError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Logbook, "write", crash)
        assert command("stage2:tiny", folder, *SETTINGS) == 4
    assert {path.name for path in folder.glob("stage2/*/narrator/checkpoints/*")} == {"2", "4"}
    return folder


@pytest.fixture
def again(stopped, tmp_path, command, capsys):
    """Gives a command to a copy of the crashed run; its exit code, what it said, and the copy."""
    folder = Path(shutil.copytree(stopped, tmp_path / "workdir"))

    def run(*arguments):
        capsys.readouterr()
        code = command("stage2:tiny", folder, *SETTINGS, *arguments)
        return code, capsys.readouterr().err.splitlines()

    return folder, run


def first_shard(folder):
    """Of the features that Stage II reads; there are those of the tower before Stage I, too."""
    accounts = {path: json.loads(path.read_text()) for path in folder.glob("extract/*/artefact.json")}
    (account,) = (path for path, about in accounts.items() if about["settings"]["tower"] == "stage1")
    return next(account.parent.glob("records/**/*train.array_record-00000*"))


def names(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


@pytest.mark.parametrize(
    ("argument", "told"),
    [
        ("--config.stage2.seeing.tokens=3", "stage2.seeing.tokens: 2 -> 3"),
        ("--config.stage2.training.batch=8", "stage2.training.batch: 4 -> 8"),
        ("--config.seed=1", "seed: 0 -> 1"),
        ("--config.stage2.training.optimiser.schedule=constant", "schedule: 'cosine' -> 'constant'"),
    ],
)
def test_other_settings_are_refused_field_by_field(again, argument, told):
    folder, run = again
    before = names(folder)
    code, err = run(argument)
    assert code == 5
    line = err[-1]
    assert line.startswith(f"error: {folder / 'stage2'}/") and told in line
    assert "an unfinished run stands at step 4" in line and "--branch-from=STEP" in line
    assert names(folder) == before


def test_what_changes_no_number_may_change(again):
    folder, run = again
    code, err = run("--config.stage2.training.log_every=2", "--config.stage2.training.keep=3")
    assert code == 0
    told = next(line for line in err if "which change no number" in line)
    assert "training.keep: 2 -> 3" in told and "training.log_every: 1 -> 2" in told
    narrator = next(folder.glob("stage2/*/narrator"))
    assert [line["step"] for line in read_logbook(narrator, BATCHES)] == [1, 2, 3, 4, 5, 6]
    assert any(line.startswith("  goodput ") and "2 start(s), 1 steps lost" in line for line in err)


def test_a_branch_begins_beside_it_from_its_step(again):
    folder, run = again
    first = next((folder / "stage2").iterdir()).name
    code, err = run("--config.stage2.training.optimiser.peak=0.002", "--branch-from=4")
    assert code == 0, err
    (branch,) = (path for path in (folder / "stage2").iterdir() if path.name != first)
    assert [line["step"] for line in read_logbook(branch / "narrator")] == [5, 6]
    code, err = run("--config.stage2.training.optimiser.peak=0.003", "--branch-from=3")
    assert code == 5 and "there is no step 3, only 2, 4" in err[-1]


def test_other_data_are_refused_and_the_shard_is_named(again):
    folder, run = again
    shard = first_shard(folder)
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)
    code, err = run()
    assert code == 5 and "the data have changed since the run began" in err[-1] and shard.name in err[-1]


@pytest.mark.parametrize(("damage", "code"), [("flipped", 3), ("cut", 3), ("missing", 3)])
def test_a_damaged_shard_is_named_before_the_first_step(untrained, tmp_path, command, capsys, damage, code):
    folder = Path(shutil.copytree(untrained, tmp_path / "workdir"))
    shard = first_shard(folder)
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.unlink()
    if damage != "missing":
        shard.write_bytes(content if damage == "flipped" else content[: len(content) // 2])
    assert command("stage2:tiny", folder, *SETTINGS) == code
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith(f"error: {shard}") and "the same command makes it again" in line
    assert not list(folder.glob("stage2/*/narrator"))


def test_stage_two_takes_no_export_that_is_not_what_was_made(untrained, tmp_path, command, capsys):
    folder = Path(shutil.copytree(untrained, tmp_path / "workdir"))
    weights = next(folder.glob("pretrain/*/language/model.safetensors"))
    content = bytearray(weights.read_bytes())
    content[-3] ^= 1
    weights.write_bytes(content)
    assert command("stage2:tiny", folder, *SETTINGS) == 3
    assert f"error: {weights}: it is not what pretrain made" in capsys.readouterr().err


def test_ablations_that_are_asked_for_together_do_not_stand_in_each_others_way(again):
    workshop, spec = workshop_of(again[0])
    other = spec.changed({"stage2": {"loss.distinctive": 0.25}})
    workshop.recipes = {**workshop.recipes, "both": both(other)}
    asked = workshop.unmade("both", Spec(0, {**spec.sections, "both": NOTHING}))
    assert [name for name, _ in asked] == ["stage2", "stage2", "both"]  # what is needed first
    workshop._look_ahead("both", Spec(0, {**spec.sections, "both": NOTHING}))
    with pytest.raises(BadResume, match=r"stage2\.loss\.distinctive"):
        workshop._look_ahead("stage2", other)


NOTHING = MeshConfig()
"""Settings of a recipe that has none that matter."""


def both(other):
    changes = {"stage2": {"loss.distinctive": other.section("stage2").loss.distinctive}}
    needs = {"one": Need("stage2"), "other": Need("stage2", changes)}
    return Recipe("both", MeshConfig, lambda settings, run: {}, lambda settings: needs)


def workshop_of(folder):
    given = read_flags([config_argument("stage2:tiny"), f"--config.workdir={folder}", *SETTINGS])
    _, spec, root, mesh = read_spec(given.config)
    return Workshop(root, RECIPES, make_mesh(mesh), Voice(quiet=True)), spec
