"""Our WebVTT reader beside Chromium's and the W3C's own, on odd files; our files before the W3C's checker.

More random files: `DISTINCTAD_VTT_FILES=5000 python -m pytest tests/browser/test_vtt_readers.py`.
"""

import json
import os
import subprocess
from pathlib import Path

import pytest
from vtt_cases import ACCEPTED, CUE_TEXT, HEAD, ONE, REFUSED, odd_file

from distinctad_jax.errors import BadInput
from distinctad_jax.movie.description import Description
from distinctad_jax.movie.movie import Track
from distinctad_jax.movie.span import Span
from distinctad_jax.tracks import read_cues, write_track
from distinctad_jax.tracks.mending import playable
from distinctad_jax.tracks.reading import Warnings

HERE = Path(__file__).parent
RANDOM = int(os.environ.get("DISTINCTAD_VTT_FILES", "300"))
CHROMIUMS_OWN = {"header-identifier-and-times", "header-blank-is-no-line", "ids-style"}
"""Where Chromium has another identifier than the standard: a line of the header before times, or none for `STYLE`."""
PAGE = '<!DOCTYPE html><html lang="en"><title>Cues</title><link rel="icon" href="data:,"><video></video>'


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    """A folder of files at the edges of the standard, and of random lines."""
    folder = tmp_path_factory.mktemp("odd")
    texts = {name: data for name, (data, _) in ACCEPTED.items()} | REFUSED
    texts |= {f"text-{number}": f"{HEAD}{ONE}\n{text}\n" for number, text in enumerate(CUE_TEXT)}
    texts |= {f"random-{seed}": odd_file(seed) for seed in range(RANDOM)}
    for name, data in texts.items():
        (folder / f"{name}.vtt").write_bytes(data if isinstance(data, bytes) else data.encode())
    (folder / "page.html").write_text(PAGE)
    return folder


@pytest.fixture(scope="module")
def checked(odd):
    return checker(odd)


def checker(folder):
    """What the W3C's checker says of each file of a folder: `errors` and `cues`."""
    line = ["node", str(HERE / "checker.mjs"), str(folder)]
    return json.loads(subprocess.run(line, capture_output=True, text=True, cwd=HERE, check=True).stdout)


def ours(path):
    """Our cues in the order in which a browser lists them: by start, then the longer first, then as in the file."""
    try:
        cues = sorted(read_cues(path, problems=[]), key=lambda cue: (cue.start, -cue.end))
        return [[cue.start, cue.end, "\n".join(cue.lines), cue.id] for cue in cues]
    except BadInput:
        return None


def shown(cues):
    """Cues without their identifiers; None where a file is refused."""
    return cues and [cue[:3] for cue in cues]


def test_our_reader_has_the_cues_times_and_texts_of_chromium(odd, drive, served):
    """Identifiers may differ in broken blocks only, where Chromium keeps a line that the standard drops."""
    files = sorted(path.name for path in odd.glob("*.vtt"))
    seen = drive("cues", f"{served(odd)}/page.html", files=files)["result"]
    different, ids = {}, set()
    for name in files:
        found, wanted = ours(odd / name), seen[name]
        if shown(found) != shown(wanted):
            different[name] = (found, wanted)
        elif found and [cue[3] for cue in found] != [cue[3] for cue in wanted]:
            ids.add(name[:-4])
    assert different == {}
    assert ids & set(ACCEPTED) == CHROMIUMS_OWN


def test_our_reader_has_the_cues_of_the_w3cs_own(odd, checked):
    """On all cases that the W3C's reader handles: it knows no files that are refused and stops at some errors."""
    files = {
        name: one for name, one in checked.items() if not name.startswith(("text-", "random-")) and not one["errors"]
    }
    assert len(files) > 30
    for name, one in files.items():
        found = [[cue.start, cue.end, cue.text] for cue in read_cues(odd / name, problems=[])]
        assert found == one["cues"], name


def test_the_w3cs_checker_finds_no_error_in_what_we_write(tmp_path):
    texts = [
        "Fish & chips -- <ouch> --> gone.",
        "\u200f\u05e2\u05d1\u05e8\u05d9\u05ea and \U0001f389 emoji.",
        "Tab\tand\u2028separator and\nline and\r\n\r\nblank line.",
        "NOTE this", "STYLE", "WEBVTT", "&amp; &lt; &nobody; & &#0;", "{\\an8}<v Bob>a</v>", "--> -->", "1",
        "a\0b\x1b[31m", "]]> <!-- x -->", "\ud7ff\ue000\U0010ffff", "00:00:01.000 --> 00:00:02.000",
    ]  # fmt: skip
    for number, text in enumerate(texts):
        many = [Description(Span(start, start + 1.0004), text) for start in (0, 1, 1.0001, 5, 3600, 360_000)]
        extended = Description(Span(9, 30), text, kind="extended")
        track = Track(text, (*many, extended), language="en", made_by=text)
        write_track(tmp_path / f"{number}.vtt", playable(track, Warnings(tmp_path)))
    found = checker(tmp_path)
    assert len(found) > len(texts) and {name: one["errors"] for name, one in found.items() if one["errors"]} == {}
    for name, one in found.items():
        cues = read_cues(tmp_path / name)
        assert [[cue.start, cue.end, cue.text] for cue in cues] == one["cues"] and cues
