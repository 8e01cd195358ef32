"""Greedy and beam search say, id for id, what Hugging Face's `generate` says: 20 models with random weights of each
family, random prefix embeddings, repetition penalty 1.2, no repeated 3-gram."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from distinctad_jax.checkpoints.llama import load_llama
from distinctad_jax.checkpoints.published import load_gpt2
from distinctad_jax.checkpoints.weights import assemble, flat
from distinctad_jax.models.gpt2 import Gpt2, Gpt2Config
from distinctad_jax.models.llama import Llama, LlamaConfig
from distinctad_jax.models.rope import RopeConfig
from distinctad_jax.narration.decoding import DecodingConfig, decode

pytestmark = pytest.mark.parity

SEEDS, ROWS, SEEN, MOST, VOCAB = 20, 4, 6, 16, 101
END = VOCAB - 1
SIZES = {
    "gpt2": {"vocab_size": VOCAB, "n_positions": 32, "n_embd": 32, "n_layer": 2, "n_head": 4},
    "llama": {"vocab_size": VOCAB, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2}
    | {"num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 32},
}
RULES = {"greedy": DecodingConfig(beams=1, max_tokens=MOST), "beam": DecodingConfig(beams=5, max_tokens=MOST)}


def theirs(rule):
    return {
        "num_beams": rule.beams,
        "max_new_tokens": rule.max_tokens,
        "min_new_tokens": rule.min_tokens,
        "repetition_penalty": rule.repetition_penalty,
        "no_repeat_ngram_size": rule.no_repeat,
        "length_penalty": rule.length_penalty,
        "early_stopping": rule.early_stopping,
    }


def read(kind, folder):
    if kind == "gpt2":
        fields, params = load_gpt2(folder)
        return assemble(lambda: Gpt2(Gpt2Config(**fields), rngs=nnx.Rngs(0)), flat(params), folder)
    fields, params = load_llama(folder)
    config = LlamaConfig(**{**fields, "rope": RopeConfig(**fields["rope"])})
    return assemble(lambda: Llama(config, rngs=nnx.Rngs(0)), flat(params), folder)


@pytest.mark.parametrize("kind", SIZES)
def test_twenty_models_say_the_same(peer, tmp_path, kind):
    assert (RULES["beam"].repetition_penalty, RULES["beam"].no_repeat, RULES["greedy"].no_repeat) == (1.2, 3, 3)
    rules = {name: theirs(rule) for name, rule in RULES.items()}
    made = {"kind": kind, "sizes": SIZES[kind], "seeds": SEEDS, "rows": ROWS, "seen": SEEN}
    peer("generate", folder=str(tmp_path), rules=rules, **made)

    @partial(jax.jit, static_argnums=(0, 1))
    def say(graph, rule, state, prefix):
        return decode(nnx.merge(graph, state), prefix, jnp.ones(prefix.shape[:2], bool), rule, END).ids[:, 0]

    lengths, different = set(), []
    for seed in range(SEEDS):
        said, model = np.load(tmp_path / str(seed) / "said.npz"), read(kind, tmp_path / str(seed))
        for name, rule in RULES.items():
            with jax.default_matmul_precision("highest"):
                graph, state = nnx.split(model)
                found = np.asarray(say(graph, rule, state, said["prefix"]))
            if not np.array_equal(found, said[name]):
                different.append((seed, name, found.tolist(), said[name].tolist()))
            lengths |= {*(found != END).sum(axis=1).tolist()}
    assert not different, different[:2]
    assert len(lengths) > 5  # sentences of many lengths, or the end was never put to the test
