"""validate: what it finds, and that no file, however hostile, gets more than one line and an exit code out of it."""

import json
import os
import time
import zlib

import pytest

from distinctad_jax.commands.book import main
from distinctad_jax.tracks import read_cues

VTT = "WEBVTT\n\n1\n00:00:01.000 --> 00:00:02.000\nShe waits.\n\n2\n00:00:03.000 --> 00:00:04.000\nHe & she.\n\n"
GOOD = VTT.replace("&", "&amp;")
SRT = "1\n00:00:01,000 --> 00:00:02,000\nShe waits.\n\n2\n00:00:03,000 --> 00:00:04,000\nHe & she.\n"
CSV = "start,end,text\n1,2,She waits.\n3,4,He & she.\n"
JSON = '{"format": "distinctad track", "version": 1, "entries": [{"start": 1, "end": 2, "text": "She waits."}]}'


def run(capsys, *arguments):
    code = main([str(one) for one in arguments])
    told = capsys.readouterr()
    return code, told.out, told.err


@pytest.mark.parametrize(("name", "text", "cues", "last"), [
    ("a.vtt", GOOD, 2, 4.0), ("a.srt", SRT, 2, 4.0), ("a.csv", CSV, 2, 4.0), ("a.json", JSON, 1, 2.0),
])  # fmt: skip
def test_a_good_file_is_valid_and_tells_what_is_in_it(tmp_path, capsys, name, text, cues, last):
    (tmp_path / name).write_text(text)
    code, out, told = run(capsys, "validate", tmp_path / name, "--json", "--strict")
    found = json.loads(out.splitlines()[-1])
    assert code == 0 and found["valid"] and not found["errors"] and not found["warnings"]
    assert (found["cues"], found["first"], found["last"]) == (cues, 1.0, last) and "error" not in told


WRONG = [
    (GOOD.replace("WEBVTT\n\n", "WEBVTT\n"), 2, "no empty line after the header"),
    (GOOD.replace("00:00:02.000", "00:00:01.000"), 4, "not after its start"),
    (GOOD.replace("00:00:03.000", "00:00:00.500"), 8, "before the one above it"),
    (GOOD.replace(" --> ", "-->", 1), 4, "blanks around"),
    (GOOD.replace("00:00:01.000", "0:00:01.000"), 4, "two digits for hours"),
    (GOOD.replace("00:00:01.000", "00:61:01.000"), 4, "minutes and seconds go to 59"),
    (GOOD.replace("01.000", "01,000"), 4, "gives no two times"),
    (VTT, 8, "an & is no reference"),
    (GOOD.replace("She", "<She"), 4, "never closed"),
    (GOOD.replace("She", "<x>She"), 4, "no tag of WebVTT"),
    (GOOD.replace("She", "<b>She"), 4, "has no end"),
    (GOOD.replace("She", "<v>She"), 4, "names nobody"),
    (GOOD.replace("She", "<00:05.000>She"), 4, "between the times"),
    (GOOD.replace("02.000\n", "02.000 line:x\n"), 4, "no cue setting"),
    (GOOD.replace("02.000\n", "02.000 size:5% size:6%\n"), 4, "stands twice"),
    (GOOD.replace("waits.\n\n2\n", "waits.\n"), 6, "no empty line before the times"),
    (GOOD.replace("\n2\n", "\nlost\n\n2\n"), 7, "text without times"),
    (GOOD + "STYLE\n::cue {}\n", 11, "may not stand behind a cue"),
]


@pytest.mark.parametrize(("text", "line", "what"), WRONG)
def test_what_the_w3c_rejects_in_webvtt_is_an_error_with_its_line(tmp_path, capsys, text, line, what):
    (tmp_path / "a.vtt").write_text(text)
    code, out, told = run(capsys, "validate", tmp_path / "a.vtt", "--json")
    errors = json.loads(out.splitlines()[-1])["errors"]
    assert code == 3 and any(what in one["what"] and one["place"] == line for one in errors), errors
    assert told.startswith(f"error: {tmp_path / 'a.vtt'}:") and told.count("\n") == 1


@pytest.mark.parametrize("text", [
    "\ufeff" + GOOD, GOOD.replace("WEBVTT\n", "WEBVTT\n\nSTYLE\n::cue {}\n"), GOOD.replace("\n2\n", "\nname\n"),
    GOOD.replace("02.000\n", "02.000 line:0\n"), GOOD.replace("02.000", "03.500"), GOOD.replace("\n2\n", "\n1\n"),
    GOOD.replace("&amp;", "&#38;"), GOOD.replace("She waits.", ""), "WEBVTT\n",
])  # fmt: skip
def test_what_some_player_drops_is_a_warning_and_strictly_an_error(tmp_path, capsys, text):
    (tmp_path / "a.vtt").write_text(text)
    code, out, _ = run(capsys, "validate", tmp_path / "a.vtt", "--json")
    assert code == 0 and json.loads(out.splitlines()[-1])["warnings"]
    assert run(capsys, "validate", tmp_path / "a.vtt", "--strict")[0] == 3


def test_a_folder_names_all_files_that_are_wrong(tmp_path, capsys):
    (tmp_path / "a.vtt").write_text(GOOD)
    (tmp_path / "b.vtt").write_text(VTT)
    code, out, told = run(capsys, "validate", tmp_path, "--json", "-q")
    assert code == 3 and json.loads(out.splitlines()[-1])["wrong"] == 1 and "1 of 2 files are wrong" in told


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", ":1: has no column start, end, text"),
        ("start,end\n1,2\n", ":1: has no column text; the first row names start, end"),
        ("start;end,text\n", "has no column"),
        ("start,end,text,end\n1,2,x,3\n", "has the column end twice"),
        ("start,end,text\nNaN,2,x\n", ":2:start"),
        ("start,end,text\n1,inf,x\n", ":2:end"),
        ("start,end,text\n,2,x\n", ":2:start"),
        ("start,end,text\none,2,x\n", ":2:start"),
        ("start,end,text\n1,1e309,x\n", ":2:end"),
        ('start,end,text\n"1,5",2,x\n', ":2:start"),
        ("start,end,text\n3,2,x\n", ":2:end"),
        ("start,end,text\n-1,2,x\n", ":2:start"),
        ("start,end,text\n1,2\n", ":2: has 2 cells, the header 3"),
        ('start,end,text\n1,2,"a\nb"\n5,4,x\n', ":4:end"),
        ('start,end,text\n1,2,"open\n3,4,x\n', "an open quote"),
        ("start,end,text\n1,2," + "x" * 200_000 + "\n", "field larger"),
        ("start,end,text\n" + "9,8,x\n" * 100, ":2:end: 8.0 s is not after the start at 9.0 s (so are 3:end"),
    ],
)
def test_a_table_that_is_none_says_what_was_found_and_where(tmp_path, capsys, text, says):
    (tmp_path / "a.csv").write_text(text)
    for command in ("validate", "convert"):
        code, _, told = run(capsys, command, tmp_path / "a.csv", "-q")
        assert code == 3 and says in told and told.count("\n") == 1, told


HOSTILE = {
    "nothing": b"",
    "noise": bytes(range(256)) * 400,
    "zlib": zlib.compress(b"x" * 9999),
    "NULs": b"\0" * 100_000,
    "UTF-16 without a mark": VTT.encode("utf-16-le"),
    "half a mark": b"\xff\xfea",
    "Latin-1": VTT.replace("She", "\xe9\xe8\xe7").encode("latin-1"),
    "one line": VTT.encode() + b"x" * 1_000_000,
    "tags": VTT.encode() + b"<b>" * 50_000,
    "opened": VTT.encode() + b"<" * 300_000,
    "references": VTT.encode() + b"&#" * 200_000,
    "long references": VTT.encode() + b"&#" + b"9" * 100_000 + b";",
    "long hours": VTT.replace("00:00:01", "9" * 400 + ":00:01").encode(),
    "other digits": VTT.replace("00:00:01", "٠٠:00:01").encode(),
    "arrows": b"WEBVTT\n\n" + b"-->\n" * 50_000,
    "colons": b"WEBVTT\n\n" + b"0:" * 300_000 + b"-->",
    "deep JSON": b"[" * 200_000,
    "many cues": b"WEBVTT\n\n" + b"".join(b"00:00:01.000 --> 00:10:00.000\nx\n\n" for _ in range(2_000)),
    "marks": VTT.replace("She", "\u202eShe\u2028\x85\x1b[31m").encode(),
    "page": b"<!doctype html><script>alert(1)</script>",
    "list": b"#EXTM3U\n#EXTINF:1,\nsecret.txt\n",
}


@pytest.mark.parametrize("suffix", [".vtt", ".srt", ".ttml", ".csv", ".json", ".jsonl"])
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_ends_in_one_line_and_soon(tmp_path, capsys, name, suffix):
    (tmp_path / f"a{suffix}").write_bytes(HOSTILE[name])
    for command in (("validate",), ("convert", "-f", "all", "-o", tmp_path / "out")):
        begin = time.process_time()
        code, _, told = run(capsys, command[0], tmp_path / f"a{suffix}", *command[1:], "-q")
        assert code in (0, 3) and time.process_time() - begin < 10
        errors = [line for line in told.splitlines() if not line.startswith("warning: ")]
        assert len(errors) == (code == 3), told
        assert len(told) < 20_000 and all(line.isprintable() for line in told.splitlines())
    if (tmp_path / "out").is_dir():
        for path in (tmp_path / "out").iterdir():
            text = path.read_text(encoding="utf-8")
            assert not {"\0", "\x1b", "\x85"} & set(text), path.name


@pytest.mark.parametrize("suffix", [".vtt", ".ttml", ".csv", ".json"])
def test_what_is_no_regular_file_is_not_opened(tmp_path, capsys, suffix):
    os.mkfifo(tmp_path / f"a{suffix}")
    (tmp_path / f"c{suffix}").symlink_to("/dev/zero")
    with (tmp_path / f"d{suffix}").open("wb") as file:
        file.truncate(200 << 20)
    for name in "acd":
        for command in (("validate",), ("convert", "-f", "md")):
            code, _, told = run(capsys, command[0], tmp_path / f"{name}{suffix}", *command[1:])
            assert code == 3 and told.count("\n") == 1, told
    assert run(capsys, "validate", tmp_path / "missing.vtt")[0] == 3


ODD = [  # a file, and what headless Chromium makes of it: (start, end, text as shown)
    ("WEBVTT\n00:01.000 --> 00:02.000\na", [(1, 2, "a")]),
    ("WEBVTT x\nfoo\n\n00:01.000 --> 00:02.000 line:0\na\nb\n", [(1, 2, "a\nb")]),
    ("WEBVTT\r\rid\r00:01.000 --> 00:02.000\ra\r\r", [(1, 2, "a")]),
    ("WEBVTT\n\n00:01.000-->00:02.000\na", [(1, 2, "a")]),
    ("WEBVTT\n\n00:01.000 --> 00:02.000foo\na", [(1, 2, "a")]),
    ("WEBVTT\n\n00:02.000 --> 00:01.000\na", [(2, 1, "a")]),
    ("WEBVTT\n\n1:00:00.000 --> 256:00:00.000\na", [(3600, 921600, "a")]),
    ("WEBVTT\n\n60:00.000 --> 60:01.000\na\n\n00:01.00 --> 00:02.000\nb", []),
    ("WEBVTT\n\nx\ny\n00:01.000 --> 00:02.000\na", [(1, 2, "a")]),
    ("WEBVTT\n\n00:01.000 --> 00:02.000\na\n00:03.000 --> 00:04.000\nb", [(1, 2, "a"), (3, 4, "b")]),
    ("WEBVTT\n\nNOTE\n00:01.000 --> 00:02.000\na", [(1, 2, "a")]),
    ("WEBVTT\n\nSTYLE\n-->\n00:01.000 --> 00:02.000\na", [(1, 2, "a")]),
    ("WEBVTT\n\n00:01.000 --> 00:02.000\n \na", [(1, 2, " \na")]),
    ("WEBVTT\n\n00:01.000 --> 00:02.000\n", [(1, 2, "")]),
    ("WEBVTT\n\n00:01.000 --> 00:02.000\na <b.x>b</b> <v Emo>c</v> d < e", [(1, 2, "a b c d ")]),
    (
        "WEBVTT\n\n00:01.000 --> 00:02.000\n&amp;lt; &notit; &#128; &#x110000; &#38;gt;",
        [(1, 2, "&lt; ¬it; € \ufffd &gt;")],
    ),
    ("WEBVTT\n\n00:01.000 --> 00:02.000\na\0b", [(1, 2, "a\ufffdb")]),
]


@pytest.mark.parametrize(("text", "cues"), ODD)
def test_webvtt_is_read_as_chromium_reads_it(tmp_path, text, cues):
    (tmp_path / "a.vtt").write_bytes(text.encode())
    found = read_cues(tmp_path / "a.vtt", problems=[])
    assert [(cue.start, cue.end, "\n".join(cue.lines)) for cue in found] == cues
