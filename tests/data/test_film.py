"""Which files are opened, and what becomes of damaged ones."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import av
import numpy as np
import pytest
from made_films import HEIGHT, WIDTH, numbered, numbers, write_film

import distinctad_jax.data.film as film_module
from distinctad_jax.data.film import MAX_PIXELS, largest_picture, pictures_up_to
from distinctad_jax.data.video import moments, probe, read_frames
from distinctad_jax.errors import BadInput
from distinctad_jax.movie.span import Span


@pytest.fixture(scope="module")
def steady(tmp_path_factory):
    """6 s at 20 pictures a second."""
    path = tmp_path_factory.mktemp("films") / "steady.mp4"
    return write_film(path, [numbered(n) for n in range(120)], [n / 20 for n in range(120)], audio=True)


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts", "avi"])
def test_a_leap_shows_what_the_long_way_shows(tmp_path, monkeypatch, suffix):
    codec = "mpeg4" if suffix == "avi" else "libx264"  # avi keeps no times for B-frames
    path = write_film(
        tmp_path / f"long.{suffix}", [numbered(n) for n in range(400)], [n / 5 for n in range(400)], codec=codec
    )
    spans = [Span(70, 71), Span(0.5, 1.5), Span(30, 32), Span(31, 70.5), Span(79, 90)]
    near = numbers(path, spans, 4)
    monkeypatch.setattr(film_module, "_FAR", 1e9)
    assert near == numbers(path, spans, 4)
    assert near[0] == [int(t * 5 + 1e-6) for t in moments(spans[0], 4)]


def test_a_leap_decodes_less(tmp_path):
    path = write_film(tmp_path / "long.mp4", [numbered(n) for n in range(400)], [n / 5 for n in range(400)])
    with film_module.opened(path) as film:
        seen = 0
        for time, _ in film.pictures(lambda: 75.0):
            seen += 1
            if time >= 75.0:
                break
    assert seen < 40


@pytest.fixture(scope="module")
def broken(tmp_path_factory):
    """The first two thirds of a Matroska file, which says that it lasts 6 s."""
    path = tmp_path_factory.mktemp("films") / "broken.mkv"
    write_film(path, [numbered(n) for n in range(120)], [n / 20 for n in range(120)])
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    return path


def test_of_a_broken_film_what_there_is_is_yielded_and_the_rest_reported(broken):
    problems = []
    found = numbers(broken, [Span(5.5, 5.9), Span(0, 1), Span(2.5, 5.9)], 4, problems=problems)
    assert found[1] == [2, 7, 12, 17]
    assert found[2][0] == 58 and found[2][-1] == found[2][-2] < 113  # held where the film broke off
    assert 0 not in found
    assert any("decoded to 00:00:03" in problem and "of 00:00:05.9" in problem for problem in problems)
    assert any("moments lie in the part" in problem for problem in problems)
    assert all(str(broken) in problem for problem in problems)


def test_a_broken_film_is_an_error_if_nobody_listens(broken):
    pictures = read_frames(broken, [Span(0, 1), Span(5.5, 5.9)], 4)
    assert next(pictures)[0] == 0
    with pytest.raises(BadInput, match=r"broken\.mkv: .*decoded to"):
        next(pictures)
    assert len(list(read_frames(broken, [Span(0, 1)], 4))) == 1  # what is whole up to the last moment is no error


@pytest.mark.parametrize(("suffix", "says"), [("mkv", "decoded to"), ("avi", "packets are damaged")])
def test_noise_in_the_middle_is_reported(tmp_path, suffix, says):
    codec = "mpeg4" if suffix == "avi" else "libx264"
    path = tmp_path / f"noise.{suffix}"
    write_film(path, [numbered(n) for n in range(200)], [n / 20 for n in range(200)], codec=codec)
    data = bytearray(path.read_bytes())
    third = len(data) // 3
    data[third : 2 * third] = np.random.default_rng(0).bytes(third)
    path.write_bytes(data)
    problems = []
    found = {position for position, _, _ in read_frames(path, [Span(0, 1), Span(9, 9.9)], 2, problems=problems)}
    assert 0 in found and any(says in problem for problem in problems)


def noise(path):
    path.write_bytes(np.random.default_rng(0).bytes(40_000))


def sound_only(path):
    with av.open(str(path), "w", format="mp4") as box:
        stream = box.add_stream("aac", rate=8000)
        wave = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        wave.sample_rate = 8000
        box.mux([*stream.encode(wave), *stream.encode(None)])


def playlist(path):
    neighbour = write_film(path.with_name("secret.ts"), [numbered(1)] * 4, [0, 0.1, 0.2, 0.3])
    path.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:0.4,\n{neighbour}\n#EXT-X-ENDLIST\n")


def list_of_files(path):
    write_film(path.with_name("secret.mp4"), [numbered(1)] * 4, [0, 0.1, 0.2, 0.3])
    path.write_text("ffconcat version 1.0\nfile secret.mp4\n")


def header_only(path):
    write_film(path, [numbered(n) for n in range(40)], [n / 20 for n in range(40)])
    path.write_bytes(path.read_bytes()[:900])


def thin(path):
    write_film(path, [np.zeros((2000, 2, 3), np.uint8)] * 2, [0, 0.1], codec="mpeg4")


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: None, "no such file"),
        (lambda path: path.mkdir(), "regular file"),
        (os.mkfifo, "regular file"),
        (lambda path: path.write_bytes(b""), "empty"),
        (lambda path: path.write_text("<!doctype html><title>404</title>" * 50), "no film"),
        (noise, "no film|no video|not one picture"),
        (header_only, "no film"),
        (sound_only, "no video stream"),
        (playlist, "list of files"),
        (list_of_files, "list of files"),
        (thin, "2x2000"),
    ],
    ids=["missing", "folder", "pipe", "empty", "html", "noise", "header", "sound", "playlist", "concat", "thin"],
)
def test_what_is_no_film_is_refused_in_one_line(tmp_path, make, says):
    path = tmp_path / "film.mp4"
    make(path)
    with pytest.raises(BadInput, match=says) as caught:
        list(read_frames(path, [Span(0, 1)], 2, 32))
    line = str(caught.value)
    assert line.startswith(str(path)) and "\n" not in line and "; " in line
    assert path.name in line and caught.value.mend


def test_pictures_of_too_many_pixels_are_refused(steady):
    with pictures_up_to(WIDTH * HEIGHT - 1), pytest.raises(BadInput, match=f"{WIDTH}x{HEIGHT}.*allow more"):
        probe(steady)
    with pictures_up_to(WIDTH * HEIGHT * 2):  # the decoder counts padded pictures
        assert probe(steady).width == WIDTH
    assert largest_picture() == MAX_PIXELS
    with pytest.raises(ValueError, match="at least 1"), pictures_up_to(0):
        pass


def test_the_limit_of_pixels_reaches_threads(steady):
    with pictures_up_to(WIDTH * HEIGHT - 1), ThreadPoolExecutor(1) as pool, pytest.raises(BadInput):
        pool.submit(probe, steady).result()


def test_names_that_look_like_protocols_or_patterns_are_only_names(tmp_path, steady, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("concat:a|b.mp4", "%d.mp4", "-i.mp4", "film \U0001f3ac\n.mp4"):
        Path(name).write_bytes(steady.read_bytes())
        assert probe(Path(name)).width == WIDTH
    with pytest.raises(BadInput, match="no such file"):
        probe(Path("http://localhost/film.mp4"))
