"""The console script: what it refuses, what it says, and that it waits for nothing that it does not need."""

import json
import subprocess
import sys

import pytest
from places import REPOSITORY

from distinctad_jax.commands.book import COMMANDS, main, module, read
from distinctad_jax.commands.voice import AT_MOST, Voice
from distinctad_jax.errors import BadInput


@pytest.mark.parametrize("arguments", [[], ["nobody"], ["check"], ["check", "--nobody"], ["check", "--kind=nobody"]])
def test_wrong_usage_is_one_line_and_exit_code_2(arguments, capsys):
    assert main(arguments) == 2
    told = capsys.readouterr()
    assert told.out == "" and told.err.startswith("error: command line: ") and told.err.count("\n") == 1


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_its_two_functions_and_tells_what_it_takes(command, capsys):
    assert callable(module(command).run)
    with pytest.raises(SystemExit) as ended:
        read([command, "--help"])
    assert ended.value.code == 0
    assert "--json" in capsys.readouterr().out


def test_what_follows_two_dashes_is_a_file(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "-i.vtt").write_text("WEBVTT\n\n00:00:01.000 --> 00:00:02.000\nHi.\n")
    assert main(["validate", "--", "-i.vtt"]) == 0
    assert main(["validate", "--json", "--", "-i.vtt"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["cues"] == 1


def test_json_is_the_last_line_of_standard_output(tmp_path, capsys):
    table = tmp_path / "a.csv"
    table.write_text("movie,start,end,text\nx,0,1,He runs.\n")
    assert main(["check", "--annotations", str(table), "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["used"] == 1


def test_a_program_is_told_which_of_several_files_is_begun(tmp_path, capsys):
    for name in "ab":
        (tmp_path / f"{name}.vtt").write_text("WEBVTT\n\n00:00:01.000 --> 00:00:02.000\nHi.\n")
    assert main(["validate", str(tmp_path), "--json-progress"]) == 0
    told = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert told == [
        {"stage": "files", "done": done, "of": 2, "note": str(tmp_path / name)}
        for done, name in enumerate(("a.vtt", "b.vtt"))
    ]


def test_a_warning_of_one_kind_is_said_five_times_then_counted(capsys):
    voice = Voice()
    for line in range(AT_MOST + 3):
        voice.warn(f"line {line} is odd", kind="odd lines")
    voice.close()
    told = capsys.readouterr().err.splitlines()
    assert len(told) == AT_MOST + 1 and told[-1] == "warning: 3 more like: odd lines"


def test_strict_makes_a_warning_an_error():
    with pytest.raises(BadInput, match="odd"):
        Voice(strict=True).warn("odd")


def test_the_list_of_commands_comes_without_jax():
    code = "import sys, distinctad_jax.commands.book; print('jax' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, cwd=REPOSITORY, capture_output=True, text=True)
    assert done.stdout.strip() == "False"
