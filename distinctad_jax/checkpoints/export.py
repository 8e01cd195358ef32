"""Our parameters as folders that `transformers` loads: config.json, model.safetensors, preprocessor_config.json.

The same name tables as for reading, taken the other way. Tokenizer files are `text.tokenizers`' own work.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from safetensors.numpy import save_file

from distinctad_jax.checkpoints import gpt2_names, llama_names, tower_names
from distinctad_jax.checkpoints.layouts import Row
from distinctad_jax.checkpoints.llama import ACTIVATIONS
from distinctad_jax.checkpoints.published import CLIP_ACTIVATIONS, EPSILON
from distinctad_jax.errors import BadInput
from distinctad_jax.files import whole, write_json

PREPROCESSOR = "preprocessor_config.json"
BICUBIC = 3  # as Pillow numbers its filters
_LONG = ("yarn", "longrope", "llama3")
ROPE_FIELDS: dict[str, tuple[str, tuple[str, ...]]] = {
    "factor": ("factor", ("linear", "dynamic", *_LONG)),
    "original_length": ("original_max_position_embeddings", _LONG),
    "low_frequency": ("low_freq_factor", ("llama3",)),
    "high_frequency": ("high_freq_factor", ("llama3",)),
    "beta_fast": ("beta_fast", ("yarn",)),
    "beta_slow": ("beta_slow", ("yarn",)),
    "truncate": ("truncate", ("yarn",)),
    "attention_factor": ("attention_factor", ("yarn", "longrope")),
    "short_factors": ("short_factor", ("longrope",)),
    "long_factors": ("long_factor", ("longrope",)),
}
"""Our fields of rotary positions, their names, and the kinds that have them."""


class Merged(Mapping[str, np.ndarray]):
    """Parameters by path in float32, each low-rank update added to its kernel: kernel + scale * lora_a @ lora_b.

    One is computed when it is asked for, and not kept.
    """

    def __init__(self, leaves: Mapping[str, np.ndarray], scale: float = 1.0):
        self._leaves, self._scale = leaves, np.float32(scale)
        self._paths = [path for path in leaves if not path.endswith(("/lora_a", "/lora_b"))]

    def __getitem__(self, path: str) -> np.ndarray:
        if path not in self._paths:
            raise KeyError(path)
        value, linear = np.asarray(self._leaves[path], np.float32), path.removesuffix("kernel")
        if not path.endswith("/kernel") or f"{linear}lora_a" not in self._leaves:
            return value
        down, up = (np.asarray(self._leaves[f"{linear}{name}"], np.float32) for name in ("lora_a", "lora_b"))
        return value + self._scale * (down @ up)

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)


def write_clip(
    folder: Path,
    fields: Mapping[str, Mapping[str, Any]],
    leaves: Mapping[str, np.ndarray],
    *,
    start: int,
    mean: tuple[float, ...],
    deviation: tuple[float, ...],
) -> int:
    """Writes what CLIPModel, CLIPVisionModelWithProjection, CLIPTextModelWithProjection and CLIPProcessor load.

    Args:
      fields: those of VisionConfig and TextConfig under `vision` and `text`.
      leaves: Aligner's parameters by path, without low-rank updates and adapter.
      start: the id that opens a text; mean, deviation: of pictures, in 0..1.
    Returns: how many parameters were written.
    """
    vision, text = fields["vision"], fields["text"]
    tensors = _tensors(leaves, tower_names.tower_rows(dict(vision), dict(text)), folder)
    towers = {
        "vision_config": _tower(vision, "clip_vision_model")
        | {"image_size": vision["image_size"], "patch_size": vision["patch"], "num_channels": 3},
        "text_config": _tower(text, "clip_text_model")
        | {
            "vocab_size": text["vocab"],
            "max_position_embeddings": text["length"],
            "bos_token_id": start,
            "eos_token_id": text["end"],
            "pad_token_id": text["end"],
        },
    }
    about = {"architectures": ["CLIPModel"], "model_type": "clip", "projection_dim": vision["projection"]}
    side = {"height": vision["image_size"], "width": vision["image_size"]}
    picture = {"do_resize": True, "size": {"shortest_edge": vision["image_size"]}, "resample": BICUBIC}
    picture |= {"do_center_crop": True, "crop_size": side, "do_rescale": True, "rescale_factor": 1 / 255}
    picture |= {"do_normalize": True, "image_mean": list(mean), "image_std": list(deviation), "do_convert_rgb": True}
    names = {"image_processor_type": "CLIPImageProcessor", "processor_class": "CLIPProcessor"}
    write_json(folder / PREPROCESSOR, picture | names)
    return _write(folder, about | towers | {"dtype": "float32"}, tensors)


def write_gpt2(folder: Path, fields: Mapping[str, Any], leaves: Mapping[str, np.ndarray], *, end: int) -> int:
    """Writes what GPT2LMHeadModel loads; the output layer is left out, being the embeddings.

    Args:
      fields: those of Gpt2Config; leaves: Gpt2's parameters by path; end: the id that ends a text.
    Returns: how many parameters were written.
    """
    rows = gpt2_names.gpt2_rows(dict(fields))
    tensors = {f"{gpt2_names.PREFIX}{name}": value for name, value in _tensors(leaves, rows, folder).items()}
    about = {"architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "vocab_size": fields["vocab"]}
    about |= {"n_positions": fields["length"], "n_embd": fields["width"], "n_layer": fields["layers"]}
    about |= {"n_head": fields["heads"], "n_inner": None, "activation_function": "gelu_new"}
    about |= {"layer_norm_epsilon": EPSILON, "bos_token_id": end, "eos_token_id": end, "tie_word_embeddings": True}
    return _write(folder, about | {"dtype": "float32"}, tensors)


def write_llama(
    folder: Path, fields: Mapping[str, Any], leaves: Mapping[str, np.ndarray], *, start: int, end: int
) -> int:
    """Writes what LlamaForCausalLM loads, in the type that the model was kept in; a tied output layer is left out.

    Args:
      fields: those of LlamaConfig, `rope` as fields of RopeConfig; leaves: Llama's parameters by path.
      start, end: the ids that open and end a text.
    Returns: how many parameters were written.
    """
    dtype = fields["weights"]
    tensors = _tensors(leaves, llama_names.llama_rows(_with_depth(fields)), folder, dtype)
    about = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": fields["vocab"]}
    about |= {"hidden_size": fields["width"], "intermediate_size": fields["hidden"]}
    about |= {"num_hidden_layers": fields["layers"], "num_attention_heads": fields["heads"]}
    about |= {"num_key_value_heads": fields["key_heads"], "head_dim": _with_depth(fields)["depth"]}
    about |= {"hidden_act": next(theirs for theirs, ours in ACTIVATIONS.items() if ours == fields["activation"])}
    about |= {"max_position_embeddings": fields["length"], "rms_norm_eps": fields["epsilon"]}
    about |= {"attention_bias": fields["attention_bias"], "mlp_bias": fields["mlp_bias"]}
    about |= {"tie_word_embeddings": fields["tied"], "bos_token_id": start, "eos_token_id": end}
    return _write(folder, about | _rope(fields["rope"]) | {"dtype": dtype}, tensors)


def _with_depth(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {**fields, "depth": fields["depth"] or fields["width"] // fields["heads"]}


def _rope(rope: Mapping[str, Any]) -> dict[str, Any]:
    """Rotary positions as config.json has them, in the older spelling, which every `transformers` reads."""
    kind = rope["kind"]
    scaling = {"rope_type": kind} | {
        theirs: list(rope[ours]) if isinstance(rope[ours], (tuple, list)) else rope[ours]
        for ours, (theirs, kinds) in ROPE_FIELDS.items()
        if kind in kinds and rope[ours] is not None
    }
    return {"rope_theta": rope["theta"], "rope_scaling": None if kind == "default" else scaling}


def _tower(sizes: Mapping[str, Any], kind: str) -> dict[str, Any]:
    activation = next(theirs for theirs, ours in CLIP_ACTIVATIONS.items() if ours == sizes["activation"])
    return {
        "model_type": kind,
        "hidden_size": sizes["width"],
        "intermediate_size": 4 * sizes["width"],
        "num_hidden_layers": sizes["layers"],
        "num_attention_heads": sizes["heads"],
        "projection_dim": sizes["projection"],
        "hidden_act": activation,
        "layer_norm_eps": EPSILON,
    }


def _tensors(
    leaves: Mapping[str, np.ndarray], rows: list[Row], where: Path, dtype: str = "float32"
) -> dict[str, np.ndarray]:
    wrong = sorted(leaves.keys() ^ {row.ours for row in rows})
    if wrong:
        raise BadInput(
            f"{len(wrong)} parameters have no name in this layout or are missing, as {wrong[0]}",
            where=where,
            mend="export a model without an adapter",
        )
    tensors = {}
    for row in rows:
        parts = row.layout.split(np.asarray(leaves[row.ours], np.float32))
        kept = [np.asarray(part, jnp.dtype(dtype), order="C") for part in parts]
        tensors |= dict(zip(row.theirs, kept, strict=True))
    return tensors


def _write(folder: Path, config: dict[str, Any], tensors: dict[str, np.ndarray]) -> int:
    with whole(folder / "model.safetensors") as partial:
        save_file(tensors, partial, metadata={"format": "pt"})  # without it, transformers does not read the file
    write_json(folder / "config.json", config)
    return sum(math.prod(value.shape) for value in tensors.values())
