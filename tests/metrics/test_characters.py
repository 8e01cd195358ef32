import numpy as np
import pytest

from distinctad_jax.metrics.characters import character_overlap, meant, names_only

CAST = ["Jack Dawson", "Rose", "The Captain"]


def test_names_are_found_whole_or_by_a_part_that_is_one_persons():
    rows = ["Jack runs to Rose.", "Rosemary waits.", "The captain nods to Dawson.", "He sits."]
    assert meant(rows, CAST, names_only) == [{"Jack Dawson", "Rose"}, set(), {"Jack Dawson"}, set()]
    assert meant(["Jack sits."], ["Jack Dawson", "Jack Hall"], names_only) == [set()]


def test_the_score_is_the_share_of_names_and_rows_without_names_do_not_count():
    said, wanted = ["Jack and Rose run.", "Rose sits.", "He waits."], ["Jack runs.", "He sits.", "Rose waits."]
    found = character_overlap(said, wanted, CAST, names_only)
    np.testing.assert_allclose(found, [0.5, np.nan, 0])
    assert np.isnan(character_overlap(said, wanted, [], names_only)).all()


def test_coreference_can_be_brought():
    """Every He is Jack; a cluster of two names, and a mention across sentences, are dropped."""

    def resolve(text, cast):
        he = [(at, at + 2) for at in range(len(text)) if text.startswith("He", at)]
        rose, jack = text.index("Rose"), text.index("Jack Dawson")
        border = text.index("sits.") + 4
        return [[(jack, jack + 11), *he, (border, border + 4)], [(rose, rose + 4), (jack, jack + 11)]]

    assert meant(["He sits.", "She runs.", "He runs."], CAST, resolve) == [{"Jack Dawson"}, set(), {"Jack Dawson"}]


@pytest.mark.parametrize("name", ["A+B (x", "[a-z]*", "\\d"])
def test_a_name_is_no_pattern(name):
    assert meant([f"See {name} run."], [name], names_only) == [{name}]
