"""Published weights of the Llama family into trees for our `models.llama.Llama`: see `published`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from distinctad_jax.checkpoints import llama_names
from distinctad_jax.checkpoints.containers import open_tensors
from distinctad_jax.checkpoints.published import MOST, Fields, Put, assemble_rows, kept, open_config

ACTIVATIONS = {"silu": "silu", "gelu": "gelu", "gelu_new": "gelu_tanh", "gelu_pytorch_tanh": "gelu_tanh"}
ROPE_KINDS = ("default", "linear", "dynamic", "yarn", "longrope", "llama3")
LONGEST = 1 << 24  # tokens: beyond any published context


def load_llama(folder: Path, put: Put = kept) -> tuple[dict[str, Any], dict[str, Any]]:
    """A folder of Llama weights in Hugging Face's layout, one file or several.

    Args:
      put: takes each parameter, by path, as soon as it is read; `training.mesh.put_on` sends its parts to devices.
    Returns: the fields of LlamaConfig, `rope` as fields of RopeConfig, and Llama's parameters (see
      `published.load_aligner`).
    Errors: BadInput, before anything is allocated, if config or shapes are not those of a Llama, or a value is NaN.
    """
    fields = llama_fields(folder)
    with open_tensors(folder) as tensors:
        names = {name: name for name in tensors.shapes}
        if fields["tied"]:
            names.pop(llama_names.HEAD, None)  # a copy of the embeddings, which some files carry
        return fields, assemble_rows(tensors, names, llama_names.llama_rows(fields), llama_names.IGNORED, folder, put)


def llama_fields(folder: Path) -> dict[str, Any]:
    """What config.json says of a Llama, in our words. Errors: BadInput that names the field."""
    config = open_config(folder, "llama")
    heads = config.size("num_attention_heads", 32, MOST["heads"])
    width = config.size("hidden_size", 4096, MOST["width"])
    optional = {key: value for key, value in config.values.items() if value is not None}
    given = Fields(optional, config.where)
    fields = {
        "vocab": config.size("vocab_size", 32000, MOST["vocab"]),
        "length": config.size("max_position_embeddings", 2048, LONGEST),
        "width": width,
        "layers": config.size("num_hidden_layers", 32, MOST["layers"]),
        "heads": heads,
        "key_heads": given.size("num_key_value_heads", heads, heads),
        "hidden": config.size("intermediate_size", 11008, 8 * MOST["width"]),
        "depth": given.size("head_dim", max(width // heads, 1), MOST["width"]),
        "epsilon": config.number("rms_norm_eps", 1e-6),
        "activation": config.choice("hidden_act", "silu", ACTIVATIONS),
        "attention_bias": config.choice("attention_bias", False, {False: False, True: True}),
        "mlp_bias": config.choice("mlp_bias", False, {False: False, True: True}),
        "tied": config.choice("tie_word_embeddings", False, {False: False, True: True}),
    }
    if heads % fields["key_heads"]:
        raise config.bad("num_key_value_heads", fields["key_heads"], f"a divisor of the {heads} heads")
    if fields["depth"] % 2:
        raise config.bad("head_dim", fields["depth"], "an even number")
    return {**fields, "rope": rope_fields(config.values, config.where)}


def rope_fields(values: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The fields of RopeConfig, from `rope_parameters` as transformers 5 writes it, or from the older `rope_scaling`
    and `rope_theta`. Errors: BadInput that names the field."""
    config = Fields(values, where)
    length = config.size("max_position_embeddings", 2048, LONGEST)
    name = "rope_parameters" if values.get("rope_parameters") else "rope_scaling"
    said = config.part(name).values
    rope = Fields({key: value for key, value in said.items() if value is not None}, f"{where}:{name}")
    key = "rope_type" if "rope_type" in rope.values else "type"
    kind = rope.choice(key, "default", {kind: kind for kind in ROPE_KINDS})
    rope.choice("partial_rotary_factor", 1.0, {1.0: 1.0})
    fields = {"kind": kind, "theta": rope.number("rope_theta", config.number("rope_theta", 10_000.0))}
    if kind == "default":
        return fields
    if kind in ("yarn", "longrope", "llama3"):
        known = config.size("original_max_position_embeddings", length, LONGEST)
        fields["original_length"] = rope.size("original_max_position_embeddings", known, LONGEST)
        fields["factor"] = rope.number("factor", length / fields["original_length"])
    else:
        fields["factor"] = rope.number("factor", 1.0)
    if kind == "llama3":
        fields |= {
            "low_frequency": rope.number("low_freq_factor", 1.0),
            "high_frequency": rope.number("high_freq_factor", 4.0),
        }
    if kind == "yarn":
        fields |= {"beta_fast": rope.number("beta_fast", 32.0), "beta_slow": rope.number("beta_slow", 1.0)}
        fields["truncate"] = rope.choice("truncate", True, {False: False, True: True})
        if {"mscale", "mscale_all_dim"} <= rope.values.keys() and "attention_factor" not in rope.values:
            scales = [rope.number(key, 1.0) for key in ("mscale", "mscale_all_dim")]
            over, under = (0.1 * scale * math.log(max(fields["factor"], 1.0)) + 1.0 for scale in scales)
            fields["attention_factor"] = over / under
    if kind == "longrope":
        fields |= {"short_factors": rope.numbers("short_factor"), "long_factors": rope.numbers("long_factor")}
    if kind in ("yarn", "longrope") and "attention_factor" in rope.values:
        fields["attention_factor"] = rope.number("attention_factor", 1.0)
    return fields
