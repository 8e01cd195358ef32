"""What follows from the equations of the distinctive-word loss; test_losses_restated.py holds the equations."""

import jax
import numpy as np
import pytest

from distinctad_jax.losses import captioning, distinctive

next_word = jax.jit(captioning.next_word)
distinctive_words = jax.jit(distinctive.distinctive_words)
distinctive_bag = jax.jit(distinctive.distinctive_bag)
unlikely_context = jax.jit(distinctive.unlikely_context)
SHAPE, VOCAB, WORDS = (2, 3, 5), 7, 4


@pytest.fixture
def drawn():
    numbers = np.random.default_rng(0)
    logits = (2 * numbers.normal(size=(*SHAPE, VOCAB))).astype(np.float32)
    ids = numbers.integers(0, VOCAB, SHAPE, dtype=np.int32)
    real = np.arange(SHAPE[-1]) < numbers.integers(1, SHAPE[-1] + 1, (*SHAPE[:-1], 1))
    words = numbers.integers(0, VOCAB, (*SHAPE[:-1], WORDS), dtype=np.int32)
    return logits, ids, real, words, numbers.random(words.shape) < 0.6


def test_form_a_of_all_content_words_is_the_next_word_loss_over_these(drawn):
    """So it is in a window of one clip, where every content word is distinctive."""
    logits, ids, real, *_ = drawn
    marked = real & (ids > 2)
    assert distinctive_words(logits, ids, marked) == next_word(logits, ids, marked)


def test_form_b_does_not_mind_where_a_word_is_said(drawn):
    logits, _, _, words, words_real = drawn
    real = np.ones(SHAPE, bool)
    turned = distinctive_bag(np.roll(logits, 2, axis=-2), real, words, words_real)
    np.testing.assert_allclose(turned, distinctive_bag(logits, real, words, words_real), rtol=1e-6)


def forms(logits, ids, real, words, words_real):
    yield lambda logits: distinctive_words(logits, ids, real)
    yield lambda logits: distinctive_bag(logits, real, words, words_real)
    yield lambda logits: unlikely_context(logits, real, words, words_real, ids=ids)


def test_identical_descriptions_give_zero_and_no_slope(drawn):
    """Nothing is distinctive then, and no word is a neighbour's alone."""
    logits, ids, _, words, words_real = drawn
    nothing = np.zeros(SHAPE, bool), words, np.zeros_like(words_real)
    for form in forms(logits, ids, *nothing):
        loss, slope = jax.value_and_grad(form)(logits)
        assert loss == 0 and not np.any(slope)


def test_a_padding_clip_has_no_say(drawn):
    logits, ids, real, words, words_real = drawn
    marked = real & (ids > 2)

    def values(logits, real, marked, words_real):
        return [
            float(distinctive_words(logits, ids, marked)),
            float(distinctive_bag(logits, real, words, words_real)),
            float(unlikely_context(logits, real, words, words_real)),
        ]

    keep = np.ones((*SHAPE[:2], 1), bool)
    keep[1, 2] = False
    quiet = values(logits * keep[..., None], real & keep, marked & keep, words_real & keep)
    loud = values(np.where(keep[..., None], logits, 1e3), real & keep, marked & keep, words_real & keep)
    assert quiet == loud
    # A word that has no place to be said is left out, instead of costing without bound.
    assert np.isfinite(values(logits, real & keep, marked & keep, words_real)).all()


@pytest.mark.parametrize("sharpness", [1.0, 30.0, 300.0])
def test_certain_and_impossible_words_have_finite_losses_and_slopes(drawn, sharpness):
    logits, ids, real, words, words_real = drawn
    for form in forms(logits, ids, real, words, words_real):
        loss, slope = jax.value_and_grad(form)(sharpness * logits)
        assert np.isfinite(loss) and np.isfinite(slope).all()


def test_an_unlikely_word_still_pulls():
    """1 - (1 - p) is 0 in float32 for p = e^-30; the loss must not stop there."""
    logits = np.zeros((*SHAPE, VOCAB), np.float32)
    logits[..., 0] = -30.0
    word, real = np.zeros((*SHAPE[:2], WORDS), np.int32), np.ones(SHAPE, bool)

    value, slope = jax.value_and_grad(distinctive_bag)(logits, real, word, np.ones(word.shape, bool))
    rest, places, clips = VOCAB - 1, SHAPE[2], SHAPE[0] * SHAPE[1]
    np.testing.assert_allclose(
        value, 30 - np.log(places / rest), rtol=1e-5
    )  # the chance is p at each place, added up
    np.testing.assert_allclose(slope[..., 0], -1 / places / clips, rtol=1e-4)
