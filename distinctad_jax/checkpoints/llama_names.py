"""The Llama family as Hugging Face names it, and as we do. Read it as a table: our path, their name, sizes."""

from __future__ import annotations

import re
from typing import Any

from distinctad_jax.checkpoints.layouts import Row, as_is, transposed

EMBEDDINGS, HEAD = "model.embed_tokens.weight", "lm_head.weight"
# Angles that older files carry; they follow from the config.
IGNORED = re.compile(r"model\.(layers\.\d+\.self_attn\.)?rotary_emb\.inv_freq")


def llama_rows(sizes: dict[str, Any]) -> list[Row]:
    """The whole table. `sizes` are the fields of our Llama config; a tied head is no parameter."""
    width, hidden, table = sizes["width"], sizes["hidden"], (sizes["vocab"], sizes["width"])
    rows = [Row("token_embedding", {EMBEDDINGS: table}, as_is), _norm("norm_after", "model.norm", width)]
    if not sizes["tied"]:
        rows.append(Row("head", {HEAD: table}, as_is))
    queries, keys = (sizes[heads] * sizes["depth"] for heads in ("heads", "key_heads"))
    for layer in range(sizes["layers"]):
        ours, theirs = f"blocks/{layer}", f"model.layers.{layer}"
        attention, mlp = (f"{ours}/attention", f"{theirs}.self_attn"), (f"{ours}/mlp", f"{theirs}.mlp")
        biased = sizes["attention_bias"], sizes["mlp_bias"]
        rows += [
            _norm(f"{ours}/norm_attention", f"{theirs}.input_layernorm", width),
            *_linear(attention, "query", "q_proj", width, queries, biased[0]),
            *_linear(attention, "key", "k_proj", width, keys, biased[0]),
            *_linear(attention, "value", "v_proj", width, keys, biased[0]),
            *_linear(attention, "out", "o_proj", queries, width, biased[0]),
            _norm(f"{ours}/norm_mlp", f"{theirs}.post_attention_layernorm", width),
            *_linear(mlp, "gate", "gate_proj", width, hidden, biased[1]),
            *_linear(mlp, "up", "up_proj", width, hidden, biased[1]),
            *_linear(mlp, "down", "down_proj", hidden, width, biased[1]),
        ]
    return rows


def _norm(ours: str, theirs: str, width: int) -> Row:
    """A norm without bias."""
    return Row(f"{ours}/scale", {f"{theirs}.weight": (width,)}, as_is)


def _linear(part: tuple[str, str], ours: str, theirs: str, inputs: int, outputs: int, bias: bool) -> list[Row]:
    mine, other = f"{part[0]}/{ours}", f"{part[1]}.{theirs}"
    rows = [Row(f"{mine}/kernel", {f"{other}.weight": (outputs, inputs)}, transposed)]
    return rows + [Row(f"{mine}/bias", {f"{other}.bias": (outputs,)}, as_is)] * bias
