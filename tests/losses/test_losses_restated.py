"""Every switch of the losses against `restated.py`, in value, and in slope against finite differences of it.

Slopes are compared along random ways through all inputs at once, scaled by the length of the whole slope: a slope
that is wrong anywhere shows in nearly every such way.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import restated

from distinctad_jax.losses.distinctive import distinctive_bag, distinctive_words, unlikely_context
from distinctad_jax.losses.matching import frame_word_matching, global_matching, pool_frames

BATCH, FRAMES, LENGTH, PROJECTION = 5, 3, 4, 8
SWITCHES = [(d, p) for d in ("frame_to_word", "word_to_frame") for p in ("all", "matched")]
TWINS = [(), ((0, 2), (1, 4))]
SHAPE, VOCAB, WORDS = (2, 3, 5), 7, 4


@pytest.fixture(params=[0, 1])
def batch(request):
    """Clips with padding frames, descriptions with padding words; in the second, one clip and one text are empty."""
    numbers = np.random.default_rng(request.param)
    frames = numbers.normal(size=(BATCH, FRAMES, PROJECTION)).astype(np.float32)
    words = numbers.normal(size=(BATCH, LENGTH, PROJECTION)).astype(np.float32)
    frames_real, words_real = np.ones((BATCH, FRAMES), bool), np.ones((BATCH, LENGTH), bool)
    frames_real[1, 2:] = words_real[0, 3:] = words_real[3, :2] = False
    if request.param:
        frames_real[4] = words_real[2] = False
    return frames, frames_real, words, words_real


def same_texts(twins):
    same = np.eye(BATCH, dtype=bool)
    for b, c in twins:
        same[b, c] = same[c, b] = True
    return jnp.asarray(same)


def assert_slopes_agree(ours, theirs, point, seed=0, ways=6):
    """`ours` maps arrays to a loss in JAX, `theirs` the same in NumPy; both take all arrays of `point`."""
    value, slopes = jax.jit(jax.value_and_grad(ours, argnums=tuple(range(len(point)))))(*map(jnp.asarray, point))
    point = [np.asarray(array, np.float64) for array in point]
    np.testing.assert_allclose(value, theirs(*point), rtol=1e-5)
    slopes = [np.asarray(slope, np.float64) for slope in slopes]
    length, numbers = np.sqrt(sum((slope**2).sum() for slope in slopes)), np.random.default_rng(seed)
    assert length > 1e-2  # a slope of nothing would agree with anything
    for _ in range(ways):
        way = [numbers.normal(size=array.shape) for array in point]
        expected = restated.slope_along(theirs, point, way)
        got = sum((slope * move).sum() for slope, move in zip(slopes, way, strict=True))
        np.testing.assert_allclose(got / length, expected / length, atol=2e-4)


@pytest.mark.parametrize("log_scale", [2.2, 6.0])
@pytest.mark.parametrize("twins", TWINS)
def test_clip_and_sentence(batch, twins, log_scale):
    frames, frames_real, words, _ = batch
    frames_real = frames_real | ~frames_real.any(axis=1, keepdims=True)  # a clip without frames is no clip here

    def ours(frames, sentences, log_scale):
        scale = jnp.minimum(jnp.exp(log_scale), 100.0)
        return global_matching(pool_frames(frames, jnp.asarray(frames_real)), sentences, scale, same_texts(twins))

    def theirs(frames, sentences, log_scale):
        shown = restated.real_rows(frames, frames_real)
        return restated.clip_sentence(shown, list(sentences), float(log_scale), twins)

    assert_slopes_agree(ours, theirs, [frames, words[:, 0], np.float32(log_scale)])


@pytest.mark.parametrize("twins", TWINS)
@pytest.mark.parametrize(("direction", "positives"), SWITCHES)
def test_frame_and_word(batch, direction, positives, twins):
    frames, frames_real, words, words_real = batch
    options = {"direction": direction, "positives": positives, "temperature": 0.2}

    def ours(frames, words):
        real = jnp.asarray(frames_real), jnp.asarray(words_real)
        same = same_texts(twins)
        return frame_word_matching(frames, real[0], words, real[1], attention_temperature=0.3, same=same, **options)

    def theirs(frames, words):
        shown, said = restated.real_rows(frames, frames_real), restated.real_rows(words, words_real)
        return restated.frame_word(shown, said, attention=0.3, twins=twins, **options)

    assert_slopes_agree(ours, theirs, [frames, words])


def test_the_defaults_of_frame_and_word_are_those_of_the_equations(batch):
    frames, frames_real, words, words_real = batch
    expected = restated.frame_word(restated.real_rows(frames, frames_real), restated.real_rows(words, words_real))
    np.testing.assert_allclose(jax.jit(frame_word_matching)(*batch), expected, rtol=1e-5)


@pytest.fixture
def drawn():
    """Logits and ids of descriptions of several lengths; some words of each; one description has none."""
    numbers = np.random.default_rng(0)
    logits = (2 * numbers.normal(size=(*SHAPE, VOCAB))).astype(np.float32)
    ids = numbers.integers(0, VOCAB, SHAPE, dtype=np.int32)
    real = np.arange(SHAPE[-1]) < numbers.integers(2, SHAPE[-1] + 1, (*SHAPE[:-1], 1))
    words = np.stack([numbers.permutation(VOCAB)[:WORDS] for _ in range(SHAPE[0] * SHAPE[1])])
    words = words.reshape(*SHAPE[:-1], WORDS).astype(np.int32)
    words_real = numbers.random(words.shape) < 0.6
    words_real[0, 1] = False
    return logits, ids, real, words, words_real


def flat(array):
    return array.reshape(-1, *array.shape[2:])


def test_form_a(drawn):
    logits, ids, real, *_ = drawn
    marked = real & (ids > 2)

    def theirs(logits):
        places = restated.real_rows(flat(logits), flat(real))
        told = [list(row[kept]) for row, kept in zip(flat(ids), flat(real), strict=True)]
        flags = [list(row[kept]) for row, kept in zip(flat(marked), flat(real), strict=True)]
        return restated.form_a(places, told, flags)

    assert_slopes_agree(
        lambda logits: distinctive_words(logits, jnp.asarray(ids), jnp.asarray(marked)), theirs, [logits]
    )


def test_form_b(drawn):
    logits, _, real, words, words_real = drawn

    def theirs(logits):
        firsts = [list(row[kept]) for row, kept in zip(flat(words), flat(words_real), strict=True)]
        return restated.form_b(restated.real_rows(flat(logits), flat(real)), firsts)

    assert_slopes_agree(
        lambda logits: distinctive_bag(logits, *map(jnp.asarray, (real, words, words_real))), theirs, [logits]
    )


@pytest.mark.parametrize("spared", [True, False])
def test_form_c(drawn, spared):
    logits, ids, real, words, words_real = drawn

    def theirs(logits):
        forbidden = [list(row[kept]) for row, kept in zip(flat(words), flat(words_real), strict=True)]
        told = [list(row[kept]) for row, kept in zip(flat(ids), flat(real), strict=True)]
        right = told if spared else [[-1] * len(each) for each in told]
        return restated.form_c(restated.real_rows(flat(logits), flat(real)), right, forbidden)

    def ours(logits):
        given = map(jnp.asarray, (real, words, words_real))
        return unlikely_context(logits, *given, ids=jnp.asarray(ids) if spared else None)

    assert_slopes_agree(ours, theirs, [logits])
