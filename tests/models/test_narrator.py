"""The narrator: what it predicts from what, what padding may not change, and where EM attention comes in."""

import dataclasses
import zlib
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


def made(fusion="recon+xattn", **changes):
    """A narrator with no weight near zero, so that each matters; drawn by NumPy, which need not be compiled. A
    weight depends on its name only, so narrators with and without a part have the others in common."""
    em_attention = dataclasses.replace(CONFIG.em_attention, fusion=fusion)
    config = dataclasses.replace(CONFIG, em_attention=em_attention, **changes)
    graph, state = nnx.split(nnx.eval_shape(lambda: Narrator(config, rngs=nnx.Rngs(0))))

    def drawn(path, like):
        name = jax.tree_util.keystr(path)
        noise = np.random.default_rng(zlib.crc32(name.encode())).normal(size=like.shape)
        return jnp.asarray(0.3 * noise + ("scale" in name), jnp.float32)

    return nnx.merge(graph, jax.tree.map_with_path(drawn, state))


@nnx.jit(static_argnames="train")
def run(narrator, batch, train=False, key=None):
    return narrator(**batch, train=train, key=key)


@nnx.jit
def read_alone(language, embeddings):
    hidden, _ = language(embeddings[None], jnp.ones((1, len(embeddings)), bool))
    return language.logits(hidden[0])


@pytest.fixture
def batch():
    numbers = np.random.default_rng(0)
    batch = {
        "features": numbers.normal(size=(BATCH, CLIPS, FRAMES, INPUT)).astype(np.float32),
        "frames_real": np.ones((BATCH, CLIPS, FRAMES), bool),
        "clips_real": np.ones((BATCH, CLIPS), bool),
        "prompt_ids": numbers.integers(0, VOCAB, (BATCH, CLIPS, PROMPT), dtype=np.int32),
        "prompt_real": np.ones((BATCH, CLIPS, PROMPT), bool),
        "text_ids": numbers.integers(0, VOCAB, (BATCH, CLIPS, LENGTH), dtype=np.int32),
        "text_real": np.arange(LENGTH) < numbers.integers(2, LENGTH + 1, (BATCH, CLIPS, 1)),
    }
    batch["frames_real"][0, 1, 3] = False
    batch["clips_real"][1, 2] = False
    batch["prompt_real"][0, 0, 1] = batch["prompt_real"][1] = False
    return batch


def but(batch, **changes):
    """The batch with some entries set: `name=(place, value)`."""
    batch = {name: part.copy() for name, part in batch.items()}
    for name, (place, value) in changes.items():
        batch[name][place] = value
    return batch


def logits(narrator, batch):
    return np.asarray(run(narrator, batch).logits)


def test_logits_are_those_of_one_plain_run_of_the_language_model(batch):
    """Clip by clip: prompt, visual tokens, description; each place reads what stands before it."""
    narrator = made()
    output, project = run(narrator, batch), narrator.project
    got = np.asarray(output.logits)
    shown = np.asarray(output.em.tokens) @ np.asarray(project.kernel[...]) + np.asarray(project.bias[...])
    table = np.asarray(narrator.language.token_embedding[...])
    assert got.shape == (BATCH, CLIPS, LENGTH, VOCAB)
    for window, clip in [(0, 1), (0, 2)]:
        prompt = table[batch["prompt_ids"][window, clip][batch["prompt_real"][window, clip]]]
        words = table[batch["text_ids"][window, clip]]
        row = np.concatenate([prompt, shown[window, clip], words])
        expected = read_alone(narrator.language, row)[len(prompt) + TOKENS - 1 : -1]
        real = batch["text_real"][window, clip]
        np.testing.assert_allclose(got[window, clip][real], expected[real], atol=1e-5)


def test_a_word_is_predicted_from_earlier_words_only(batch):
    narrator, place = made(), 2
    plain = logits(narrator, batch)
    later = batch["text_ids"][:, :, place] + 1
    changed = logits(narrator, but(batch, text_ids=((slice(None), slice(None), place), later % VOCAB)))
    np.testing.assert_allclose(changed[:, :, : place + 1], plain[:, :, : place + 1], atol=1e-6)
    assert np.abs(changed[:, :, place + 1] - plain[:, :, place + 1]).max() > 1e-3


def test_em_attention_that_adds_nothing_changes_no_logit(batch):
    """Its output maps start at zero (test_em_attention.py): at first the narrator is the one without it."""
    narrator, without = made(), run(made("none"), batch)
    assert without.em is None
    assert np.abs(logits(narrator, batch) - without.logits).max() > 1e-3
    for kernel in (narrator.em_attention.out_common.kernel, narrator.em_attention.ask_bases.out.kernel):
        kernel[...] = jnp.zeros_like(kernel[...])
    np.testing.assert_allclose(logits(narrator, batch), without.logits, atol=1e-6)


def test_fusion_none_has_no_parameters_of_it():
    for fusion, there in (("none", False), ("recon+xattn", True)):
        paths = [path for path, _ in nnx.to_flat_state(nnx.state(made(fusion)))]
        assert any("em_attention" in path for path in paths) == there


def test_clips_of_a_window_see_each_other_through_em_attention_only(batch):
    moved = but(batch, features=((0, 2), -batch["features"][0, 2]))
    with_it, alone = made(), made("none")
    change = np.abs(logits(with_it, moved) - logits(with_it, batch))
    assert change[0, 0].max() > 1e-4 and change[1].max() == 0
    np.testing.assert_array_equal(logits(alone, moved)[0, :2], logits(alone, batch)[0, :2])


def test_padding_clips_and_frames_change_nothing(batch):
    narrator = made()
    loud = but(batch, features=(~batch["frames_real"], 1e3), text_ids=((1, 2), 0))
    loud["features"][1, 2] = 1e3
    plain, changed = logits(narrator, batch), logits(narrator, loud)
    np.testing.assert_allclose(changed[batch["clips_real"]], plain[batch["clips_real"]], atol=1e-5)
    assert np.isfinite(changed).all()


def test_a_clip_without_a_real_frame_claims_no_basis(batch):
    output = run(made(), but(batch, frames_real=((0, 2), False)))
    assert not np.asarray(output.em.responsibilities)[0, 2].any() and np.isfinite(output.logits).all()


def test_places_in_the_window_are_told_apart(batch):
    """Without place embeddings, equal clips are described equally; with them they need not be."""
    alike = {name: np.repeat(part[:, :1], CLIPS, axis=1) for name, part in batch.items()}
    unplaced, placed = logits(made(clip_positions=False), alike), logits(made(), alike)
    np.testing.assert_allclose(unplaced[:, 1], unplaced[:, 0], atol=1e-5)
    assert np.abs(placed[:, 1] - placed[:, 0]).max() > 1e-3


def test_a_train_step_moves_the_moving_average_inside_a_gradient(batch):
    """As the training recipe does it: merged in the loss, and what moved comes out beside the loss."""
    graph, *states = nnx.split(made(), nnx.Param, MovingAverage)
    params, moving = (nnx.to_pure_dict(state) for state in states)

    @jax.jit
    @partial(jax.grad, has_aux=True)
    def slopes(params, moving, batch):
        narrator = nnx.merge(graph, params, moving)
        output = narrator(**batch, train=True)
        after = nnx.to_pure_dict(nnx.state(narrator, MovingAverage))
        return jnp.sum(jnp.sin(output.logits)), (after, output.em.bases)

    found, (after, bases) = slopes(params, moving, batch)
    old, new = (np.asarray(state["em_attention"]["moving_bases"]) for state in (moving, after))
    np.testing.assert_allclose(new, 0.9 * old + 0.1 * np.asarray(bases).mean(axis=0), atol=1e-6)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(found))
    assert np.any(found["bridge"]["latents"]) and np.any(found["project"]["kernel"])


def test_dropout_needs_a_key(batch):
    """What it does is tested with the language model; here, that the key gets there and nothing else draws."""
    narrator = made(language=dataclasses.replace(CONFIG.language, dropout=0.5))
    graph, state = nnx.split(narrator)

    def steps(key):
        return str(jax.make_jaxpr(lambda key: nnx.merge(graph, state)(**arrays, train=False, key=key).logits)(key))

    arrays = jax.tree.map(jnp.asarray, batch)
    assert "random_bits" in steps(jax.random.key(0)) and "random_bits" not in steps(None)


def test_the_prefix_ends_in_a_real_token_and_holds_one_row_a_clip(batch):
    narrator = made()
    embeddings, real = nnx.jit(type(narrator).prefix)(
        narrator, *(jnp.asarray(x) for x in (visual(), batch["prompt_ids"], batch["prompt_real"]))
    )
    assert embeddings.shape == (BATCH * CLIPS, PROMPT + TOKENS, 12)
    np.testing.assert_array_equal(real[:, :PROMPT], batch["prompt_real"].reshape(-1, PROMPT))
    assert np.asarray(real)[:, PROMPT:].all()


def visual():
    return np.random.default_rng(1).normal(size=(BATCH, CLIPS, TOKENS, 8)).astype(np.float32)


def test_more_clips_than_places_are_refused(batch):
    with pytest.raises(ValueError, match="windows of 2 clips, got 3"):
        run(made(clips=2), batch)


def test_parts_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="8 wide, EM attention expects 12"):
        dataclasses.replace(CONFIG, em_attention=EMAttentionConfig(12))
