"""`distinctad check` tells every trap with its rows, and fails only where something has to be mended."""

import json

import av
import numpy as np
import pytest

from distinctad_jax.commands.book import main
from distinctad_jax.data.annotations import read_annotations
from distinctad_jax.data.clips import PixelClips
from distinctad_jax.data.library import movies_from

ROWS = [
    "a,5,6,He stands.",
    "a,1,2,A man waits.",
    "a,1.5,3,SOMEONE smiles.",
    "a,9,8,He leaves.",
    "a,5,6,He stands.",
    "b,1,2,caf\u00c3\u00a9 lights go out",
]


def film(path, seconds, rate=10, **options):
    """A film of small grey pictures."""
    with av.open(str(path), "w", options=options) as box:
        stream = box.add_stream("mpeg4" if path.suffix == ".avi" else "libx264", rate=rate)
        stream.width = stream.height = 32
        stream.options = {"bf": "2", "g": "12"} if path.suffix != ".avi" else {}
        for shade in range(seconds * rate):
            picture = np.random.default_rng(shade).integers(0, 256, (32, 32, 3), np.uint8)
            box.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
        box.mux(stream.encode(None))
    return path


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
    film(tmp_path / "videos" / "a.mp4", 10)
    (tmp_path / "features").mkdir()
    for movie, width in (("a", 512), ("b", 768)):
        np.save(tmp_path / "features" / f"{movie}.npy", np.zeros((50, width), np.float32))
    folders = (f"--videos={tmp_path / 'videos'}", f"--features={tmp_path / 'features'}")
    code, lines, found, _ = check("--bad-rows=drop", *folders, "--width=768")
    assert code == 3 and found["in_movies"] == {"missing_video": ["b"], "wrong_width": ["a"]}
    assert found["lines"]["missing_video"] == [7] and found["lines"]["wrong_width"] == [2, 3, 4]
    assert "1 movies have no video (b)" in lines and any("needed 768, found [512, 768]" in line for line in lines)
    film(tmp_path / "videos" / "b.mkv", 10)
    np.save(tmp_path / "features" / "a.npy", np.zeros((50, 768), np.float32))
    assert check("--bad-rows=drop", *folders, "--width=768")[0] == 0
    whole = (tmp_path / "features" / "a.npy").read_bytes()
    (tmp_path / "features" / "a.npy").write_bytes(whole[:-100])
    code, lines, found, _ = check("--bad-rows=drop", *folders, "--width=768")
    assert code == 3 and found["in_movies"] == {"damaged_features": ["a"]}
    assert any("a.npy: says float32 (50, 768), 153600 bytes, and has 153500" in line for line in lines)
    lie = whole.replace(b"(50, 768)", b"(" + b"9" * 30 + b", 768)")
    (tmp_path / "features" / "a.npy").write_bytes(lie)
    assert check("--bad-rows=drop", *folders, "--width=768")[0] == 3


def test_films_that_cannot_be_read_and_rows_past_a_films_end_are_told_with_their_lines(check, tmp_path):
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "a.mp4").write_text("not a film at all")
    film(tmp_path / "videos" / "b.mp4", 10)
    film(tmp_path / "videos" / "c.mkv", 10)
    rows = [
        "a,1,2,He waits.",
        "b,10.5,11,He begins too late.",
        "b,10.4,11,He begins within the slack.",
        "b,9,10.05,He ends by a rounding.",
        "c,9,11,He ends late.",
        "c,400,401,He begins far too late.",
    ]
    videos = f"--videos={tmp_path / 'videos'}"
    code, lines, found, error = check(videos, rows=rows)
    assert code == 3 and "1 movies have videos that cannot be read: a.mp4: no film, but text" in error
    named = {"damaged_videos": [2], "after_video": [3, 7], "past_video": [4, 6]}
    assert named.items() <= found["lines"].items() and found["errors"] == 2
    assert {name: found[name] for name in named} == {"damaged_videos": 1, "after_video": 2, "past_video": 2}
    assert found["in_movies"] == {"damaged_videos": ["a"], "after_video": ["b", "c"], "past_video": ["b", "c"]}
    assert "1 movies have videos that cannot be read: a.mp4: no film, but text (lines 2) (a)" in lines
    assert "2 rows begin after their film's end and show nothing (lines 3, 7)" in lines
    assert "2 rows end after their film's end (lines 4, 6)" in lines
    assert check(videos, rows=rows[1:])[0] == 3
    assert check(videos, "--bad-rows=drop", rows=rows[1:])[0] == 0
    assert check(videos, rows=[rows[4]])[0] == 0 and check(videos, "--strict", rows=[rows[4]])[0] == 3
    assert check(videos, "--max-megapixels=0.001", rows=[rows[4]])[2]["damaged_videos"] == 1


@pytest.mark.parametrize(
    ("suffix", "rate"),
    [(".mp4", 10), (".mp4", 1), (".mkv", 10), (".mkv", 1), (".avi", 10), (".ts", 10), (".mpg", 10)],
)
def test_what_packing_loses_of_a_film_is_what_is_told(check, tmp_path, suffix, rate):
    (tmp_path / "videos").mkdir()
    film(tmp_path / "videos" / f"a{suffix}", 10, rate)
    rows = [f"a,{9.03 + tenth / 10:.2f},{10.03 + tenth / 10:.2f},He goes {tenth}." for tenth in range(30)]
    found = check(f"--videos={tmp_path / 'videos'}", rows=rows)[2]
    movie = movies_from(read_annotations(tmp_path / "table.csv"), videos=tmp_path / "videos")[0]
    bad = []
    list(PixelClips(2, 32, 95)(movie, bad))
    assert found["after_video"] == len(bad) > 0 and found["cut_videos"] == 0


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_a_film_that_breaks_off_is_told(check, tmp_path, suffix):
    (tmp_path / "videos").mkdir()
    data = film(tmp_path / f"a{suffix}", 20, **({"movflags": "faststart"} if suffix == ".mp4" else {})).read_bytes()
    (tmp_path / "videos" / f"a{suffix}").write_bytes(data[: len(data) // 2])
    rows = ["a,1,2,He waits.", "a,8.5,9,He sits.", "a,11,12,He leaves.", "a,18,19,He is gone."]
    code, lines, found, _ = check(f"--videos={tmp_path / 'videos'}", rows=rows)
    assert code == 3 and found["in_movies"] == {"cut_videos": ["a"], "after_video": ["a"]}
    assert found["lines"]["after_video"] == [4, 5]
    assert any("break off before the end that they state" in line for line in lines)


def test_each_rows_own_film_is_opened_and_held_to_the_rows_end(check, tmp_path):
    (tmp_path / "videos" / "a").mkdir(parents=True)
    film(tmp_path / "videos" / "a" / "c1.mp4", 1)
    (tmp_path / "videos" / "a" / "c2.mp4").write_bytes(b"")
    table = ["movie,sentence,start,end,lsmdc_filename", "a,He waits.,50,53,c2", "a,She waits.,40,43,c1"]
    (tmp_path / "own.csv").write_text("\n".join(table) + "\n")
    code, lines, found, _ = check(f"--annotations={tmp_path / 'own.csv'}", f"--videos={tmp_path / 'videos'}")
    assert code == 3 and "1 movies have videos that cannot be read: c2.mp4: the file is empty (lines 2) (a)" in lines
    assert found["lines"]["damaged_videos"] == [2] and found["after_video"] == found["past_video"] == 0


def test_rows_past_the_end_of_features_and_values_that_are_not_finite_are_told(check, tmp_path):
    (tmp_path / "features").mkdir()
    for movie in ("a", "b", "c"):
        vectors = np.zeros((51, 4), np.float32)
        vectors[{"a": 0, "b": 25, "c": 50}[movie], 1] = {"a": np.nan, "b": np.inf, "c": 1e9}[movie]
        np.save(tmp_path / "features" / f"{movie}.npy", vectors)
    np.save(tmp_path / "features" / "d.npy", np.zeros((51, 4), np.float16))
    rows = ["a,1,2,One.", "b,1,2,Two.", "c,1,2,Three.", "d,9,12,Four.", "d,10.2,10.4,Five.", "d,10.1,10.4,Six."]
    store = f"--features={tmp_path / 'features'}"
    code, lines, found, _ = check(store, rows=rows)
    assert code == 3 and found["errors"] == 2
    assert found["in_movies"] == {"not_finite": ["a", "b", "c"], "after_features": ["d"], "past_features": ["d"]}
    assert found["lines"]["after_features"] == [6] and found["lines"]["past_features"] == [5]
    assert "1 rows begin after the end of their features at 5 frames a second and show nothing (lines 6)" in lines
    assert check(store, "--bad-rows=drop", rows=rows)[0] == 0
    assert check(store, "--features-fps=4", rows=rows)[2]["after_features"] == 0
    assert check(store, "--features-fps=0", rows=rows)[0] == 2


@pytest.mark.parametrize("name", ["table.pkl", "table.csv"])
def test_a_pickle_for_a_table_is_refused_with_the_safe_way_out(check, tmp_path, name):
    (tmp_path / "pickled").mkdir()
    (tmp_path / "pickled" / name).write_bytes(b"\x80\x04\x95\x10\0\0\0\0\0\0\0}\x94.")
    code, _, _, error = check(f"--annotations={tmp_path / 'pickled' / name}")
    assert code == 3 and f"{name}: a pickle, which could run programs" in error
    assert "convert it to CSV in a container without network" in error and "encoding" not in error
    code, _, _, error = check("--bad-rows=drop", f"--splits={tmp_path / 'pickled' / name}")
    assert code == 3 and "convert it to JSON in a container without network" in error


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
