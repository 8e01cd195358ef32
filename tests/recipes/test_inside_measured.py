"""What the pictures of the inside rest on: nearest words, fits of frames, chances of words; and the demo's page."""

import dataclasses
import html.parser
import json
import math

import numpy as np
import pytest

from distinctad_jax.data.datasets import Records
from distinctad_jax.data.windows import Descriptions
from distinctad_jax.recipes.demo_pictures import spread
from distinctad_jax.recipes.evaluate import windows_for
from distinctad_jax.recipes.inside import (
    chances,
    distinctive_of,
    frame_word_fits,
    mean_chances,
    nearest_words,
    seen_clips,
    told_words,
)
from distinctad_jax.recipes.models import open_aligner, open_narrator
from distinctad_jax.report.inside import Told
from distinctad_jax.text.distinct import distinctive
from distinctad_jax.text.tokenizers import clip_ids, train_tokenizer
from distinctad_jax.training.step import compiled


def test_a_word_lies_where_the_clips_lie_that_use_it():
    numbers = np.random.default_rng(0)
    ways = {"lantern": 0, "door": 1, "Mara": 2}
    texts = [f"{name} is here with the {name}." for name in ways for _ in range(5)] + ["A rare zebra."]
    shared = np.full(6, 20.0)  # what every clip has is no word's
    known = shared + np.array([5 * np.eye(6)[ways.get(text.split()[0], 4)] for text in texts])
    known += 0.1 * numbers.normal(size=known.shape)
    asked = shared + 3 * np.eye(6)[[1, 2]]
    found = nearest_words(known, texts, asked, most=2)
    assert [near[0][0] for near in found] == ["door", "mara"]
    assert all(len(near) == 2 and 0.7 < near[0][1] <= 1 and near[0][1] > near[1][1] for near in found)
    everything = {word for near in nearest_words(known, texts, asked, most=99) for word, _ in near}
    assert everything == {"lantern", "door", "mara"}  # neither function words nor what is used too seldom
    assert nearest_words(known[:2], ["a b", "c d"], asked[:1]) == [[]]


@pytest.fixture(scope="module")
def descriptions():
    texts = ["Mara lifts an umbrella.", "Mara's lantern, the lantern!", "?"]
    return Descriptions(texts, train_tokenizer(["Mara lifts the", "Mara lifts the"], "gpt2", 300), 48)


def test_the_chance_of_a_word_is_the_product_of_those_of_its_pieces(descriptions):
    numbers = np.random.default_rng(0)
    after, before = (np.log(numbers.uniform(0.1, 1, 48)) for _ in range(2))
    told = told_words(descriptions, 0, after, before, {"umbrella", "zebra"})
    assert told.words == ["mara", "lifts", "an", "umbrella"] and told.marked == {"umbrella"}
    places = dict(descriptions.pieces(0))["umbrella"]
    assert len(places) > 1  # a word that the vocabulary has to spell
    assert told.after[3] == pytest.approx(math.prod(np.exp(after[list(places)])))
    assert told.before[3] == pytest.approx(math.prod(np.exp(before[list(places)])))
    assert told_words(descriptions, 1, after, before, set()).words == ["mara", "lantern", "the", "lantern"]
    assert told_words(descriptions, 2, after, before, set()).words == []


def test_means_are_over_words_of_each_kind():
    told = [Told(["a", "b"], [0.2, 0.4], [0.1, 0.3], {"b"}), Told(["c"], [0.6], [0.5], set())]
    found = mean_chances(told)
    assert found["after"] == pytest.approx({"distinctive": 0.4, "other": 0.4})
    assert found["before"] == pytest.approx({"distinctive": 0.3, "other": 0.3})
    assert mean_chances([])["after"] == {"distinctive": 0.0, "other": 0.0}


def test_rows_are_spread_evenly():
    assert spread(12, 3) == [2, 6, 10] and spread(2, 6) == [0, 1] and spread(0, 3) == []


@pytest.fixture(scope="module")
def parts(demo):
    """Folders of the tiny demo's artefacts, by the name by which the demo calls them."""
    about = json.loads((demo / "demo" / "artefact.json").read_text())
    return {name: demo / name.split()[0] / key for name, key in about["needs"].items()}


def results_of(folder):
    return json.loads((folder / "artefact.json").read_text())["results"]


@pytest.fixture(scope="module")
def full(parts):
    narrator, tokenizer = open_narrator(parts["stage2 full"])
    trained = results_of(parts["stage2 full"])["settings"]
    return narrator, tokenizer, Records(parts["extract"] / "records", "train"), trained


def looked(full, movies, batch=16, policy="block"):
    narrator, _, records, trained = full
    how = {"clips": trained["clips"], "frames": trained["frames"], "policy": policy, "batch": batch}
    return seen_clips(narrator, records, movies, **how)


def test_every_clip_of_a_movie_is_looked_at_once_whatever_the_batch(full):
    movies = list(full[2].movies.values())
    found, again = looked(full, movies), looked(full, movies, batch=2)
    for part, other in zip(found, again, strict=True):
        assert len(part) == sum(map(len, movies))
        np.testing.assert_allclose(part, other, atol=1e-5)
    np.testing.assert_allclose(found.shares.sum(axis=1), 1, atol=1e-5)
    turned = looked(full, movies[::-1], batch=2)  # in the order in which they are named
    np.testing.assert_allclose(turned.left, np.roll(found.left, len(movies[1]), axis=0), atol=1e-5)
    # A clip's tokens are as long as LN leaves them, in all: kept has length at most 1, left the rest.
    width = found.left.shape[1]
    assert (np.linalg.norm(found.kept, axis=1) <= 1 + 1e-5).all()
    assert (np.linalg.norm(found.left, axis=1) <= math.sqrt(width) + 1e-4).all() and found.left.any()
    # Other windows, other bases.
    assert not np.allclose(looked(full, movies, policy="centered").shares, found.shares, atol=1e-6)


def test_a_narrator_without_em_attention_has_nothing_to_look_into(parts, full):
    narrator, tokenizer = open_narrator(parts["stage2 no_em_attention"])
    with pytest.raises(ValueError, match="no EM attention"):
        looked((narrator, tokenizer, *full[2:]), [])


def test_chances_are_those_of_the_references_given_what_stands_before(full):
    narrator, tokenizer, records, trained = full
    found = chances(narrator, windows_for(trained, records, tokenizer, 4, "block"))
    assert found.shape == (len(records), trained["text_length"]) and (found <= 0).all()
    # Only two steps were trained: no id is much likelier than by chance.
    assert abs(found[:, 0].mean() + math.log(tokenizer.size)) < 3


def test_the_numbers_of_the_report_are_those_of_both_narrators(demo, parts, full):
    about = json.loads((demo / "demo" / "report" / "results.json").read_text())["word_probability"]
    narrator, tokenizer, _, trained = full
    records, other = Records(parts["extract"] / "records", "test"), open_narrator(parts["stage2 no_distinctive_loss"])
    windows = list(windows_for(trained, records, tokenizer, 16, "block"))
    after, before = chances(narrator, windows), chances(other[0], windows)
    descriptions = Descriptions([entry.text for entry in records.index], tokenizer, trained["text_length"])
    marked = distinctive_of(records, 8)
    told = [told_words(descriptions, row, after[row], before[row], marked[row]) for row in range(len(records))]
    found = mean_chances(told)
    assert about["full"] == pytest.approx(found["after"], rel=1e-3)
    assert about["no_distinctive_loss"] == pytest.approx(found["before"], rel=1e-3)


def test_distinctive_words_are_those_of_windows_that_do_not_overlap(full):
    records, found = full[2], distinctive_of(full[2], 4)
    assert len(found) == len(records)
    first = next(iter(records.movies.values())).start
    texts = [entry.text for entry in records.index[first : first + 4]]
    assert found[first : first + 4] == distinctive(texts)


def test_a_frame_fits_a_word_by_its_cosine_above_the_average_frames(parts):
    before, after = (Records(parts[name] / "records", "test") for name in ("extract before", "extract"))
    [fits, _] = frame_word_fits(parts["pretrain"], before, after, [3, 0])
    aligner, tokenizer = open_aligner(parts["pretrain"])
    text = before.index[3].text
    ids = clip_ids(tokenizer, [text], aligner.config.text.length)
    state = np.asarray(compiled(aligner, lambda model, ids: model.encode_text(ids).words)(ids))[0]
    _, spans = tokenizer.encode_with_spans(text)
    alone = [place for place, span in enumerate(spans) if tokenizer.clean(text)[slice(*span)] in fits.words]
    assert alone
    word = tokenizer.clean(text)[slice(*spans[alone[0]])]
    direction = state[alone[0] + 1] / np.linalg.norm(state[alone[0] + 1])

    def rays(records, rows):
        vectors = np.concatenate([clip.features for clip in records.get(rows)]).astype(np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    for records, found in ((before, fits.before), (after, fits.after)):
        expected = (rays(records, [3]) - rays(records, range(len(records))).mean(axis=0)) @ direction
        np.testing.assert_allclose(found[:, fits.words.index(word)], expected[fits.chosen], atol=2e-4)


class Pictures(html.parser.HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.alts = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        if tag == "img":
            self.alts.append(dict(attrs)["alt"])


def test_the_demos_page_shows_all_four_and_says_what_they_show(demo):
    alts = Pictures((demo / "demo" / "report" / "index.html").read_text(encoding="utf-8")).alts
    for start in ("One frame for each of", "Clip 1, ", "Two heat maps of", "Bars of the probability of each word"):
        assert [alt for alt in alts if alt.startswith(start)], start


def test_a_demo_without_these_models_says_so(parts, demo):
    """A page is made of any variants: no picture is promised that nobody could draw."""
    from distinctad_jax.recipes.console import Voice
    from distinctad_jax.recipes.demo_pictures import Inside, look_inside
    from distinctad_jax.recipes.workshop import Artefact, Run

    needs = {name: Artefact(folder, "", results_of(folder)) for name, folder in parts.items()}
    needs |= {"stage2 full": needs["stage2 no_em_attention"], "evaluate full": needs["evaluate no_em_attention"]}
    run = Run(demo, "", 0, needs, None, Voice(quiet=True))  # type: ignore[arg-type]
    inside = look_inside(run, ["full", "no_context"])
    assert dataclasses.is_dataclass(inside.fits[0]) and inside.fits
    assert inside == Inside(inside.fits, [], [], {})
