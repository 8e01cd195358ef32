"""CLIP's and GPT-2's byte-level BPE, published or trained here, behind one small class. `tokenizers` reads files."""

from __future__ import annotations

import html
import json
import re
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal, SupportsInt

import tokenizers
from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers, processors, trainers

from distinctad_jax.files import whole, write_json, write_text

Kind = Literal["clip", "gpt2"]

END = "<|endoftext|>"
START = "<|startoftext|>"
WORD_END = "</w>"  # CLIP marks the last piece of a word with it

CLIP_WORDS = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
QUOTES = str.maketrans(
    dict.fromkeys("\u02bc\u2018\u2019\u201a\u201b", "'") | dict.fromkeys("\u201c\u201d\u201e\u201f", '"')
)
SHOWN = (*range(33, 127), *range(161, 173), *range(174, 256))  # bytes that are written as the character they are


def clip_clean(text: str) -> str:
    """What CLIP's tokenizer does to a text first: entities, blanks and curly quotes made plain, lower case.

    Source: clip/simple_tokenizer.py of OpenAI CLIP. Of what ftfy does there, only the quotes and NFC are done here.
    """
    plain = html.unescape(html.unescape(text)).translate(QUOTES)
    return re.sub(r"\s+", " ", unicodedata.normalize("NFC", plain)).strip().lower()


class Tokenizer:
    """One byte-level BPE vocabulary with the rules of its kind.

    `kind` is "clip" or "gpt2" ("llama": see `llama_pieces.LlamaTokenizer`); `size` counts ids, specials included;
    `end` is the id of <|endoftext|>, `start` that of <|startoftext|> (GPT-2 has none: the same as `end`). `opening`
    are the ids that a language model expects before all text. Specials spelled out in a text are ordinary text.

    Errors: ValueError if the vocabulary is smaller than its bytes or lacks a special.
    """

    def __init__(self, vocabulary: dict[str, int], merges: Sequence[tuple[str, str]], kind: Kind):
        needed = {*base_pieces(kind), *specials(kind)}
        missing = sorted(needed - vocabulary.keys())
        if missing:
            raise ValueError(
                f"{len(vocabulary)} pieces without {missing[0]!r}, a {kind} vocabulary needs bytes and specials"
            )
        if sorted(vocabulary.values()) != list(range(len(vocabulary))):
            raise ValueError(f"ids must be 0 .. {len(vocabulary) - 1}, each once")
        self.kind: Literal["clip", "gpt2", "llama"] = kind
        self.size = len(vocabulary)
        self.end = vocabulary[END]
        self.start = vocabulary[START] if kind == "clip" else self.end
        self.opening: tuple[int, ...] = ()
        self._engine = _engine(vocabulary, merges, kind)

    def clean(self, text: str) -> str:
        """The text that is split into pieces: `clip_clean` for CLIP, unchanged for GPT-2."""
        return clip_clean(text) if self.kind == "clip" else text

    def encode(self, text: str) -> list[int]:
        """The ids of a text, without specials."""
        return self._engine.encode(self.clean(text), add_special_tokens=False).ids

    def encode_all(self, texts: Iterable[str]) -> list[list[int]]:
        """`encode` of many texts at once, on all cores."""
        found = self._engine.encode_batch_fast([self.clean(text) for text in texts], add_special_tokens=False)
        return [one.ids for one in found]

    def encode_with_spans(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        """The ids of a text, and where in `clean(text)` each stands, as character offsets [start, end).

        GPT-2 counts the blank before a word to its first piece. Pieces of one character share its offsets.
        """
        found = self._engine.encode(self.clean(text), add_special_tokens=False)
        return found.ids, found.offsets

    def decode(self, ids: Iterable[SupportsInt]) -> str:
        """The text of some ids; specials are skipped. Exact for GPT-2; CLIP puts a blank after every word."""
        text = self._engine.decode([int(i) for i in ids], skip_special_tokens=True)
        return text.replace(WORD_END, " ").strip() if self.kind == "clip" else text

    def spellings(self) -> list[bytes]:
        """The UTF-8 bytes that each id stands for, blanks kept; specials stand for none."""
        clip = self.kind == "clip"
        pieces = [b""] * self.size
        for piece, number in self._engine.get_vocab(with_added_tokens=True).items():
            if piece not in specials("clip" if clip else "gpt2"):
                ends = clip and piece.endswith(WORD_END)
                pieces[number] = spelt(piece.removesuffix(WORD_END) if ends else piece) + b" " * ends
        return pieces

    def save(self, folder: Path) -> None:
        """Writes `tokenizer.json`, which `load_tokenizer` and Hugging Face tools read."""
        with whole(Path(folder) / "tokenizer.json") as partial:
            partial.write_text(self._engine.to_str(), encoding="utf-8")

    def export(self, folder: Path, length: int) -> None:
        """Writes what Hugging Face's CLIPTokenizer or GPT2Tokenizer loads: tokenizer.json, vocab.json, merges.txt and
        their settings. `length` is the most ids of a text."""
        folder, clip = Path(folder), self.kind == "clip"
        engine = tokenizers.Tokenizer.from_str(self._engine.to_str())
        engine.encode_special_tokens = False  # as theirs
        if clip:  # start and end are set around each text
            ends = ((END, self.end), (START, self.start))
            engine.post_processor = processors.RobertaProcessing(*ends, trim_offsets=False, add_prefix_space=False)
        model = json.loads(engine.to_str())["model"]
        names = {"bos_token": START if clip else END, "eos_token": END, "unk_token": END}
        names |= {"pad_token": END} if clip else {}
        about = {"tokenizer_class": "CLIPTokenizer" if clip else "GPT2Tokenizer", "model_max_length": length}
        write_text(folder / "tokenizer.json", engine.to_str())
        write_json(folder / "vocab.json", engine.get_vocab(with_added_tokens=True))
        merges = "".join(f"{first} {second}\n" for first, second in model["merges"])
        write_text(folder / "merges.txt", f"#version: 0.2\n{merges}")
        write_json(folder / "special_tokens_map.json", names)
        write_json(
            folder / "tokenizer_config.json",
            about | names | {"add_prefix_space": False, "clean_up_tokenization_spaces": False},
        )


def base_pieces(kind: Kind) -> list[str]:
    """A printable character for each byte, in the order of the published ids; CLIP: again, as ends of words."""
    characters = [chr(byte) for byte in SHOWN] + [chr(256 + i) for i in range(256 - len(SHOWN))]
    return characters + [c + WORD_END for c in characters] if kind == "clip" else characters


BYTES = dict(zip(base_pieces("gpt2"), (*SHOWN, *(byte for byte in range(256) if byte not in SHOWN)), strict=True))
"""The byte that each character stands for."""


def spelt(piece: str) -> bytes:
    """The bytes of a piece of a byte-level vocabulary; a piece that is none is text."""
    return bytes(BYTES[c] for c in piece) if BYTES.keys() >= {*piece} else piece.encode()


def specials(kind: Kind) -> list[str]:
    return [START, END] if kind == "clip" else [END]


def _engine(vocabulary: dict[str, int], merges: Sequence[tuple[str, str]], kind: Kind) -> tokenizers.Tokenizer:
    suffix = {"end_of_word_suffix": WORD_END, "unk_token": END} if kind == "clip" else {}
    engine = tokenizers.Tokenizer(models.BPE(vocab=vocabulary, merges=list(merges), **suffix))
    engine.add_special_tokens(specials(kind))
    engine.encode_special_tokens = True  # a table that spells <|endoftext|> out must not end a sentence
    if kind == "clip":
        blanks = [normalizers.Replace(Regex(r"\s+"), " "), normalizers.Strip()]
        engine.normalizer = normalizers.Sequence([normalizers.NFC(), *blanks, normalizers.Lowercase()])
    engine.pre_tokenizer = _splitter(kind)
    engine.decoder = decoders.ByteLevel()
    return engine


def _splitter(kind: Kind) -> pre_tokenizers.PreTokenizer:
    if kind == "gpt2":
        return pre_tokenizers.ByteLevel(add_prefix_space=False)
    split = pre_tokenizers.Split(Regex(CLIP_WORDS), behavior="removed", invert=True)
    return pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def published_layout(merges: Iterable[tuple[str, str]], kind: Kind) -> dict[str, int]:
    """The published order of ids: bytes, then merges, then specials."""
    pieces = [*base_pieces(kind), *(first + second for first, second in merges), *specials(kind)]
    return {piece: number for number, piece in enumerate(dict.fromkeys(pieces))}


def train_tokenizer(texts: Iterable[str], kind: Kind, vocab_size: int) -> Tokenizer:
    """Learns merges from texts by the rules of the published vocabularies; the same texts give the same ids.

    For GPT-2 each text is learned after a blank, the form in which descriptions are encoded. The result may be
    smaller than `vocab_size` when no pair of pieces occurs twice.

    Errors: ValueError if `vocab_size` has no room for the bytes and specials.
    """
    least = len(base_pieces(kind)) + len(specials(kind))
    if vocab_size < least:
        raise ValueError(f"a {kind} vocabulary needs at least {least} ids, got vocab_size={vocab_size}")
    suffix: dict[str, Any] = {"end_of_word_suffix": WORD_END} if kind == "clip" else {}
    blank = tokenizers.Tokenizer(models.BPE(**suffix))
    blank.pre_tokenizer = _splitter(kind)
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size + 256,
        min_frequency=2,
        show_progress=False,
        # All base pieces by name: the trainer breaks ties by id, and would number pieces it meets in hash order.
        special_tokens=base_pieces(kind),
        **suffix,
    )
    # Descriptions are encoded after a blank, so the first word of a text is to share the pieces of later ones.
    cleaned = (clip_clean(text) if kind == "clip" else f" {text}" for text in texts)
    blank.train_from_iterator(cleaned, trainer)
    merges: dict[str, tuple[str, str]] = {}
    for first, second in json.loads(blank.to_str())["model"]["merges"]:
        if len(merges) + least < vocab_size:
            merges.setdefault(first + second, (first, second))
    return Tokenizer(published_layout(merges.values(), kind), list(merges.values()), kind)
