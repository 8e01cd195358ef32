"""The narrator: what it predicts from what, what padding may not change, and where EM attention comes in."""

import dataclasses
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from distinctad_jax.models.bridge import BridgeConfig
from distinctad_jax.models.em_attention import EMAttentionConfig, MovingAverage
from distinctad_jax.models.gpt2 import Gpt2Config
from distinctad_jax.models.narrator import Narrator, NarratorConfig

BATCH, CLIPS, FRAMES, INPUT, PROMPT, LENGTH, TOKENS, VOCAB = 2, 3, 4, 6, 2, 5, 3, 17
CONFIG = NarratorConfig(
    bridge=BridgeConfig(INPUT, 8, tokens=TOKENS, layers=1, heads=2, frames=FRAMES),
    em_attention=EMAttentionConfig(8, bases=4, heads=2),
    language=Gpt2Config(VOCAB, 16, 12, 1, 2),
    clips=CLIPS,
)


def made(fusion="recon+xattn", zero=False, **changes):
    em_attention = dataclasses.replace(CONFIG.em_attention, fusion=fusion)
    narrator = Narrator(dataclasses.replace(CONFIG, em_attention=em_attention, **changes), rngs=nnx.Rngs(0))
    if not zero and narrator.em_attention is not None:
        for kernel in (narrator.em_attention.out_common.kernel, narrator.em_attention.ask_bases.out.kernel):
            kernel[...] = jax.random.normal(jax.random.key(7), kernel.shape)
    for _, param in nnx.to_flat_state(nnx.state(narrator.language)):
        param[...] = 8 * param[...]  # as far from its small start as a trained one, so that differences show
    return narrator


@nnx.jit(static_argnames="train")
def run(narrator, batch, train=False, key=None):
    return narrator(**batch, train=train, key=key)


@nnx.jit
def see(narrator, batch):
    return narrator.see(batch["features"], batch["frames_real"], batch["clips_real"], train=False)[0]


@nnx.jit
def read_alone(language, embeddings):
    hidden, _ = language(embeddings[None], jnp.ones((1, len(embeddings)), bool))
    return language.logits(hidden[0])


@pytest.fixture
def batch():
    numbers = np.random.default_rng(0)
    lengths = numbers.integers(2, LENGTH + 1, (BATCH, CLIPS, 1))
    return {
        "features": jnp.asarray(numbers.normal(size=(BATCH, CLIPS, FRAMES, INPUT)), jnp.float32),
        "frames_real": jnp.ones((BATCH, CLIPS, FRAMES), bool).at[0, 1, 3].set(False),
        "clips_real": jnp.ones((BATCH, CLIPS), bool).at[1, 2].set(False),
        "prompt_ids": jnp.asarray(numbers.integers(0, VOCAB, (BATCH, CLIPS, PROMPT))),
        "prompt_real": jnp.ones((BATCH, CLIPS, PROMPT), bool).at[0, 0, 1].set(False).at[1].set(False),
        "text_ids": jnp.asarray(numbers.integers(0, VOCAB, (BATCH, CLIPS, LENGTH))),
        "text_real": jnp.arange(LENGTH) < jnp.asarray(lengths),
    }


def test_logits_are_those_of_one_plain_run_of_the_language_model(batch):
    """Row by row: prompt, visual tokens, description; each place reads what stands before it."""
    narrator = made()
    language, got, visual = narrator.language, run(narrator, batch).logits, see(narrator, batch)
    assert got.shape == (BATCH, CLIPS, LENGTH, VOCAB)
    for window, clip in [(0, 1), (1, 0)]:
        prompt = language.embed(batch["prompt_ids"][window, clip][batch["prompt_real"][window, clip]])
        shown = narrator.project(visual[window, clip])
        words = language.embed(batch["text_ids"][window, clip])
        read = read_alone(language, jnp.concatenate([prompt, shown, words]))
        expected = read[len(prompt) + TOKENS - 1 : -1]
        real = batch["text_real"][window, clip]
        np.testing.assert_allclose(got[window, clip][real], expected[real], atol=1e-5)


def test_a_word_is_predicted_from_earlier_words_only(batch):
    narrator, place = made(), 2
    plain = run(narrator, batch).logits
    later = batch | {"text_ids": batch["text_ids"].at[:, :, place].add(1) % VOCAB}
    changed = run(narrator, later).logits
    np.testing.assert_allclose(changed[:, :, : place + 1], plain[:, :, : place + 1], atol=1e-6)
    assert np.abs(changed[:, :, place + 1] - plain[:, :, place + 1]).max() > 1e-4


def test_at_first_em_attention_changes_no_logit(batch):
    """The same seed gives the same other weights, and the zero output maps hide the module."""
    without = run(made("none"), batch)
    assert without.em is None
    for fusion in ("recon", "residual", "recon+xattn"):
        np.testing.assert_allclose(run(made(fusion, zero=True), batch).logits, without.logits, atol=1e-6)


def test_fusion_none_has_no_parameters_of_it(batch):
    state = nnx.state(made("none"))
    assert not any("em_attention" in path for path, _ in nnx.to_flat_state(state))
    assert any("em_attention" in path for path, _ in nnx.to_flat_state(nnx.state(made())))


def test_clips_of_a_window_see_each_other_through_em_attention_only(batch):
    moved = batch | {"features": batch["features"].at[0, 2].multiply(-1.0)}
    with_it, alone = made(), made("none")
    assert np.abs(run(with_it, moved).logits - run(with_it, batch).logits)[0, 0].max() > 1e-5
    np.testing.assert_array_equal(run(alone, moved).logits[0, :2], run(alone, batch).logits[0, :2])
    np.testing.assert_array_equal(run(with_it, moved).logits[1], run(with_it, batch).logits[1])


def test_padding_clips_and_frames_change_nothing(batch):
    narrator, far = made(), 1e3
    loud = batch | {
        "features": jnp.where(batch["frames_real"][..., None], batch["features"], far).at[1, 2].set(far),
        "text_ids": batch["text_ids"].at[1, 2].set(0),
    }
    plain, changed = run(narrator, batch).logits, run(narrator, loud).logits
    there = np.asarray(batch["clips_real"])
    np.testing.assert_allclose(changed[there], plain[there], atol=1e-5)
    assert np.isfinite(changed).all()


def test_a_clip_without_a_real_frame_claims_no_basis(batch):
    blind = batch | {"frames_real": batch["frames_real"].at[0, 2].set(False)}
    output = run(made(), blind)
    assert not output.em.responsibilities[0, 2].any() and np.isfinite(output.logits).all()


def test_places_in_the_window_are_told_apart(batch):
    """Without place embeddings, equal clips are described equally; with them they need not be."""
    alike = batch | {
        name: jnp.broadcast_to(batch[name][:, :1], batch[name].shape)
        for name in ("features", "frames_real", "prompt_ids", "prompt_real", "text_ids", "text_real")
    }
    alike["clips_real"] = jnp.ones((BATCH, CLIPS), bool)
    placed, unplaced = run(made(), alike).logits, run(made(clip_positions=False), alike).logits
    np.testing.assert_allclose(unplaced[:, 1], unplaced[:, 0], atol=1e-5)
    assert np.abs(placed[:, 1] - placed[:, 0]).max() > 1e-5


def test_a_train_step_moves_the_moving_average_inside_a_gradient(batch):
    """As the training recipe does it: merged in the loss, and what moved comes out beside the loss."""
    graph, *states = nnx.split(made(), nnx.Param, MovingAverage)
    params, moving = (nnx.to_pure_dict(state) for state in states)

    @partial(jax.jit, static_argnames="train")
    @partial(jax.grad, has_aux=True)
    def slopes(params, moving, train):
        narrator = nnx.merge(graph, params, moving)
        output = narrator(**batch, train=train)
        after = nnx.to_pure_dict(nnx.state(narrator, MovingAverage))
        return jnp.sum(jnp.sin(output.logits)), (after, output.em.bases)

    found, (after, bases) = slopes(params, moving, train=True)
    old, new = (state["em_attention"]["moving_bases"] for state in (moving, after))
    np.testing.assert_allclose(new, 0.9 * old + 0.1 * bases.mean(axis=0), atol=1e-6)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(found))
    assert found["bridge"]["latents"].any() and found["project"]["kernel"].any()
    _, (after, _) = slopes(params, moving, train=False)
    np.testing.assert_array_equal(after["em_attention"]["moving_bases"], old)


def test_dropout_needs_a_key(batch):
    language = dataclasses.replace(CONFIG.language, dropout=0.5)
    narrator = made(language=language)
    plain = run(narrator, batch).logits
    np.testing.assert_array_equal(run(narrator, batch, train=True).logits, plain)
    one, two = (run(narrator, batch, train=True, key=jax.random.key(seed)).logits for seed in (0, 1))
    assert np.abs(one - plain).max() > 1e-3 and np.abs(one - two).max() > 1e-3


def test_the_prefix_ends_in_a_real_token_and_holds_one_row_a_clip(batch):
    narrator = made()
    visual = see(narrator, batch)
    embeddings, real = narrator.prefix(visual, batch["prompt_ids"], batch["prompt_real"])
    assert embeddings.shape == (BATCH * CLIPS, PROMPT + TOKENS, 12)
    assert real[:, PROMPT:].all()
    np.testing.assert_array_equal(real[:, :PROMPT], batch["prompt_real"].reshape(-1, PROMPT))


def test_more_clips_than_places_are_refused(batch):
    with pytest.raises(ValueError, match="windows of 2 clips, got 3"):
        made(clips=2)(**batch, train=False)


def test_parts_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="8 wide, EM attention expects 12"):
        dataclasses.replace(CONFIG, em_attention=EMAttentionConfig(12))
