"""Cuts: ours beside an independent detector's, and lists of other programs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distinctad_jax.data.shots import hsv, read_shots, shots, watch
from distinctad_jax.errors import BadInput
from distinctad_jax.movie.span import Span

LISTED = {  # of shared/data/videos/README.md: an independent detector of the same measure
    "big_buck_bunny_opening_480p.mp4": (11.88, 15.75, 23.04),
    "his_girl_friday_6s.mp4": (),
}


@pytest.mark.parametrize("name", LISTED)
def test_cuts_are_those_of_an_independent_detector(shared, name):
    seen = watch(shared / "data" / "videos" / name)
    assert seen.cuts == pytest.approx(LISTED[name], abs=0.05)
    assert seen.first == 0.0 and not seen.problems
    assert seen.frames == {"big_buck_bunny_opening_480p.mp4": 720, "his_girl_friday_6s.mp4": 185}[name]


@given(st.tuples(*[st.integers(0, 255)] * 3))
def test_hue_saturation_and_value_are_those_of_the_textbook(colour):
    import colorsys

    hue, saturation, value = hsv(np.array([[colour]], np.uint8))[0, 0]
    expected = colorsys.rgb_to_hsv(*(part / 255 for part in colour))
    assert value == max(colour) and saturation == pytest.approx(255 * expected[1], abs=1e-3)
    assert hue == pytest.approx(180 * expected[0], abs=1e-3) or abs(hue - 180 * expected[0]) > 179.9


@pytest.mark.parametrize(
    "text",
    [
        "start,end\n0,2.5\n2.5,4\n4,9\n",
        "2.5\n4\n",
        "Timecode List:,00:00:02.500\nScene Number,Start Frame,Start Time (seconds)\n1,1,0.0\n2,61,2.5\n3,97,4\n",
    ],
)
def test_lists_of_other_programs_are_read(tmp_path, text):
    path = tmp_path / "shots.csv"
    path.write_text(text)
    assert read_shots(path) == (2.5, 4.0)
    assert shots(read_shots(path), 9.0) == [Span(0, 2.5), Span(2.5, 4), Span(4, 9)]


@pytest.mark.parametrize("text", ["", "start\n", "start\nnan\n", "start\n-1\n", "start\n1_0\n", "1\nword\n", "a\0b"])
def test_a_list_that_gives_no_times_is_refused(tmp_path, text):
    path = tmp_path / "shots.csv"
    path.write_text(text)
    with pytest.raises(BadInput, match=r"shots\.csv"):
        read_shots(path)
