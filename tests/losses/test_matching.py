"""What follows from the equations of Stage I's losses; test_losses_restated.py holds the equations."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from distinctad_jax.losses import matching

SWITCH_NAMES = ("direction", "positives", "temperature", "attention_temperature", "most")
frame_word_matching = jax.jit(matching.frame_word_matching, static_argnames=SWITCH_NAMES)
global_matching = jax.jit(matching.global_matching, static_argnames="most")
pool_frames = jax.jit(matching.pool_frames)

BATCH, FRAMES, LENGTH, PROJECTION = 5, 3, 4, 8
SWITCHES = [(d, p) for d in ("frame_to_word", "word_to_frame") for p in ("all", "matched")]
FEW = [SWITCHES[0], SWITCHES[3]]  # where the two switches do not depend on each other


def unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def log_sum(values):
    values = np.asarray(values, np.float64)
    return values.max() + np.log(np.exp(values - values.max()).sum())


@pytest.fixture
def batch():
    numbers = np.random.default_rng(0)
    frames = numbers.normal(size=(BATCH, FRAMES, PROJECTION)).astype(np.float32)
    words = numbers.normal(size=(BATCH, LENGTH, PROJECTION)).astype(np.float32)
    frames_real, words_real = np.ones((BATCH, FRAMES), bool), np.ones((BATCH, LENGTH), bool)
    frames_real[1, 2:] = False
    words_real[0, 3:] = False
    words_real[3, 1:] = False
    return frames, frames_real, words, words_real


def twins(*pairs):
    same = np.eye(BATCH, dtype=bool)
    for b, c in pairs:
        same[b, c] = same[c, b] = True
    return same


NUMBERS = np.array([0, 1, 0, 3, 1], np.int32)
"""The same twins as numbers of texts."""


@pytest.mark.parametrize(("direction", "positives"), FEW)
def test_in_chunks_both_losses_and_their_slopes_are_those_of_the_whole(batch, direction, positives):
    frames, frames_real, words, words_real = map(jnp.asarray, batch)
    frames_real = frames_real.at[4].set(False)

    def slopes(same, most):
        same = jnp.asarray(same)

        def loss(frames, words):
            fine = matching.frame_word_matching(
                frames, frames_real, words, words_real, direction=direction, positives=positives, same=same, most=most
            )
            return fine + matching.global_matching(frames[:, 0], words[:, 0], jnp.float32(9.0), same, most=most)

        return jax.jit(jax.value_and_grad(loss, argnums=(0, 1)))(frames, words)

    whole, chunked = slopes(twins((0, 2), (1, 4)), 1 << 20), slopes(NUMBERS, 1)
    for got, expected in zip(jax.tree.leaves(chunked), jax.tree.leaves(whole), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


def test_a_batch_is_cut_into_the_fewest_chunks_that_fit():
    assert [matching._chunks(12, 10, most) for most in (1440, 1439, 720, 480, 130, 1)] == [1, 2, 2, 3, 12, 12]


@pytest.mark.parametrize("direction", ["frame_to_word", "word_to_frame"])
def test_a_device_holds_its_share_of_a_chunk_and_no_more(direction):
    """Per device, the memory of loss and slope: twice the batch would be four times the matrix."""
    mesh = jax.make_mesh((8,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    split = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("data"))
    times, length = 8, 16

    def held(batch, most):
        def loss(frames, frames_real, words, words_real, same):
            fine = matching.frame_word_matching(
                frames, frames_real, words, words_real, direction=direction, same=same, most=most
            )
            return fine + matching.global_matching(frames[:, 0], words[:, 0], jnp.float32(9.0), same, most=most)

        def like(kind, *shape):
            return jax.ShapeDtypeStruct((batch, *shape), kind, sharding=split)

        given = like("float32", times, 8), like(bool, times), like("float32", length, 8), like(bool, length)
        compiled = jax.jit(jax.grad(loss, argnums=(0, 2))).lower(*given, like("int32")).compile()
        return compiled.memory_analysis().temp_size_in_bytes

    most = 256 * 256 * times * length // 8
    matrix = 512 * 512 * times * length * 4 // 8  # bytes of a device's share at a batch of 512
    whole, chunked, half = held(512, 1 << 40), held(512, most), held(256, most)
    assert whole > matrix  # what is measured is the matrix
    assert chunked < 10 * most * 4 // 8  # a device's share of a chunk, and what is computed from it
    assert chunked < whole / 20 and chunked < 2.5 * half


def test_a_batch_of_one_has_nothing_to_tell_apart(batch):
    alone = [part[:1] for part in batch]
    for direction, positives in FEW:
        loss, slope = jax.value_and_grad(
            lambda frames, d=direction, p=positives: frame_word_matching(frames, *alone[1:], direction=d, positives=p)
        )(jnp.asarray(alone[0]))
        assert loss == 0 and not slope.any()
    assert global_matching(alone[0][:, 0], alone[2][:, 0], jnp.float32(100.0)) == 0


def test_the_order_of_the_batch_and_of_the_frames_does_not_matter(batch):
    frames, frames_real, words, _ = batch
    order, turn = np.array([3, 0, 4, 1, 2]), np.array([2, 0, 1])
    moved = [part[order] for part in batch]
    moved[0], moved[1] = moved[0][:, turn], moved[1][:, turn]
    for direction, positives in FEW:
        options = {"direction": direction, "positives": positives}
        got, expected = frame_word_matching(*moved, **options), frame_word_matching(*batch, **options)
        np.testing.assert_allclose(got, expected, rtol=1e-5)
    pooled, sentence = pool_frames(moved[0], moved[1]), words[:, 0]
    expected = global_matching(pool_frames(frames, frames_real), sentence, jnp.float32(14.0))
    np.testing.assert_allclose(global_matching(pooled, sentence[order], jnp.float32(14.0)), expected, rtol=1e-5)


@pytest.mark.parametrize(("direction", "positives"), FEW)
def test_padding_changes_nothing_whatever_stands_in_it(batch, direction, positives):
    frames, frames_real, words, words_real = batch

    def padded(part, filling):
        return np.concatenate([part, np.full_like(part[:, :2], filling)], axis=1)

    loud = (padded(frames, 1e3), padded(frames_real, False), padded(words, -1e3), padded(words_real, False))
    options = {"direction": direction, "positives": positives}
    np.testing.assert_allclose(
        frame_word_matching(*loud, **options), frame_word_matching(*batch, **options), rtol=1e-5
    )
    np.testing.assert_allclose(pool_frames(*loud[:2]), pool_frames(frames, frames_real), rtol=1e-5)


@pytest.mark.parametrize("direction", ["frame_to_word", "word_to_frame"])
def test_one_frame_and_one_word_is_info_nce_with_both_directions_in_one_sum(batch, direction):
    frames, words = batch[0][:, :1], batch[2][:, :1]
    real = np.ones((BATCH, 1), bool)
    got = frame_word_matching(frames, real, words, real, direction=direction)
    scores = unit(frames[:, 0].astype(np.float64)) @ unit(words[:, 0].astype(np.float64)).T / 0.07
    expected = [
        log_sum([*scores[b], *(scores[c, b] for c in range(BATCH) if c != b)]) - scores[b, b] for b in range(BATCH)
    ]
    np.testing.assert_allclose(got, np.mean(expected), rtol=1e-5)


def test_one_frame_that_shows_a_word_is_enough(batch):
    """The other frames of the clip may show anything: that is what the bag is for."""
    numbers = np.random.default_rng(1)
    words = numbers.normal(size=(BATCH, 1, 64)).astype(np.float32)
    frames = numbers.normal(size=(BATCH, FRAMES, 64)).astype(np.float32)
    frames[:, 1] = words[:, 0]
    real = np.ones((BATCH, FRAMES), bool)
    for positives in ("all", "matched"):
        assert frame_word_matching(frames, real, words, real[:, :1], positives=positives) < 0.01


def test_it_is_never_negative_even_where_it_is_small(batch):
    numbers = np.random.default_rng(2)
    for _ in range(20):
        words = numbers.normal(size=(BATCH, 2, 256)).astype(np.float32)
        real = np.ones((BATCH, 2), bool)
        for direction, positives in FEW:
            options = {"direction": direction, "positives": positives, "temperature": 0.02}
            assert 0 <= frame_word_matching(words, real, words, real, **options) < 1e-8


@pytest.mark.parametrize(("direction", "positives"), FEW)
def test_an_empty_text_or_clip_contributes_nothing_and_breaks_nothing(batch, direction, positives):
    frames, frames_real, words, words_real = (part.copy() for part in batch)
    words_real[2] = False
    frames_real[4] = False

    def loss(frames, words):
        return frame_word_matching(frames, frames_real, words, words_real, direction=direction, positives=positives)

    value, slopes = jax.value_and_grad(loss, argnums=(0, 1))(jnp.asarray(frames), jnp.asarray(words))
    assert all(np.isfinite(slope).all() for slope in slopes)
    assert not slopes[1][2].any() and not slopes[0][4].any()
    kept = np.array([0, 1, 3])
    smaller = frame_word_matching(*(part[kept] for part in batch), direction=direction, positives=positives)
    np.testing.assert_allclose(value, smaller * 3 / BATCH, rtol=1e-5)
    nothing = np.zeros_like(words_real)
    assert frame_word_matching(frames, frames_real, words, nothing, direction=direction, positives=positives) == 0


def test_slopes_are_finite_where_vectors_are_zero_and_inputs_are_bfloat16(batch):
    frames, frames_real, words, words_real = batch
    frames, words = jnp.asarray(frames, jnp.bfloat16).at[0, 0].set(0), jnp.asarray(words, jnp.bfloat16).at[1].set(0)
    frames_real = frames_real.copy()
    frames_real[2] = False

    def loss(frames, words, direction, positives):
        pooled = pool_frames(frames, frames_real)
        fine = frame_word_matching(
            frames, frames_real, words, words_real, direction=direction, positives=positives, temperature=0.01
        )
        return fine + global_matching(pooled, words[:, 0], jnp.float32(100.0))

    for switches in FEW:
        value, slopes = jax.value_and_grad(loss, argnums=(0, 1))(frames, words, *switches)
        assert value.dtype == jnp.float32 and np.isfinite(value)
        assert all(np.isfinite(slope.astype(jnp.float32)).all() for slope in slopes)


def test_matching_pulls_up_the_positive_pairs_only_with_matched(batch):
    """With "matched", a frame that is not the best has no slope from its own description."""
    numbers = np.random.default_rng(3)
    frames, words = numbers.normal(size=(2, 3, 16)), numbers.normal(size=(2, 1, 16))
    real = np.ones((2, 3), bool)
    frames[1] = 0  # so that no foreign score depends on the direction of the frames of clip 0

    def own_slopes(positives):
        def loss(moved):
            # Only the own scores move: the foreign description is orthogonal to the move.
            foreign = words[1, 0] / np.linalg.norm(words[1, 0])
            moved = moved - (moved @ foreign)[:, None] * foreign
            both = jnp.stack([moved, jnp.zeros_like(moved)])
            return frame_word_matching(both, real, jnp.asarray(words), real[:, :1], positives=positives)

        return jax.grad(loss)(jnp.asarray(frames[0], jnp.float32))

    assert (np.abs(own_slopes("all")).max(axis=1) > 0).all()
    assert (np.abs(own_slopes("matched")).max(axis=1) > 1e-7).sum() == 1


@pytest.mark.parametrize(
    "wrong",
    [{"direction": "sideways"}, {"positives": "some"}, {"temperature": 0.0}, {"attention_temperature": -1.0}],
)
def test_unknown_switches_are_refused(batch, wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        frame_word_matching(*batch, **wrong)
