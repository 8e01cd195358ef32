"""The Llama family against Hugging Face's on random weights, and what must hold for any weights."""

import dataclasses
import json
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from distinctad_jax.checkpoints.llama import llama_fields, load_llama, rope_fields
from distinctad_jax.checkpoints.weights import assemble, flat
from distinctad_jax.models.linear import LoraConfig
from distinctad_jax.models.llama import LLAMA_PRESETS, Llama, LlamaConfig
from distinctad_jax.models.rope import RopeConfig
from distinctad_jax.narration.decoding import DecodingConfig, decode

GOLDEN = Path(__file__).parents[1] / "golden"
FOLDERS = ("llama", "llama_tied")
ROPES = ("linear", "dynamic", "yarn", "longrope", "llama3")
TOLERANCE = 1e-5


@pytest.fixture(scope="module")
def golden():
    return np.load(GOLDEN / "llama.npz")


def published(name, **changes):
    fields, params = load_llama(GOLDEN / name)
    rope = RopeConfig(**changes.pop("rope", fields.pop("rope")))
    config = dataclasses.replace(LlamaConfig(**fields, rope=rope), **changes)
    return assemble(lambda: Llama(config, rngs=nnx.Rngs(0)), flat(params), GOLDEN / name)


@partial(jax.jit, static_argnums=0)
def run(graph, state, embeddings, real, cache=None):
    model = nnx.merge(graph, state)
    hidden, cache = model(embeddings, real, cache=cache)
    return model.logits(hidden), cache


def assert_equal(got, expected):
    """Within 1e-5 of the largest value, as float32 allows through two layers."""
    np.testing.assert_allclose(got, expected, atol=TOLERANCE * np.abs(expected).max(), rtol=0)


def logits(model, ids, real=None, cache=None):
    real = jnp.ones(ids.shape, bool) if real is None else jnp.asarray(real)
    return run(*nnx.split(model), model.embed(jnp.asarray(ids)), real, cache)


@pytest.mark.parametrize("name", FOLDERS)
def test_logits_whole_padded_and_cached_equal_hugging_face(name, golden):
    model, ids, real = published(name), golden["ids"], golden["real"]
    assert_equal(logits(model, ids)[0], golden[f"{name}/logits"])
    padded = logits(model, ids, real)[0]
    assert_equal(padded[real], golden[f"{name}/padded"][real])
    cache, seen = model.new_cache(len(ids), ids.shape[1]), []
    for place in range(ids.shape[1]):
        scores, cache = logits(model, ids[:, place : place + 1], cache=cache)
        seen.append(scores)
    assert_equal(jnp.concatenate(seen, axis=1), golden[f"{name}/cached"])


@pytest.mark.parametrize("kind", ROPES)
def test_every_scaling_of_rotary_positions_equals_hugging_face(kind, golden):
    config = json.loads(golden[f"{kind}/config"].tobytes())
    model = published("llama", rope=rope_fields(config, "config"), length=config["max_position_embeddings"])
    for ids, expected in ((golden["ids"], "logits"), (golden["ids"][:, :5], "short")):
        assert_equal(logits(model, ids)[0], golden[f"{kind}/{expected}"])
    if kind != "linear":  # and each kind differs from the plain one, or the comparison says little
        plain = published("llama", rope={"theta": 100.0})
        assert np.abs(logits(plain, golden["ids"])[0] - golden[f"{kind}/logits"]).max() > 10 * TOLERANCE


@pytest.mark.parametrize(("rule", "beams"), [("greedy", 1), ("beam", 5)])
def test_decoding_says_what_generate_says(rule, beams, golden):
    model = published("llama")
    rules = DecodingConfig(beams=beams, max_tokens=8, min_tokens=8)
    if beams == 1:
        rules = dataclasses.replace(rules, repetition_penalty=1.0, no_repeat=0)
    prompt = model.embed(jnp.asarray(golden["ids"][:, :4]))
    graph, state = nnx.split(model)
    say = jax.jit(
        lambda state, prompt: decode(nnx.merge(graph, state), prompt, jnp.ones((3, 4), bool), rules, 2).ids[:, 0]
    )
    np.testing.assert_array_equal(say(state, prompt), golden[f"llama/{rule}"])


def test_a_low_rank_update_is_in_its_targets_alone_and_scaled_by_alpha_over_rank():
    config = dataclasses.replace(LLAMA_PRESETS["tiny"], lora=LoraConfig(2, 8.0, ("query", "mlp")))
    model = Llama(config, rngs=nnx.Rngs(0))
    names = {path.rsplit("/", 1)[0] for path in flat(nnx.to_pure_dict(nnx.state(model))) if path.endswith("lora_b")}
    assert names == {
        f"blocks/{layer}/{name}"
        for layer in range(2)
        for name in ("attention/query", "mlp/gate", "mlp/up", "mlp/down")
    }
    query, tokens = model.blocks[0].attention.query, jnp.ones((1, 32))
    before = query(tokens)
    query.lora_b[...] = jnp.ones_like(query.lora_b[...])
    expected = before + 4.0 * (tokens @ query.lora_a[...]).sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(query(tokens), expected, rtol=1e-5, atol=1e-5)


def test_frozen_weights_are_kept_in_half_the_bytes_and_updates_in_float32():
    config = dataclasses.replace(LLAMA_PRESETS["tiny"], weights="bfloat16", lora=LoraConfig(2))
    shapes = flat(nnx.to_pure_dict(nnx.state(nnx.eval_shape(lambda: Llama(config, rngs=nnx.Rngs(0))))))
    assert shapes["blocks/0/mlp/gate/kernel"].dtype == shapes["token_embedding"].dtype == jnp.bfloat16
    assert {leaf.dtype for path, leaf in shapes.items() if "lora_" in path or "norm" in path} == {
        jnp.dtype("float32")
    }


def test_the_sizes_of_the_published_8b_come_from_its_config(tmp_path):
    known = {"model_type": "llama", "vocab_size": 128256, "hidden_size": 4096, "intermediate_size": 14336}
    known |= {"num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8, "rms_norm_eps": 1e-5}
    known |= {"max_position_embeddings": 131072, "rope_theta": 500000.0}
    known["rope_scaling"] = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}
    known["rope_scaling"]["original_max_position_embeddings"] = 8192
    (tmp_path / "config.json").write_text(json.dumps(known))
    fields = llama_fields(tmp_path)
    found = LlamaConfig(**{**fields, "rope": RopeConfig(**fields["rope"])})
    assert dataclasses.replace(found, depth=0) == LLAMA_PRESETS["llama-3.1-8b"]


@pytest.mark.parametrize(
    "changes",
    [{"key_heads": 3}, {"hidden": 0}, {"activation": "relu"}, {"depth": 7}, {"lora": LoraConfig(2, 8.0, ("qkv",))}],
)
def test_impossible_sizes_are_refused(changes):
    with pytest.raises(ValueError, match=r"got|targets"):
        dataclasses.replace(LLAMA_PRESETS["tiny"], **changes)
