"""Makes llama.npz and the folders llama*/: random small Llamas, and what Hugging Face's make of them.

Run:   python tests/golden/make_llama_golden.py     (in an environment with torch and transformers)
Gives: llama/ llama_tied/   config.json and weights, the first in two shards, as on the hub
       llama.npz            inputs and outputs, float32, computed on a CPU; for every kind of rotary scaling too
Ran with: python 3.11, torch 2.13.0+cpu, transformers 5.23.0, numpy 2.4.6.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from make_golden import randomise
from transformers import LlamaConfig, LlamaForCausalLM

HERE = Path(__file__).parent
SIZES = {"vocab_size": 101, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2}
SIZES |= {"num_attention_heads": 4, "max_position_embeddings": 24, "rms_norm_eps": 1e-5}
MODELS = {
    "llama": {"num_key_value_heads": 2, "tie_word_embeddings": False},
    "llama_tied": {"num_key_value_heads": 4, "tie_word_embeddings": True, "attention_bias": True, "mlp_bias": True}
    | {"head_dim": 6, "rms_norm_eps": 1e-6},
}
# Seen are 10 tokens: more than `original_max_position_embeddings` or, for dynamic, max_position_embeddings.
ROPES = {
    "linear": {"rope_type": "linear", "factor": 2.5},
    "dynamic": {"rope_type": "dynamic", "factor": 3.0},
    "yarn": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 6, "beta_fast": 2.0},
    "longrope": {
        "rope_type": "longrope",
        "factor": 4.0,
        "original_max_position_embeddings": 6,
        "short_factor": [1.0, 1.1, 1.2, 1.3],
        "long_factor": [1.5, 2.0, 3.0, 4.0],
    },
    "llama3": {
        "rope_type": "llama3",
        "factor": 4.0,
        "original_max_position_embeddings": 8,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
    },
}


def made(name: str, **changes: object) -> LlamaForCausalLM:
    torch.manual_seed(0)
    model = LlamaForCausalLM(LlamaConfig(**(SIZES | MODELS[name] | changes))).eval()
    randomise(model, 7)
    return model


@torch.no_grad()
def main() -> None:
    numbers = np.random.default_rng(8)
    ids = torch.from_numpy(numbers.integers(0, 101, (3, 10)))
    real = torch.ones(3, 10, dtype=torch.bool)
    real[1, :4] = False
    real[2, :7] = False
    places = (real.long().cumsum(1) - 1).clamp(min=0)
    found = {"ids": ids.numpy().astype(np.int32), "real": real.numpy()}
    for name in MODELS:
        model = made(name)
        model.save_pretrained(HERE / name, max_shard_size="20KB" if name == "llama" else "1GB")
        steps, memory = [], None
        for index in range(ids.shape[1]):
            out = model(ids[:, index : index + 1], past_key_values=memory, use_cache=True)
            memory = out.past_key_values
            steps.append(out.logits)
        found[f"{name}/logits"] = model(ids).logits.numpy()
        found[f"{name}/cached"] = torch.cat(steps, dim=1).numpy()
        found[f"{name}/padded"] = model(ids, attention_mask=real.long(), position_ids=places).logits.numpy()
        prompt = model.get_input_embeddings()(ids[:, :4])
        found[f"{name}/greedy"] = model.generate(
            inputs_embeds=prompt, do_sample=False, max_new_tokens=8, min_new_tokens=8, pad_token_id=0
        ).numpy()
        found[f"{name}/beam"] = model.generate(
            inputs_embeds=prompt,
            do_sample=False,
            num_beams=5,
            max_new_tokens=8,
            min_new_tokens=8,
            repetition_penalty=1.2,
            no_repeat_ngram_size=3,
            pad_token_id=0,
        ).numpy()
    for kind, rope in ROPES.items():
        length = {"max_position_embeddings": 7} if kind == "dynamic" else {}
        model = made("llama", rope_parameters={"rope_theta": 100.0, **rope}, **length)
        found[f"{kind}/config"] = np.frombuffer(json.dumps(model.config.to_dict(), default=str).encode(), np.uint8)
        found[f"{kind}/logits"] = model(ids).logits.numpy()
        found[f"{kind}/short"] = model(ids[:, :5]).logits.numpy()
    np.savez_compressed(HERE / "llama.npz", **found)


if __name__ == "__main__":
    main()
