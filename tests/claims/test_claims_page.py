"""The page: the same bytes for the same results, every verdict on it, nothing that breaks out of a table."""

import dataclasses
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from distinctad_jax.claims.figures import intervals
from distinctad_jax.claims.page import Page, Yardstick, written
from distinctad_jax.claims.scores import System
from distinctad_jax.claims.verdicts import Claim, judge

CLAIMS = (
    Claim("EM attention", "It <b>adds</b> | much", "m", ("one", "two")),
    Claim("EM attention", "The other way", "m", ("two", "one")),
    Claim("EM attention", "Nobody ran it", "m", ("three", "one")),
    Claim("Levels", "It is low", "m", ("two",), 80.0, "below"),
)


def page(seeds=3, **changes):
    results = {}
    for seed in range(seeds):
        means = np.random.default_rng(seed).uniform(0.2, 0.5, 6)
        made = {"one": means + 0.1, "two": means}
        results[seed] = {
            name: System("a", {"m": np.stack([10 * each, np.full(6, 10.0)], axis=1)}) for name, each in made.items()
        }
    judged = [judge(claim, results) for claim in CLAIMS]
    yard = (Yardstick("m", "what people do", "1 to 2"),)
    made = Page(judged, results, ["one", "two"], ["m", "other"], yard, ["two"], {"commits": "abc"}, "Not run.")
    return dataclasses.replace(made, **changes)


def test_the_same_results_give_the_same_bytes():
    assert written(page(), "claims") == written(page(), "claims")


def test_every_claim_stands_there_with_its_number_and_verdict():
    text, figures = written(page(), "claims")
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    told = [next(line for line in rows if says in line) for says in ("adds", "other way", "Nobody", "low")]
    for line, verdict in zip(told, ("shown", "refuted", "not shown", "shown"), strict=True):
        assert line.endswith(f"| **{verdict}** |")
    assert "&lt;b&gt;adds&lt;/b&gt; \\| much" in told[0] and "one − two" in told[0] and "+10.0 [+" in told[0]
    assert "not measured" in told[2] and "< 80" in told[3] and "| 3, 18 |" in told[0]
    assert "4 claims 2 are shown, 1 are not shown, 1 are refuted" in text
    assert list(figures) == ["em-attention-m.svg"] and "(claims/em-attention-m.svg)" in text
    assert "Not run." in text and "- commits: abc" in text and "| what people do | 1 to 2 |" in text
    assert "not finished" not in text and "not finished" in written(page(seeds=2), "claims")[0]


def test_notes_stand_between_the_lead_and_the_rule():
    text = written(page(notes=("What is what.", "And more.")), "claims")[0]
    assert "not the paper's.\n\nWhat is what.\n\nAnd more.\n\n**The rule.**" in text


def test_pictures_stand_on_the_page_if_there_are_any():
    assert "## Pictures" not in written(page(), "claims")[0]
    text = written(page(pictures={"strip.png": "What bases share"}), "claims")[0]
    assert "## Pictures\n\n![What bases share](claims/strip.png)" in text


def test_a_figure_is_svg_that_draws_what_was_judged():
    judged = page().judged
    drawn = ElementTree.fromstring(intervals("EM & more", judged[:3]))
    texts = [node.text for node in drawn.iter() if node.text and node.text.strip()]
    assert "EM & more" in texts and "It <b>adds</b> | much" in texts and "Nobody ran it" not in texts
    assert {"●", "✕"} <= set(texts) and "+10.0" in texts
    with pytest.raises(ValueError, match="at least one"):
        intervals("none", judged[2:3])
