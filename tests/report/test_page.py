import re
import struct
from html.parser import HTMLParser

import pytest

from distinctad_jax.report.page import Column, Figure, Prose, Said, Section, Strip, Table, render_page

PNG = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 0)
HOSTILE = """<script>alert("1")</script> ' onerror='x' & {{ 7 * 7 }} </title>"""
VOID = {"meta", "img", "link", "br", "hr", "input"}


class Reader(HTMLParser):
    """Reads a page as a browser would, and insists that every element is closed in order."""

    def __init__(self, page: str):
        super().__init__()
        self.open, self.tags, self.words, self.marks, self.best = [], [], [], [], []
        self.feed(page)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)
        if "mark" in self.open:
            self.marks.append(data)
        if "strong" in self.open:
            self.best.append(data)

    def attributes(self, tag: str) -> list[dict]:
        return [attrs for name, attrs in self.tags if name == tag]


def page_of(*parts) -> str:
    return render_page("A run", "What it found.", [Section("Results", parts)], {"seed": 0})


def test_a_page_holds_everything_it_shows():
    page = render_page(
        "A run",
        "What it found.",
        [
            Section(
                "Scores", [Prose(["It works.", "Mostly."]), Table("All", ["system", "score"], [["ours", 1.25]], "n")]
            ),
            Section("Curves", [Figure("Loss", PNG, "A falling curve", "Stage II")]),
            Section("Examples", [Strip("clip 3", PNG, "A man runs", "A man runs.", [Said("ours", "He runs.")])]),
        ],
        {"commit": "abc", "seed": 0},
    )
    read = Reader(page)
    text = " ".join(" ".join(read.words).split())
    for expected in (
        "A run",
        "What it found.",
        "It works.",
        "Mostly.",
        "1.2",
        "Stage II",
        "clip 3",
        "He runs.",
        "abc",
    ):
        assert expected in text
    assert [attrs["alt"] for attrs in read.attributes("img")] == ["A falling curve", "A man runs"]
    assert all(attrs["src"].startswith("data:image/png;base64,") for attrs in read.attributes("img"))
    targets = {attrs["href"].removeprefix("#") for attrs in read.attributes("a")}
    assert targets == {attrs["id"] for attrs in read.attributes("section")}
    assert len(read.attributes("caption")) == 1 and len(read.attributes("h1")) == 1


def test_a_page_asks_no_other_address_for_anything():
    page = page_of(Figure("Loss", PNG, "A curve"), Table("All", ["system"], [["ours"]]))
    assert not re.search(r"https?:|//|@import|url\(", re.sub(r"base64,[\w+/=]+", "", page))
    policy = next(a for a in Reader(page).attributes("meta") if a.get("http-equiv") == "Content-Security-Policy")
    assert policy["content"] == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def test_text_from_data_stays_text_wherever_it_stands():
    page = render_page(
        HOSTILE,
        HOSTILE,
        [
            Section(HOSTILE, [Prose([HOSTILE]), Figure(HOSTILE, PNG, HOSTILE, HOSTILE)]),
            Section("t", [Table(HOSTILE, [HOSTILE, Column(HOSTILE, "higher")], [[HOSTILE, HOSTILE]], HOSTILE)]),
            Section("s", [Strip(HOSTILE, PNG, HOSTILE, HOSTILE, [Said(HOSTILE, HOSTILE, frozenset({"script"}))])]),
        ],
        {HOSTILE: HOSTILE},
    )
    read = Reader(page)
    assert "script" not in {tag for tag, _ in read.tags}
    assert not any("onerror" in attrs for _, attrs in read.tags)
    assert read.attributes("img")[0]["alt"] == HOSTILE
    assert "49" not in re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL)


def test_only_the_given_words_are_marked_as_they_are_written():
    said = [Said("ours", "Mara's lantern; the lantern-light, LANTERN", frozenset({"lantern", "mara"}))]
    read = Reader(page_of(Strip("clip", PNG, "alt", "A red lantern.", said, frozenset({"red"}))))
    assert read.marks == ["red", "Mara", "lantern", "LANTERN"]
    assert "Mara's lantern; the lantern-light, LANTERN" in "".join(read.words)


def test_an_empty_sentence_is_said_to_be_empty():
    assert "(nothing)" in page_of(Strip("clip", PNG, "alt", "A man.", [Said("ours", "")]))


def test_the_best_of_a_column_is_marked_only_when_asked():
    columns = ["system", Column("up", "higher"), Column("down", "lower"), Column("plain")]
    rows = [["a", 1.04, 3, 9.0], ["b", 1.0, 2, 1.0], ["c", 0.5, None, 5.0], ["people", 9.9, 0, 9.9]]
    read = Reader(page_of(Table("All", columns, rows, apart=["people"])))
    assert read.best == ["1.0", "1.0", "2"]  # equal as printed; the row apart takes no part
    assert "–" in read.words


def test_one_number_alone_is_not_the_best_of_anything():
    assert Reader(page_of(Table("All", ["system", Column("up", "higher")], [["a", 1.0]]))).best == []


def test_a_number_that_is_not_finite_is_never_best():
    rows = [["a", float("nan")], ["b", 1.0], ["c", 2.0]]
    read = Reader(page_of(Table("All", ["system", Column("up", "higher")], rows)))
    assert read.best == ["2.0"] and "not finite" in read.words


def test_an_empty_table_is_a_table():
    read = Reader(page_of(Table("All", ["system", Column("up", "higher")], [])))
    assert read.best == [] and "system" in read.words


def test_the_same_values_give_the_same_page():
    assert page_of(Prose(["x"])) == page_of(Prose(["x"]))


def test_refused_values_say_what_was_found():
    with pytest.raises(ValueError, match="2 columns, but a row \\['a'\\]"):
        Table("All", ["system", "score"], [["a"]])
    with pytest.raises(ValueError, match="no rows \\['people'\\]"):
        Table("All", ["system"], [["a"]], apart=["people"])
    with pytest.raises(ValueError, match="is a PNG"):
        page_of(Figure("Loss", b"GIF89a", "A curve"))
