"""Pictures of what goes on inside the models: they show what they are given, and say it in words."""

import io

import numpy as np
import pytest
from PIL import Image

from distinctad_jax.report.inside import Told, frame_word_maps, kept_and_left, shares_strip, word_chances


def opened(picture) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(picture.png)).convert("RGB")).astype(int)


def plain_frames(count, size=12):
    """Frames of one colour each, all different and none a colour of the pictures themselves."""
    colours = [(250, 20, 40 + 10 * at) for at in range(count)]
    return np.broadcast_to(np.array(colours, np.uint8)[:, None, None], (count, size, size, 3)).copy()


def places_of(picture, colour) -> np.ndarray:
    """Rows and columns that have the colour."""
    return np.argwhere((np.abs(opened(picture) - np.array(colour)) < 3).all(axis=2))


def darkness(picture) -> float:
    return float((255 - opened(picture)).sum())


def strip(shares, **changes):
    options = {"window": 2, **changes}
    return shares_strip(
        plain_frames(len(shares)), np.array(shares), [65.0 * at for at in range(len(shares))], **options
    )


def test_frames_of_a_film_stand_in_order_above_their_shares():
    shares = np.zeros((14, 3))
    shares[:, 1] = 1.0
    shares[3] = (0.9, 0.1, 0.0)
    picture, frames = strip(shares), plain_frames(14)
    middles = [places_of(picture, frames[at, 0, 0]).mean(axis=0) for at in range(14)]
    first, second = middles[:12], middles[12:]  # twelve in a line
    assert np.ptp([row for row, _ in first]) < 2 and second[0][0] > first[0][0] + 20
    assert (np.diff([column for _, column in first]) > 0).all()
    np.testing.assert_allclose([second[0][1], second[1][1]], [first[0][1], first[1][1]], atol=2)
    # Under clip 3 the row of base 1, used most and so the first, is pale; under its neighbours it is dark.
    bottom = places_of(picture, frames[3, 0, 0])[:, 0].max()
    below = opened(picture)[bottom + 14]
    assert below[round(first[3][1])].sum() > below[round(first[2][1])].sum() + 300
    assert "14 clips" in picture.alt and "Base 1 is used most" in picture.alt
    assert "100% of it on base 1" in picture.alt and "3 bases" in picture.alt


def test_bases_beyond_the_most_used_are_added_up_and_windows_end_with_lines():
    shares = np.random.default_rng(0).dirichlet(np.ones(9), 10)
    few, all_of_them = strip(shares, most=4), strip(shares, most=9)
    assert opened(all_of_them).shape[0] > opened(few).shape[0]
    assert few.alt == all_of_them.alt
    # Windows of 5 make lines of 10; one of 40 does not fit a line, and is cut.
    assert opened(strip(shares, window=5)).shape[0] == opened(strip(shares, window=10)).shape[0]
    assert opened(strip(np.tile(shares, (2, 1)), window=40)).shape[0] > opened(strip(shares, window=40)).shape[0]


def test_words_that_the_description_says_are_dark():
    near = [[("lantern", 0.8), ("$x$", 0.2)], [("door", 0.5), ("red", 0.1)]]
    texts = ["A lantern falls for $5.", ""]

    def drawn(said):
        return kept_and_left(plain_frames(2), texts, near, near[::-1], said)

    picture = drawn([{"lantern"}, set()])
    assert darkness(drawn([{"lantern", "$x$"}, set()])) > darkness(picture) > darkness(drawn([set(), set()]))
    assert "near the reconstruction lantern, $x$; near the remainder door, red" in picture.alt
    columns = [places_of(picture, colour)[:, 0] for colour in plain_frames(2)[:, 0, 0]]
    assert columns[0].max() < columns[1].min()  # one clip below the other


def test_maps_before_and_after_share_one_scale():
    words, frames = ["mara", "opens", "door"], plain_frames(2)
    calm, sharp = np.full((2, 3), 0.1), np.array([[0.1, 0.1, 0.9], [0.1, -0.8, 0.1]])
    picture, twice = frame_word_maps(frames, words, calm, sharp, {"door"}), frame_word_maps(frames, words, calm, calm)
    half = opened(picture).shape[1] // 2
    # Beside a strong map a weak one is pale; beside itself it is as strong as anything.
    assert (255 - opened(twice)[:, :half]).sum() > (255 - opened(picture)[:, :half]).sum()
    assert darkness(frame_word_maps(frames, words, calm, calm, {"door"})) > darkness(twice)  # bold
    assert "'door' gains most" in picture.alt and "door in frame 1" in picture.alt
    assert "before Stage I and +0.08 after it" in picture.alt
    assert all(len(places_of(picture, colour)) > 100 for colour in frames[:, 0, 0])


def test_chances_are_bars_side_by_side():
    told = Told(["mara", "opens", "the", "door"], [0.9, 0.5, 1.0, 0.25], [0.8, 0.1, 1.0, 0.05], {"opens", "door"})
    picture = word_chances([told], "with", "without")
    assert "opens 10% and 50%, door 5% and 25%" in picture.alt and "without and with" in picture.alt
    surer = word_chances([told._replace(after=[1.0] * 4)], "with", "without")
    assert darkness(surer) > darkness(picture)
    assert "no word is distinctive" in word_chances([told._replace(marked=set())], "with", "without").alt


def test_the_same_values_give_the_same_bytes_and_notebooks_get_the_words_too():
    shares = np.random.default_rng(1).dirichlet(np.ones(4), 3)
    assert strip(shares) == strip(shares)
    png, about = strip(shares)._repr_png_()
    assert png.startswith("iVBOR") and about == {"alt": strip(shares).alt}


def test_what_cannot_be_drawn_is_refused():
    frames, map_ = plain_frames(2), np.zeros((2, 1))
    with pytest.raises(ValueError, match="got 2, 2, 1"):
        shares_strip(frames, np.ones((2, 2)), [0.0], window=1)
    with pytest.raises(ValueError, match="window 0"):
        strip(np.ones((2, 2)), window=0)
    with pytest.raises(ValueError, match="1 texts"):
        kept_and_left(frames, ["a"], [[("w", 1.0)]] * 2, [[("w", 1.0)]] * 2, [set(), set()])
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        kept_and_left(frames, ["a", "b"], [[], [("w", 1.0)]], [[("w", 1.0)]] * 2, [set(), set()])
    with pytest.raises(ValueError, match=r"here \(2, 2\)"):
        frame_word_maps(frames, ["a", "b"], map_, map_)
    with pytest.raises(ValueError, match="no description"):
        word_chances([], "with", "without")
    with pytest.raises(ValueError, match="two numbers"):
        word_chances([Told(["a"], [0.1], [], set())], "with", "without")
