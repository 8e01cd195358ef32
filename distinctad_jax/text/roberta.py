"""RoBERTa's byte-level BPE: GPT-2's pieces under other numbers, with `<s>` before a sentence and `</s>` after it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import tokenizers
from tokenizers import models, pre_tokenizers

from distinctad_jax.errors import BadInput
from distinctad_jax.text.tokenizers import read_pieces

START, PADDING, END = "<s>", "<pad>", "</s>"


class RobertaTokenizer:
    """Sentences to ids as BERTScore wants them: stripped, and with a blank before the first word.

    `start`, `padding` and `end` are ids. Specials that a text spells out are ordinary text.

    Errors: ValueError if the vocabulary lacks a special.
    """

    def __init__(self, vocabulary: dict[str, int], merges: Sequence[tuple[str, str]]):
        missing = [special for special in (START, PADDING, END) if special not in vocabulary]
        if missing:
            raise ValueError(f"{len(vocabulary)} pieces without {missing[0]!r}")
        self.size = len(vocabulary)
        self.start, self.padding, self.end = (vocabulary[special] for special in (START, PADDING, END))
        self._engine = tokenizers.Tokenizer(models.BPE(vocab=vocabulary, merges=list(merges)))
        self._engine.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)

    def encode(self, text: str, length: int) -> list[int]:
        """The ids of a text between its two ends, at most `length` with them; an empty text is the two ends alone."""
        pieces = self._engine.encode(text.strip(), add_special_tokens=False).ids if text.strip() else []
        return [self.start, *pieces[: length - 2], self.end]


def load_roberta_tokenizer(folder: Path) -> RobertaTokenizer:
    """Reads `vocab.json` + `merges.txt`, or `tokenizer.json`.

    Errors: BadInput if neither is there, or if they are broken.
    """
    pair, single = (folder / "vocab.json", folder / "merges.txt"), (folder / "tokenizer.json",)
    files = next((files for files in (pair, single) if all(file.is_file() for file in files)), None)
    if files is None:
        what = "no vocab.json with merges.txt, and no tokenizer.json"
        raise BadInput(what, where=folder, mend="put the published files there")
    try:
        return RobertaTokenizer(*read_pieces(files))
    except BadInput:
        raise
    except Exception as error:  # the BPE builder of `tokenizers` raises plain Exception
        raise BadInput(f"not RoBERTa's vocabulary: {error}", where=files[0], mend="fetch the file again") from error
