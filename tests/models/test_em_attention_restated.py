"""EM attention against `restated.py`, every fusion with every start and gradient, and what its rounds ascend."""

import dataclasses
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import restated
from flax import nnx

from distinctad_jax.models.em_attention import (
    FUSIONS,
    GRADIENTS,
    INITS,
    ContextualEMAttention,
    EMAttentionConfig,
    log_shares,
    new_bases,
    shared_bases,
)

BATCH, CLIPS, TOKENS, WIDTH, BASES, HEADS = 2, 4, 3, 8, 5, 2
CONFIG = EMAttentionConfig(WIDTH, bases=BASES, rounds=2, heads=HEADS, beta=1.5, temperature=0.7)


def made(**changes):
    """A module with no weight near zero, so that each matters."""
    config = dataclasses.replace(CONFIG, **changes)
    graph, state = nnx.split(nnx.eval_shape(lambda: ContextualEMAttention(config, rngs=nnx.Rngs(0))))
    numbers = np.random.default_rng(0)

    def drawn(path, like):
        return jnp.asarray(0.3 * numbers.normal(size=like.shape) + ("scale" in str(path)), jnp.float32)

    return nnx.merge(graph, jax.tree.map_with_path(drawn, state))


@pytest.fixture
def tokens():
    return (0.5 + np.random.default_rng(1).normal(size=(BATCH, CLIPS, TOKENS, WIDTH))).astype(np.float32)


@pytest.fixture
def real():
    """A padding clip, and a padding token in a real clip."""
    real = np.ones((BATCH, CLIPS, TOKENS), bool)
    real[1, 3] = real[0, 2, 1] = False
    return real


def equations_weights(stored):
    """Our parameters by the names of the equations; keys and values lie in one matrix, head by head."""
    found = {"start": stored.get("learned_bases", stored.get("moving_bases"))}
    if "out_common/kernel" in stored:
        found["out_common"] = stored["out_common/kernel"]
    if "ask_bases/query/kernel" in stored:
        both = stored["ask_bases/key_value/kernel"].reshape(WIDTH, HEADS, 2, WIDTH // HEADS)
        found |= {"key": both[:, :, 0].reshape(WIDTH, WIDTH), "value": both[:, :, 1].reshape(WIDTH, WIDTH)}
        found |= {"query": stored["ask_bases/query/kernel"], "out_asked": stored["ask_bases/out/kernel"]}
        found |= {"query_scale": stored["norm_query/scale"], "query_shift": stored["norm_query/bias"]}
    if "into/kernel" in stored:
        found |= {"into": stored["into/kernel"], "in_scale": stored["norm_in/scale"]}
        found["in_shift"] = stored["norm_in/bias"]
    return found


def flat_weights(module):
    return {
        "/".join(map(str, path)): np.asarray(value, np.float64)
        for path, value in nnx.to_flat_state(nnx.state(module))
    }


def first_steps(config, tokens, weights):
    """X and the bases that the rounds start from."""
    seen = restated.layer_norm(tokens)
    if config.gradient == "unroll":
        seen = restated.layer_norm(tokens, weights["in_scale"], weights["in_shift"]) @ weights["into"]
    if config.init == "data":
        return seen, restated.evenly_spaced(seen, config.bases)
    return seen, np.array([restated.unit(basis) for basis in weights["start"]])


def attended(config, tokens, weights):
    """Output, Z, mu and X~ of the real tokens of one window."""
    seen, start = first_steps(config, tokens, weights)
    shares, bases = restated.rounds(seen, start, config.temperature, config.rounds)
    return told(config, tokens, shares @ bases, bases, weights), shares, bases, shares @ bases


def told(config, tokens, common, bases, weights):
    return restated.told(tokens, common, bases, weights, config.fusion, config.heads, config.beta)


@pytest.mark.parametrize("fusion", FUSIONS[1:])
def test_every_fusion_with_every_start_equals_the_equations(tokens, real, fusion):
    for init, gradient in itertools.product(INITS, GRADIENTS):
        module = made(fusion=fusion, init=init, gradient=gradient)
        weights = equations_weights(flat_weights(module))
        got = jax.tree.map(np.asarray, module(jnp.asarray(tokens), jnp.asarray(real), train=False))
        for window in range(BATCH):
            kept = real[window]
            expected = attended(module.config, tokens[window][kept].astype(np.float64), weights)
            named = f"{init}, {gradient}, window {window}"
            np.testing.assert_allclose(got.tokens[window][kept], expected[0], atol=3e-5, err_msg=named)
            np.testing.assert_allclose(got.responsibilities[window][kept], expected[1], atol=1e-5, err_msg=named)
            np.testing.assert_allclose(got.bases[window], expected[2], atol=1e-5, err_msg=named)
            np.testing.assert_allclose(got.common[window][kept], expected[3], atol=1e-5, err_msg=named)


@pytest.mark.parametrize(("rounds", "temperature"), [(1, 4.0), (5, 1.0)])
def test_rounds_and_temperature_are_those_of_the_equations(tokens, real, rounds, temperature):
    module = made(rounds=rounds, temperature=temperature, init="buffer")
    got = module(jnp.asarray(tokens), jnp.asarray(real), train=False)
    weights = equations_weights(flat_weights(module))
    expected = attended(module.config, tokens[0][real[0]].astype(np.float64), weights)
    np.testing.assert_allclose(got.tokens[0][real[0]], expected[0], atol=3e-5)
    np.testing.assert_allclose(got.bases[0], expected[2], atol=1e-5)


def constants(config, tokens, weights):
    """What carries no gradient: mu before the last round, after it, and X~; all of the point that is looked at."""
    seen, start = first_steps(config, tokens, weights)
    before = restated.rounds(seen, start, config.temperature, config.rounds - 1)[1]
    shares, bases = restated.rounds(seen, before, config.temperature, 1)
    return seen, start, before, shares @ bases, bases


def differentiable(config, tokens, weights, fixed):
    """The output as far as a gradient sees it: all of it with "unroll". With "stop", X, Z and mu are constants,
    but for init "learned", whose bases move those before the last round one to one."""
    if config.gradient == "unroll":
        return attended(config, tokens, weights)[0]
    seen, start, before, common, bases = fixed
    if config.init == "learned":
        moved = np.array([restated.unit(basis) for basis in weights["start"]]) - start
        shares, bases = restated.rounds(seen, before + moved, config.temperature, 1)
        common = shares @ bases
    return told(config, tokens, common, bases, weights)


@pytest.mark.parametrize(
    ("init", "gradient", "fusion"),
    [
        ("learned", "stop", "recon+xattn"),
        ("buffer", "stop", "residual"),
        ("data", "unroll", "recon+xattn"),
        ("learned", "unroll", "add"),
        ("buffer", "unroll", "xattn"),
    ],
)
def test_slopes_are_those_of_finite_differences(tokens, real, init, gradient, fusion):
    """Of tokens and of all parameters together, along random ways."""
    module = made(init=init, gradient=gradient, fusion=fusion)
    graph, params, rest = nnx.split(module, nnx.Param, ...)
    pull = np.random.default_rng(2).normal(size=tokens.shape)

    def ours(params, tokens):
        out = nnx.merge(graph, params, rest)(tokens, jnp.asarray(real), train=False).tokens
        return jnp.sum(jnp.where(real[..., None], out * pull, 0.0))

    slopes, seen_slope = jax.jit(jax.grad(ours, argnums=(0, 1)))(params, jnp.asarray(tokens))
    stored, start = flat_weights(module), np.asarray(tokens, np.float64)
    learned = ["/".join(map(str, path)) for path, _ in nnx.to_flat_state(params)]
    by_name = {"/".join(map(str, path)): np.asarray(s, np.float64) for path, s in nnx.to_flat_state(slopes)}
    fixed = [constants(module.config, w[k], equations_weights(stored)) for w, k in zip(start, real, strict=True)]

    def theirs(tokens, *values):
        weights = equations_weights(stored | dict(zip(learned, values, strict=True)))
        total = 0.0
        for window, kept, pulled, still in zip(tokens, real, pull, fixed, strict=True):
            total += float((differentiable(module.config, window[kept], weights, still) * pulled[kept]).sum())
        return total

    point = [start, *(stored[name] for name in learned)]
    got = [np.where(real[..., None], np.asarray(seen_slope, np.float64), 0.0), *(by_name[name] for name in learned)]
    length, numbers = np.sqrt(sum((slope**2).sum() for slope in got)), np.random.default_rng(3)
    for _ in range(5):
        way = [numbers.normal(size=array.shape) for array in point]
        way[0] *= real[..., None]
        expected = restated.slope_along(theirs, point, way)
        found = sum((slope * move).sum() for slope, move in zip(got, way, strict=True))
        np.testing.assert_allclose(found / length, expected / length, atol=2e-4)


def scattered(seed=0, count=40, groups=4, noise=1.0):
    """Tokens about a few directions, as LN leaves them: mean 0 and length sqrt(width)."""
    numbers = np.random.default_rng(seed)
    middles = 2 * numbers.normal(size=(groups, WIDTH))
    return restated.layer_norm(
        middles[numbers.integers(0, groups, count)] + noise * numbers.normal(size=(count, WIDTH))
    )


@pytest.mark.parametrize("sharpness", [0.3, 1.0, 5.0])
@pytest.mark.parametrize("lengths", ["equal", "unequal"])
def test_the_likelihood_of_the_mixture_never_falls(sharpness, lengths):
    """What a round of E and M ascends, and that it does.

    Let direction x_n / |x_n| be drawn from an even mixture of K von Mises-Fisher densities with means mu_k of length
    1 and, for token n, concentration lambda |x_n| in all of them:
      p(x_n / |x_n|) = 1/K sum_k c(lambda |x_n|) exp(lambda x_n . mu_k).
    c depends on no mu, so the log-likelihood of a window is, but for a constant,
      L(mu) = sum_n log 1/K sum_k exp(lambda x_n . mu_k).
    Its posterior of k given n is the E-step's Z (the weights 1/K and c cancel). Jensen's bound with that Z,
      Q(mu) = sum_nk Z_nk lambda x_n . mu_k + entropy of Z + constants,
    touches L where Z was taken and is greatest on the sphere at mu_k = unit(sum_n Z_nk x_n): the M-step; dividing by
    sum_n Z_nk first changes no direction. Hence L(after) >= Q(after) >= Q(before) = L(before). Weights and
    concentrations are held fixed, so this is EM for the means alone. LN leaves all tokens the length sqrt(width) and
    so one concentration, lambda sqrt(width); W_in gives each its own. The same steps ascend a mixture of Gaussians of
    variance 1/lambda with means on the sphere, for there |x - mu|^2 = |x|^2 + 1 - 2 x . mu.

    Ours iterates in float32; the likelihood is of float64, by the equations.
    """
    for seed in range(4):
        seen = scattered(seed)
        if lengths == "unequal":
            seen = seen * np.random.default_rng(seed).uniform(0.2, 3, (len(seen), 1))
        bases = np.array([restated.unit(b) for b in np.random.default_rng(seed + 9).normal(size=(BASES, WIDTH))])
        x, mu = jnp.asarray(seen, jnp.float32)[None], jnp.asarray(bases, jnp.float32)[None]
        real, reached = jnp.ones(x.shape[:2], bool), [restated.log_likelihood(seen, bases, sharpness)]
        for _ in range(12):
            mu = new_bases(x, real, log_shares(x, mu, sharpness), mu)
            reached.append(restated.log_likelihood(seen, np.asarray(mu[0], np.float64), sharpness))
        rises = np.diff(reached)
        assert (rises >= -1e-6 * np.abs(reached[:-1])).all(), (seed, rises)
        assert rises[0] > 0.1  # a step that does not move would never fall either


def test_a_fixed_point_of_the_rounds_is_a_stationary_point_of_the_likelihood():
    """After many rounds another changes nothing, and no way along the sphere leads up; at the start, one does."""
    seen, sharpness = scattered(), 0.5
    start = restated.evenly_spaced(seen, BASES)
    x, real = jnp.asarray(seen, jnp.float32)[None], jnp.ones((1, len(seen)), bool)

    def after(rounds):
        first = jnp.asarray(start, jnp.float32)[None]
        return np.asarray(shared_bases(x, real, first, rounds=rounds, temperature=sharpness)[1][0], np.float64)

    def steepest(bases):
        """The longest part along the sphere of any basis's slope."""
        shares = restated.expectation(seen, bases, sharpness)
        slopes = sharpness * shares.T @ seen
        along = slopes - (slopes * bases).sum(axis=1, keepdims=True) * bases
        return np.linalg.norm(along, axis=1).max()

    settled = after(400)
    np.testing.assert_allclose(after(401), settled, atol=1e-5)
    assert steepest(start) > 1.0 and steepest(settled) < 1e-3
    # The slope by hand above is that of the likelihood.
    way = np.random.default_rng(5).normal(size=start.shape)
    by_hand = (sharpness * restated.expectation(seen, start, sharpness).T @ seen * way).sum()
    found = restated.slope_along(lambda bases: restated.log_likelihood(seen, bases, sharpness), [start], [way])
    np.testing.assert_allclose(found, by_hand, rtol=1e-6)


def test_padding_has_no_say_in_what_is_ascended():
    """With loud padding among the tokens, the rounds go where they go without it."""
    seen = scattered(count=12)
    start = jnp.asarray(restated.evenly_spaced(seen, BASES), jnp.float32)[None]
    loud = np.concatenate([seen[:5], np.full((3, WIDTH), 100.0), seen[5:]])
    real = np.r_[np.ones(5, bool), np.zeros(3, bool), np.ones(7, bool)][None]
    _, bases = shared_bases(jnp.asarray(loud, jnp.float32)[None], jnp.asarray(real), start, rounds=3, temperature=1.0)
    expected = restated.rounds(seen, np.asarray(start[0], np.float64), 1.0, 3)[1]
    np.testing.assert_allclose(bases[0], expected, atol=1e-5)
