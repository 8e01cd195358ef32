"""`distinctad check` tells every trap with its rows, and fails only where something has to be mended."""

import json

import numpy as np
import pytest

from distinctad_jax.commands.book import main

ROWS = [
    "a,5,6,He stands.",
    "a,1,2,A man waits.",
    "a,1.5,3,SOMEONE smiles.",
    "a,9,8,He leaves.",
    "a,5,6,He stands.",
    "b,1,2,caf\u00c3\u00a9 lights go out",
]


@pytest.fixture
def check(tmp_path, capsys):
    """Runs the command on a table of rows; exit code, lines of the report, JSON, error."""

    def run(*arguments, rows=ROWS):
        table = tmp_path / "table.csv"
        table.write_text("\n".join(["movie,start,end,text", *rows]) + "\n", encoding="utf-8")
        code = main(["check", f"--annotations={table}", "--json", *map(str, arguments)])
        told = capsys.readouterr()
        lines = told.out.splitlines()
        return code, lines[:-1], json.loads(lines[-1]) if lines else {}, told.err

    return run


def test_every_trap_is_told_with_its_rows_and_a_reversed_one_is_an_error(check):
    code, lines, found, error = check()
    assert code == 3 and error.startswith("error: ") and error.count("\n") == 1
    assert "table.csv:5:end: from 9.0 to 8.0 s; a row needs 0 <= start < end; " in error
    assert found["lines"] == {
        "unsorted": [3],
        "overlaps": [3, 4],
        "placeholders": [4],
        "damaged_text": [7],
        "fragments": [7],
        "unpunctuated": [7],
        "reversed": [5],
        "cannot be used": [5],
        "repeats another row": [6],
    }
    assert any(line.startswith("1 rows end before they start") for line in lines)
    assert found["rows"] == found["used"] + found["dropped: cannot be used"] + found["dropped: repeats another row"]
    code, _, found, error = check("--bad-rows=drop")
    assert code == 0 and error == "" and found["errors"] == 0


def test_strict_makes_errors_of_traps(check):
    assert check("--strict", rows=["a,1,2,He waits.", "a,3,4,She waits."])[0] == 0
    assert check("--strict", "--bad-rows=drop")[0] == 3


def test_missing_videos_and_features_of_another_width_are_errors(check, tmp_path):
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "a.mp4").write_bytes(b"")
    (tmp_path / "features").mkdir()
    for movie, width in (("a", 512), ("b", 768)):
        np.save(tmp_path / "features" / f"{movie}.npy", np.zeros((20, width), np.float32))
    folders = (f"--videos={tmp_path / 'videos'}", f"--features={tmp_path / 'features'}")
    code, lines, found, _ = check("--bad-rows=drop", *folders, "--width=768")
    assert code == 3 and found["in_movies"] == {"missing_video": ["b"], "wrong_width": ["a"]}
    assert found["lines"]["missing_video"] == [7] and found["lines"]["wrong_width"] == [2, 3, 4]
    assert "1 movies have no video (b)" in lines and any("needed 768, found [512, 768]" in line for line in lines)
    (tmp_path / "videos" / "b.mkv").write_bytes(b"")
    np.save(tmp_path / "features" / "a.npy", np.zeros((20, 768), np.float32))
    assert check("--bad-rows=drop", *folders, "--width=768")[0] == 0
    whole = (tmp_path / "features" / "a.npy").read_bytes()
    (tmp_path / "features" / "a.npy").write_bytes(whole[:-100])
    code, lines, found, _ = check("--bad-rows=drop", *folders, "--width=768")
    assert code == 3 and found["in_movies"] == {"damaged_features": ["a"]}
    assert any("a.npy: says float32 (20, 768), 61440 bytes, and has 61340" in line for line in lines)
    lie = whole.replace(b"(20, 768)", b"(" + b"9" * 30 + b", 768)")
    (tmp_path / "features" / "a.npy").write_bytes(lie)
    assert check("--bad-rows=drop", *folders, "--width=768")[0] == 3


def test_rows_without_their_own_file_are_counted_and_named(check, tmp_path):
    (tmp_path / "videos" / "a").mkdir(parents=True)
    (tmp_path / "videos" / "a" / "c1.avi").write_bytes(b"")
    table = ["movie,sentence,start,end,lsmdc_filename", *(f"a,He waits.,{n},{n + 1},c{n}" for n in (1, 2, 3))]
    (tmp_path / "own.csv").write_text("\n".join(table) + "\n")
    code, lines, found, _ = check(f"--annotations={tmp_path / 'own.csv'}", f"--videos={tmp_path / 'videos'}")
    assert code == 3 and "1 movies have 2 clips without a file (a)" in lines
    assert found["missing_clip_files"] == 2 and found["lines"]["missing_clip_files"] == [3, 4]


def test_splits_and_cast_that_do_not_fit_are_told(check, tmp_path):
    (tmp_path / "splits.json").write_text('{"train": ["a"], "test": ["a"]}')
    (tmp_path / "cast.json").write_text('{"b": ["Ada"]}')
    papers = (f"--splits={tmp_path / 'splits.json'}", f"--cast={tmp_path / 'cast.json'}")
    code, _, found, _ = check("--bad-rows=drop", *papers)
    assert code == 0
    assert found["in_movies"] == {"no_cast": ["a"], "in_no_split": ["b"], "in_two_splits": ["a"]}


@pytest.mark.parametrize(("name", "rows"), [("madeval_anno.csv", 6520), ("tvad_anno.csv", 2983)])
def test_published_tables_pass(shared, capsys, name, rows):
    assert main(["check", f"--annotations={shared / 'data' / 'annotations' / name}", "--json"]) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert found["rows"] == found["used"] == found["rows_in_windows"] == rows
    assert found["distinctive_share"] == pytest.approx(0.60, abs=0.02)
