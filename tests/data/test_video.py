"""Films made on the spot, every picture showing its own number, and a few real ones."""

import os
import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition
from PIL import Image

import distinctad_jax.data.film as film_module
from distinctad_jax.data.video import moments, probe, read_frames, read_shown
from distinctad_jax.errors import BadInput
from distinctad_jax.movie.span import Span

VIDEOS = Path(__file__).parents[2].parent / "shared" / "data" / "videos"
needs_videos = pytest.mark.skipif(not VIDEOS.is_dir(), reason="the shared films are not here")
BARS, WIDTH, HEIGHT = 9, 144, 32
RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def numbered(number):
    """A picture whose bars show `number` in binary."""
    picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    for bar in range(BARS):
        picture[:, bar * 16 : (bar + 1) * 16] = 255 * (number >> bar & 1)
    return picture


def number(picture):
    row = picture[picture.shape[0] // 2].mean(axis=-1)
    return sum(int(row[int((bar + 0.5) * len(row) / BARS)] > 128) << bar for bar in range(BARS))


def write_film(path, pictures, times, *, codec="libx264", group=12, aspect=None, audio=False, cover=False):
    """Encodes pictures with the given times (seconds), B-frames included."""
    height, width = pictures[0].shape[:2]
    with av.open(str(path), "w") as box:
        sound = box.add_stream("aac", rate=8000) if audio else None
        art = box.add_stream("mjpeg", rate=1) if cover else None
        if art is not None:
            art.width, art.height, art.pix_fmt, art.disposition = 16, 16, "yuvj420p", Disposition.attached_pic
        stream = box.add_stream(codec, rate=24)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        stream.options = {"preset": "ultrafast", "bf": "2", "g": str(group)} if codec == "libx264" else {}
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        if art is not None:
            for packet in art.encode(av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8))):
                box.mux(packet)
        for picture, time in zip(pictures, times, strict=True):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = round(time * 1000), Fraction(1, 1000)
            box.mux(stream.encode(frame))
        if sound is not None:
            wave = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            wave.sample_rate, wave.pts = 8000, 0
            box.mux([*sound.encode(wave), *sound.encode(None)])
        box.mux(stream.encode(None))
    return path


@pytest.fixture(scope="module")
def steady(tmp_path_factory):
    """6 s at 20 pictures a second."""
    path = tmp_path_factory.mktemp("films") / "steady.mp4"
    return write_film(path, [numbered(n) for n in range(120)], [n / 20 for n in range(120)], audio=True)


def numbers(path, spans, frames, **options):
    return {
        position: [number(p) for p in pictures]
        for position, pictures, _ in read_frames(path, spans, frames, **options)
    }


def test_one_pass_serves_spans_that_overlap_and_stand_in_no_order(steady):
    spans = [Span(3.0, 4.0), Span(0.0, 1.0), Span(0.5, 5.9), Span(3.0, 4.0), Span(2.0, 2.05)]
    expected = {i: [int(t * 20 + 1e-6) for t in moments(span, 4)] for i, span in enumerate(spans)}
    assert numbers(steady, spans, 4) == expected


def test_times_are_those_of_the_pictures(steady):
    ((_, pictures, times),) = read_frames(steady, [Span(1.0, 3.0)], 5)
    assert pictures.dtype == np.uint8 and pictures.shape == (5, HEIGHT, WIDTH, 3) and times.dtype == np.float32
    np.testing.assert_allclose(times, [1.2, 1.6, 2.0, 2.4, 2.8], atol=1e-6)


def test_the_rules_take_middles_or_starts():
    assert moments(Span(2, 4), 4) == [2.25, 2.75, 3.25, 3.75]
    assert moments(Span(2, 4), 4, "starts") == [2.0, 2.5, 3.0, 3.5]
    with pytest.raises(ValueError, match="centres, starts"):
        moments(Span(2, 4), 4, "ends")


def test_past_the_end_the_last_picture_is_held(steady):
    assert numbers(steady, [Span(5.0, 7.0), Span(100.0, 360_000.0), Span(1e300, 2e300)], 2) == {
        0: [110, 119],
        1: [119, 119],
        2: [119, 119],
    }


def test_a_film_of_variable_rate_is_read_by_its_timestamps(tmp_path):
    times = [0.0, 0.04, 0.5, 2.0, 2.04, 2.08, 7.0]
    path = write_film(tmp_path / "vfr.mkv", [numbered(n) for n in range(7)], times)
    looked = [0.0, 0.03, 0.05, 1.9, 2.0, 2.05, 6.9, 7.5]
    shown = {position: (number(p), time) for position, p, time in read_shown(path, looked)}
    assert [shown[i][0] for i in range(8)] == [0, 0, 1, 2, 3, 4, 5, 6]
    assert [shown[i][1] for i in range(8)] == pytest.approx([0.0, 0.0, 0.04, 0.5, 2.0, 2.04, 2.08, 7.0], abs=1e-3)


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
def test_times_count_from_the_first_picture(tmp_path, suffix):
    path = write_film(
        tmp_path / f"late.{suffix}", [numbered(n) for n in range(40)], [100 + n / 20 for n in range(40)]
    )
    assert numbers(path, [Span(0.0, 1.0)], 4) == {0: [2, 7, 12, 17]}
    assert probe(path).duration == pytest.approx(2.0, abs=0.06)


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


def turned(path, matrix):
    """Writes a display matrix into the track header of an mp4."""
    data = bytearray(path.read_bytes())
    start = data.index(b"tkhd") + 44
    data[start : start + 36] = struct.pack(">9i", *matrix)
    path.write_bytes(data)
    return path


def quadrants(height=64, width=96):
    picture = np.zeros((height, width, 3), np.uint8)
    picture[: height // 2, : width // 2], picture[: height // 2, width // 2 :] = RED, GREEN
    picture[height // 2 :, : width // 2], picture[height // 2 :, width // 2 :] = BLUE, WHITE
    return picture


def corners(picture):
    """Names of the colours of the four corners, row by row."""
    names = {RED: "red", GREEN: "green", BLUE: "blue", WHITE: "white"}
    height, width = picture.shape[:2]
    found = []
    for y, x in [(0.1, 0.1), (0.1, 0.9), (0.9, 0.1), (0.9, 0.9)]:
        pixel = picture[int(y * height), int(x * width)].astype(int)
        found.append(names[min(names, key=lambda colour: np.abs(pixel - colour).sum())])
    return found


ONE = 1 << 16


@pytest.mark.parametrize(
    ("matrix", "expected", "shape"),
    [
        ((ONE, 0, 0, 0, ONE, 0, 0, 0, 1 << 30), ["red", "green", "blue", "white"], (64, 96)),
        ((0, ONE, 0, -ONE, 0, 0, 0, 0, 1 << 30), ["blue", "red", "white", "green"], (96, 64)),  # 90 degrees clockwise
        ((-ONE, 0, 0, 0, -ONE, 0, 0, 0, 1 << 30), ["white", "blue", "green", "red"], (64, 96)),
        ((0, -ONE, 0, ONE, 0, 0, 0, 0, 1 << 30), ["green", "white", "red", "blue"], (96, 64)),
    ],
)
@pytest.mark.parametrize("size", [None, 32])
def test_pictures_stand_upright(tmp_path, matrix, expected, shape, size):
    path = turned(write_film(tmp_path / "turned.mp4", [quadrants()] * 3, [0, 0.1, 0.2]), matrix)
    ((_, pictures, _),) = read_frames(path, [Span(0, 0.3)], 1, size)
    assert corners(pictures[0]) == expected
    assert pictures.shape[1:3] == (shape if size is None else (size, size))
    facts = probe(path)
    assert (facts.height, facts.width) == shape


def test_pixels_that_are_not_square_are_made_square(tmp_path):
    path = write_film(tmp_path / "wide.mkv", [quadrants()] * 3, [0, 0.1, 0.2], aspect=Fraction(2, 1))
    ((_, pictures, _),) = read_frames(path, [Span(0, 0.3)], 1)
    assert pictures.shape == (1, 64, 192, 3)
    assert (probe(path).width, probe(path).height) == (192, 64)
    ((_, cut, _),) = read_frames(path, [Span(0, 0.3)], 1, 64)
    np.testing.assert_allclose(cut[0].astype(int), pictures[0][:, 64:128].astype(int), atol=8)


@pytest.mark.parametrize("shape", [(90, 160), (161, 91), (30, 40)])
def test_the_geometry_is_that_of_clip(tmp_path, shape):
    """Short side to size, antialiased bicubic, centre cut: as Pillow does it, up to the rounding of YUV."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    smooth = np.stack([rows * 1.5, columns * 1.5, 128 + 100 * np.sin((rows + columns) / 9)], axis=-1)
    path = write_film(
        tmp_path / "plain.mkv", [smooth.astype(np.uint8)[: shape[0] // 2 * 2, : shape[1] // 2 * 2]], [0]
    )
    ((_, whole, _),) = read_frames(path, [Span(0, 1)], 1)
    ((_, cut, _),) = read_frames(path, [Span(0, 1)], 1, 48)
    height, width = whole.shape[1:3]
    scaled = (48, int(48 * height / width)) if width < height else (int(48 * width / height), 48)
    wanted = Image.fromarray(whole[0]).resize(scaled, Image.Resampling.BICUBIC)
    left, top = round((wanted.width - 48) / 2), round((wanted.height - 48) / 2)
    wanted = np.asarray(wanted.crop((left, top, left + 48, top + 48)), int)
    assert np.abs(cut[0].astype(int) - wanted).mean() < 0.5


def cover_before_film(path):
    """Moves the metadata of an mp4, where its cover is, before the tracks."""
    data = path.read_bytes()
    start = data.index(b"moov") - 4
    boxes, place = [], start + 8
    while place < start + int.from_bytes(data[start : start + 4], "big"):
        boxes.append(data[place : place + int.from_bytes(data[place : place + 4], "big")])
        place += len(boxes[-1])
    boxes.sort(key=lambda box: ["mvhd", "udta", "trak"].index(box[4:8].decode()))
    path.write_bytes(data[: start + 8] + b"".join(boxes) + data[place:])


def test_the_film_is_read_and_not_its_cover(tmp_path):
    path = write_film(
        tmp_path / "cover.mp4", [numbered(n) for n in range(20)], [n / 20 for n in range(20)], cover=True
    )
    cover_before_film(path)
    with av.open(str(path)) as box:
        assert [bool(s.disposition & Disposition.attached_pic) for s in box.streams.video] == [True, False]
    assert numbers(path, [Span(0, 1)], 2) == {0: [5, 15]}


def test_facts(steady):
    facts = probe(steady)
    assert (facts.width, facts.height, facts.has_audio) == (WIDTH, HEIGHT, True)
    assert facts.duration == pytest.approx(6.0, abs=0.06) and facts.frames_per_second == pytest.approx(20.0, abs=0.5)


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


def test_pictures_of_too_many_pixels_are_refused(steady, monkeypatch):
    monkeypatch.setattr(film_module, "MAX_PIXELS", WIDTH * HEIGHT - 1)
    with pytest.raises(BadInput, match=f"{WIDTH}x{HEIGHT}"):
        probe(steady)
    monkeypatch.setattr(film_module, "MAX_PIXELS", WIDTH * HEIGHT * 2)  # the decoder counts padded pictures
    assert probe(steady).width == WIDTH


def test_names_that_look_like_protocols_or_patterns_are_only_names(tmp_path, steady, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("concat:a|b.mp4", "%d.mp4", "-i.mp4", "film \U0001f3ac\n.mp4"):
        Path(name).write_bytes(steady.read_bytes())
        assert probe(Path(name)).width == WIDTH
    with pytest.raises(BadInput, match="no such file"):
        probe(Path("http://localhost/film.mp4"))


def test_settings_that_mean_nothing_are_refused(steady):
    with pytest.raises(ValueError, match="frame"):
        next(read_frames(steady, [Span(0, 1)], 0))
    with pytest.raises(ValueError, match="size"):
        next(read_frames(steady, [Span(0, 1)], 1, 0))
    assert list(read_frames(steady, [], 4)) == []


@needs_videos
@pytest.mark.parametrize(
    ("name", "width", "height", "rate", "seconds"),
    [
        ("tears_of_steel_battle_clip.webm", 800, 332, 24, 70.5),
        ("big_buck_bunny_opening_480p.mp4", 854, 480, 24, 30.0),
        ("his_girl_friday_6s.mp4", 640, 480, 30, 6.2),
    ],
)
def test_real_films(name, width, height, rate, seconds):
    facts = probe(VIDEOS / name)
    assert (facts.width, facts.height, round(facts.frames_per_second), facts.has_audio) == (width, height, rate, True)
    assert facts.duration == pytest.approx(seconds, abs=0.1)
    spans = [Span(1, 3), Span(seconds - 2, seconds + 3), Span(0, 2)]
    problems = []
    found = {position: (p, t) for position, p, t in read_frames(VIDEOS / name, spans, 4, 64, problems=problems)}
    assert sorted(found) == [0, 1, 2] and problems == []
    for position, span in enumerate(spans):
        pictures, times = found[position]
        assert pictures.shape == (4, 64, 64, 3)
        shown = np.asarray(moments(span, 4)) < seconds - 0.2
        lag = (np.asarray(moments(span, 4)) - times)[shown]
        assert (lag > -1e-3).all() and (lag < 1.5 / rate).all()
        assert (times[~shown] > seconds - 0.2).all()


@needs_videos
def test_a_cut_is_seen_where_it_is():
    """Big Buck Bunny cuts at 15.75 s: the pictures on either side differ, those on one side do not."""
    looked = [15.60, 15.72, 15.78, 15.9]
    shown = [p.astype(int) for _, p, _ in read_shown(VIDEOS / "big_buck_bunny_opening_480p.mp4", looked, 64)]
    assert np.abs(shown[1] - shown[2]).mean() > 5 * max(
        np.abs(shown[0] - shown[1]).mean(), np.abs(shown[2] - shown[3]).mean(), 1.0
    )


@needs_videos
def test_a_real_picture_is_scaled_as_pillow_scales_it():
    film = VIDEOS / "tears_of_steel_battle_clip.webm"
    ((_, whole, _),), ((_, cut, _),) = read_shown(film, [3.0]), read_shown(film, [3.0], 224)
    wanted = Image.fromarray(whole).resize((539, 224), Image.Resampling.BICUBIC).crop((158, 0, 382, 224))
    assert np.abs(cut.astype(int) - np.asarray(wanted, int)).mean() < 0.3
