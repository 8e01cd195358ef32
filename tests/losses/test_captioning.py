"""The next-word loss against its restatement in float64."""

import jax
import jax.numpy as jnp
import numpy as np

from distinctad_jax.losses import captioning

next_word = jax.jit(captioning.next_word)


def chances(logits):
    """log p, in float64."""
    logits = np.asarray(logits, np.float64)
    return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))


def drawn(seed=0, shape=(2, 3, 5), vocab=7):
    numbers = np.random.default_rng(seed)
    logits = (3 * numbers.normal(size=(*shape, vocab))).astype(np.float32)
    return logits, numbers.integers(0, vocab, shape, dtype=np.int32), numbers.random(shape) < 0.6


def test_it_is_the_mean_over_all_real_tokens():
    logits, ids, real = drawn()
    picked = np.take_along_axis(chances(logits), ids[..., None], axis=-1)[..., 0]
    np.testing.assert_allclose(next_word(logits, ids, real), -picked[real].mean(), rtol=1e-5)


def test_padding_may_hold_anything():
    logits, ids, real = drawn()
    loud = np.where(real[..., None], logits, 1e4 * logits)
    assert next_word(loud, np.where(real, ids, 0), real) == next_word(logits, ids, real)


def test_nothing_real_gives_zero_and_no_slope():
    logits, ids, real = drawn()
    loss, slope = jax.value_and_grad(next_word)(logits, ids, np.zeros_like(real))
    assert loss == 0 and not np.any(slope)


def test_bfloat16_logits_are_summed_in_float32():
    logits, ids, real = drawn()
    half = logits.astype(jnp.bfloat16)
    loss = next_word(half, ids, real)
    assert loss.dtype == jnp.float32
    np.testing.assert_allclose(loss, next_word(half.astype(np.float32), ids, real), rtol=1e-6)
    huge = np.full_like(half, 3e38)
    huge[..., 0] = -3e38
    assert np.isfinite(next_word(huge, np.ones_like(ids), real))
