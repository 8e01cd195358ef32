"""Published tables are read with an account of every row, and every row falls into a window."""

import csv
import json

import pytest

TABLES = {
    "madeval_anno_utf8.csv": ("utf-8", 6520, 10),
    "madeval_anno.csv": ("cp1252", 6520, 10),
    "tvad_anno.csv": ("utf-8", 2983, 100),
}


@pytest.fixture
def check(command, tmp_path):
    """Runs the recipe on a table; its report."""

    def run(path, *arguments, code=0):
        assert command("check:base", tmp_path, f"--config.check.annotations={path}", *arguments) == code
        found = list(tmp_path.glob("check/*/report.json"))
        return json.loads(found[0].read_text()) if code == 0 else found

    return run


@pytest.mark.parametrize("name", TABLES)
def test_every_row_of_a_published_table_is_used_or_dropped_with_a_reason(shared, check, name):
    path, (encoding, rows, movies) = shared / "data" / "annotations" / name, TABLES[name]
    with path.open(encoding=encoding, newline="") as file:
        table = list(csv.DictReader(file))
    report = check(path, f"--config.check.encoding={encoding}")
    dropped = sum(count for reason, count in report.items() if reason.startswith("dropped: "))
    assert report["rows"] == rows == len(table)
    assert report["used"] + dropped == rows
    assert report["rows_in_windows"] == report["used"]
    assert report["movies"] == movies
    lengths = [sum(row.get("movie", row.get("imdbid_pe")) == key for row in table) for key in movie_keys(table)]
    assert report["windows"] == sum(max(length - 7, 1) for length in lengths)
    assert report["distinctive_share"] == pytest.approx(0.60, abs=0.02)


def movie_keys(table):
    return dict.fromkeys(row.get("movie", row.get("imdbid_pe")) for row in table)


def test_a_row_that_cannot_be_used_is_counted_and_its_movie_goes_on(check, tmp_path):
    path = tmp_path / "table.csv"
    rows = [
        "movie,start,end,text",
        "a,1,2,A man waits.",
        "a,3,x,He sits.",
        "a,4,5,He stands.",
        "b,1,2,Night falls.,more",
    ]
    path.write_text("\n".join(rows) + "\n")
    assert check(path, code=3) == []
    report = check(path, "--config.check.bad_rows=drop")
    assert (report["rows"], report["used"], report["dropped: cannot be used"]) == (4, 2, 2)
    assert (report["movies"], report["windows"], report["rows_in_windows"]) == (1, 1, 2)
    assert any("2 rows dropped: cannot be used" in sentence for sentence in report["sentences"])


def test_the_encoding_that_a_table_needs_is_asked_for(shared, check, capsys):
    path = shared / "data" / "annotations" / "madeval_anno.csv"
    assert check(path, "--config.check.encoding=utf-8", code=3) == []
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith(f"error: {path}:5725: byte 0x80 is not utf-8; ") and "cp1252" in line
