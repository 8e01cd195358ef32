"""Makes the golden values of this folder: random small weights, and what Hugging Face's models make of them.

Run:   python tests/golden/make_golden.py     (in an environment with torch and transformers; the tests need neither)
Gives: clip/ gpt2/     config.json and model.safetensors, laid out as on the hub
       clip.npz gpt2.npz   inputs and outputs, float32, computed on a CPU
Ran with: python 3.11, torch 2.13.0+cpu, transformers 5.23.0, safetensors 0.8.0, numpy 2.4.6.

The weights are larger than usual starting weights and no bias is zero, so that each of them matters; embeddings are
small, so that a LayerNorm with another epsilon shows.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from transformers import CLIPConfig, CLIPModel, GPT2Config, GPT2LMHeadModel

HERE = Path(__file__).parent
MEAN, DEVIATION = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
END = 98


def randomise(model: torch.nn.Module, seed: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    for name, value in model.named_parameters():
        noise = torch.randn(value.shape, generator=draw)
        if "norm" in name or ".ln_" in name:
            noise = 0.2 * noise + (1.0 if name.endswith("weight") else 0.0)
        elif "embedding" in name or ".wte" in name or ".wpe" in name:
            noise = 0.03 * noise
        elif value.ndim == 0:
            noise = torch.tensor(1.7)
        else:
            size = 0.5 if "projection" in name else 1.5  # outputs of about 1, so that errors are relative ones too
            noise = noise * (0.1 if value.ndim == 1 else size * value.shape[-1] ** -0.5)
        value.data.copy_(noise)


def save(model: torch.nn.Module, name: str) -> None:
    folder = HERE / name
    folder.mkdir(exist_ok=True)
    model.config.save_pretrained(folder)
    tied = {"lm_head.weight"}
    tensors = {key: value.contiguous() for key, value in model.state_dict().items() if key not in tied}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


@torch.no_grad()
def clip() -> dict[str, np.ndarray]:
    text = {"vocab_size": 99, "hidden_size": 24, "intermediate_size": 96, "num_hidden_layers": 2}
    text |= {"num_attention_heads": 3, "max_position_embeddings": 16, "eos_token_id": END, "bos_token_id": 97}
    vision = {"hidden_size": 32, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4}
    vision |= {"image_size": 24, "patch_size": 8}
    config = CLIPConfig(text_config=text, vision_config=vision, projection_dim=20)
    model = CLIPModel(config).eval()
    randomise(model, 1)
    save(model, "clip")
    numbers = np.random.default_rng(2)
    frames = numbers.integers(0, 256, (3, 24, 24, 3), dtype=np.uint8)
    pixels = ((frames.astype(np.float32) / 255 - np.float32(MEAN)) / np.float32(DEVIATION)).transpose(0, 3, 1, 2)
    ids = numbers.integers(1, 97, (4, 16))
    ids[:, 0] = 97
    for row, length in enumerate((5, 9, 15, 12)):
        ids[row, length:] = 0
        ids[row, length] = END
    ids[3, 12:] = END  # padded with `end`, as Hugging Face's tokenizer pads: the first one counts
    images, tokens = torch.from_numpy(np.ascontiguousarray(pixels)), torch.from_numpy(ids)
    seen, read = model.vision_model(images), model.text_model(tokens)
    return {
        "frames": frames,
        "ids": ids.astype(np.int32),
        "features": model.visual_projection(seen.pooler_output).numpy(),
        "sentences": model.text_projection(read.pooler_output).numpy(),
        "words": model.text_projection(read.last_hidden_state).numpy(),
        "logits": model(input_ids=tokens, pixel_values=images).logits_per_image.numpy(),
    }


@torch.no_grad()
def gpt2() -> dict[str, np.ndarray]:
    config = GPT2Config(
        vocab_size=101, n_positions=24, n_embd=32, n_layer=2, n_head=4, bos_token_id=100, eos_token_id=100
    )
    model = GPT2LMHeadModel(config).eval()
    randomise(model, 3)
    save(model, "gpt2")
    numbers = np.random.default_rng(4)
    ids = torch.from_numpy(numbers.integers(0, 101, (3, 10)))
    embeddings = torch.from_numpy(0.05 * numbers.standard_normal((3, 10, 32)).astype(np.float32))
    real = torch.ones(3, 10, dtype=torch.bool)
    real[1, :4] = False
    real[2, :7] = False
    places = (real.long().cumsum(1) - 1).clamp(min=0)
    padded = model(ids, attention_mask=real.long(), position_ids=places)
    steps, memory = [], None
    for index in range(ids.shape[1]):
        out = model(ids[:, index : index + 1], past_key_values=memory, use_cache=True)
        memory = out.past_key_values
        steps.append(out.logits)
    return {
        "ids": ids.numpy().astype(np.int32),
        "embeddings": embeddings.numpy(),
        "real": real.numpy(),
        "logits": model(ids).logits.numpy(),
        "logits_of_embeddings": model(inputs_embeds=embeddings).logits.numpy(),
        "logits_padded": padded.logits.numpy(),
        "logits_cached": torch.cat(steps, dim=1).numpy(),
    }


if __name__ == "__main__":
    torch.manual_seed(0)
    np.savez_compressed(HERE / "clip.npz", **clip())
    np.savez_compressed(HERE / "gpt2.npz", **gpt2())
