"""The review page as a file; what it does in a browser is tested in tests/browser."""

import base64
import hashlib
import json
import re

import numpy as np
import pytest

from distinctad_jax.movie.description import Description, Speech
from distinctad_jax.movie.movie import Line, Track
from distinctad_jax.movie.span import Span
from distinctad_jax.report import thumbnails as pictures
from distinctad_jax.report.review import LARGEST, Thumbnail, render_review, text_size
from distinctad_jax.report.thumbnails import thumbnails

HOSTILE = """</script><!--<script>alert(1)</script> \u2028 ' onerror='x' & {{ 7 * 7 }} ]]>"""


def track(count=3, text="He runs."):
    said = [Description(Span(5 * n, 5 * n + 3), f"{text} {n}", gap=Span(5 * n, 5 * n + 4)) for n in range(count)]
    return Track("film", tuple(said))


def data_of(page):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)[1])


def test_only_the_pages_own_script_and_style_run_and_only_the_film_is_asked_for():
    page = render_review(track(), video="film.mp4")
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1].replace("&#39;", "'")
    for tag, name in (("script", "script-src"), ("style", "style-src")):
        inside = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        assert len(inside) == 1
        assert f"{name} 'sha256-{base64.b64encode(hashlib.sha256(inside[0].encode()).digest()).decode()}'" in policy
    assert policy.startswith("default-src 'none'; img-src data:; media-src 'self' file:; ")
    assert "media-src" not in render_review(track())
    assert "media-src data:;" in render_review(track(), video="data:video/mp4;base64,AAAA")
    assert not re.findall(r"https?://(?!www\.w3\.org/2000/svg)", page)


def test_text_stays_text_wherever_it_stands():
    lines = (Line(Span(0, 1), HOSTILE),)
    some = Track(
        HOSTILE, track(text=HOSTILE).descriptions, made_by=HOSTILE, options={HOSTILE: HOSTILE}, dialogue=lines
    )
    page = render_review(some, stem=HOSTILE, video="a.mp4")
    assert page.count("<script") == page.count("</script") == 2
    assert "<!--" not in page
    assert "\u2028" not in page[page.index('id="data"') :]
    data = data_of(page)
    assert data["dialogue"][0]["text"] == HOSTILE and re.fullmatch(r"[\w. -]+", data["stem"])


def test_the_pace_is_that_of_the_voice_where_it_is_known():
    assert data_of(render_review(track()))["practice"]["characters_per_second"] == 16
    said = Description(Span(0, 2), "x" * 20, speech=Speech(2.0, "ann"))
    assert data_of(render_review(Track("film", (said,))))["practice"]["characters_per_second"] == 10


@pytest.mark.parametrize("count", [1, 40, 1500])
def test_pictures_are_made_small_enough_for_the_page(count, monkeypatch, tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (90, 160, 3), dtype=np.uint8)
    monkeypatch.setattr(
        pictures, "read_shown", lambda film, times, problems: ((n, noise, t) for n, t in enumerate(times))
    )
    monkeypatch.setattr(pictures, "WIDTHS", (48, 32))  # noise is the worst there is, and slow
    some = track(count)
    room = min(LARGEST - text_size(some) - 200 * count, 20_000 * count)
    frames = thumbnails(some, tmp_path / "film", room)
    assert len(frames) == count and {len(each) for each in frames.values()} == {4 if count < 1500 else 1}
    assert sum(len(base64.b64encode(one.jpeg)) for each in frames.values() for one in each) <= room
    assert len(render_review(some, frames=frames).encode()) < 10_000_000


def test_a_picture_says_when_it_is_and_not_what_it_shows():
    page = render_review(track(), frames={"ad1": [Thumbnail(b"\xff\xd8", 1.5, 160, 90)]})
    assert data_of(page)["frames"]["ad1"][0]["time"] == 1.5
