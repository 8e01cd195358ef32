import io
import math

import numpy as np
import pytest
from PIL import Image

from distinctad_jax.report.pictures import bars, frame_strip, loss_curves, responsibility_map


def opened(png: bytes) -> np.ndarray:
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGBA"))


def test_frames_stand_side_by_side_in_order_with_clear_gaps():
    frames = np.zeros((3, 8, 16, 3), np.uint8)
    frames[:, :, :] = np.array([[250, 10, 10], [10, 250, 10], [10, 10, 250]])[:, None, None]
    strip = opened(frame_strip(frames, 40))
    assert strip.shape == (40, 3 * 80 + 2 * 2, 4)
    for at in range(3):
        np.testing.assert_allclose(strip[20, at * 82 + 40, :3], frames[at, 0, 0], atol=4)
    assert (strip[:, [80, 81, 162, 163], 3] == 0).all()
    assert (strip[..., 3] == 0).sum() == 4 * 40


def test_a_strip_of_noise_looks_like_its_frames():
    frames = np.random.default_rng(0).normal(120, 20, (4, 32, 32, 3)).clip(0, 255).astype(np.uint8)
    strip = opened(frame_strip(frames, 32))
    assert np.abs(strip[:, :32, :3].astype(int) - frames[0]).mean() < 8


def test_the_map_shows_shares_with_the_most_used_base_first():
    shares = np.zeros((2, 3, 4), np.float32)
    shares[0, :, 2] = shares[1, :2, 2] = shares[1, 2, 0] = 1  # base 2 is used most, base 0 by a third of clip 1
    picture = opened(responsibility_map(shares, ["One.", "A price of $5 and $6."]))
    permuted = opened(responsibility_map(shares[..., [2, 0, 1, 3]], ["One.", "A price of $5 and $6."]))
    np.testing.assert_array_equal(picture, permuted)
    assert (picture != opened(responsibility_map(shares[::-1].copy(), ["One.", "A price of $5 and $6."]))).any()


def test_curves_of_any_length_with_gaps_are_drawn():
    long = [(step, math.exp(-step / 50)) for step in range(200)]
    gap = [(step, math.nan if 40 < step < 60 else 1.0) for step in range(100)]
    curves = {"loss": long, "other": gap, "one point": [(3, 0.5)]}
    drawn = opened(loss_curves(curves, "Losses"))
    whole = [(step, 1.0) for step in range(100)]
    assert not np.array_equal(drawn, opened(loss_curves(curves | {"other": whole}, "Losses")))  # the gap is seen


def test_bars_with_marks_and_strange_names():
    values = {"full $model_1$": 62.2, "a very long name " * 5: -3.0, "": 0.0}
    drawn = opened(bars(values, "R@5/16", marks={"chance": 31.25}))
    assert not np.array_equal(drawn, opened(bars(values, "R@5/16", marks={"chance": 40.0})))


def test_the_same_values_give_the_same_bytes():
    curves = {"loss": [(0, 2.0), (1, 1.0)]}
    assert loss_curves(curves, "t") == loss_curves(curves, "t")
    frames = np.arange(2 * 8 * 8 * 3, dtype=np.uint8).reshape(2, 8, 8, 3)
    assert frame_strip(frames) == frame_strip(frames)


def test_refused_values_say_what_was_found():
    with pytest.raises(ValueError, match="without: \\['loss'\\]"):
        loss_curves({"loss": []}, "t")
    with pytest.raises(ValueError, match="2 clips, 1 texts"):
        responsibility_map(np.ones((2, 1, 1), np.float32), ["one"])
    with pytest.raises(ValueError, match="height 0"):
        frame_strip(np.zeros((1, 8, 8, 3), np.uint8), 0)
    with pytest.raises(ValueError, match="got none"):
        bars({}, "t")
