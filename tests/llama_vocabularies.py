"""Small vocabularies laid out as Llama 2's and Llama 3's tokenizer.json are, trained on a few sentences."""

import json
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

TEXTS = [
    "Anna crosses the kitchen and takes the lamp.",
    "The lamp falls; Anna steps back, and the old man's dog runs.",
    "In the kitchen Tom lifts the letter and opens the door.",
    "Tom sleeps by the stove. The dog barks at the door.",
]
# What Llama 3 cuts texts into before it looks for pieces.
LLAMA3_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+"
)
KINDS = ("llama2", "llama3")


def llama3() -> Tokenizer:
    """Byte-level; specials come after all pieces, and one opens every text."""
    engine = Tokenizer(models.BPE(ignore_merges=True))
    split = pre_tokenizers.Split(Regex(LLAMA3_WORDS), behavior="isolated")
    engine.pre_tokenizer = pre_tokenizers.Sequence(
        [split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    engine.train_from_iterator(
        [f" {text}" for text in TEXTS * 3],
        trainers.BpeTrainer(vocab_size=340, initial_alphabet=sorted(alphabet), show_progress=False),
    )
    engine.add_special_tokens(["<|begin_of_text|>", "<|end_of_text|>", "<|reserved_special_token_0|>"])
    begin = "<|begin_of_text|>"
    engine.decoder = decoders.ByteLevel()
    template = processors.TemplateProcessing(
        single=f"{begin} $A", special_tokens=[(begin, engine.token_to_id(begin))]
    )
    engine.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=True), template])
    return engine


def llama2() -> Tokenizer:
    """Pieces of characters, bytes where there is none, and a blank of its own before the first word."""
    cut = Tokenizer(models.BPE())
    cut.pre_tokenizer = pre_tokenizers.Metaspace()
    cut.train_from_iterator(TEXTS * 3, trainers.BpeTrainer(vocab_size=90, show_progress=False))
    learned = json.loads(cut.to_str())["model"]
    pieces = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *learned["vocab"]]
    model = models.BPE(
        vocab={piece: number for number, piece in enumerate(pieces)},
        merges=[tuple(pair) for pair in learned["merges"]],
        unk_token="<unk>",
        fuse_unk=True,
        byte_fallback=True,
    )
    engine = Tokenizer(model)
    engine.add_special_tokens(["<unk>", "<s>", "</s>"])
    engine.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    engine.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    engine.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return engine


def write(folder: Path, kind: str) -> Tokenizer:
    """Writes the files that such a model has beside its weights; returns the library's own tokenizer."""
    engine = llama2() if kind == "llama2" else llama3()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tokenizer.json").write_text(engine.to_str(), encoding="utf-8")
    ends = ("<s>", "</s>") if kind == "llama2" else ("<|begin_of_text|>", "<|end_of_text|>")
    about = {"bos_token": ends[0], "eos_token": {"content": ends[1]} if kind == "llama2" else ends[1]}
    (folder / "tokenizer_config.json").write_text(json.dumps(about), encoding="utf-8")
    return engine
