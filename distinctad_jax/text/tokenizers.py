"""Words <-> ids: CLIP's and GPT-2's byte-level BPE, published or trained here, behind one small class.

Only the `tokenizers` library is used. Published vocabularies are read from the files that their authors released:
`tokenizer.json`, `vocab.json` + `merges.txt`, `encoder.json` + `vocab.bpe`, or CLIP's `bpe_simple_vocab_16e6.txt.gz`.
"""

from __future__ import annotations

import gzip
import html
import json
import re
import unicodedata
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal, SupportsInt

import numpy as np
import tokenizers
from jaxtyping import Bool, Int32
from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers, processors, trainers

from distinctad_jax.errors import BadInput
from distinctad_jax.files import read_json, whole, write_json, write_text

Kind = Literal["clip", "gpt2"]

END = "<|endoftext|>"
START = "<|startoftext|>"
WORD_END = "</w>"  # CLIP marks the last piece of a word with it
CLIP_MERGES = 49152 - 256 - 2  # the released file holds more; CLIP was trained with these
LARGEST_FILE = 1 << 27  # bytes after unpacking: a hundred times the published vocabularies

CLIP_WORDS = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
QUOTES = str.maketrans(
    dict.fromkeys("\u02bc\u2018\u2019\u201a\u201b", "'") | dict.fromkeys("\u201c\u201d\u201e\u201f", '"')
)
SHOWN = (*range(33, 127), *range(161, 173), *range(174, 256))  # bytes that are written as the character they are
FOLDER_LAYOUTS = (("vocab.json", "merges.txt"), ("encoder.json", "vocab.bpe"))
CLIP_FILE = "bpe_simple_vocab_16e6.txt.gz"


def clip_clean(text: str) -> str:
    """What CLIP's tokenizer does to a text first: entities, blanks and curly quotes made plain, lower case.

    Source: clip/simple_tokenizer.py of OpenAI CLIP. Of what ftfy does there, only the quotes and NFC are done here.
    """
    plain = html.unescape(html.unescape(text)).translate(QUOTES)
    return re.sub(r"\s+", " ", unicodedata.normalize("NFC", plain)).strip().lower()


class Tokenizer:
    """One byte-level BPE vocabulary with the rules of its kind.

    `kind` is "clip" or "gpt2"; `size` counts ids, specials included; `end` is the id of <|endoftext|>, `start` that
    of <|startoftext|> (GPT-2 has none: the same as `end`). Specials spelled out in a text are ordinary text.

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
        self.kind: Kind = kind
        self.size = len(vocabulary)
        self.end = vocabulary[END]
        self.start = vocabulary[START] if kind == "clip" else self.end
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
        byte = {character: number for number, character in zip(_bytes(), base_pieces("gpt2"), strict=True)}
        pieces = [b""] * self.size
        for piece, number in self._engine.get_vocab(with_added_tokens=True).items():
            if piece not in specials(self.kind):
                ends = self.kind == "clip" and piece.endswith(WORD_END)
                plain = piece.removesuffix(WORD_END) if ends else piece
                pieces[number] = bytes(byte[c] for c in plain) + b" " * ends
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


def _bytes() -> list[int]:
    """The bytes in the order of `base_pieces`."""
    return [*SHOWN, *(byte for byte in range(256) if byte not in SHOWN)]


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


def _layout(merges: Iterable[tuple[str, str]], kind: Kind) -> dict[str, int]:
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
    return Tokenizer(_layout(merges.values(), kind), list(merges.values()), kind)


def load_tokenizer(path: Path, kind: Kind | None = None) -> Tokenizer:
    """Reads a vocabulary from a folder, or from `tokenizer.json` or CLIP's `.txt.gz` itself.

    A folder is searched for tokenizer.json, vocab.json + merges.txt, encoder.json + vocab.bpe and
    bpe_simple_vocab_16e6.txt.gz, in this order; with `kind`, those of the other kind are passed over.

    Errors: BadInput if nothing usable is there; it names what was looked for, or the broken file.
    """
    path = Path(path)
    tried = []
    for files in _candidates(path):
        tokenizer = _load(files)
        if kind in (None, tokenizer.kind):
            return tokenizer
        tried.append(f"{files[0].name} is of kind {tokenizer.kind}")
    looked = f"tokenizer.json, {', '.join(' + '.join(pair) for pair in FOLDER_LAYOUTS)} or {CLIP_FILE}"
    what = f"no {kind or 'usable'} vocabulary" + (f" ({'; '.join(tried)})" if tried else "") + f", needed {looked}"
    raise BadInput(what, where=path, mend="correct the path or put the published files there")


def _candidates(path: Path) -> list[tuple[Path, ...]]:
    if path.is_file():
        return [(path,)]
    layouts = [("tokenizer.json",), *FOLDER_LAYOUTS, (CLIP_FILE,)]
    paths = [tuple(path / name for name in names) for names in layouts]
    return [files for files in paths if all(file.is_file() for file in files)]


def _load(files: tuple[Path, ...]) -> Tokenizer:
    try:
        if files[0].name.endswith(".gz"):
            merges = _pairs(_unpacked(files[0]).split("\n")[1 : CLIP_MERGES + 1], files[0])
            return Tokenizer(_layout(merges, "clip"), merges, "clip")
        vocabulary, merges = read_pieces(files)
        return Tokenizer(vocabulary, merges, "clip" if START in vocabulary else "gpt2")
    except BadInput:
        raise
    except (ValueError, OSError, TypeError, OverflowError) as error:
        raise _broken(files[0], str(error)) from error
    except Exception as error:  # the BPE builder of `tokenizers` raises plain Exception (a merge of unknown pieces)
        raise _broken(files[0], f"the merges do not fit the vocabulary: {error}") from error


def read_pieces(files: tuple[Path, ...]) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """The vocabulary and merges of `tokenizer.json`, or of `vocab.json` and `merges.txt`.

    Errors: BadInput if they are no JSON, or no BPE vocabulary; OSError or ValueError for merges that are no text.
    """
    vocabulary = _object(read_json(files[0]), files[0])
    if len(files) == 2:
        lines = files[1].read_text(encoding="utf-8").split("\n")
        return vocabulary, _pairs([line for line in lines if line and not line.startswith("#version")], files[1])
    model = _object(vocabulary.get("model"), files[0])
    return _object(model.get("vocab"), files[0]), _pairs(model.get("merges"), files[0])


def _unpacked(path: Path) -> str:
    try:
        with gzip.open(path, "rb") as file:
            text = file.read(LARGEST_FILE + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise _broken(path, f"not a whole gzip file: {error}") from error
    if len(text) > LARGEST_FILE:
        raise _broken(path, f"more than {LARGEST_FILE} bytes after unpacking")
    return text.decode("utf-8")


def _object(value: Any, path: Path) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _broken(path, f"needed a JSON object with a BPE vocabulary, found {type(value).__name__}")
    return value


def _pairs(merges: Any, path: Path) -> list[tuple[str, str]]:
    """Merges as pairs; files hold them as `a b` or as `["a", "b"]`."""
    if not isinstance(merges, list):
        raise _broken(path, f"needed a list of merges, found {type(merges).__name__}")
    pairs = [tuple(merge.split(" ")) if isinstance(merge, str) else tuple(merge) for merge in merges]
    wrong = next((number for number, pair in enumerate(pairs) if len(pair) != 2), None)
    if wrong is not None:
        raise _broken(path, f"merge {wrong + 1} is not a pair: {merges[wrong]!r:.60}")
    return pairs  # type: ignore[return-value]


def _broken(path: Path, what: str) -> BadInput:
    return BadInput(f"not a BPE vocabulary: {what}", where=path, mend="download the file again or correct the path")


def clip_ids(tokenizer: Tokenizer, texts: Sequence[str], length: int) -> Int32[np.ndarray, "batch length"]:
    """Ids for CLIP's text tower: start, the text, end, then 0 as OpenAI pads; too long texts keep their end.

    0 is also the id of "!", so readers go by the first `end` id: the tower pools there.
    """
    if length < 3:
        raise ValueError(f"a text needs at least start, one piece and end: length >= 3, got {length}")
    ids = np.zeros((len(texts), length), np.int32)
    for row, found in zip(ids, tokenizer.encode_all(texts), strict=True):
        framed = [tokenizer.start, *found[: length - 2], tokenizer.end]
        row[: len(framed)] = framed
    return ids


def clip_words_real(tokenizer: Tokenizer, ids: Int32[np.ndarray, "batch length"]) -> Bool[np.ndarray, "batch length"]:
    """True on the pieces of words, False on start, end and padding.

    Errors: ValueError if a row has no end.
    """
    ends = ids == tokenizer.end
    if not ends.any(axis=1).all():
        raise ValueError(f"row {int(np.argmin(ends.any(axis=1)))} has no end id {tokenizer.end}")
    place = np.arange(ids.shape[1])
    return (place >= 1) & (place < ends.argmax(axis=1)[:, None])
