import csv
import gzip
import json

import numpy as np
import pytest
from places import SHARED

from distinctad_jax.errors import BadInput
from distinctad_jax.text.tokenizers import (
    CLIP_FILE,
    Tokenizer,
    base_pieces,
    clip_clean,
    clip_ids,
    clip_words_real,
    load_tokenizer,
    train_tokenizer,
)

DATA = SHARED / "data"
published = pytest.mark.skipif(not (DATA / "tokenizers").is_dir(), reason="published vocabularies are absent")

TEXTS = [
    "Anna crosses the kitchen and takes the lamp.",
    "The lamp falls; Anna steps back.",
    "In the kitchen, the old man's dog sleeps by the stove.",
    "Anna lifts the lamp, and the dog runs.",
]


@pytest.fixture(scope="module", params=["clip", "gpt2"])
def trained(request):
    return train_tokenizer(TEXTS * 3, request.param, 600)


@published
def test_published_gpt2_gives_the_known_ids():
    tokenizer = load_tokenizer(DATA / "tokenizers", "gpt2")
    assert (tokenizer.size, tokenizer.end, tokenizer.start) == (50257, 50256, 50256)
    assert tokenizer.encode("The man, stands.") == [464, 582, 11, 6296, 13]


@published
def test_published_clip_gives_the_known_ids():
    tokenizer = load_tokenizer(DATA / "tokenizers" / CLIP_FILE)
    assert (tokenizer.kind, tokenizer.size, tokenizer.start, tokenizer.end) == ("clip", 49408, 49406, 49407)
    ids = clip_ids(tokenizer, ["a photo of a cat's 2 dogs!"], 13)
    assert ids[0].tolist() == [49406, 320, 1125, 539, 320, 2368, 568, 273, 3255, 256, 49407, 0, 0]


@published
def test_gpt2_gives_back_every_real_sentence():
    table = DATA / "annotations" / "madeval_anno_utf8.csv"
    with table.open(encoding="utf-8", newline="") as file:
        sentences = [row["sentence"] for row in csv.DictReader(file)]
    tokenizer = load_tokenizer(DATA / "tokenizers", "gpt2")
    assert len(sentences) == 6520
    assert [tokenizer.decode(ids) for ids in tokenizer.encode_all(sentences)] == sentences


def test_clip_cleaning_makes_quotes_entities_and_blanks_plain():
    assert clip_clean("  The “Old”\n man’s\tdog &amp;amp; Zoe\u0301 ") == 'the "old" man\'s dog & zoé'


def test_a_special_spelled_out_in_a_text_is_text(trained):
    ids = trained.encode("the end <|endoftext|> of <|startoftext|>")
    assert trained.end not in ids and trained.start not in ids
    assert "<|endoftext|>" in trained.decode(ids).replace(" ", "")


def test_training_is_deterministic_and_learns_words(trained):
    again = train_tokenizer(TEXTS * 3, trained.kind, 600)
    assert [again.encode(text) for text in TEXTS] == [trained.encode(text) for text in TEXTS]
    assert trained.size <= 600
    assert len(trained.encode(" lamp")) == 1
    assert trained.end == trained.size - 1


def test_any_text_can_be_encoded_and_read_back(trained):
    text = "Zoë 猫 🙂 99!"
    expected = text if trained.kind == "gpt2" else text.lower().replace(" ", "")
    found = trained.decode(trained.encode(text))
    assert (found if trained.kind == "gpt2" else found.replace(" ", "")) == expected


def test_spans_point_at_the_text_of_each_piece():
    tokenizer = train_tokenizer(TEXTS, "gpt2", 400)
    text = " The naïve man’s lamp."
    ids, spans = tokenizer.encode_with_spans(text)
    assert len(ids) == len(spans) and ids == tokenizer.encode(text)
    for number, (start, end) in zip(ids, spans, strict=True):
        piece = tokenizer.decode([number])
        assert piece == text[start:end] or "\ufffd" in piece  # a part of a character shares its offsets


def test_a_saved_tokenizer_is_the_same_when_read_back(trained, tmp_path):
    trained.save(tmp_path)
    back = load_tokenizer(tmp_path)
    assert (back.kind, back.size, back.end, back.start) == (trained.kind, trained.size, trained.end, trained.start)
    assert back.encode_all(TEXTS) == trained.encode_all(TEXTS)
    assert [path.name for path in tmp_path.iterdir()] == ["tokenizer.json"]


@pytest.mark.parametrize("names", [("vocab.json", "merges.txt"), ("encoder.json", "vocab.bpe")])
def test_the_published_file_pairs_are_read(trained, tmp_path, names):
    trained.save(tmp_path)
    model = json.loads((tmp_path / "tokenizer.json").read_text())["model"]
    (tmp_path / "tokenizer.json").unlink()
    (tmp_path / names[0]).write_text(json.dumps(model["vocab"]))
    (tmp_path / names[1]).write_text("#version: 0.2\n" + "\n".join(map(" ".join, model["merges"])) + "\n")
    back = load_tokenizer(tmp_path)
    assert (back.kind, back.encode_all(TEXTS)) == (trained.kind, trained.encode_all(TEXTS))


def test_clip_ids_end_with_the_end_id_and_pad_with_zero():
    tokenizer = train_tokenizer(TEXTS, "clip", 700)
    ids = clip_ids(tokenizer, ["lamp", TEXTS[2] * 5, ""], 8)
    assert ids.dtype == np.int32 and ids.shape == (3, 8)
    assert (ids[:, 0] == tokenizer.start).all()
    assert ids[1, -1] == tokenizer.end  # too long: cut, with its end
    assert ids[2].tolist() == [tokenizer.start, tokenizer.end, 0, 0, 0, 0, 0, 0]
    real = clip_words_real(tokenizer, ids)
    assert real.sum(axis=1).tolist() == [len(tokenizer.encode("lamp")), 6, 0]
    assert not real[ids == tokenizer.start].any() and not real[ids == tokenizer.end].any()


def test_an_exclamation_mark_is_a_word_and_padding_is_none():
    tokenizer = train_tokenizer(TEXTS, "clip", 600)
    (mark,) = tokenizer.encode("!")
    ids = np.array([[tokenizer.start, 0, mark, tokenizer.end, 0, 0]], np.int32)
    assert clip_words_real(tokenizer, ids).tolist() == [[False, True, True, False, False, False]]


def test_ids_without_an_end_are_refused():
    tokenizer = train_tokenizer(TEXTS, "clip", 600)
    with pytest.raises(ValueError, match="row 0 has no end"):
        clip_words_real(tokenizer, np.zeros((1, 4), np.int32))


def test_a_folder_without_vocabularies_names_what_was_looked_for(tmp_path):
    with pytest.raises(BadInput) as caught:
        load_tokenizer(tmp_path)
    assert all(name in str(caught.value) for name in (str(tmp_path), "tokenizer.json", "merges.txt", CLIP_FILE))


def test_the_wrong_kind_is_refused(trained, tmp_path):
    trained.save(tmp_path)
    other = {"clip": "gpt2", "gpt2": "clip"}[trained.kind]
    with pytest.raises(BadInput, match=f"no {other} vocabulary"):
        load_tokenizer(tmp_path, other)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("tokenizer.json", b"[1]"),
        ("tokenizer.json", b'{"model": {"vocab": {"a": 0}, "merges": []}}'),
        ("tokenizer.json", b'{"model": {"vocab": {}, "merges": [1]}}'),
        (CLIP_FILE, b"not gzip"),
        (CLIP_FILE, gzip.compress(b"#version\na b\nthree words here\n", mtime=0)),
        (CLIP_FILE, gzip.compress(b"#version\n\xff\xfe b\n", mtime=0)),
    ],
)
def test_a_broken_vocabulary_is_an_input_fault(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadInput, match=name):
        load_tokenizer(tmp_path)


def test_a_vocabulary_with_a_hole_or_without_bytes_is_refused():
    pieces = {piece: number for number, piece in enumerate([*base_pieces("gpt2"), "<|endoftext|>"])}
    assert Tokenizer(pieces, [], "gpt2").size == 257
    with pytest.raises(ValueError, match="each once"):
        Tokenizer({**pieces, "<|endoftext|>": 300}, [], "gpt2")
    with pytest.raises(ValueError, match="needs bytes and specials"):
        Tokenizer({"<|endoftext|>": 0}, [], "gpt2")
    with pytest.raises(ValueError, match="at least 257"):
        train_tokenizer(TEXTS, "gpt2", 256)
