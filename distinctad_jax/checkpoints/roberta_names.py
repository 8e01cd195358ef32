"""RoBERTa as Hugging Face names it, and as we do. Read it as a table: our path, their name, sizes.

Their names stand here without the prefix `roberta.`, which some files have and some have not.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from distinctad_jax.checkpoints.layouts import Layout, Row, as_is, fused, linear, norm

PREFIX = "roberta."
LAYER = re.compile(r"encoder\.layer\.(\d+)\.")
# Heads for tasks, and what older files carry: nothing of it is in the encoder.
IGNORED = re.compile(r"(lm_head|pooler|classifier)\..+|embeddings\.position_ids")
OFFSET = 2
"""Positions count from the padding id + 1 = 2; the rows before are never used."""


_positions = Layout(lambda table: table[OFFSET:], lambda ours: (np.pad(ours, ((OFFSET, 0), (0, 0))),))
_only = Layout(lambda table: table[0], lambda ours: (ours[None],))
"""A table of one row."""


def roberta_rows(sizes: dict[str, Any]) -> list[Row]:
    """The whole table. `sizes` are the fields of our RoBERTa config."""
    width, join = sizes["width"], fused(sizes["heads"])
    rows = [
        Row("token_embedding", {"embeddings.word_embeddings.weight": (sizes["vocab"], width)}, as_is),
        Row("positions", {"embeddings.position_embeddings.weight": (sizes["length"] + OFFSET, width)}, _positions),
        Row("segment", {"embeddings.token_type_embeddings.weight": (1, width)}, _only),
        *norm("norm_before", "embeddings.LayerNorm", width),
    ]
    for layer in range(sizes["layers"]):
        ours, theirs = f"blocks/{layer}", f"encoder.layer.{layer}"
        three = [f"{theirs}.attention.self.{part}" for part in ("query", "key", "value")]
        rows += [
            Row(f"{ours}/attention/qkv/kernel", {f"{part}.weight": (width, width) for part in three}, join),
            Row(f"{ours}/attention/qkv/bias", {f"{part}.bias": (width,) for part in three}, join),
            *linear(f"{ours}/attention/out", f"{theirs}.attention.output.dense", width, width),
            *norm(f"{ours}/norm_attention", f"{theirs}.attention.output.LayerNorm", width),
            *linear(f"{ours}/mlp/up", f"{theirs}.intermediate.dense", width, 4 * width),
            *linear(f"{ours}/mlp/down", f"{theirs}.output.dense", 4 * width, width),
            *norm(f"{ours}/norm_mlp", f"{theirs}.output.LayerNorm", width),
        ]
    return rows
