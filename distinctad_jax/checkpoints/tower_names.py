"""CLIP as Hugging Face names it, and as we do. Read it as a table: our path, their name, sizes."""

from __future__ import annotations

import re
from typing import Any

from distinctad_jax.checkpoints.layouts import Row, as_is, fused, linear, norm, patches, transposed

# Buffers that older files carry; they hold 0, 1, 2, ... and no parameter of ours is made from them.
IGNORED = re.compile(r"(vision|text)_model\.embeddings\.position_ids")


def tower_rows(vision: dict[str, Any], text: dict[str, Any]) -> list[Row]:
    """The whole table. `vision` and `text` are the fields of our two tower configs."""
    return [Row("logit_scale", {"logit_scale": ()}, as_is), *vision_rows(vision), *text_rows(text)]


def vision_rows(sizes: dict[str, Any]) -> list[Row]:
    width, patch, projection = sizes["width"], sizes["patch"], sizes["projection"]
    seen = (sizes["image_size"] // patch) ** 2 + 1
    table, theirs = "vision_model.embeddings", "vision_model"
    return [
        Row("vision/class_token", {f"{table}.class_embedding": (width,)}, as_is),
        Row("vision/patch_embedding/kernel", {f"{table}.patch_embedding.weight": (width, 3, patch, patch)}, patches),
        Row("vision/positions", {f"{table}.position_embedding.weight": (seen, width)}, as_is),
        *norm("vision/norm_before", f"{theirs}.pre_layrnorm", width),  # their spelling
        *block_rows("vision", theirs, sizes),
        *norm("vision/norm_after", f"{theirs}.post_layernorm", width),
        Row("vision/projection/kernel", {"visual_projection.weight": (projection, width)}, transposed),
    ]


def text_rows(sizes: dict[str, Any]) -> list[Row]:
    width, projection, table = sizes["width"], sizes["projection"], "text_model.embeddings"
    return [
        Row("text/token_embedding", {f"{table}.token_embedding.weight": (sizes["vocab"], width)}, as_is),
        Row("text/positions", {f"{table}.position_embedding.weight": (sizes["length"], width)}, as_is),
        *block_rows("text", "text_model", sizes),
        *norm("text/norm_after", "text_model.final_layer_norm", width),
        Row("text/projection/kernel", {"text_projection.weight": (projection, width)}, transposed),
    ]


def block_rows(tower: str, model: str, sizes: dict[str, Any]) -> list[Row]:
    width, rows = sizes["width"], []
    join = fused(sizes["heads"])
    for layer in range(sizes["layers"]):
        ours, theirs = f"{tower}/blocks/{layer}", f"{model}.encoder.layers.{layer}"
        parts = [f"{theirs}.self_attn.{part}_proj" for part in ("q", "k", "v")]
        rows += [
            *norm(f"{ours}/norm_attention", f"{theirs}.layer_norm1", width),
            Row(f"{ours}/attention/qkv/kernel", {f"{part}.weight": (width, width) for part in parts}, join),
            Row(f"{ours}/attention/qkv/bias", {f"{part}.bias": (width,) for part in parts}, join),
            *linear(f"{ours}/attention/out", f"{theirs}.self_attn.out_proj", width, width),
            *norm(f"{ours}/norm_mlp", f"{theirs}.layer_norm2", width),
            *linear(f"{ours}/mlp/up", f"{theirs}.mlp.fc1", width, 4 * width),
            *linear(f"{ours}/mlp/down", f"{theirs}.mlp.fc2", 4 * width, width),
        ]
    return rows
