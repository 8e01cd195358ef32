"""Vocabularies of the Llama family, as their tokenizer.json prescribes them.

Llama 3's is byte-level BPE, Llama 2's BPE over characters, with bytes for those that it has not; small open models
of that layout have either, with rules of their own for digits and blanks. The library `tokenizers` follows the file;
what is worked out here is what the rest of this package asks of any vocabulary.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, SupportsInt

import tokenizers

from distinctad_jax.files import write_json, write_text
from distinctad_jax.text.byte_pairs import Tokenizer, spelt

BLANK = "▁"  # how pieces over characters write a blank
BYTE = re.compile(r"<0x([0-9A-F]{2})>")  # how they write a byte that no piece has
ENDS = ("<|end_of_text|>", "</s>", "<|endoftext|>", "<|eot_id|>", "<|im_end|>")
"""What ends a text where no file says so."""


class LlamaTokenizer(Tokenizer):
    """A BPE vocabulary with the rules of its own tokenizer.json; see `Tokenizer`.

    `end` is the id that ends a text; `opening` what the file puts before one, and `start` the first of it (or `end`);
    `size` counts ids up to the last that a text can have, or that opens or ends one.
    A text that begins with a blank and one without it give the same ids where the file itself puts a blank before the
    first word, as Llama 2's does.

    Errors: ValueError if it is no BPE, or has no id that ends a text; whatever else is wrong with the file,
      `tokenizers` raises as Exception.
    """

    def __init__(self, about: Mapping[str, Any], end: str | int | None = None):
        """`about` is the content of tokenizer.json; `end` the piece, or the id, that ends a text, if known."""
        model = about.get("model")
        kind = model.get("type", "BPE") if isinstance(model, dict) else None
        if kind != "BPE":
            raise ValueError(f"needed a model of type BPE, found {kind!r}")
        self._engine = tokenizers.Tokenizer.from_str(json.dumps(about))
        self._engine.encode_special_tokens = True  # a table that spells </s> out must not end a sentence
        self._engine.no_padding()
        self._engine.no_truncation()
        self.kind = "llama"
        known = self._engine.get_vocab(with_added_tokens=True)
        if not known:
            raise ValueError("the vocabulary is empty")
        self.end = self._end(known, end)
        self.opening = self._opening()
        self.start = next(iter(self.opening), self.end)
        unused = {piece for piece, special in self._added().items() if special}
        # A special for padding, say, that was added behind all others has no row in the weights, and needs none.
        used = (number for piece, number in known.items() if piece not in unused)
        self.size = max((*used, self.end, *self.opening)) + 1
        self._adds_blank = self.spellings()[self._ids("a")[0]].startswith(b" ") if self._ids("a") else False

    @staticmethod
    def _end(known: dict[str, int], said: str | int | None) -> int:
        if said is None:
            said = next((piece for piece in ENDS if piece in known), None)
        number = known.get(said) if isinstance(said, str) else said
        if number is None or number not in known.values():
            raise ValueError(f"no id ends a text ({said!r} is none); name it as eos_token in tokenizer_config.json")
        return number

    def _opening(self) -> tuple[int, ...]:
        """What the file puts before a text, `end` never being part of it."""
        whole, plain = self._engine.encode("a").ids, self._ids("a")
        before = len(whole) - len(plain)
        while before and whole[before : before + len(plain)] != plain:
            before -= 1
        return tuple(number for number in whole[:before] if number != self.end)

    def _added(self) -> dict[str, bool]:
        """What was added to the pieces, and whether it is a special."""
        return {token.content: token.special for token in self._engine.get_added_tokens_decoder().values()}

    def _ids(self, text: str) -> list[int]:
        return self._engine.encode(text, add_special_tokens=False).ids

    def _given(self, text: str) -> str:
        """The text as the engine is to have it: without the blank that it puts there itself."""
        return text[1:] if self._adds_blank and text.startswith(" ") else text

    def clean(self, text: str) -> str:
        return text

    def encode(self, text: str) -> list[int]:
        return self._ids(self._given(text))

    def encode_all(self, texts: Iterable[str]) -> list[list[int]]:
        found = self._engine.encode_batch_fast([self._given(text) for text in texts], add_special_tokens=False)
        return [one.ids for one in found]

    def encode_with_spans(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        """As `Tokenizer.encode_with_spans`; a blank that the file puts there itself has no character of the text."""
        given = self._given(text)
        found, shift = self._engine.encode(given, add_special_tokens=False), len(text) - len(given)
        spans = [(start + shift, end + shift) for start, end in found.offsets]
        if self._adds_blank and spans:
            spans[0] = 0, shift if found.tokens[0] == BLANK else spans[0][1]
        return found.ids, spans

    def decode(self, ids: Iterable[SupportsInt]) -> str:
        """The text of some ids; specials are skipped, and the blank that the file puts before the first word."""
        return self._engine.decode([int(i) for i in ids], skip_special_tokens=True)

    def spellings(self) -> list[bytes]:
        """The UTF-8 bytes that each id stands for, blanks kept; specials, and ids without a piece, stand for none."""
        in_bytes = "ByteLevel" in json.dumps(json.loads(self._engine.to_str())["decoder"])
        added, pieces = self._added(), [b""] * self.size
        for piece, number in self._engine.get_vocab(with_added_tokens=True).items():
            if added.get(piece):
                continue
            if piece in added:
                pieces[number] = piece.encode()
            elif in_bytes:
                pieces[number] = spelt(piece)
            else:
                byte = BYTE.fullmatch(piece)
                pieces[number] = bytes([int(byte[1], 16)]) if byte else piece.replace(BLANK, " ").encode()
        return pieces

    def save(self, folder: Path) -> None:
        """Writes `tokenizer.json`, and `tokenizer_config.json`, which says what ends a text."""
        self._write(folder, {})

    def export(self, folder: Path, length: int) -> None:
        """Writes what Hugging Face's AutoTokenizer loads. `length` is the most ids of a text."""
        names = self._write(folder, {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": length})
        write_json(Path(folder) / "special_tokens_map.json", names)

    def _write(self, folder: Path, about: dict[str, Any]) -> dict[str, str | None]:
        engine = tokenizers.Tokenizer.from_str(self._engine.to_str())
        engine.encode_special_tokens = False  # as theirs
        names = {"eos_token": engine.id_to_token(self.end)}
        names |= {"bos_token": engine.id_to_token(self.start)} if self.opening else {}
        write_text(Path(folder) / "tokenizer.json", engine.to_str())
        write_json(Path(folder) / "tokenizer_config.json", about | names | {"clean_up_tokenization_spaces": False})
        return names
