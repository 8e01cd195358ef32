"""Our parameters as folders that `transformers` loads: config.json, model.safetensors, preprocessor_config.json.

The same name tables as for reading, taken the other way. Tokenizer files are `text.tokenizers`' own work.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from distinctad_jax.checkpoints import gpt2_names, tower_names
from distinctad_jax.checkpoints.layouts import Row
from distinctad_jax.checkpoints.published import CLIP_ACTIVATIONS, EPSILON
from distinctad_jax.errors import BadInput
from distinctad_jax.files import whole, write_json

PREPROCESSOR = "preprocessor_config.json"
BICUBIC = 3  # as Pillow numbers its filters


def merged(leaves: Mapping[str, np.ndarray], scale: float = 1.0) -> dict[str, np.ndarray]:
    """Parameters by path, with each low-rank update added to its kernel: kernel + scale * lora_a @ lora_b."""
    whole_ = {path: value for path, value in leaves.items() if not path.endswith(("/lora_a", "/lora_b"))}
    for path in leaves:
        if path.endswith("/lora_a"):
            linear = path.removesuffix("lora_a")
            update = np.asarray(leaves[path], np.float32) @ np.asarray(leaves[f"{linear}lora_b"], np.float32)
            whole_[f"{linear}kernel"] = np.asarray(leaves[f"{linear}kernel"]) + np.float32(scale) * update
    return whole_


def write_clip(
    folder: Path,
    fields: Mapping[str, Mapping[str, Any]],
    leaves: Mapping[str, np.ndarray],
    *,
    start: int,
    mean: tuple[float, ...],
    deviation: tuple[float, ...],
) -> None:
    """Writes what CLIPModel, CLIPVisionModelWithProjection, CLIPTextModelWithProjection and CLIPProcessor load.

    Args:
      fields: those of VisionConfig and TextConfig under `vision` and `text`.
      leaves: Aligner's parameters by path, without low-rank updates and adapter.
      start: the id that opens a text; mean, deviation: of pictures, in 0..1.
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
    _write(folder, about | towers | {"dtype": "float32"}, tensors)
    write_json(folder / PREPROCESSOR, picture | names)


def write_gpt2(folder: Path, fields: Mapping[str, Any], leaves: Mapping[str, np.ndarray], *, end: int) -> None:
    """Writes what GPT2LMHeadModel loads; the output layer is left out, being the embeddings.

    Args:
      fields: those of Gpt2Config; leaves: Gpt2's parameters by path; end: the id of <|endoftext|>.
    """
    rows = gpt2_names.gpt2_rows(dict(fields))
    tensors = {f"{gpt2_names.PREFIX}{name}": value for name, value in _tensors(leaves, rows, folder).items()}
    about = {"architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "vocab_size": fields["vocab"]}
    about |= {"n_positions": fields["length"], "n_embd": fields["width"], "n_layer": fields["layers"]}
    about |= {"n_head": fields["heads"], "n_inner": None, "activation_function": "gelu_new"}
    about |= {"layer_norm_epsilon": EPSILON, "bos_token_id": end, "eos_token_id": end, "tie_word_embeddings": True}
    _write(folder, about | {"dtype": "float32"}, tensors)


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


def _tensors(leaves: Mapping[str, np.ndarray], rows: list[Row], where: Path) -> dict[str, np.ndarray]:
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
        tensors |= dict(zip(row.theirs, parts, strict=True))
    return tensors


def _write(folder: Path, config: dict[str, Any], tensors: dict[str, np.ndarray]) -> None:
    with whole(folder / "model.safetensors") as partial:
        contiguous = {name: np.asarray(value, order="C") for name, value in tensors.items()}
        save_file(contiguous, partial, metadata={"format": "pt"})  # without it, transformers does not read the file
    write_json(folder / "config.json", config)
