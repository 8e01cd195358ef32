"""Films made on the spot, every picture showing its own number, and a few real ones."""

import struct
from fractions import Fraction

import av
import numpy as np
import pytest
from av.stream import Disposition
from made_films import BLUE, GREEN, HEIGHT, RED, WHITE, WIDTH, number, numbered, numbers, write_film
from PIL import Image
from places import SHARED

from distinctad_jax.data.video import moments, probe, read_frames, read_shown
from distinctad_jax.movie.span import Span

VIDEOS = SHARED / "data" / "videos"
needs_videos = pytest.mark.skipif(not VIDEOS.is_dir(), reason="the shared films are not here")


@pytest.fixture(scope="module")
def steady(tmp_path_factory):
    """6 s at 20 pictures a second."""
    path = tmp_path_factory.mktemp("films") / "steady.mp4"
    return write_film(path, [numbered(n) for n in range(120)], [n / 20 for n in range(120)], audio=True)


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
