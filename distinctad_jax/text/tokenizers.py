"""Words <-> ids: vocabularies out of the files that their authors released, and texts as CLIP's tower reads them.

Only the `tokenizers` library is used. Read are `tokenizer.json`, `vocab.json` + `merges.txt`, `encoder.json` +
`vocab.bpe`, and CLIP's `bpe_simple_vocab_16e6.txt.gz`.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Int32

from distinctad_jax.errors import BadInput
from distinctad_jax.files import read_json
from distinctad_jax.text.byte_pairs import (
    END,
    START,
    Tokenizer,
    base_pieces,
    clip_clean,
    published_layout,
    train_tokenizer,
)
from distinctad_jax.text.llama_pieces import LlamaTokenizer

__all__ = [
    "CLIP_FILE",
    "Tokenizer",
    "base_pieces",
    "clip_clean",
    "clip_ids",
    "clip_words_real",
    "load_tokenizer",
    "read_pieces",
    "train_tokenizer",
]

CLIP_MERGES = 49152 - 256 - 2  # the released file holds more; CLIP was trained with these
LARGEST_FILE = 1 << 27  # bytes after unpacking: a hundred times the published vocabularies
FOLDER_LAYOUTS = (("vocab.json", "merges.txt"), ("encoder.json", "vocab.bpe"))
CLIP_FILE = "bpe_simple_vocab_16e6.txt.gz"
SENTENCE_PIECE = "tokenizer.model"
GPT2_SPLIT = {"type": "ByteLevel", "add_prefix_space": False}

AnyKind = Literal["clip", "gpt2", "llama"]
LANGUAGE: tuple[AnyKind, ...] = ("gpt2", "llama")
"""The kinds of a language model that narrates."""


def load_tokenizer(path: Path, kind: AnyKind | tuple[AnyKind, ...] | None = None) -> Tokenizer:
    """Reads a vocabulary from a folder, or from `tokenizer.json` or CLIP's `.txt.gz` itself.

    A folder is searched for tokenizer.json, vocab.json + merges.txt, encoder.json + vocab.bpe and
    bpe_simple_vocab_16e6.txt.gz, in this order; with `kind`, those of other kinds are passed over. A tokenizer.json
    with rules other than CLIP's or GPT-2's is of kind "llama", and is followed as it stands.

    Errors: BadInput if nothing usable is there; it names what was looked for, or the broken file.
    """
    path = Path(path)
    kinds = (kind,) if isinstance(kind, str) else kind
    tried = []
    for files in _candidates(path):
        tokenizer = _load(files)
        if kinds is None or tokenizer.kind in kinds:
            return tokenizer
        tried.append(f"{files[0].name} is of kind {tokenizer.kind}")
    looked = f"tokenizer.json, {', '.join(' + '.join(pair) for pair in FOLDER_LAYOUTS)} or {CLIP_FILE}"
    found = f" ({'; '.join(tried)})" if tried else ""
    what = f"no {' or '.join(kinds) if kinds else 'usable'} vocabulary{found}, needed {looked}"
    if (path / SENTENCE_PIECE).is_file():
        mend = f"write tokenizer.json from {SENTENCE_PIECE} (in transformers: load, then save_pretrained)"
        raise BadInput(what, where=path, mend=mend)
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
            return Tokenizer(published_layout(merges, "clip"), merges, "clip")
        about = _object(read_json(files[0]), files[0])
        if len(files) == 1 and _has_own_rules(about):
            return LlamaTokenizer(about, _said_end(files[0].parent))
        vocabulary, merges = read_pieces(files)
        return Tokenizer(vocabulary, merges, "clip" if START in vocabulary else "gpt2")
    except BadInput:
        raise
    except (ValueError, OSError, TypeError, OverflowError) as error:
        raise _broken(files[0], str(error)) from error
    except Exception as error:  # the BPE builder of `tokenizers` raises plain Exception (a merge of unknown pieces)
        raise _broken(files[0], f"the merges do not fit the vocabulary: {error}") from error


def _has_own_rules(about: dict[str, Any]) -> bool:
    """Whether a tokenizer.json asks for more than CLIP's rules, or GPT-2's, which need not be read from it."""
    model = about.get("model")
    pieces = model.get("vocab") if isinstance(model, dict) else None
    if not isinstance(model, dict) or not isinstance(pieces, dict):
        return False  # what is wrong with it is said where pieces are read
    if START in pieces:
        return False
    split = about.get("pre_tokenizer")
    plain = split is None or (
        isinstance(split, dict)
        and {key: split.get(key) for key in GPT2_SPLIT} == GPT2_SPLIT
        and split.get("use_regex", True) is True
    )
    foreign = model.get("byte_fallback") or model.get("ignore_merges") or about.get("normalizer")
    return bool(pieces) and (bool(foreign) or not plain or (split is not None and END not in pieces))


def _said_end(folder: Path) -> str | int | None:
    """What ends a text by the files beside a tokenizer.json: the piece or its id; None if none of them says it."""
    for name in ("tokenizer_config.json", "special_tokens_map.json"):
        said = _beside(folder / name).get("eos_token")
        said = said.get("content") if isinstance(said, dict) else said
        if isinstance(said, str):
            return said
    for name in ("generation_config.json", "config.json"):
        said = _beside(folder / name).get("eos_token_id")
        said = said[0] if isinstance(said, list) and said else said
        if isinstance(said, int) and not isinstance(said, bool):
            return said
    return None


def _beside(path: Path) -> dict[str, Any]:
    return _object(read_json(path), path) if path.is_file() else {}


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
