"""Vocabularies laid out as Llama's: what the file prescribes is what comes out, and every word finds its ids."""

import json

import pytest
from llama_vocabularies import KINDS, TEXTS, write

from distinctad_jax.data.windows import Descriptions
from distinctad_jax.errors import BadInput
from distinctad_jax.narration.wording import Brief, Wording, sentence
from distinctad_jax.text.distinct import mark
from distinctad_jax.text.prompt import INSTRUCTION, prompt_ids
from distinctad_jax.text.tokenizers import load_tokenizer, train_tokenizer

ODD = ["Zoë’s 猫 runs 1234 miles.", "half-open door", "  two  blanks ", "a\nb", "", "an <unk> </s> <|end_of_text|>"]


@pytest.fixture(scope="module", params=KINDS)
def both(request, tmp_path_factory):
    """The library's tokenizer, and ours out of the same file."""
    folder = tmp_path_factory.mktemp(request.param)
    engine = write(folder, request.param)
    engine.encode_special_tokens = True
    return engine, load_tokenizer(folder)


def test_ids_are_those_that_the_file_prescribes(both):
    engine, tokenizer = both
    assert tokenizer.kind == "llama"
    for text in [*TEXTS, *ODD]:
        if not text.startswith(" "):
            assert tokenizer.encode(text) == engine.encode(text, add_special_tokens=False).ids, text
    assert tokenizer.encode_all(TEXTS) == [tokenizer.encode(text) for text in TEXTS]


def test_a_description_after_other_tokens_begins_with_a_piece_that_has_its_blank(both):
    _, tokenizer = both
    for text in TEXTS:
        ids = tokenizer.encode(f" {text}")
        assert b"".join(tokenizer.spellings()[number] for number in ids) == f" {text}".encode()
        assert tokenizer.spellings()[ids[0]].startswith(b" ")
        assert sentence(tokenizer, [*ids, tokenizer.end, ids[0]]) == text


def test_a_special_opens_a_prompt_and_another_ends_a_text(both):
    engine, tokenizer = both
    first, end = (engine.id_to_token(number) for number in (tokenizer.start, tokenizer.end))
    assert (first, end) in {("<s>", "</s>"), ("<|begin_of_text|>", "<|end_of_text|>")}
    assert prompt_ids(tokenizer, [], 40) == [tokenizer.start, *tokenizer.encode(INSTRUCTION)]
    assert prompt_ids(tokenizer, [], 40) == engine.encode(INSTRUCTION).ids
    assert prompt_ids(train_tokenizer(TEXTS, "gpt2", 300), [], 40)[0] != tokenizer.start


def test_specials_that_a_text_spells_out_are_text(both):
    _, tokenizer = both
    ids = tokenizer.encode(ODD[-1])
    assert not {tokenizer.start, tokenizer.end} & {*ids}
    assert tokenizer.decode(ids) == ODD[-1]
    assert tokenizer.decode([tokenizer.start, *tokenizer.encode("the lamp"), tokenizer.end]) == "the lamp"


def test_spans_point_at_the_text_of_each_piece(both):
    _, tokenizer = both
    text = " Zoë’s naïve 猫 takes the lamp"
    ids, spans = tokenizer.encode_with_spans(text)
    assert ids == tokenizer.encode(text)
    for number, (start, end) in zip(ids, spans, strict=True):
        piece = tokenizer.spellings()[number].decode("utf-8", errors="replace")
        assert "\ufffd" in piece or text[start:end].strip() == piece.strip()
    assert {place for start, end in spans for place in range(start, end)} >= {
        place for place, letter in enumerate(text) if not letter.isspace()
    }


def test_every_id_of_a_distinctive_word_is_marked_and_none_beside_it(both):
    _, tokenizer = both
    texts = ["Anna lifts the crimson lantern.", "“Lanterns!” – the lantern-bearer’s lantern falls 猫lantern."]
    described = Descriptions(texts, tokenizer, 80)
    spellings = tokenizer.spellings()
    for row, text in enumerate(texts):
        flags = described.marked(row, {"lantern", "crimson"})
        told = b"".join(spellings[n] for n, flag in zip(described.ids[row], flags, strict=True) if flag).decode()
        plain = [word for word in told.replace("lantern", " lantern ").split() if word in ("lantern", "crimson")]
        assert plain == (["crimson", "lantern"] if row == 0 else ["lantern"])
        rest = [spellings[n] for n, flag in zip(described.ids[row], flags, strict=True) if not flag]
        assert b"crimson" not in b"".join(rest)
        ids, spans = tokenizer.encode_with_spans(f" {text}")
        assert mark(f" {text}", spans, {"lantern", "crimson"}) == flags[: len(ids)].tolist()
    firsts = described.first_ids([0], {"lantern"})
    assert firsts == [tokenizer.encode(" lantern")[0]]


def test_a_saved_vocabulary_is_the_same_when_read_back(both, tmp_path):
    _, tokenizer = both
    tokenizer.save(tmp_path)
    back = load_tokenizer(tmp_path)
    assert back.kind == "llama" and back.spellings() == tokenizer.spellings()
    assert (back.size, back.start, back.end, back.opening) == (
        tokenizer.size,
        tokenizer.start,
        tokenizer.end,
        tokenizer.opening,
    )
    assert back.encode_all([*TEXTS, *ODD]) == tokenizer.encode_all([*TEXTS, *ODD])


def test_a_forbidden_name_cannot_be_spelt_by_bytes_or_inside_a_longer_piece(tmp_path):
    engine = write(tmp_path, "llama2")
    wording = Wording(load_tokenizer(tmp_path), forbidden=["Tom"])
    closing = {*wording.rules([Brief()]).forbidden[:, 0, -1].tolist()}
    assert {engine.token_to_id("<0x54>"), engine.token_to_id("<0x6F>")} <= closing  # T and o are pieces as well
    assert engine.token_to_id("<0x51>") not in closing  # Q is not


def test_the_end_is_what_the_files_beside_say_or_else_a_known_name(tmp_path):
    engine = write(tmp_path, "llama3")
    other = "<|reserved_special_token_0|>"
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"eos_token": other}))
    assert load_tokenizer(tmp_path).end == engine.token_to_id(other)
    (tmp_path / "tokenizer_config.json").write_text("{}")
    (tmp_path / "config.json").write_text(json.dumps({"eos_token_id": [engine.token_to_id(other), 0]}))
    assert load_tokenizer(tmp_path).end == engine.token_to_id(other)
    (tmp_path / "config.json").unlink()
    assert load_tokenizer(tmp_path).end == engine.token_to_id("<|end_of_text|>")
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"eos_token": "<|nowhere|>"}))
    with pytest.raises(BadInput, match="no id ends a text"):
        load_tokenizer(tmp_path)


def test_a_special_behind_all_others_that_no_text_has_needs_no_row_in_the_weights(tmp_path):
    engine = write(tmp_path, "llama2")
    before = load_tokenizer(tmp_path)
    engine.add_special_tokens(["<pad>"])
    (tmp_path / "tokenizer.json").write_text(engine.to_str())
    after = load_tokenizer(tmp_path)
    assert after.size == before.size == engine.token_to_id("<pad>")
    assert after.spellings() == before.spellings() and after.encode("a <pad> b") == before.encode("a <pad> b")


def test_digits_of_their_own_are_followed_where_a_file_asks_for_them(tmp_path):
    """As small open models of the layout have it: GPT-2's pieces and end, another way to cut."""
    tokenizer = train_tokenizer(["1999 1999 1999 lamps"] * 5, "gpt2", 300)
    tokenizer.save(tmp_path)
    assert load_tokenizer(tmp_path).kind == "gpt2"
    about = json.loads((tmp_path / "tokenizer.json").read_text())
    digits = {"type": "Digits", "individual_digits": True}
    about["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [digits, about["pre_tokenizer"]]}
    (tmp_path / "tokenizer.json").write_text(json.dumps(about))
    found = load_tokenizer(tmp_path, ("gpt2", "llama"))
    assert (found.kind, found.end, found.opening) == ("llama", tokenizer.end, ())
    assert len(found.encode(" 1999")) > len(tokenizer.encode(" 1999"))
    with pytest.raises(BadInput, match="no gpt2 vocabulary"):
        load_tokenizer(tmp_path, "gpt2")


BROKEN = {
    "a model of type 'WordPiece'": {"model": {"type": "WordPiece", "vocab": {"a": 0}}, "normalizer": {"type": "NFC"}},
    "no BPE": {"model": {"type": "BPE", "byte_fallback": True, "vocab": {"a": 0}, "merges": [["b", "c"]]}},
    "no end": {"model": {"type": "BPE", "byte_fallback": True, "vocab": {"a": 0}, "merges": []}},
    "a rule of no kind": {
        "model": {"vocab": {"a": 0}, "merges": []},
        "pre_tokenizer": {"type": "Split", "pattern": {"Regex": "("}, "behavior": "Isolated", "invert": False},
    },
    "ids that are no numbers": {"model": {"byte_fallback": True, "vocab": {"a": "b"}, "merges": []}},
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_file_is_an_input_fault(tmp_path, case):
    (tmp_path / "tokenizer.json").write_text(json.dumps({"version": "1.0", "added_tokens": [], **BROKEN[case]}))
    with pytest.raises(BadInput, match=r"tokenizer\.json"):
        load_tokenizer(tmp_path)


def test_a_folder_with_a_sentence_piece_model_alone_says_what_to_do(tmp_path):
    (tmp_path / "tokenizer.model").write_bytes(b"\n\x0e")
    with pytest.raises(BadInput, match=r"write tokenizer\.json from tokenizer\.model"):
        load_tokenizer(tmp_path)
