"""Whatever goes wrong ends in one line that names the place and the mend, the right exit code, and no half file."""

import errno
import json
import re
import shutil
import struct
import time
import warnings
from pathlib import Path

import pytest
from places import REPOSITORY

from distinctad_jax import main as entry
from distinctad_jax.errors import BadInput, BadResume, NonFinite, Stopped
from distinctad_jax.files import fingerprint

STAGE2 = f"--config={REPOSITORY / 'configs' / 'stage2.py'}:tiny"
GOLDEN = REPOSITORY / "tests" / "golden"


@pytest.fixture
def fails(capsys):
    """Checks that a call of main, or the function given, ends with the code and one error line; that line."""

    def check(code, *arguments, call=None):
        found = (call or entry.main)(*([list(arguments)] if call is None else arguments))
        told = capsys.readouterr()
        lines = told.err.splitlines()
        errors = [line for line in lines if line.startswith("error: ")]
        assert found == code, told.err
        assert len(errors) == 1 and lines[-1] == errors[0] and told.out == ""
        assert "Traceback" not in told.err
        assert re.fullmatch(r"error: \S.*: .+; .+", errors[0]), errors[0]
        return errors[0]

    return check


def tree(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*")} if folder.is_dir() else set()


# --- usage ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "command line: no --config; usage: python -m distinctad_jax.main --config="),
        (["--config=nowhere/stage2.py"], "nowhere/stage2.py: no such config; usage: "),
        (["--config", "nowhere/stage2.py:tiny"], "nowhere/stage2.py: no such config; usage: "),
        (["--config=README.md"], "README.md: no such config; "),
        (["--config=nowhere\nerror all is well"], r"nowhere\nerror all is well: no such config; "),
        ([STAGE2.replace("tiny", "huge")], "no size 'huge'; choose one of: toy, tiny, small, base, large"),
        ([STAGE2, "--nobody"], "Unknown command line flag 'nobody'; usage: "),
        ([STAGE2, "nobody"], "unexpected 'nobody'; usage: "),
        (
            [STAGE2, "--config.nobody=1"],
            "config.nobody: unknown key, known are: recipe, workdir, seed, mesh, render, ",
        ),
        ([STAGE2, "--config.nobody.deeper=1"], "--config.nobody.deeper: unknown key; correct or remove it"),
        (
            [STAGE2, "--config.stage2.clips.deeper=1"],
            "--config.stage2.clips.deeper: unknown key; correct or remove it",
        ),
        (
            [STAGE2, "--config.stage2.seeing.nobody=1"],
            "config.stage2.seeing.nobody: unknown key, known are: tokens, bridge, ",
        ),
        ([STAGE2, "--config.stage2.clips=many"], "--config.stage2.clips=many: invalid literal for int()"),
        ([STAGE2, "--config.stage2.clips=2.5"], "--config.stage2.clips=2.5: invalid literal for int()"),
        ([STAGE2, "--config.stage2.clips"], "Missing value for flag --config.stage2.clips; "),
        ([STAGE2, "--config.stage2=3"], "--config.stage2=3: "),
        ([STAGE2, "--config.stage2.clips=0"], "config.stage2: needs clips, frames, prompt_length >= 1"),
        (
            [STAGE2, "--config.stage2.loss.form=D"],
            "config.stage2.loss.form: found 'D', needed one of 'A', 'B', 'C'; ",
        ),
        ([STAGE2, "--config.stage2.training.optimiser.beta1=x"], "optimiser.beta1: found 'x', needed float; "),
        ([STAGE2, "--config.render.width=31"], "config.render: A movie needs even sides, "),  # left to its default
        ([STAGE2, "--config.seed=-1"], "config: needs a workdir and a seed >= 0, got 'runs/tiny' and -1; "),
        ([STAGE2, "--config.recipe=stage3"], "config: there is no recipe 'stage3', only render, dials, pack, "),
        (
            [STAGE2, "--config.mesh.fsdp=3", "--config.mesh.data=1"],
            "config.mesh: a mesh of 1 x 3 x 1 devices was asked for",
        ),
        ([STAGE2.replace("stage2.py:tiny", "render.py:base")], "config.render: the section is missing; bring files"),
        (
            [STAGE2.replace("stage2.py:tiny", "pack.py:base")],
            "config.pack: source 'files' needs annotations, videos ",
        ),
    ],
)
def test_wrong_usage_is_named_with_its_mend(fails, arguments, told, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "README.md").touch()
    assert told in fails(2, *arguments)
    assert tree(tmp_path) == {"README.md"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("def get_config(:\n", "SyntaxError: invalid syntax"),
        ("def get_config():\n    return nobody\n", "NameError: name 'nobody' is not defined"),
        ("import nobody\n", "ModuleNotFoundError: No module named 'nobody'"),
        ("def get_config():\n    return 3\n", "get_config gives int, needed a ConfigDict"),
    ],
)
def test_a_config_that_cannot_be_loaded_is_named(fails, tmp_path, text, told):
    path = tmp_path / "mine.py"
    path.write_text(text)
    line = fails(2, f"--config={path}")
    assert line.startswith(f"error: {path}: {told}") and line.endswith("; correct the config")


# --- the contract of exit codes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("problem", "code", "told"),
    [
        (
            BadInput("found 'x'", where="a.csv:3:start", mend="correct the row"),
            3,
            "a.csv:3:start: found 'x'; correct",
        ),
        (BadResume("no checkpoint can be read", where="runs", mend="remove it"), 5, "runs: no checkpoint"),
        (NonFinite("loss is nan", where="runs", mend="lower the rate"), 7, "runs: loss is nan; lower"),
        (Stopped("saved at step 3", where="runs", mend="run the same command"), 75, "runs: saved at step 3; run"),
        (
            OSError(errno.ENOSPC, "No space left on device", "runs/x"),
            4,
            "runs/x: No space left on device; check path",
        ),
        (MemoryError(), 4, "out of memory; lower batch"),
        (KeyboardInterrupt(), 130, "interrupted; run the same command to go on"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_every_kind_of_end_has_its_code_and_one_line(capsys, monkeypatch, problem, code, told):
    def end(config):
        raise problem

    monkeypatch.setattr(entry, "work", end)
    assert entry.main([STAGE2]) == code
    err = capsys.readouterr().err
    assert err.startswith(f"error: {told}") and err.count("\n") == 1


def test_a_bug_of_ours_is_code_70_and_its_traceback_lies_in_the_file_that_is_named(capsys, monkeypatch):
    monkeypatch.setattr(entry, "work", lambda config: {}["nothing"])
    assert entry.main([STAGE2]) == 70
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    path = Path(re.search(r"error: KeyError: a bug of ours; please report it with (\S+)", err)[1])
    assert "Traceback" in path.read_text() and "'nothing'" in path.read_text()
    path.unlink()


def test_debug_shows_the_traceback_and_still_one_error_line(capsys, monkeypatch):
    def end(config):
        raise BadInput("found 'x'", where="a.csv", mend="correct it")

    monkeypatch.setattr(entry, "work", end)
    assert entry.main([STAGE2, "--debug"]) == 3
    lines = capsys.readouterr().err.splitlines()
    assert "Traceback (most recent call last):" in lines and lines[-1] == "error: a.csv: found 'x'; correct it"


def test_a_warning_is_one_line(capsys, monkeypatch):
    from distinctad_jax.recipes import book

    monkeypatch.setattr(book, "carry_out", lambda config, choices: warnings.warn("a cue\nwas left out", stacklevel=1))
    shown = warnings.showwarning
    assert entry.main([STAGE2]) == 0
    assert capsys.readouterr().err == "warning: a cue\\nwas left out\n"
    assert warnings.showwarning is shown


# --- input ---------------------------------------------------------------------------------------------------------

HEADER = "movie,start,end,text\n"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "table.csv: no such file; correct config.check.annotations"),
        ("", "table.csv: the table is empty; give a table with a header and rows"),
        (HEADER, "table.csv: not one row can be used; give a table with descriptions"),
        (
            "movie,start,end\na,1,2\n",
            "table.csv:1: no column text/sentence/description/ad/caption for kind generic, found",
        ),
        (f"{HEADER}a,1,2,He sits.\na,one,3,He stands.\n", "table.csv:3:start: 'one' is not a number of seconds; "),
        (f"{HEADER}a,3,2,He sits.\n", "table.csv:2:end: from 3.0 to 2.0 s; a row needs 0 <= start < end; "),
        (f"{HEADER}a,1,2,He, the man, sits.\n", "table.csv:2: 6 fields, but the header has 4; "),
        (f'{HEADER}a,1,2,"He sits.\n', "table.csv:2: a quote that is opened here is never closed; "),
        (f"{HEADER}../a,1,2,He sits.\n", "table.csv:2:movie: '../a' is no movie name inside a folder; "),
    ],
)
def test_a_table_that_cannot_be_used_is_named_by_file_row_and_field(fails, command, tmp_path, content, told):
    path, workdir = tmp_path / "table.csv", tmp_path / "work"
    if content is not None:
        path.write_text(content)
    line = fails(3, "check:base", workdir, f"--config.check.annotations={path}", call=command)
    assert told in line
    assert not [name for name in tree(workdir) if Path(name).suffix]  # no file, only the folder that was begun


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("film.mp4", b"", "film.mp4: "),
        ("film.mp4", b"<!DOCTYPE html><html>not found</html>", "film.mp4: "),
        ("film.mp4", None, "film.mp4: no such file; correct config.narrate.video"),
        ("film.vtt", b"1\n00:00:01,000 --> 00:00:02,000\nno header\n", "film.vtt"),
        ("film.vtt", None, "film.vtt: no such file; correct config.narrate.subtitles"),
        ("cast.json", b'{"film": [{"role": 3}]}', "cast.json:film[0].role: 3 is not text; give a text"),
        ("cast.json", b'{"film": [}', "cast.json:1:11: not valid JSON: Expecting value; correct the file"),
        ("cast.json", b'{"other": []}', "cast.json: no movie 'film'; name one of its movies in config.narrate.movie"),
    ],
)
def test_a_film_or_its_papers_that_cannot_be_read_are_named(fails, command, demo, tmp_path, name, content, told):
    films = next(demo.glob("render/*/artefact.json")).parent
    shutil.copy(next((films / "movies").iterdir()), tmp_path / "film.mp4")
    (tmp_path / "film.vtt").write_text("WEBVTT\n\n00:01.000 --> 00:02.000\nHello.\n")
    (tmp_path / "cast.json").write_text('{"film": [{"role": "Nell"}]}')
    (tmp_path / name).unlink()
    if content is not None:
        (tmp_path / name).write_bytes(content)
    papers = {"video": "film.mp4", "subtitles": "film.vtt", "cast": "cast.json"}
    before = tree(demo)
    line = fails(
        3,
        "narrate:tiny",
        demo,
        *(f"--config.narrate.{key}={tmp_path / path}" for key, path in papers.items()),
        call=command,
    )
    assert told in line
    left = tree(demo) - before
    assert not [path for path in left if Path(path).suffix]
    for path in sorted(left, reverse=True):
        (demo / path).rmdir()


def rewrite_header(path, change):
    """Changes the header of a safetensors file and keeps its length, as a flipped bit does."""
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = change(data[8 : 8 + length])
    assert len(header) == length
    path.write_bytes(data[:8] + header + data[8 + length :])


def turned(header):
    """The first matrix that is not square lies on its side."""
    for name, entry_ in json.loads(header).items():
        shape = entry_.get("shape", [])
        if name != "__metadata__" and len(shape) == 2 and shape[0] != shape[1]:
            there = json.dumps(entry_, separators=(",", ":")).encode()
            shape.reverse()
            return header.replace(there, json.dumps(entry_, separators=(",", ":")).encode(), 1)
    raise AssertionError("every matrix is square")


DAMAGE = {
    "shape": (
        "model.safetensors",
        lambda path: rewrite_header(path, turned),
        r"aligner: 1 arrays do not fit: \S+ has shape \(\d+, \d+\), needed",
    ),
    "name": (
        "model.safetensors",
        lambda path: rewrite_header(path, lambda h: h.replace(b"logit_scale", b"logit_skale")),
        "aligner: 2 arrays do not fit: logit_scale is missing; logit_skale is not of this model",
    ),
    "header": (
        "model.safetensors",
        lambda path: path.write_bytes(b"\xff" * path.stat().st_size),
        r"model\.safetensors: not a sound safetensors file",
    ),
    "key": (
        "model.json",
        lambda path: path.write_text(path.read_text().replace('"patch"', '"pitch"')),
        r"model\.json\.vision\.pitch: unknown key",
    ),
    "type": (
        "model.json",
        lambda path: path.write_text(path.read_text().replace('"layers": 2', '"layers": "')),
        r"model\.json:\d+:\d+: not valid JSON",
    ),
    "tokenizer": (
        "tokenizer/tokenizer.json",
        lambda path: path.write_bytes(b"{" * path.stat().st_size),
        r"tokenizer.*: ",
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_weights_that_were_damaged_on_disk_are_named_before_the_first_step(fails, command, workdir, damage):
    name, change, told = DAMAGE[damage]
    path = next(workdir.glob(f"pretrain/*/aligner/{name}"))
    size = path.stat().st_size
    change(path)
    if path.stat().st_size < size:
        path.write_bytes(path.read_bytes().ljust(size))  # an artefact of another size would be made again
    account = path.parents[len(Path(name).parts)] / "artefact.json"
    about = json.loads(account.read_text())
    about["sha256"][str(path.relative_to(account.parent))] = fingerprint(path)  # as if it had been made so
    account.write_text(json.dumps(about))
    line = fails(3, "stage1:tiny", workdir, "--config.stage1.frames=3", call=command)
    assert re.search(told, line), line
    assert (
        not list(workdir.glob("stage1/*/aligner/log.jsonl")) or len(list(workdir.glob("stage1/*/artefact.json"))) == 1
    )


def test_published_weights_of_a_wrong_shape_are_named(fails, command, demo, tmp_path):
    films = next(demo.glob("render/*/artefact.json")).parent
    shutil.copytree(GOLDEN / "clip", tmp_path / "clip")
    rewrite_header(tmp_path / "clip" / "model.safetensors", turned)
    papers = {"annotations": "annotations.csv", "videos": "movies", "splits": "splits.json"}
    line = fails(
        3,
        "pretrain:base",
        tmp_path / "work",
        f"--config.pretrain.clip={tmp_path / 'clip'}",
        f"--config.pretrain.gpt2={GOLDEN / 'gpt2'}",
        *(f"--config.pack.{key}={films / path}" for key, path in papers.items()),
        call=command,
    )
    assert re.search(rf"{tmp_path / 'clip'}: .*\S+\.weight expected \(\d+, \d+\), found \(\d+, \d+\); ", line), line
    assert not [name for name in tree(tmp_path / "work") if Path(name).suffix]


SENSELESS = {
    "stage2": ("seeing.heads=3", "seeing.tokens=0", "text_length=500", "text_length=1", "stride=9", "dropout=1.5"),
    "stage1": ("lora_rank=99",),
    "evaluate": ("decoding.max_tokens=500", "windows=0", "recall=((5,1),)", "similarity=nobody"),
    "narrate": ("decoding.max_tokens=500", "longest_clip=0.0"),
    "probe": ("prefix=500", "rows=0", "text_length=500"),
    "pretrain": ("sizes.vision_heads=3", "sizes.patch=7"),
}
"""Values of the right type that no model or table can be made with, some of them seen only beside other artefacts."""


@pytest.mark.parametrize(("recipe", "change"), [(name, each) for name, some in SENSELESS.items() for each in some])
def test_a_value_that_makes_no_sense_is_named_by_its_section(fails, command, demo, recipe, change):
    before = tree(demo)
    freeze = ["--config.stage1.freeze=lora"] if recipe == "stage1" else []
    line = fails(2, f"{recipe}:tiny", demo, f"--config.{recipe}.{change}", *freeze, call=command)
    assert f"error: config.{recipe}" in line
    left = tree(demo) - before
    assert not [path for path in left if Path(path).suffix]
    for path in sorted(left, reverse=True):
        (demo / path).rmdir()


# --- environment ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("below", ["", "deep/below"])
def test_a_workdir_that_cannot_be_made_is_named(fails, command, tmp_path, below):
    (tmp_path / "file").write_text("in the way")
    line = fails(4, "render:tiny", tmp_path / "file" / below, call=command)
    assert str(tmp_path / "file") in line and "choose another config.workdir" in line
    assert (tmp_path / "file").read_text() == "in the way"


# --- as users start it ---------------------------------------------------------------------------------------------


def test_a_process_says_one_line_and_gives_the_code(start, tmp_path):
    process = start("stage2:tiny", tmp_path, "--config.nobody.deeper=1")
    assert process.communicate(timeout=60)[1] == "error: --config.nobody.deeper: unknown key; correct or remove it\n"
    assert process.returncode == 2


TELLING = """
import sys
from distinctad_jax.main import main

code = main(sys.argv[1:])
print("imported:", sorted({"torch", "tensorflow", "keras", "transformers"} & set(sys.modules)), file=sys.stderr)
sys.exit(code)
"""
"""Main, and in the end which heavy libraries were imported, be it by a library of ours."""


def test_a_finished_demo_starts_quickly_without_torch_and_tensorflow(demo, start):
    began = time.monotonic()
    process = start("demo:tiny", demo, program=("-c", TELLING))
    told = process.communicate(timeout=60)[1].splitlines()
    assert process.returncode == 0
    assert told == [f"demo: kept, {demo / 'demo'}", "imported: []"]
    assert time.monotonic() - began < 20


def test_a_recipe_runs_quietly_without_torch_and_tensorflow(workdir, start):
    shutil.rmtree(next(workdir.glob("narrate/*/artefact.json")).parent)
    process = start("narrate:tiny", workdir, program=("-c", TELLING))
    told = process.communicate(timeout=120)[1].splitlines()
    assert process.returncode == 0, told
    assert told[-1] == "imported: []" and any(line.startswith("narrate: done in") for line in told)
    # No library has a word to say.
    assert not [line for line in told if not re.match(r"  |narrate: |stage[12]: |render: |imported: ", line)]
