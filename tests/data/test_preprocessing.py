"""Pictures as a CLIP tower sees them: on the host as Pillow makes them, on the device within one level of that."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from distinctad_jax.data.preprocessing import Geometry, clip_geometry, normalised, prepare_frames
from distinctad_jax.data.video import read_frames
from distinctad_jax.models import preprocessing
from distinctad_jax.models.towers import CLIP_DEVIATION, CLIP_MEAN, normalise_frames
from distinctad_jax.movie.span import Span

on_device = jax.jit(preprocessing.prepare_frames, static_argnums=1)
FILMS = {
    "big_buck_bunny_opening_480p.mp4": (2.0, 6.0),
    "his_girl_friday_6s.mp4": (0.0, 5.0),
    "tears_of_steel_battle_clip.webm": (1.0, 4.0),
}


@pytest.mark.parametrize(
    ("height", "width", "size", "expected"),
    [
        (480, 854, 224, Geometry(224, 398, 0, 87)),
        (816, 1920, 224, Geometry(224, 527, 0, 151)),  # 151.5 is rounded down
        (1920, 1080, 336, Geometry(597, 336, 130, 0)),
        (224, 224, 224, Geometry(224, 224, 0, 0)),
        (50, 31, 64, Geometry(103, 64, 19, 0)),  # enlarged
    ],
)
def test_the_short_side_fits_and_the_middle_is_cut_out(height, width, size, expected):
    assert clip_geometry(height, width, size) == expected


@pytest.mark.parametrize("shape", [(97, 143), (143, 97), (31, 50), (64, 64), (226, 112)])
def test_the_device_makes_the_same_picture_as_the_host(shape):
    numbers = np.random.default_rng(0)
    frames = numbers.integers(0, 2, (2, *shape, 3), dtype=np.uint8) * 255  # hard edges: overshoot is cut both times
    host, device = prepare_frames(frames, 64), np.asarray(on_device(frames, 64))
    assert abs(host.astype(int) - device).max() <= 1
    assert (host != device).mean() < 1e-3


def test_a_size_that_is_right_already_is_left_alone():
    frames = np.random.default_rng(1).integers(0, 256, (3, 48, 48, 3), dtype=np.uint8)
    np.testing.assert_array_equal(prepare_frames(frames, 48), frames)
    np.testing.assert_array_equal(on_device(frames, 48), frames)


@pytest.mark.parametrize("name", FILMS)
def test_frames_of_films_are_as_pillow_makes_them(shared, name):
    span = Span(*FILMS[name])
    [(_, frames, _)] = read_frames(shared / "data" / "videos" / name, [span], 2)
    height, width = frames.shape[1:3]
    tall, wide, top, left = clip_geometry(height, width, 224)
    expected = [
        np.asarray(
            Image.fromarray(frame)
            .resize((wide, tall), Image.Resampling.BICUBIC)
            .crop((left, top, left + 224, top + 224))
        )
        for frame in frames
    ]
    np.testing.assert_array_equal(prepare_frames(frames, 224), expected)
    device = np.asarray(on_device(frames, 224)).astype(int)
    assert abs(device - np.stack(expected)).max() <= 1


def test_values_are_those_of_the_tower():
    frames = np.random.default_rng(2).integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)
    found = normalised(frames, CLIP_MEAN, CLIP_DEVIATION)
    np.testing.assert_allclose(found, normalise_frames(jnp.asarray(frames)), atol=1e-6)
    white = normalised(np.full((1, 1, 1, 3), 255, np.uint8), CLIP_MEAN, CLIP_DEVIATION)
    np.testing.assert_allclose(white[0, 0, 0], (1 - np.array(CLIP_MEAN)) / CLIP_DEVIATION, rtol=1e-6)


def test_a_picture_without_pixels_is_refused():
    with pytest.raises(ValueError, match="at least 1"):
        clip_geometry(0, 10, 224)
