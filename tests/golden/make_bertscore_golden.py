"""Makes golden values for BERTScore: a random small RoBERTa with a small vocabulary, and what bert_score says by it.

Run:   python tests/golden/make_bertscore_golden.py   (with torch, transformers and bert_score; the tests need none)
Gives: roberta/        config.json, model.safetensors, vocab.json and merges.txt, laid out as on the hub
       bertscore.npz   hidden vectors, and P, R and F of pairs of sentences, at LAYER, float32, computed on a CPU
Ran with: python 3.11, torch 2.13.0+cpu, transformers 5.23.0, tokenizers 0.23.3, bert_score 0.3.13, numpy 2.4.6.
"""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch
from bert_score.utils import greedy_cos_idf
from make_golden import randomise
from safetensors.torch import save_file
from tokenizers import ByteLevelBPETokenizer
from transformers import RobertaConfig, RobertaForMaskedLM

HERE = Path(__file__).parent
LAYER = 2
SENTENCES = [
    "Tony switches on the light.", "Mark and Margo stand facing him.", "He quickly opens the door.", "",
    "A detective stands outside.", "She's at a caf\u00e9, isn't she?", "Tony", "Tony slowly closes the door again.",
    "Tony shrugs, looks at the drinks on the sideboard, then walks calmly to the desk and picks up a bottle.",
]  # fmt: skip


def vocabulary() -> ByteLevelBPETokenizer:
    made = ByteLevelBPETokenizer(add_prefix_space=True)
    made.train_from_iterator(
        SENTENCES * 4, vocab_size=330, show_progress=False, special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    )
    model = json.loads(made.to_str())["model"]
    (HERE / "roberta").mkdir(exist_ok=True)
    (HERE / "roberta" / "vocab.json").write_text(json.dumps(model["vocab"], ensure_ascii=False, indent=0))
    merges = [" ".join(pair) for pair in model["merges"]]
    (HERE / "roberta" / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n")
    return made


@torch.no_grad()
def main() -> None:
    made = vocabulary()
    config = RobertaConfig(
        vocab_size=made.get_vocab_size(), hidden_size=32, intermediate_size=128, num_hidden_layers=3,
        num_attention_heads=4, max_position_embeddings=66, type_vocab_size=1, layer_norm_eps=1e-5,
    )  # fmt: skip
    model = RobertaForMaskedLM(config).eval()
    randomise(model, 5)
    config.save_pretrained(HERE / "roberta")
    tensors = {k: v.contiguous() for k, v in model.state_dict().items() if not k.startswith("lm_head.decoder")}
    save_file(tensors, HERE / "roberta" / "model.safetensors", metadata={"format": "pt"})
    ids = [[0, *made.encode(text.strip()).ids, 2] if text else [0, 2] for text in SENTENCES]
    length = max(map(len, ids))
    padded = torch.tensor([[*each, *[1] * (length - len(each))] for each in ids])
    mask = padded != 1
    hidden = model.roberta(padded, attention_mask=mask.long(), output_hidden_states=True).hidden_states[LAYER]
    said, wanted = (torch.tensor(each) for each in np.indices((len(ids), len(ids))).reshape(2, -1))
    weight = defaultdict(lambda: 1.0, {0: 0.0, 2: 0.0, 1: 0.0})
    idf = torch.tensor([[weight[int(i)] for i in row] for row in padded])
    scores = greedy_cos_idf(
        hidden[wanted].clone(), mask[wanted].long(), idf[wanted].clone(),
        hidden[said].clone(), mask[said].long(), idf[said].clone(),
    )  # fmt: skip
    np.savez(
        HERE / "bertscore.npz", sentences=np.array(SENTENCES), ids=padded.numpy().astype(np.int32),
        real=mask.numpy(), hidden=hidden.numpy(), scores=torch.stack(scores).numpy().reshape(3, len(ids), len(ids)),
    )  # fmt: skip


if __name__ == "__main__":
    main()
