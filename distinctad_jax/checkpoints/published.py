"""Published CLIP, GPT-2 and RoBERTa weights into trees for our models: none missing, left over or of a wrong shape.

The configs come back as plain fields (`VisionConfig(**fields["vision"])`, `Gpt2Config(**fields)`), because this room
knows no model, and because a run adds fields of its own: compute type, dropout, low-rank updates.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from distinctad_jax.checkpoints import gpt2_names, roberta_names, tower_names
from distinctad_jax.checkpoints.containers import Tensors, open_tensors, read_config, weight_files
from distinctad_jax.checkpoints.layouts import Row
from distinctad_jax.errors import BadInput, BadUsage

EPSILON = 1e-5
SHOWN = 5  # names in a complaint
# The largest sizes that are taken for true: several times those of any public model of these kinds.
MOST = {"width": 1 << 14, "layers": 256, "heads": 256, "vocab": 1 << 21, "length": 1 << 16, "pixels": 1 << 12}
CLIP_ACTIVATIONS = {
    "quick_gelu": "quick_gelu",
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
}
LEGACY_END = 2  # what OpenAI's first files say; the towers were in fact read at the highest id


Put = Callable[[str, np.ndarray], Any]
"""Takes a parameter's path and its float32 values; what it returns stands in the tree."""


def kept(path: str, value: np.ndarray) -> np.ndarray:
    """Leaves a parameter where it is, in this process's memory."""
    return value


class Fields:
    """A config.json, or a part of it, read field by field; what is absent has the model library's default."""

    def __init__(self, values: Mapping[str, Any], where: str):
        self.values, self.where = values, where

    def part(self, key: str) -> Fields:
        # Early files say it twice, and where the two differ the model library goes by the second.
        values = self.values.get(f"{key}_dict") or self.values.get(key) or {}
        if not isinstance(values, dict):
            raise self.bad(key, values, "an object")
        return Fields(values, f"{self.where}:{key}")

    def size(self, key: str, default: int, most: int, *, least: int = 1) -> int:
        value = self.values.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise self.bad(key, value, f"a whole number in {least}..{most}")
        return value

    def choice(self, key: str, default: Any, allowed: Mapping[Any, Any]) -> Any:
        value = self.values.get(key, default)
        if isinstance(value, (list, dict)) or value not in allowed:
            raise self.bad(key, value, f"one of {', '.join(map(str, allowed))}")
        return allowed[value]

    def number(self, key: str, default: float) -> float:
        """A positive number."""
        value = self.values.get(key, default)
        if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 < value < math.inf:
            raise self.bad(key, value, "a positive number")
        return float(value)

    def numbers(self, key: str) -> tuple[float, ...]:
        """A list of positive numbers."""
        values = self.values.get(key)
        if not isinstance(values, list) or not 0 < len(values) <= MOST["width"]:
            raise self.bad(key, values, "a list of positive numbers")
        return tuple(Fields({key: value}, self.where).number(key, 1.0) for value in values)

    def epsilon(self, key: str) -> None:
        value = self.values.get(key, EPSILON)
        if not isinstance(value, (int, float)) or not math.isclose(value, EPSILON, rel_tol=1e-6):
            raise self.bad(key, value, str(EPSILON))

    def bad(self, key: str, found: Any, needed: str) -> BadInput:
        return BadInput(
            f"found {repr(found)[:60]}, needed {needed}",
            where=f"{self.where}:{key}",
            mend="name the weights of a model that is supported, or fetch the file again",
        )


def load_aligner(folder: Path, put: Put = kept) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    """A folder of CLIP weights in Hugging Face's layout, one file or several, f32, f16 or bf16.

    Args:
      put: takes each parameter, by path, as soon as it is read; `training.mesh.put_on` sends its parts to devices.

    Returns: the fields of VisionConfig and TextConfig under `vision` and `text`, and Aligner's parameters as a nested
      dict of float32 arrays with layer numbers as `int` keys, which is what `nnx.to_pure_dict` gives.
    Errors: BadInput, before anything is allocated, if config or shapes are not those of a CLIP; or if a value is NaN.
    """
    fields = clip_fields(folder)
    with open_tensors(folder) as tensors:
        names = {name: name for name in tensors.shapes}
        return fields, assemble_rows(
            tensors, names, tower_names.tower_rows(**fields), tower_names.IGNORED, folder, put
        )


def load_gpt2(folder: Path, put: Put = kept) -> tuple[dict[str, Any], dict[str, Any]]:
    """A folder of GPT-2 weights in Hugging Face's layout, with or without the prefix `transformer.` and a tied head.

    Returns: the fields of Gpt2Config, and Gpt2's parameters (see `load_aligner`).
    Errors: as `load_aligner`; also if the output layer is not tied to the embeddings.
    """
    fields = gpt2_fields(folder)
    with open_tensors(folder) as tensors:
        names: dict[str, str] = {}
        for name in tensors.shapes:
            short = name.removeprefix(gpt2_names.PREFIX)
            if short in names:
                raise BadInput(f"both {names[short]} and {name}", where=folder, mend="fetch the weights again")
            names[short] = name
        head = names.pop(gpt2_names.HEAD, None)
        params = assemble_rows(tensors, names, gpt2_names.gpt2_rows(fields), gpt2_names.IGNORED, folder, put)
        if head is not None and not (
            tensors.shapes[head] == tensors.shapes[names[gpt2_names.TIED_TO]]
            and np.array_equal(tensors.read(head), tensors.read(names[gpt2_names.TIED_TO]))
        ):
            raise BadInput(
                f"{head} differs from {names[gpt2_names.TIED_TO]}",
                where=folder,
                mend="only tied embeddings are supported",
            )
        return fields, params


def model_type(folder: Path, known: tuple[str, ...]) -> str:
    """What config.json says the model is. Errors: BadInput if that is none of the `known` ones."""
    config = _open_config(folder)
    return config.choice("model_type", None, {kind: kind for kind in known})


def load_roberta(folder: Path, layers: int, put: Put = kept) -> tuple[dict[str, Any], dict[str, Any]]:
    """A folder of RoBERTa weights in Hugging Face's layout; only the first `layers` layers are read.

    Returns: the fields of RobertaConfig, and Roberta's parameters (see `load_aligner`).
    Errors: as `load_aligner`; BadUsage if the model has fewer layers.
    """
    fields = roberta_fields(folder)
    if not 1 <= layers <= fields["layers"]:
        raise BadUsage(f"layer {layers} of {fields['layers']}", where=folder, mend="name a layer that the model has")
    with open_tensors(folder) as tensors:
        names: dict[str, str] = {}
        for name in tensors.shapes:
            short = name.removeprefix(roberta_names.PREFIX)
            layer = roberta_names.LAYER.match(short)
            if layer is None or not layers <= int(layer[1]) < fields["layers"]:
                names[short] = name
        fields |= {"layers": layers}
        rows = roberta_names.roberta_rows(fields)
        return fields, assemble_rows(tensors, names, rows, roberta_names.IGNORED, folder, put)


def roberta_fields(folder: Path) -> dict[str, Any]:
    """What config.json says of a RoBERTa, in our words. Errors: BadInput that names the field."""
    config = open_config(folder, "roberta")
    fields = {
        "vocab": config.size("vocab_size", 50265, MOST["vocab"]),
        "length": config.size("max_position_embeddings", 514, MOST["length"], least=3) - roberta_names.OFFSET,
        **_tower(config, width=768, heads=12, activation="gelu"),
    }
    if fields.pop("activation") != "gelu":
        raise config.bad("hidden_act", config.values.get("hidden_act"), "gelu")
    config.choice("type_vocab_size", 1, {1: 1})
    config.choice("pad_token_id", 1, {1: 1})
    config.choice("position_embedding_type", "absolute", {"absolute": 0})
    return fields


def clip_fields(folder: Path) -> dict[str, dict[str, Any]]:
    """What config.json says of a CLIP, in our words. Errors: BadInput that names the field."""
    config = open_config(folder, "clip")
    projection = config.size("projection_dim", 512, MOST["width"])
    seen, read = config.part("vision_config"), config.part("text_config")
    vision = {
        "image_size": seen.size("image_size", 224, MOST["pixels"]),
        "patch": seen.size("patch_size", 32, MOST["pixels"]),
        **_tower(seen, width=768, heads=12),
        "projection": projection,
    }
    if vision["image_size"] % vision["patch"]:
        raise seen.bad("patch_size", vision["patch"], f"a divisor of the image size {vision['image_size']}")
    seen.choice("num_channels", 3, {3: 3})
    vocab = read.size("vocab_size", 49408, MOST["vocab"])
    end = read.size("eos_token_id", 49407, MOST["vocab"], least=0)
    text = {
        "vocab": vocab,
        "length": read.size("max_position_embeddings", 77, MOST["length"]),
        **_tower(read, width=512, heads=8),
        "projection": projection,
        "end": vocab - 1 if end == LEGACY_END else end,
    }
    if text["end"] >= vocab:
        raise read.bad("eos_token_id", end, f"an id below the vocabulary's size {vocab}")
    return {"vision": vision, "text": text}


def gpt2_fields(folder: Path) -> dict[str, Any]:
    """What config.json says of a GPT-2, in our words. Errors: BadInput that names the field."""
    config = open_config(folder, "gpt2")
    fields = {
        "vocab": config.size("vocab_size", 50257, MOST["vocab"]),
        "length": config.size("n_positions", 1024, MOST["length"]),
        "width": config.size("n_embd", 768, MOST["width"]),
        "layers": config.size("n_layer", 12, MOST["layers"]),
        "heads": config.size("n_head", 12, MOST["heads"]),
    }
    _heads(config, "n_head", fields)
    config.choice("n_inner", None, {None: 0, 4 * fields["width"]: 0})
    config.choice("activation_function", "gelu_new", {"gelu_new": 0, "gelu_pytorch_tanh": 0})
    config.choice("scale_attn_weights", True, {True: 0})
    for key in ("scale_attn_by_inverse_layer_idx", "add_cross_attention"):
        config.choice(key, False, {False: 0})
    config.epsilon("layer_norm_epsilon")
    return fields


def open_config(folder: Path, kind: str) -> Fields:
    """config.json of a model of this kind. Errors: BadInput, also if it names code of its own."""
    config = _open_config(folder)
    config.choice("model_type", None, {kind: kind})
    return config


def _open_config(folder: Path) -> Fields:
    if not folder.is_dir():
        weight_files(folder)  # says why not
    config = Fields(read_config(folder), str(folder / "config.json"))
    if "auto_map" in config.values:
        raise config.bad("auto_map", config.values["auto_map"], "no code of its own, which is never run")
    return config


def _tower(config: Fields, *, width: int, heads: int, activation: str = "quick_gelu") -> dict[str, Any]:
    fields = {
        "width": config.size("hidden_size", width, MOST["width"]),
        "layers": config.size("num_hidden_layers", 12, MOST["layers"]),
        "heads": config.size("num_attention_heads", heads, MOST["heads"]),
        "activation": config.choice("hidden_act", activation, CLIP_ACTIVATIONS),
    }
    _heads(config, "num_attention_heads", fields)
    hidden = config.size("intermediate_size", 4 * width, 4 * MOST["width"])
    if hidden != 4 * fields["width"]:
        raise config.bad("intermediate_size", hidden, f"4 x hidden_size = {4 * fields['width']}")
    config.epsilon("layer_norm_eps")
    return fields


def _heads(config: Fields, key: str, fields: Mapping[str, Any]) -> None:
    if fields["width"] % fields["heads"]:
        raise config.bad(key, fields["heads"], f"a divisor of the width {fields['width']}")


def assemble_rows(
    tensors: Tensors, names: Mapping[str, str], rows: list[Row], ignored: re.Pattern[str], folder: Path, put: Put
) -> dict[str, Any]:
    """`names` leads from the table's names to the file's. No more than one parameter is held here at a time."""
    needed = {name: shape for row in rows for name, shape in row.theirs.items()}
    found = {name: tensors.shapes[name_in_file] for name, name_in_file in names.items()}
    extra = [name for name in found if name not in needed and not ignored.fullmatch(name)]
    wrong = [*(name for name in needed if found.get(name) != needed[name]), *extra]
    if wrong:
        shown = [
            f"{name} expected {needed.get(name, 'none')}, found {found.get(name, 'none')}" for name in wrong[:SHOWN]
        ]
        rest = f", and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
        raise BadInput(
            f"tensors that do not fit config.json ({len(wrong)} in all): {', '.join(shown)}{rest}",
            where=folder,
            mend="name the weights that belong to this config.json",
        )
    tree: dict[Any, Any] = {}
    for row in rows:
        value = np.asarray(row.layout.join(*(tensors.read(names[name]) for name in row.theirs)), order="C")
        *way, leaf = [int(key) if key.isdigit() else key for key in row.ours.split("/")]
        place = tree
        for key in way:
            place = place.setdefault(key, {})
        place[leaf] = put(row.ours, value)
    return tree
