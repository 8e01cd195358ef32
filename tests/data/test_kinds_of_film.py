"""Films as studios and phones make them: interlaced, ten bits deep, of odd sizes, damaged midway."""

from fractions import Fraction

import av
import numpy as np
import pytest
from made_films import HEIGHT, WIDTH, number, numbered, write_film

import distinctad_jax.data.film as film_module
from distinctad_jax.data.clips import PixelClips
from distinctad_jax.data.video import probe, read_frames, read_shown
from distinctad_jax.movie.movie import Clip, Movie
from distinctad_jax.movie.span import Span


def encode(path, pictures, *, codec="libx264", format="yuv420p", rate=20, options=None, flags=0):
    """A film at a steady rate."""
    height, width = pictures[0].shape[:2]
    with av.open(str(path), "w") as box:
        stream = box.add_stream(codec, rate=rate)
        stream.width, stream.height, stream.pix_fmt = width, height, format
        stream.options = options or {}
        stream.codec_context.flags |= flags
        for place, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = place, Fraction(1, rate)
            box.mux(stream.encode(frame))
        box.mux(stream.encode(None))
    return path


def bar(left, height=96, width=160):
    """A bright bar on grey."""
    picture = np.full((height, width, 3), 60, np.uint8)
    picture[:, left : left + 24] = 220
    return picture


@pytest.mark.parametrize("kind", ["h264", "mpeg2"])
@pytest.mark.parametrize("size", [None, 64])
def test_of_an_interlaced_picture_one_moment_is_shown(tmp_path, kind, size):
    pictures = []
    for place in range(20):
        woven = bar(4 * place)
        woven[1::2] = bar(4 * place + 12)[1::2]
        pictures.append(woven)
    if kind == "h264":
        path = encode(tmp_path / "woven.mp4", pictures, options={"x264-params": "tff=1", "crf": "10"})
    else:
        options = {"flags": "+ildct+ilme", "top": "1", "b": "4M"}
        path = encode(tmp_path / "woven.mpg", pictures, codec="mpeg2video", rate=25, options=options)
    with av.open(str(path)) as box:
        assert next(box.decode(video=0)).interlaced_frame
    ((_, seen, times),) = read_frames(path, [Span(0.0, 0.7)], 4, size)
    assert seen.shape[1:3] == ((96, 160) if size is None else (64, 64))
    combed = np.abs(np.diff(seen[..., 0].astype(int), axis=1)).mean()
    assert combed < 1.0 < np.abs(np.diff(pictures[5][..., 0].astype(int), axis=0)).mean()
    if size is None:
        rate = 20 if kind == "h264" else 25
        for picture, time in zip(seen, times, strict=True):
            left = int(np.flatnonzero(picture[48, :, 0] > 140)[0])
            assert abs(left - 4 * round(float(time) * rate)) <= 2  # where the upper field has it


@pytest.mark.parametrize("format", ["yuv420p10le", "yuv422p10le", "yuv444p"])
def test_ten_bits_and_finer_colour_are_read_as_eight(tmp_path, format):
    rows, columns = np.mgrid[:48, :64]
    picture = np.stack([rows * 5, columns * 3, np.full_like(rows, 90)], axis=-1).astype(np.uint8)
    path = encode(tmp_path / "deep.mkv", [picture] * 4, codec="ffv1", format=format)
    ((_, seen, _),) = read_frames(path, [Span(0.0, 0.2)], 1)
    assert seen.dtype == np.uint8
    np.testing.assert_allclose(seen[0].astype(int), picture.astype(int), atol=4 if "422" in format else 3)


@pytest.mark.parametrize(("height", "width"), [(47, 63), (75, 33), (17, 201)])
@pytest.mark.parametrize("size", [None, 16])
def test_odd_sizes_are_kept(tmp_path, height, width, size):
    picture = np.zeros((height, width, 3), np.uint8)
    picture[: height // 2] = 200
    path = encode(tmp_path / "odd.mkv", [picture] * 4, codec="ffv1", format="yuv444p")
    ((_, seen, _),) = read_frames(path, [Span(0.0, 0.2)], 2, size)
    assert seen.shape == (2, *((height, width) if size is None else (size, size)), 3)
    assert seen[0, 1].mean() > 190 and seen[0, -2].mean() < 10
    assert (probe(path).height, probe(path).width) == (height, width)


def test_of_several_video_streams_the_first_is_read(tmp_path):
    path = tmp_path / "angles.mkv"
    with av.open(str(path), "w") as box:
        streams = [box.add_stream("libx264", rate=20) for _ in range(2)]
        for place, stream in enumerate(streams):
            stream.width, stream.height, stream.pix_fmt = (
                (WIDTH, HEIGHT, "yuv420p") if place == 0 else (64, 48, "yuv420p")
            )
        for n in range(40):
            for place, stream in enumerate(streams):
                picture = numbered(n) if place == 0 else np.full((48, 64, 3), 128, np.uint8)
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                frame.pts, frame.time_base = n, Fraction(1, 20)
                box.mux(stream.encode(frame))
        for stream in streams:
            box.mux(stream.encode(None))
    ((_, seen, _),) = read_frames(path, [Span(0.0, 2.0)], 4)
    assert [number(picture) for picture in seen] == [5, 15, 25, 35]


def random_moments(seed, length, count):
    rng = np.random.default_rng(seed)
    return np.sort(rng.random(count) * length * 1.1).tolist()


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
@pytest.mark.parametrize("seed", range(4))
def test_pictures_that_are_passed_over_change_none_that_is_shown(tmp_path, monkeypatch, suffix, seed):
    rng = np.random.default_rng(seed)
    times = np.cumsum(rng.choice([0.04, 0.04, 0.04, 0.2, 0.6], 160)).round(3)  # of variable rate
    path = tmp_path / f"film.{suffix}"
    write_film(path, [numbered(n) for n in range(160)], (times - times[0]).tolist(), group=int(rng.integers(5, 80)))
    looked = random_moments(seed, float(times[-1]), 40)
    shown = [(number(picture), time) for _, picture, time in read_shown(path, looked)]
    monkeypatch.setattr(film_module.Film, "_shown", lambda *_: True)
    assert shown == [(number(picture), time) for _, picture, time in read_shown(path, looked)]
    expected = [int(np.searchsorted(times - times[0], moment + 1e-6, side="right")) - 1 for moment in looked]
    assert [found for found, _ in shown] == expected


def test_pictures_that_nobody_looks_at_are_not_decoded(tmp_path):
    pictures = [numbered(n) for n in range(240)]
    path = encode(tmp_path / "film.mp4", pictures, options={"preset": "ultrafast", "bf": "3"})
    with film_module.opened(path) as film:
        wanted = [6.0, 11.0]
        seen = [time for time, _ in film.pictures(lambda: 0.0, wanted)]
    assert len(seen) < 0.55 * 240 and {6.0, 11.0} <= set(seen)


def movie(path, clips, seconds=1.0):
    found = tuple(Clip("film", n, Span(n * seconds, (n + 1) * seconds), f"He sits, {n}.") for n in range(clips))
    return Movie("film", path, found)


@pytest.fixture
def spoilt(tmp_path):
    """Makes a film of 24 s, a key picture every 2 s, of which the third quarter of the bytes is lost."""

    def make(suffix, kind):
        codec = "mpeg4" if suffix == "avi" else "libx264"
        rng = np.random.default_rng(3)
        scene = rng.integers(0, 256, (20, 90, 3), np.uint8).repeat(4, 0).repeat(4, 1)
        pictures = [np.ascontiguousarray(scene[:64, n : n + 96]) for n in range(240)]
        path = write_film(tmp_path / f"film.{suffix}", pictures, [n / 10 for n in range(240)], codec=codec, group=20)
        data = bytearray(path.read_bytes())
        with av.open(str(path)) as box:
            places = [(p.pos, p.size) for p in box.demux(video=0) if p.pos is not None and p.size]
        first, stop = places[len(places) // 2][0], places[len(places) * 3 // 4][0]
        data[first:stop] = rng.bytes(stop - first) if kind == "noise" else bytes(stop - first)
        path.write_bytes(data)
        return path

    return make


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts", "avi"])
@pytest.mark.parametrize("kind", ["noise", "zeros"])
def test_of_a_film_damaged_midway_the_clips_there_are_told_and_the_others_kept(spoilt, suffix, kind):
    path, bad = spoilt(suffix, kind), []
    kept = list(PixelClips(frames=4, size=16, quality=90)(movie(path, 24), bad))
    whole = [clip.index for clip in kept if not clip.lost]
    assert [clip.index for clip in kept] == sorted(clip.index for clip in kept)
    assert set(range(11)) <= set(whole) and set(range(21, 24)) <= set(whole)
    left_out = [round(clip.start) for clip in bad]
    assert set(left_out) >= set(range(14, 17)) and len(kept) + len(bad) == 24
    assert all(clip.file == str(path) and clip.why for clip in bad)
    assert {clip.index for clip in kept if clip.lost} <= {11, 12, 13, 17, 18, 19, 20}


def test_a_pause_of_a_whole_film_is_no_damage(tmp_path):
    times = [n / 10 for n in range(40)] + [30 + n / 10 for n in range(40)]
    path = write_film(tmp_path / "pause.mkv", [numbered(n) for n in range(80)], times)
    bad = []
    kept = list(PixelClips(frames=2, size=16, quality=90)(movie(path, 33), bad))
    assert len(kept) == 33 and not bad and not any(clip.lost for clip in kept)
