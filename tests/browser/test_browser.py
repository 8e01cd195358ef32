"""Tracks and the review page in Chromium: cues at their times, edits, downloads, no fault of access, no error."""

import json
import re
import shutil
import subprocess
from dataclasses import replace

import av
import numpy as np
import pytest
import simplejpeg

from distinctad_jax.movie.description import Alternative, Check, Description
from distinctad_jax.movie.movie import FilmFile, Line, Track
from distinctad_jax.movie.span import Span
from distinctad_jax.report.review import Thumbnail, render_review
from distinctad_jax.tracks import read_track, write_track

SECONDS = 6
HOSTILE = """</script><script>alert(1)</script><img src=x onerror=alert(2)> "' & {{7*7}} -->"""
TEXTS = ["A rabbit & a bird sit in the tree.", "The rabbit yawns under the tree.", "Leaves fall; rabbit ears twitch."]
SPANS = [Span(1.0, 2.0), Span(2.5, 4.0), Span(4.5, 5.5)]
LATE = 0.25
"""Seconds of film between a cue's time and the last look at which it was not there: what players take to notice.
A machine with other work to do looks seldom, which makes nothing late."""

PLAYER = """<!DOCTYPE html><html lang="en"><title>Player</title><link rel="icon" href="data:,">
<video id="film" class="video-js" src="film.webm" preload="auto" controls>
<track kind="descriptions" srclang="en" src="track.vtt"></video>"""


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """Six seconds of grey with silence, as every Chromium plays them."""
    path = tmp_path_factory.mktemp("film") / "film & more.webm"
    with av.open(str(path), "w") as box:
        stream = box.add_stream("libvpx", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for number in range(25 * SECONDS):
            frame = av.VideoFrame.from_ndarray(np.full((64, 96, 3), 60 + number, np.uint8), format="rgb24")
            box.mux(stream.encode(frame))
        box.mux(stream.encode(None))
    return path


def track(texts=TEXTS, **more):
    said = [
        Description(
            span,
            text,
            gap=Span(span.start - 0.2, span.end + 0.2),
            confidence=0.7,
            checks=(Check("too_fast", 18.5, "Spoken at 18.5 characters a second."),) if number == 1 else (),
            alternatives=(Alternative("A bird sits.", distinctiveness=0.5, reason="less certain"),),
        )
        for number, (span, text) in enumerate(zip(SPANS, texts, strict=True))
    ]
    return Track("Film", tuple(said), film=FilmFile("film.webm", float(SECONDS)), **more).numbered()


def page_of(folder, film, some, **more):
    (folder / film.name).write_bytes(film.read_bytes())
    jpeg = simplejpeg.encode_jpeg(np.full((20, 30, 3), 90, np.uint8))
    frames = {one.id: [Thumbnail(jpeg, one.span.start, 30, 20)] for one in some.entries}
    page = folder / "page.html"
    page.write_text(render_review(some, frames=frames, video="film%20%26%20more.webm", **more), encoding="utf-8")
    return page


def check_starts(heard, texts=TEXTS, spans=SPANS):
    """Each text is there at the first look after its time, or a little later, and never before."""
    for text, span in zip(texts, spans, strict=True):
        seen = next((at for at in heard if text in at["text"]), None)
        assert seen is not None, (text, heard)
        assert seen["time"] >= span.start - 0.05 and seen["before"] <= span.start + LATE, (text, seen)


@pytest.mark.parametrize("scheme", ["file", "http"])
def test_a_person_reviews_edits_and_downloads(tmp_path, film, drive, served, scheme):
    some = track(dialogue=(Line(Span(0, 0.2), "Hello."), Line(Span(5.8, 6), "Goodbye.")))
    page = page_of(tmp_path, film, some)
    address = page.as_uri() if scheme == "file" else f"{served(tmp_path)}/page.html"
    seen = drive("review", address)
    found = seen["result"]
    assert seen["console"] == [] and seen["dialogs"] == 0
    assert {url.rsplit("/", 1)[1] for url in seen["requests"]} <= {"page.html", "film%20%26%20more.webm"}
    assert found["axe"] == found["axe_editing"] == found["axe_dark"] == []
    assert found["entries"] == 3 and found["texts"] == TEXTS
    assert [word.split()[0] for word in found["marks"]] == ["rabbit", "tree"]
    assert found["pictures"] == ["Picture at 00:01.0"]
    for suffix in ("vtt", "srt", "json"):
        write_track(tmp_path / f"ours.{suffix}", some)
    for suffix in ("vtt", "srt"):
        assert found["unchanged"][suffix]["text"].encode() == (tmp_path / f"ours.{suffix}").read_bytes()
    assert json.loads(found["unchanged"]["json"]["text"]) == json.loads((tmp_path / "ours.json").read_text())
    assert found["focused"] == "text-0" and found["shut"][0] == 0
    before, long, undone, redone = found["fit"]
    assert "too long by" in long and before == undone and redone == long
    assert found["dropped"][0] == 1 and "kept in this browser" in found["dropped"][1]
    check_edited(tmp_path, found["edited"])
    assert found["kept"][:2] == ["He <b>runs</b> & hides.", 1] and "3 changes" in found["kept"][2]
    assert found["shown"] == 1 and found["restored"] == 0
    assert found["print"] == {"player": "none", "tools": "none", "text": "block"}
    assert found["narrow"] <= 320


def check_edited(folder, files):
    for suffix, file in files.items():
        (folder / f"edited.{suffix}").write_text(file["text"], encoding="utf-8")
    master = read_track(folder / "edited.json")
    first, second = master.descriptions
    assert first.text == "He <b>runs</b> & hides." and first.status == "edited" and first.speech is None
    assert first.edited_by == "review page" and second.span.start == pytest.approx(2.7)
    assert [one.reason for one in master.dropped] == ["dropped in review"]
    write_track(folder / "again.vtt", replace(master, dropped=()))
    assert (folder / "again.vtt").read_bytes() == files["vtt"]["text"].encode()
    assert files["json"]["name"].endswith(".edited.json") and len(read_track(folder / "edited.srt").descriptions) == 2


def test_no_text_becomes_markup(tmp_path, film, drive):
    some = track([f"{number} {HOSTILE}" for number in range(3)], dialogue=(Line(Span(0, 0.2), HOSTILE),))
    some = replace(some, movie=HOSTILE, made_by=HOSTILE, options={HOSTILE: HOSTILE}, metrics={HOSTILE: HOSTILE})
    seen = drive("play", page_of(tmp_path, film, some, stem=HOSTILE).as_uri(), seconds=1)
    assert seen["console"] == [] and seen["dialogs"] == 0 and len(seen["requests"]) <= 3


def test_keys_walk_the_list_and_can_be_switched_off(tmp_path, film, drive):
    seen = drive("keys", page_of(tmp_path, film, track()).as_uri())
    assert seen["console"] == []
    assert seen["result"]["walk"] == [["entry-0", "true"], ["entry-1", "true"], ["entry-0", "true"], ["text-0", None]]
    assert seen["result"]["off"][0] == "entry-0" and seen["result"]["skip"] == "skip"


def test_the_page_plays_with_descriptions_and_lowers_the_film(tmp_path, film, drive, served):
    page_of(tmp_path, film, track())
    seen = drive("play", f"{served(tmp_path)}/page.html", seconds=SECONDS - 0.3)
    heard = seen["result"]
    assert seen["console"] == []
    check_starts(heard)
    assert all(at["volume"] == pytest.approx(10 ** (-9 / 20), abs=1e-3) for at in heard if at["text"])
    assert all(at["volume"] == 1 for at in heard if not at["text"]) and heard[0]["live"] == "off"


def test_the_film_waits_for_an_extended_description(tmp_path, film, drive, served):
    waits = Description(Span(2.2, 2.4), "Rain falls.", kind="extended")
    some = track()
    page_of(tmp_path, film, replace(some, descriptions=(*some.descriptions, waits)).numbered())
    heard = drive("play", f"{served(tmp_path)}/page.html", seconds=4.2)["result"]
    place = next(at for at, one in enumerate(heard) if one["text"] == "Rain falls.")
    assert heard[place]["before"] <= 2.2 + LATE and heard[place]["time"] >= 2.2
    assert heard[place + 1]["time"] - heard[place]["time"] < 0.2 and heard[place + 1]["text"] != "Rain falls."
    assert any(one["text"] == TEXTS[1] for one in heard[place:])


@pytest.mark.parametrize("client", ["native", "videojs"])
def test_players_get_our_cues_at_their_times(tmp_path, film, drive, served, client):
    (tmp_path / "film.webm").write_bytes(film.read_bytes())
    write_track(tmp_path / "track.vtt", track())
    (tmp_path / "page.html").write_text(PLAYER)
    seen = drive(client, f"{served(tmp_path)}/page.html", seconds=SECONDS - 0.3)
    heard = seen["result"] if client == "videojs" else seen["result"]["heard"]
    check_starts(heard)
    if client == "native":
        assert seen["result"]["cues"] == [
            [span.start, span.end, text] for span, text in zip(SPANS, TEXTS, strict=True)
        ]


def test_three_hours_with_1500_entries_stay_usable(tmp_path, drive):
    rng = np.random.default_rng(0)
    words = [f"word{number}" for number in range(400)]
    said = [
        Description(
            Span(7.2 * n, 7.2 * n + 4),
            " ".join(rng.choice(words, 11)).capitalize() + ".",
            gap=Span(7.2 * n, 7.2 * n + 5),
        )
        for n in range(1500)
    ]
    some = Track("Long", tuple(said), film=FilmFile("long.mkv", 10_800.0)).numbered()
    jpeg = simplejpeg.encode_jpeg(rng.integers(0, 255, (40, 40, 3), dtype=np.uint8), quality=80)
    frames = {one.id: [Thumbnail((jpeg * 3)[:3600], one.span.start, 160, 90)] for one in some.entries}
    page = tmp_path / "page.html"
    page.write_text(render_review(some, frames=frames), encoding="utf-8")
    assert page.stat().st_size < 10_000_000
    seen = drive("large", page.as_uri(), count=1500)
    assert seen["console"] == []
    assert seen["result"]["typing"] < 300 and seen["result"]["pictures"] < 200  # milliseconds a key, machine shared
    assert seen["result"]["loaded"] < 60_000


def test_the_list_is_numbered_in_order_of_time_and_says_once_that_an_entry_is_left_out(tmp_path):
    left = [
        Description(Span(2.1, 2.4), "A nod.", kind="dropped", reason="left silent: others are worth more"),
        Description(Span(5.6, 5.9), "A wink.", kind="dropped", reason="no words"),
    ]
    (tmp_path / "page.html").write_text(render_review(replace(track(), dropped=tuple(left))), encoding="utf-8")
    line = [shutil.which("chromium"), "--headless", "--no-sandbox", "--virtual-time-budget=3000", "--dump-dom"]
    line.append((tmp_path / "page.html").as_uri())
    page = subprocess.run(line, capture_output=True, text=True, timeout=100, check=True).stdout
    assert re.findall(r"<h3>(\d+)\. ", page) == ["1", "2", "3", "4", "5"]
    states = re.findall(r'class="states">([^<]*)', page)
    assert "left silent: others" in states[1] and "left out" not in states[1] and "left out: no words" in states[4]
