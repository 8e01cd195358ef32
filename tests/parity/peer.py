"""The side of the parity tests that has torch: makes models, runs them, loads what we export. Knows nothing of ours.

Run by conftest.py with the interpreter TORCH_PYTHON. One request a line on standard input, a JSON object whose `do`
names a function below; one answer a line on standard output. Arrays go through .npz files.
"""

from __future__ import annotations

import json
import sys
import traceback
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from transformers import (
    AutoTokenizer,
    CLIPConfig,
    CLIPModel,
    CLIPVisionModelWithProjection,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
)

LANGUAGE = {"gpt2": (GPT2Config, GPT2LMHeadModel), "llama": (LlamaConfig, LlamaForCausalLM)}


class Hidden:
    """Keeps what every layer of a list gives."""

    def __init__(self, layers: Any):
        self.kept: list[np.ndarray] = []
        for layer in layers:
            layer.register_forward_hook(self._keep)

    def _keep(self, layer: Any, given: Any, gave: Any) -> None:
        self.kept.append((gave[0] if isinstance(gave, tuple) else gave).numpy())


def make_clip(folder: str, vision: dict, text: dict, projection: int, seed: int, tiny: bool) -> dict[str, Any]:
    """Writes a CLIP with random weights, and what it makes of `folder/given.npz` to `folder/expected.npz`."""
    config = CLIPConfig(vision_config=vision, text_config=text, projection_dim=projection)
    model = randomised(CLIPModel, config, seed, tiny)
    model.save_pretrained(folder)
    given = np.load(Path(folder) / "given.npz")
    pixels, ids = torch.from_numpy(given["pixels"]), torch.from_numpy(given["ids"])
    in_vision, in_text = Hidden(model.vision_model.encoder.layers), Hidden(model.text_model.encoder.layers)
    seen, read = model.vision_model(pixels), model.text_model(ids)
    layers = {f"vision/{place}": value for place, value in enumerate(in_vision.kept)}
    layers |= {f"text/{place}": value for place, value in enumerate(in_text.kept)}
    np.savez(
        Path(folder) / "expected.npz",
        features=model.visual_projection(seen.pooler_output).numpy(),
        sentences=model.text_projection(read.pooler_output).numpy(),
        words=model.text_projection(read.last_hidden_state).numpy(),
        logits=model(input_ids=ids, pixel_values=pixels).logits_per_image.numpy(),
        **layers,
    )
    return {}


def make_language(folder: str, kind: str, sizes: dict, seed: int, tiny: bool) -> dict[str, Any]:
    """Writes a language model with random weights, and what it makes of `folder/given.npz`."""
    config, model_of = LANGUAGE[kind]
    model = randomised(model_of, config(**sizes), seed, tiny)
    model.save_pretrained(folder)
    hidden = Hidden(model.transformer.h if kind == "gpt2" else model.model.layers)
    logits = model(torch.from_numpy(np.load(Path(folder) / "given.npz")["ids"])).logits.numpy()
    layers = {str(place): value for place, value in enumerate(hidden.kept)}
    np.savez(Path(folder) / "expected.npz", logits=logits, **layers)
    return {}


def randomised(model_of: Any, config: Any, seed: int, tiny: bool) -> Any:
    """Random weights from a config. Biases and norms are moved from their zeros and ones, so that each of them
    matters; tiny models get matrices large enough to matter too."""
    torch.manual_seed(seed)
    model = model_of(config).eval()
    for value in model.parameters():
        if value.ndim == 1:
            value.add_(0.1 * torch.randn(value.shape))
        elif value.ndim > 1 and tiny:
            value.normal_(std=value.shape[-1] ** -0.5)
    return model


def generate(folder: str, kind: str, sizes: dict, seeds: int, rules: dict, rows: int, seen: int) -> dict[str, Any]:
    """For each seed a model with random weights in `folder/SEED`, and what it says after random prefixes by each of
    the rules, in `folder/SEED/said.npz`.

    The last norm is made 25 times as large, so that some words are much likelier than others. The end is the last id,
    which changes places with one that the model likes to say, so that sentences end at different lengths.
    """
    config, model_of = LANGUAGE[kind]
    for seed in range(seeds):
        model = randomised(model_of, config(**sizes), seed, True)
        norm = model.transformer.ln_f if kind == "gpt2" else model.model.norm
        for value in norm.parameters():
            value.mul_(25.0)
        width = sizes["n_embd" if kind == "gpt2" else "hidden_size"]
        prefix = 0.3 * torch.randn(rows, seen, width, generator=torch.Generator().manual_seed(seed))
        shared = {"inputs_embeds": prefix, "do_sample": False, "attention_mask": torch.ones(rows, seen).long()}
        longest = max(rule["max_new_tokens"] for rule in rules.values())
        free = model.generate(**shared, max_new_tokens=longest, eos_token_id=None, pad_token_id=0)
        often, end = int(np.bincount(free.numpy().ravel()).argsort()[-3]), sizes["vocab_size"] - 1
        for table in {model.get_input_embeddings().weight, model.get_output_embeddings().weight}:
            table[[often, end]] = table[[end, often]]
        home = Path(folder) / str(seed)
        model.save_pretrained(home)
        said = {"prefix": prefix.numpy()}
        for name, rule in rules.items():
            ids = np.full((rows, rule["max_new_tokens"]), end, np.int32)
            out = model.generate(**shared, **rule, eos_token_id=end, pad_token_id=end).numpy()
            ids[:, : out.shape[1]] = out
            said[name] = ids
        np.savez(home / "said.npz", **said)
    return {}


def load_clip(folder: str, pictures: bool) -> dict[str, Any]:
    """What CLIPModel, CLIPVisionModelWithProjection and the tokenizer in a folder make of `given.npz`."""
    given = np.load(Path(folder) / "given.npz", allow_pickle=False)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    texts = [str(text) for text in given["texts"]]
    ids = tokenizer(texts, padding=True, truncation=True, return_tensors="pt")
    pixels = torch.from_numpy(given["pixels"])
    model, unread = CLIPModel.from_pretrained(folder, output_loading_info=True)
    tower, unread_tower = CLIPVisionModelWithProjection.from_pretrained(folder, output_loading_info=True)
    out = model.eval()(**ids, pixel_values=pixels)
    found = {
        "logits": out.logits_per_image.numpy(),
        "features": tower.eval()(pixel_values=pixels).image_embeds.numpy(),
        "ids": ids["input_ids"].numpy(),
    }
    if pictures:
        from transformers import CLIPProcessor

        processor = CLIPProcessor.from_pretrained(folder)
        frames, numpys = list(given["frames"]), {"return_tensors": "np"}
        found["prepared"] = processor.image_processor(images=frames, **numpys)["pixel_values"]
        found["processed_ids"] = processor(text=texts, padding=True, truncation=True, **numpys)["input_ids"]
    np.savez(Path(folder) / "found.npz", **found)
    return {"missing": missing(unread) + missing(unread_tower)}


def load_language(folder: str) -> dict[str, Any]:
    """What the language model and the tokenizer in a folder make of `given.npz`."""
    given = np.load(Path(folder) / "given.npz", allow_pickle=False)
    model, unread = transformers.AutoModelForCausalLM.from_pretrained(folder, output_loading_info=True)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    logits = model.eval().float()(torch.from_numpy(given["ids"])).logits.numpy()
    np.savez(Path(folder) / "found.npz", logits=logits)
    texts = [str(text) for text in given["texts"]]
    told = {"model": type(model).__name__, "dtype": str(model.config.dtype), "end": tokenizer.eos_token_id}
    return told | {"missing": missing(unread), "ids": [tokenizer(text)["input_ids"] for text in texts]}


def missing(info: dict[str, Any]) -> list[str]:
    return sorted(map(str, [*info["missing_keys"], *info["mismatched_keys"]]))


def about() -> dict[str, Any]:
    try:
        import PIL

        pictures = bool(PIL)
    except ImportError:
        pictures = False
    return {"torch": torch.__version__, "transformers": transformers.__version__, "pictures": pictures}


DOES = {each.__name__: each for each in (make_clip, make_language, generate, load_clip, load_language, about)}


def main() -> None:
    out, sys.stdout = sys.stdout, sys.stderr  # whatever a library prints is no answer
    transformers.logging.set_verbosity_error()
    with torch.no_grad():
        for line in sys.stdin:
            asked = json.loads(line)
            try:
                answer = DOES[asked.pop("do")](**asked)
            except Exception:  # one test's failure is told there, and is no reason to lose the others
                answer = {"failed": traceback.format_exc()}
            print(json.dumps(answer), file=out, flush=True)


if __name__ == "__main__":
    main()
