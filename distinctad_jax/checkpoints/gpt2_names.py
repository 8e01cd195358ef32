"""GPT-2 as Hugging Face names it, and as we do. Read it as a table: our path, their name, sizes.

Their names stand here without the prefix `transformer.`, which some files have and some have not.
"""

from __future__ import annotations

import re
from typing import Any

from distinctad_jax.checkpoints.layouts import Row, as_is, conv1d, heads_first, norm

PREFIX = "transformer."
HEAD = "lm_head.weight"  # tied to the token embeddings: absent, or a copy of them
TIED_TO = "wte.weight"
# The causal mask, which older files carry for each layer.
IGNORED = re.compile(r"h\.\d+\.attn\.(bias|masked_bias)")


def gpt2_rows(sizes: dict[str, Any]) -> list[Row]:
    """The whole table. `sizes` are the fields of our GPT-2 config."""
    width, join = sizes["width"], heads_first(sizes["heads"])
    rows = [
        Row("token_embedding", {TIED_TO: (sizes["vocab"], width)}, as_is),
        Row("positions", {"wpe.weight": (sizes["length"], width)}, as_is),
        *norm("norm_after", "ln_f", width),
    ]
    for layer in range(sizes["layers"]):
        ours, theirs = f"blocks/{layer}", f"h.{layer}"
        rows += [
            *norm(f"{ours}/norm_attention", f"{theirs}.ln_1", width),
            Row(f"{ours}/attention/qkv/kernel", {f"{theirs}.attn.c_attn.weight": (width, 3 * width)}, join),
            Row(f"{ours}/attention/qkv/bias", {f"{theirs}.attn.c_attn.bias": (3 * width,)}, join),
            *conv1d(f"{ours}/attention/out", f"{theirs}.attn.c_proj", width, width),
            *norm(f"{ours}/norm_mlp", f"{theirs}.ln_2", width),
            *conv1d(f"{ours}/mlp/up", f"{theirs}.mlp.c_fc", width, 4 * width),
            *conv1d(f"{ours}/mlp/down", f"{theirs}.mlp.c_proj", 4 * width, width),
        ]
    return rows
