"""The numbers of good practice: their defaults, their ranges, and what the presets change."""

import dataclasses

import pytest

from distinctad_jax.movie.practice import PRESETS, Practice, preset


def test_the_defaults_are_those_of_practice():
    usual = Practice()
    assert (usual.minimum_gap, usual.lead_in, usual.lead_out, usual.pause) == (2.0, 0.3, 0.3, 0.4)
    assert (usual.characters_per_second, usual.fastest_characters_per_second) == (16.0, 18.0)
    assert (usual.shortest, usual.longest, usual.duck, usual.hold) == (1.0, 12.0, 10.0, 2.0)
    assert usual.extended == 0.0  # off unless asked for


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_changes_what_it_says_and_lies_in_all_ranges(name):
    changed = dataclasses.asdict(preset(name))
    for field, value in dataclasses.asdict(Practice()).items():
        assert changed[field] == PRESETS[name].get(field, value)
    assert preset(name, {"minimum_gap": 3}).minimum_gap == 3.0


@pytest.mark.parametrize(
    "changes",
    [{"lead_in": -0.1}, {"rate": 300.0}, {"rate": 200.0}, {"longest": float("nan")}, {"nobody": 1.0}],
)
def test_a_number_out_of_its_range_is_refused(changes):
    with pytest.raises(ValueError, match=next(iter(changes))):
        preset("broadcast", changes)
    with pytest.raises(ValueError, match="presets are"):
        preset("cinema")
