"""Makes decoding.npz: what Hugging Face's `generate` says after prefixes of embeddings, under several rules.

Run:   python tests/golden/make_decoding_golden.py     (after make_golden.py, in an environment with torch)
Gives: decoding.npz    embeddings, real, end and, for each case, its options as JSON, ids and scores
Ran with: python 3.11, torch 2.13.0+cpu, transformers 5.23.0, numpy 2.4.6.

Each row is decoded alone and without its padding: beside padded embeddings, transformers 5.23 excuses the first ids
made from the repetition penalty, as many as there is padding, taking them for the padding itself.

The model is gpt2/ with its last norm 25 times as large, so that some words are much likelier than others; `end` is a
word that it likes to say, so that sentences end at different lengths.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from transformers import GPT2LMHeadModel

HERE = Path(__file__).parent
SHARPER = 25.0
ROWS, SEEN, MOST = 12, 6, 14
PLAIN = {"num_beams": 5, "max_new_tokens": MOST, "min_new_tokens": 1, "repetition_penalty": 1.0}
PLAIN |= {"no_repeat_ngram_size": 0, "length_penalty": 1.0, "early_stopping": False}
CASES = {
    "greedy_rules": {"num_beams": 1, "repetition_penalty": 1.2, "no_repeat_ngram_size": 2},
    "beam_rules": {"repetition_penalty": 1.2, "no_repeat_ngram_size": 3},
    "beam_pairs": {"no_repeat_ngram_size": 2, "num_beams": 3},
    "beam_early": {"early_stopping": True, "repetition_penalty": 1.2},
    "beam_sums": {"length_penalty": 0.0},
    "beam_long": {"length_penalty": 2.0, "min_new_tokens": 4},
    "beam_cut": {"max_new_tokens": 3},
}


@torch.no_grad()
def main() -> None:
    model = GPT2LMHeadModel.from_pretrained(HERE / "gpt2").eval()
    model.transformer.ln_f.weight.mul_(SHARPER)
    model.transformer.ln_f.bias.mul_(SHARPER)
    numbers = np.random.default_rng(5)
    embeddings = torch.from_numpy(0.3 * numbers.standard_normal((ROWS, SEEN, 32)).astype(np.float32))
    real = torch.ones(ROWS, SEEN, dtype=torch.long)
    real[1, :2] = 0
    real[2, :4] = 0
    free = model.generate(
        inputs_embeds=embeddings, do_sample=False, max_new_tokens=MOST, eos_token_id=None, pad_token_id=0
    )
    end = int(np.bincount(free.numpy().ravel()).argsort()[-3])
    made = {"embeddings": embeddings.numpy(), "real": real.numpy().astype(bool), "end": np.int32(end)}
    for name, changes in CASES.items():
        options = PLAIN | changes
        ids, scores = np.full((ROWS, options["max_new_tokens"]), end, np.int32), np.zeros(ROWS, np.float32)
        for row in range(ROWS):
            out = model.generate(
                inputs_embeds=embeddings[row : row + 1, real[row] > 0],
                do_sample=False,
                **options,
                eos_token_id=end,
                pad_token_id=end,
                return_dict_in_generate=True,
                output_scores=True,
            )
            ids[row, : out.sequences.shape[1]] = out.sequences[0].numpy()
            if options["num_beams"] > 1:
                scores[row] = out.sequences_scores[0].item()
        made[f"{name}/options"] = np.frombuffer(json.dumps(options).encode(), np.uint8)
        made[f"{name}/ids"], made[f"{name}/scores"] = ids, scores
        lengths = np.argmax(np.concatenate([ids == end, np.ones((ROWS, 1), bool)], axis=1), axis=1)
        print(f"{name}: tokens before the end {lengths.tolist()}")
    np.savez_compressed(HERE / "decoding.npz", **made)


if __name__ == "__main__":
    main()
