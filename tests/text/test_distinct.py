import csv
from collections import defaultdict

import pytest
from places import SHARED

from distinctad_jax.text.distinct import (
    STOP_WORDS,
    DistinctConfig,
    context_only,
    context_pairs,
    distinctive,
    distinctive_counts,
    distinctive_share,
    mark,
    stem,
    words,
)

TABLE = SHARED / "data" / "annotations" / "madeval_anno_utf8.csv"

WINDOW = ["Anna opens the red door.", "She opens a letter.", None, "Anna's dog barks at the door."]


@pytest.fixture(scope="module")
def movies():
    if not TABLE.is_file():
        pytest.skip("the real annotations are absent")
    found = defaultdict(list)
    with TABLE.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            found[row["movie"]].append((float(row["start"]), row["sentence"]))
    return [[text for _, text in sorted(rows)] for rows in found.values()]


def test_words_are_lower_case_without_possessive_and_punctuation():
    text = "\"Anna's half-open DOOR,\" O’Brien’s 3,000 e-mails... didn't 'stop'"
    found = words(text)
    assert [w.text for w in found] == ["anna", "half-open", "door", "o'brien", "3,000", "e-mails", "didn't", "stop"]
    assert [text[w.start : w.end] for w in found[:3]] == ["Anna", "half-open", "DOOR"]


def test_a_word_is_distinctive_if_no_neighbour_uses_it():
    assert distinctive(WINDOW) == [{"red"}, {"letter"}, set(), {"dog", "barks"}]
    assert distinctive(WINDOW, stopwords=False)[1] == {"she", "a", "letter"}


def test_a_repeated_word_of_one_description_is_still_its_own():
    assert distinctive(["door, door and door", "window"]) == [{"door"}, {"window"}]


def test_names_can_be_dropped_and_a_word_may_be_common_only_from_some_count():
    assert distinctive(["Anna Bell runs.", "Tom sleeps."], drop_names=["Anna Bell", "TOM"]) == [{"runs"}, {"sleeps"}]
    three = ["lamp", "lamp", "lamp", "cup"]
    assert distinctive(three, min_count=3)[0] == {"lamp"}
    assert distinctive(three, min_count=2)[0] == set()
    with pytest.raises(ValueError, match="collection of names"):
        distinctive(three, drop_names="Anna")
    with pytest.raises(ValueError, match="min_count"):
        DistinctConfig(min_count=0)


def test_lemma_joins_regular_forms():
    texts = ["He walks and stopped.", "She walked.", "They gaze, hurry, stop", "gazing, hurried"]
    assert distinctive(texts, lemma=True) == [set(), set(), set(), set()]
    assert distinctive(texts)[1] == {"walked"}
    for forms in (
        "walk walks walked walking",
        "gaze gazes gazed gazing",
        "hurry hurries hurried",
        "kiss kisses kissed",
    ):
        assert len({stem(word) for word in forms.split()}) == 1, forms
    assert stem("glass") == "glass" and stem("bus") == "bus" and stem("ring") == "ring"


def test_context_only_words_are_the_neighbours():
    found = context_only(WINDOW)
    assert found[1] == {"anna", "red", "door", "dog", "barks"}
    assert found[2] == set()
    assert not any(chosen & own for chosen, own in zip(found, distinctive(WINDOW), strict=True))
    assert all(word not in STOP_WORDS for chosen in found for word in chosen)


@pytest.mark.parametrize("rule", [{}, {"lemma": True}, {"stopwords": False}, {"drop_names": ["Anna"]}])
def test_pairs_of_the_context_are_those_of_its_words(rule):
    numbers = {word.text: n for n, word in enumerate(w for text in WINDOW if text for w in words(text))}
    said = list(numbers.items())
    wanted = [{numbers[word] for word in chosen} for chosen in context_only(WINDOW, **rule)]
    found = context_pairs(WINDOW, said, **rule)
    assert all(len(set(each)) == len(each) for each in found)
    assert [set(each) for each in found] == wanted


def test_every_piece_of_every_occurrence_is_marked():
    text = "Locksmith's lock: a locksmith."
    spans = [(0, 4), (4, 9), (9, 11), (11, 16), (16, 17), (17, 19), (19, 24), (24, 29), (29, 30)]
    assert mark(text, spans, {"locksmith"}) == [True, True, False, False, False, False, True, True, False]
    assert mark(text, spans, set()) == [False] * 9


def test_nothing_is_distinctive_in_an_empty_or_uniform_window():
    assert distinctive([]) == []
    assert distinctive([None, None]) == [set(), set()]
    assert distinctive(["The same lamp."] * 3) == [set()] * 3
    assert distinctive_counts([], 8) == (0, 0)


@pytest.mark.parametrize(("size", "share"), [(1, 1.0), (2, 0.87), (4, 0.72), (8, 0.60), (16, 0.49)])
def test_the_share_of_real_word_types_is_as_measured(movies, size, share):
    # Non-overlapping groups in each movie's time order, its last group shorter; pooled over the movies.
    kept, total = map(sum, zip(*(distinctive_counts(texts, size) for texts in movies), strict=True))
    assert kept / total == pytest.approx(share, abs=0.02)


def test_few_real_descriptions_have_no_content_word_left(movies):
    # Windows as above. All real text is zero-safe ground: some descriptions do have none.
    left = [
        chosen
        for texts in movies
        for first in range(0, len(texts), 8)
        for chosen in distinctive(texts[first : first + 8])
    ]
    assert len(left) == 6520
    assert sum(not chosen for chosen in left) / len(left) == pytest.approx(0.013, abs=0.007)


def test_share_of_one_movie():
    assert distinctive_share(["red door", "blue door"], 2) == 0.5
    assert distinctive_share(["a red door", "the blue door"], 2, stopwords=True) == 0.5
