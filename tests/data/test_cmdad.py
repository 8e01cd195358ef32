"""CMD-AD, whose table is not at hand: one of its layout, with every trap, counted by plain loops over the CSV."""

import csv
import itertools
import json
from collections import Counter

import numpy as np
import pytest

from distinctad_jax.commands.book import main
from distinctad_jax.data.rows import FAULTS, TRAPS

COLUMNS = ["text", "start", "end", "movie", "scaled_start", "scaled_end", "cmd_filename", "imdbid", "cmd_clip_idx"]
TEXTS = [
    "He waits.",
    "SOMEONE opens the door.",
    "she turns away.",
    "It rains",
    'A sign reads, "Ohio. ".',
    "The caf\u00c3\u00a9.",
]
TEXTS += ["Two  men leave.", "Daytime.", "", "r??sum\u00e9."]


@pytest.fixture
def table(tmp_path):
    """400 rows of 8 films, the even ones in three files each, roughly in order of time."""
    rng, rows = np.random.default_rng(7), []
    for film in range(8):
        files = [f"{2010 + film}/clip{film}{part}" for part in range(3 if film % 2 == 0 else 1)]
        for name in files:
            start = 0.0
            for _ in range(400 // 16):
                start = max(start + float(rng.normal(6, 5)), 0.0)
                lasts = float(rng.choice([0.2, 1.0, 3.0, 18.0])) if rng.random() > 0.04 else -1.0
                widen = max(0.0, 2.0 - lasts) / 2 if lasts > 0 else 0.0
                end, text = start + lasts, TEXTS[int(rng.integers(len(TEXTS)))]
                times = [f"{value:.3f}" for value in (start, end, max(start - widen, 0.0), end + widen)]
                row = [text, *times[:2], f"film{film}", *times[2:], name, f"tt{film}", name[-1]]
                rows += [row] * (2 if rng.random() < 0.03 else 1)
    path = tmp_path / "cmdad.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([COLUMNS, *rows])
    return path


def counted(path):
    """What the report should say, from the words of docs/data.md alone; lines by the name of each trap."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = [dict(row, line=line) for line, row in enumerate(csv.DictReader(file), start=2)]
    lines = {name: [] for name in (*TRAPS, *FAULTS, "no text", "repeats another row")}
    used, seen = [], set()
    for row in rows:
        key = (row["cmd_filename"], row["scaled_start"], row["scaled_end"], row["text"])
        if float(row["scaled_end"]) <= float(row["scaled_start"]):
            lines["reversed"].append(row["line"])
        elif not row["text"]:
            lines["no text"].append(row["line"])
        elif key in seen:
            lines["repeats another row"].append(row["line"])
        else:
            seen.add(key)
            used.append(row)
    often = Counter(row["text"] for row in used)
    for _, clip in itertools.groupby(used, lambda row: row["cmd_filename"]):
        above, said = None, set()
        for row in clip:
            start, end = float(row["scaled_start"]), float(row["scaled_end"])
            stated, text = float(row["end"]) - float(row["start"]), row["text"]
            marks = {
                "unsorted": above is not None and start < float(above["scaled_start"]),
                "overlaps": above is not None and start < float(above["scaled_end"]),
                "padded": end - start > stated + 5e-4,
                "short": stated < 0.5,
                "long": stated > 15,
                "repeated_text": text in said,
                "shared_text": often[text] > 1,
                "placeholders": "SOMEONE" in text,
                "damaged_text": "\u00c3" in text or "??" in text,
                "fragments": text[0] in "abcdefghijklmnopqrstuvwxyz",
                "unpunctuated": text[-1] not in ".!?",
                "quotes": '"' in text,
                "double_blanks": "  " in text,
            }
            for name, caught in marks.items():
                if caught:
                    lines[name].append(row["line"])
            above = row
            said.add(text)
    return len(rows), len(used), {name: sorted(found) for name, found in lines.items()}


def test_every_trap_of_cmdad_is_counted_as_by_hand(table, capsys):
    rows, used, expected = counted(table)
    assert main(["check", f"--annotations={table}", "--json", "--bad-rows=drop"]) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (found["rows"], found["used"], found["rows_in_windows"]) == (rows, used, used)
    assert found["movies"] == 4 * 3 + 4
    unseen = {"shifted", "past_end", "no_faces", "unreadable"}  # the table has no columns for these
    for name, lines in expected.items():
        assert found["lines"].get(name, []) == lines, name
        assert lines or name in unseen, f"the table has no row for {name}"
    assert found["used"] + sum(count for name, count in found.items() if name.startswith("dropped: ")) == rows
    assert main(["check", f"--annotations={table}"]) == 3
    assert f"{table}:{expected['reversed'][0]}:scaled_end: " in capsys.readouterr().err
