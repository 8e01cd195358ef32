"""convert: any format to any, several files and formats in one run, and nothing lost that was there."""

import itertools
import json
import os

import pytest

from distinctad_jax.commands.book import main
from distinctad_jax.movie.description import Description
from distinctad_jax.movie.movie import Line, Track
from distinctad_jax.movie.span import Span
from distinctad_jax.tracks import read_track, write_track
from distinctad_jax.tracks.formats import FORMATS

TRACK = Track(
    "film",
    (Description(Span(1, 2.5), "She waits."), Description(Span(3, 4), "R&D, <b>bold</b>; =2+2")),
    dialogue=(Line(Span(2.6, 2.9), "Hello.", "EMO"),),
    dropped=(Description(Span(8, 9), "He goes.", kind="dropped", reason="too long"),),
)
READ = [one.suffixes[0] for one in FORMATS.values() if one.read]
WRITTEN = {name: one.suffixes[0] for name, one in FORMATS.items() if one.written} | {"html": ".review.html"}


def run(capsys, *arguments):
    code = main([str(one) for one in arguments])
    told = capsys.readouterr()
    return code, told.out, told.err


@pytest.mark.parametrize("suffix", READ)
def test_from_any_format_to_all(tmp_path, capsys, suffix):
    write_track(tmp_path / f"film{suffix}", TRACK)
    code, out, _ = run(capsys, "convert", tmp_path / f"film{suffix}", "-f", "all", "-o", tmp_path / "out", "--json")
    found = json.loads(out.splitlines()[-1])
    assert code == 0 and (found["cues"], found["first"], found["last"]) == (2, 1.0, 4.0)
    assert sorted(found["written"]) == sorted(f"film{end}" for end in WRITTEN.values())
    for end in READ:
        spans = [one.span for one in read_track(tmp_path / "out" / f"film{end}", problems=[]).descriptions]
        assert spans == [one.span for one in TRACK.descriptions]


def test_skipping_and_overwriting_are_judged_format_by_format(tmp_path, capsys):
    write_track(tmp_path / "film.json", TRACK)
    (tmp_path / "film.vtt").write_text("mine")
    assert run(capsys, "convert", tmp_path / "film.json", "-f", "vtt,srt")[0] == 2
    assert not (tmp_path / "film.srt").exists()
    code, out, _ = run(capsys, "convert", tmp_path / "film.json", "-f", "vtt,srt", "--skip-existing", "--json")
    assert code == 0 and json.loads(out)["written"] == ["film.srt"] and (tmp_path / "film.vtt").read_text() == "mine"
    assert run(capsys, "convert", tmp_path / "film.json", "-f", "vtt,srt", "--overwrite")[0] == 0
    assert (tmp_path / "film.vtt").read_text().startswith("WEBVTT")


def test_the_same_input_gives_the_same_bytes(tmp_path, capsys):
    write_track(tmp_path / "film.json", TRACK)
    for folder in ("a", "b"):
        assert run(capsys, "convert", tmp_path / "film.json", "-f", "all", "-o", tmp_path / folder)[0] == 0
    for end in WRITTEN.values():
        one, other = ((tmp_path / folder / f"film{end}").read_bytes() for folder in ("a", "b"))
        assert one == other and str(tmp_path).encode() not in one


def test_a_folder_of_files_and_one_that_is_none(tmp_path, capsys):
    write_track(tmp_path / "in" / "a.vtt", TRACK)
    write_track(tmp_path / "in" / "b.srt", TRACK)
    (tmp_path / "in" / "c.csv").write_text("no,table\n")
    code, _, told = run(capsys, "convert", tmp_path / "in", "-f", "json", "-o", tmp_path / "out", "-q")
    assert code == 6 and "c.csv:1: has no column start, end, text" in told and "1 of 3 files" in told
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.json", "b.json"]


@pytest.mark.parametrize(
    ("names", "says"),
    [(("a.vtt", "a.srt"), "would be written from"), (("a.json", "a.vtt"), "would be written over")],
)
def test_two_files_never_become_one(tmp_path, capsys, names, says):
    for name in names:
        write_track(tmp_path / name, TRACK)
    form = "json" if says.endswith("from") else "vtt"
    code, _, told = run(capsys, "convert", *(tmp_path / name for name in names), "-f", form)
    assert code == 2 and says in told


def test_a_link_is_not_written_through(tmp_path, capsys):
    write_track(tmp_path / "film.json", TRACK)
    (tmp_path / "other").write_text("precious")
    (tmp_path / "film.vtt").symlink_to(tmp_path / "other")
    assert run(capsys, "convert", tmp_path / "film.json", "--overwrite")[0] == 2
    assert (tmp_path / "other").read_text() == "precious"


def test_no_folders_are_made_but_the_last(tmp_path, capsys):
    write_track(tmp_path / "film.json", TRACK)
    assert run(capsys, "convert", tmp_path / "film.json", "-o", tmp_path / "no" / "out")[0] == 4


@pytest.mark.parametrize("name", ["film.srt", "film.dapt.ttml", "film.MP4"])
def test_a_folder_is_not_called_like_a_file(tmp_path, capsys, name):
    write_track(tmp_path / "film.json", TRACK)
    code, _, told = run(capsys, "convert", tmp_path / "film.json", "-o", tmp_path / name)
    assert code == 2 and f"{name}: is the name of a file, and -o names a folder" in told
    (tmp_path / name).mkdir()
    assert run(capsys, "convert", tmp_path / "film.json", "-o", tmp_path / name)[0] == 0


def test_files_of_one_name_are_told_with_their_folders(tmp_path, capsys):
    for folder in ("a", "b"):
        write_track(tmp_path / "in" / folder / "film.vtt", TRACK)
    code, _, told = run(capsys, "convert", tmp_path / "in", "-f", "json", "-o", tmp_path / "out")
    assert code == 2 and f"from {tmp_path / 'in/a/film.vtt'} and from {tmp_path / 'in/b/film.vtt'}" in told


def test_a_dry_run_writes_nothing(tmp_path, capsys):
    write_track(tmp_path / "film.json", TRACK)
    assert run(capsys, "convert", tmp_path / "film.json", "-o", tmp_path / "out", "--dry-run")[0] == 0
    assert [path.name for path in tmp_path.iterdir()] == ["film.json"]


def test_overlaps_are_mended_told_and_strictly_refused(tmp_path, capsys):
    spans = [Span(1, 4), Span(2, 5), Span(2, 6), Span(2.0004, 2.0005)]
    write_track(tmp_path / "film.json", Track("m", tuple(Description(span, "x") for span in spans)))
    code, _, told = run(capsys, "convert", tmp_path / "film.json")
    assert code == 0 and "overlapped its neighbour" in told
    ends = [(one.span.start, one.span.end) for one in read_track(tmp_path / "film.vtt").descriptions]
    assert len(ends) == 4 and all(before[1] <= after[0] for before, after in itertools.pairwise(ends))
    assert run(capsys, "convert", tmp_path / "film.json", "--overwrite", "--strict")[0] == 3


def test_extended_descriptions_go_to_a_file_of_their_own(tmp_path, capsys):
    waits = Description(Span(1.5, 9), "A long look.", kind="extended")
    write_track(tmp_path / "film.json", Track("m", (TRACK.descriptions[0], waits)))
    assert run(capsys, "convert", tmp_path / "film.json", "-f", "vtt,srt")[0] == 0
    assert [one.text for one in read_track(tmp_path / "film.vtt").descriptions] == ["She waits."]
    assert [one.text for one in read_track(tmp_path / "film.extended.srt").descriptions] == ["A long look."]
    for suffix in (".json", ".jsonl", ".csv", ".dapt.ttml"):  # formats of one file say which wait
        write_track(tmp_path / f"one{suffix}", Track("m", (waits,)))
        assert [one.kind for one in read_track(tmp_path / f"one{suffix}").descriptions] == ["extended"]


def test_a_transcript_interleaves_captions_and_descriptions(tmp_path, capsys):
    write_track(tmp_path / "film.vtt", TRACK)
    (tmp_path / "film.srt").write_text(
        "1\n00:00:02,600 --> 00:00:02,900\nHello.\n\n2\n00:00:09,000 --> 00:00:10,000\n[wind]\n"
    )
    code, _, _ = run(
        capsys,
        "convert",
        tmp_path / "film.vtt",
        "-f",
        "txt",
        "-o",
        tmp_path / "out",
        "--captions",
        tmp_path / "film.srt",
    )
    lines = (tmp_path / "out" / "film.txt").read_text().splitlines()
    assert code == 0 and [line[10:] for line in lines[3:]] == [
        "[Description] She waits.", "Hello.", "[Description] R&D, bbold/b; =2+2", "[wind]"
    ]  # fmt: skip


def test_markdown_holds_no_mark_up_of_others(tmp_path, capsys):
    evil = Description(Span(1, 2), "<script>x</script> [a](javascript:b) ![](http://h) `c` *d*\n# e")
    write_track(tmp_path / "film.json", Track("<img>", (evil,)))
    assert run(capsys, "convert", tmp_path / "film.json", "-f", "md")[0] == 0
    text = (tmp_path / "film.md").read_text()
    assert "<" not in text and "](" not in text.replace("\\]\\(", "") and "\n# e" not in text


@pytest.mark.parametrize("format", ["", "doc", "vtt,doc"])
def test_an_unknown_format_is_wrong_usage(tmp_path, capsys, format):
    write_track(tmp_path / "film.json", TRACK)
    assert run(capsys, "convert", tmp_path / "film.json", "-f", format)[0] == 2


def test_names_that_are_no_text_make_text_and_json_on_one_line(tmp_path, capsys):
    for name in (b"\xff.json", "a\u2028b.json".encode(), b"a\x7f\x1bb.json"):
        path = tmp_path / os.fsdecode(name)
        write_track(path, Track("", (Description(Span(1, 2), "He waits."),)))
        code, out, error = run(capsys, "convert", path, "-f", "all", "-o", tmp_path / "out", "--json")
        (tmp_path / "out" / path.name).unlink()
        assert code == 0 and error.count("\n") == 1 and "error" not in error
        assert json.loads(out.splitlines()[-1])["cues"] == 1 and out.isascii() and out.strip().isprintable()
