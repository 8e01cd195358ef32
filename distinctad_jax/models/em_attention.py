"""Contextual EM attention: what the clips of a window share, so that what is distinct can be told from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import einops
import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Bool, Float

from distinctad_jax.models.layers import CrossAttention, layer_norm
from distinctad_jax.models.linear import Linear, normal

INITS = ("learned", "buffer", "data")
GRADIENTS = ("stop", "unroll")
FUSIONS = ("none", "recon", "add", "residual", "xattn", "recon+xattn")
RIVALS = ("average", "self_attention")
"""What a window may share in place of EM attention, for comparison: see `models.window_rivals`."""
EPSILON = 1e-12  # under a squared length
WATCHED = (
    "base_usage_entropy",
    "base_similarity",
    "clip_similarity_before",
    "clip_similarity_after",
    "reconstruction_error",
)
"""The numbers of `diagnostics`."""


@dataclass(frozen=True)
class EMAttentionConfig:
    """The switches of contextual EM attention; what they do stands at `ContextualEMAttention`."""

    width: int
    bases: int = 32
    rounds: int = 3
    temperature: float = 1.0  # multiplies the inner products of the E-step: higher is harder
    init: str = "buffer"
    gradient: str = "stop"
    fusion: str = "recon+xattn"  # or one of the rivals, which read width, heads and dtype alone
    heads: int = 12  # of the cross-attention and of self-attention; no other fusion reads it
    beta: float = 1.0  # weight of the reconstruction in the fusions "add" and "residual"
    momentum: float = 0.9  # of the moving average of init "buffer"
    dtype: str = "float32"  # of the output maps; the iteration is float32 always

    def __post_init__(self) -> None:
        if min(self.width, self.bases, self.rounds) < 1:
            raise ValueError(f"width, bases and rounds must be at least 1, got {self}.")
        if not self.temperature > 0:
            raise ValueError(f"temperature must be positive, got {self.temperature}.")
        if not 0 <= self.momentum <= 1:
            raise ValueError(f"momentum must lie in [0, 1], got {self.momentum}.")
        for name, known in (("init", INITS), ("gradient", GRADIENTS), ("fusion", FUSIONS + RIVALS)):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} must be one of {', '.join(known)}, got {getattr(self, name)!r}.")


class MovingAverage(nnx.Variable):
    """State that training moves without a gradient: no optimiser sees it, a checkpoint keeps it."""


class EMAttentionOutput(NamedTuple):
    """What EM attention found in a window; all but `tokens` are float32."""

    tokens: Float[Array, "batch clips tokens width"]  # to go on with; padding as it came in
    responsibilities: Float[Array, "batch clips tokens bases"]  # sums to 1 over bases; 0 on padding
    bases: Float[Array, "batch bases width"]  # directions that the window shares, of length 1
    common: Float[Array, "batch clips tokens width"]  # tokens rebuilt from the bases; 0 on padding
    error: Float[Array, "batch clips"]  # 1 - cosine of token and rebuilt token, mean per clip; 0 on padding
    seen: Float[Array, "batch clips tokens width"]  # X, of which the bases are means; means nothing on padding


def unit(vectors: Float[Array, "*rows width"]) -> Float[Array, "*rows width"]:
    """The vectors at length 1; a zero vector stays zero, with a finite gradient."""
    return vectors * jax.lax.rsqrt(jnp.maximum(jnp.sum(vectors**2, axis=-1, keepdims=True), EPSILON))


def log_shares(
    seen: Float[Array, "batch seen width"], bases: Float[Array, "batch bases width"], temperature: float
) -> Float[Array, "batch seen bases"]:
    """E-step: the log of how likely each token belongs to each basis."""
    fit = jnp.einsum("bsw,bkw->bsk", seen, bases, precision=jax.lax.Precision.HIGHEST)
    return jax.nn.log_softmax(temperature * fit, axis=-1)


def new_bases(
    seen: Float[Array, "batch seen width"],
    real: Bool[Array, "batch seen"],
    shares: Float[Array, "batch seen bases"],
    old: Float[Array, "batch bases width"],
) -> Float[Array, "batch bases width"]:
    """M-step: direction of the mean of the real tokens, weighted with their shares (given as logs).

    Dividing by the sum of the weights would change nothing, for the length is set to 1 afterwards. They are scaled
    by the largest instead: so no basis dies where all of its shares round to zero. A window of padding keeps `old`.
    """
    shares = jnp.where(real[..., None], shares, -jnp.inf)
    largest = jax.lax.stop_gradient(jnp.max(shares, axis=1, keepdims=True))
    found = real.any(axis=1)[:, None, None]
    weights = jnp.exp(shares - jnp.where(found, largest, 0.0))
    sums = jnp.einsum("bsk,bsw->bkw", weights, seen, precision=jax.lax.Precision.HIGHEST)
    return jnp.where(found, unit(sums), old)


def strided_tokens(
    seen: Float[Array, "batch seen width"], real: Bool[Array, "batch seen"], bases: int
) -> Float[Array, "batch bases width"]:
    """`bases` tokens at even distances among the real ones; some stand twice if there are fewer."""
    real_first = jnp.argsort(~real, axis=1, stable=True)
    places = jnp.arange(bases) * real.sum(axis=1, keepdims=True) // bases
    chosen = jnp.take_along_axis(real_first, places, axis=1)
    return jnp.take_along_axis(seen, chosen[..., None], axis=1)


def shared_bases(
    seen: Float[Array, "batch seen width"],
    real: Bool[Array, "batch seen"],
    first: Float[Array, "batch bases width"],
    *,
    rounds: int,
    temperature: float,
    straight_through: bool = False,
) -> tuple[Float[Array, "batch seen bases"], Float[Array, "batch bases width"]]:
    """`rounds` of E- and M-step from the bases `first`: logs of the last shares, and the last bases.

    With `straight_through`, the gradient of the last round goes straight to `first`.
    """

    def one_round(bases: Array, _: None) -> tuple[Array, None]:
        return new_bases(seen, real, log_shares(seen, bases, temperature), bases), None

    bases, _ = jax.lax.scan(one_round, first, length=rounds - 1)
    if straight_through:
        bases = first + jax.lax.stop_gradient(bases - first)
    shares = log_shares(seen, bases, temperature)
    return shares, new_bases(seen, real, shares, bases)


class ContextualEMAttention(nnx.Module):
    """Soft-clusters the visual tokens of a window into a few bases and tells the tokens what is shared.

    With X = LN(H) W_in for the tokens H of all clips together, R rounds of
      E: Z = softmax over bases of (temperature X mu^T), 0 on padding;  M: mu = unit(Z^T X),
    give the reconstruction X~ = Z mu. The output is H + W_o fuse(X~, C), where C = attention of LN(H) to mu and W_o
    starts at zero: at first the output equals the input, whatever the fusion.

    init: where mu starts. "learned": a parameter. "buffer": a `MovingAverage`, which each call with train=True moves
      to momentum * old + (1 - momentum) * mean over the batch's windows of their final mu, padding windows left
      out; calls with train=False read it only. It is not made unit length, except where it is read. "data": tokens
      at even distances; nothing is stored.
    gradient: "stop": neither Z nor mu nor X carries a gradient, as in the sources; as then nothing could train W_in
      or the norm, they are not there: W_in is the identity. Init "learned" gets the gradient of the last round,
      passed straight to the parameter. "unroll": everything does, through all rounds.
    fusion: "recon": X~ in place of H in fuse; "add": H + beta X~; "residual": H - beta X~; "xattn": C;
      "recon+xattn": X~ and C, each with a W_o of its own. "none" has no module: do not build it.

    Shapes: tokens `batch clips tokens width`; real `batch clips tokens`, False on tokens of padding clips and on
      padding tokens: these claim no basis, change no neighbour, and come out as they went in.
    Units:  tokens are unitless features; responsibilities are probabilities over bases.
    Errors: ValueError from the config, for fusion "none" and for the rivals, or if heads do not divide the width.
    Source: DistinctAD (arXiv 2411.18180), Contextual EMA; rounds and moving average as in EMANet (arXiv 1907.13426)
      and EMCL (arXiv 2211.11427). Masks, zero start and the reading of `fuse` are ours.
    """

    def __init__(self, config: EMAttentionConfig, *, rngs: nnx.Rngs):
        if config.fusion == "none" or config.fusion in RIVALS:
            raise ValueError(f"fusion {config.fusion!r} has no EM attention; leave the module out.")
        self.config = config
        shared = {"dtype": config.dtype, "rngs": rngs}
        first = nnx.initializers.normal(config.width**-0.5)
        if config.init == "learned":
            self.learned_bases = normal(config.width**-0.5, (config.bases, config.width), rngs)
        elif config.init == "buffer":
            self.moving_bases = MovingAverage(unit(first(rngs.params(), (config.bases, config.width), jnp.float32)))
        if config.gradient == "unroll":
            self.norm_in = layer_norm(config.width, rngs=rngs)
            self.into = Linear(config.width, config.width, bias=False, stddev=config.width**-0.5, rngs=rngs)
        if config.fusion != "xattn":
            self.out_common = Linear(config.width, config.width, bias=False, stddev=0.0, **shared)
        if "xattn" in config.fusion:
            self.norm_query = layer_norm(config.width, **shared)
            self.ask_bases = CrossAttention(config.width, config.heads, bias=False, stddev_out=0.0, **shared)

    def __call__(
        self,
        tokens: Float[Array, "batch clips tokens width"],
        real: Bool[Array, "batch clips tokens"],
        *,
        train: bool,
    ) -> EMAttentionOutput:
        flat = einops.rearrange(tokens, "b c t w -> b (c t) w")
        kept = einops.rearrange(real, "b c t -> b (c t)")
        seen = self._seen(flat)
        shares, bases = self._iterate(seen, kept)
        if train and self.config.init == "buffer":
            self._move(bases, kept.any(axis=1))
        shares = jnp.where(kept[..., None], shares, 0.0)
        common = jnp.einsum("bsk,bkw->bsw", shares, bases, precision=jax.lax.Precision.HIGHEST)
        if self.config.gradient == "stop" and self.config.init != "learned":
            common, bases = jax.lax.stop_gradient((common, bases))
        told = jnp.where(kept[..., None], flat + self._told(flat, common, bases).astype(flat.dtype), flat)
        error = jnp.where(kept, 1 - jnp.sum(unit(seen) * unit(common), axis=-1), 0.0).reshape(real.shape)
        return EMAttentionOutput(
            told.reshape(tokens.shape),
            shares.reshape(*real.shape, -1),
            bases,
            common.reshape(tokens.shape),
            error.sum(axis=-1) / jnp.maximum(real.sum(axis=-1), 1),
            seen.reshape(tokens.shape),
        )

    def _seen(self, flat: Float[Array, "batch seen width"]) -> Float[Array, "batch seen width"]:
        """X of the equations, float32."""
        flat = flat.astype(jnp.float32)
        if self.config.gradient == "unroll":
            return self.into(self.norm_in(flat))
        centred = flat - flat.mean(axis=-1, keepdims=True)
        return jax.lax.stop_gradient(centred * jax.lax.rsqrt(jnp.mean(centred**2, axis=-1, keepdims=True) + 1e-5))

    def _first_bases(
        self, seen: Float[Array, "batch seen width"], real: Bool[Array, "batch seen"]
    ) -> Float[Array, "batch bases width"]:
        if self.config.init == "data":
            return unit(strided_tokens(seen, real, self.config.bases))
        stored = self.learned_bases[...] if self.config.init == "learned" else self.moving_bases[...]
        return einops.repeat(unit(stored), "k w -> b k w", b=seen.shape[0])

    def _iterate(
        self, seen: Float[Array, "batch seen width"], real: Bool[Array, "batch seen"]
    ) -> tuple[Float[Array, "batch seen bases"], Float[Array, "batch bases width"]]:
        """R rounds: the shares of the last E-step and the bases of the last M-step."""

        shares, bases = shared_bases(
            seen,
            real,
            self._first_bases(seen, real),
            rounds=self.config.rounds,
            temperature=self.config.temperature,
            straight_through=self.config.gradient == "stop" and self.config.init == "learned",
        )
        return jnp.exp(shares), bases

    def _move(self, bases: Float[Array, "batch bases width"], real: Bool[Array, " batch"]) -> None:
        """Moves the buffer toward the batch's mean; windows of padding have no say in it."""
        old, momentum = self.moving_bases[...], self.config.momentum
        total = jnp.sum(jnp.where(real[:, None, None], jax.lax.stop_gradient(bases), 0.0), axis=0)
        moved = momentum * old + (1 - momentum) * total / jnp.maximum(real.sum(), 1)
        self.moving_bases[...] = jnp.where(real.any(), moved, old)

    def _told(
        self,
        flat: Float[Array, "batch seen width"],
        common: Float[Array, "batch seen width"],
        bases: Float[Array, "batch bases width"],
    ) -> Float[Array, "batch seen width"]:
        """W_o fuse(X~, C)."""
        config = self.config
        if config.fusion == "xattn":
            return self.ask_bases(self.norm_query(flat), bases)
        if config.fusion == "recon+xattn":
            return self.out_common(common) + self.ask_bases(self.norm_query(flat), bases)
        if config.fusion == "recon":
            return self.out_common(common)
        return self.out_common(flat + (config.beta if config.fusion == "add" else -config.beta) * common)


def clip_similarity(
    tokens: Float[Array, "batch clips tokens width"], real: Bool[Array, "batch clips tokens"]
) -> Float[Array, " batch"]:
    """How alike the clips of each window are: mean cosine of the mean tokens of two; 0 if there is no pair."""
    means = unit(jnp.sum(tokens.astype(jnp.float32) * real[..., None], axis=2))
    cosines = jnp.einsum("bcw,bdw->bcd", means, means)
    there = real.any(axis=2)
    pairs = there[:, :, None] & there[:, None, :] & ~jnp.eye(real.shape[1], dtype=bool)
    return jnp.sum(jnp.where(pairs, cosines, 0.0), axis=(1, 2)) / jnp.maximum(pairs.sum(axis=(1, 2)), 1)


def diagnostics(
    tokens: Float[Array, "batch clips tokens width"],
    real: Bool[Array, "batch clips tokens"],
    output: EMAttentionOutput,
) -> dict[str, Float[Array, " batch"]]:
    """Numbers to watch of each window: `tokens` and `real` as they went in, `output` as it came out.

    Units: base_usage_entropy in nats, at most log(bases), of the mean responsibilities; base_similarity, the mean
      cosine of two bases: 1 where all have become one; clip_similarity_before and _after are cosines;
      reconstruction_error is 1 - cosine, mean over clips. All are 0 for a window of padding.
    """
    counts = output.responsibilities.sum(axis=(1, 2))
    usage = counts / jnp.maximum(counts.sum(axis=-1, keepdims=True), EPSILON)
    there = real.any(axis=2)
    bases = output.bases * there.any(axis=1)[:, None, None]
    number = bases.shape[1]
    # All pairs of K bases of length 1 at once: |sum|^2 = K + the sum over pairs.
    pairs = jnp.sum(bases.sum(axis=1) ** 2, axis=-1) - jnp.sum(bases**2, axis=(1, 2))
    found = (
        -jnp.sum(usage * jnp.log(jnp.maximum(usage, EPSILON)), axis=-1),
        pairs / max(number * (number - 1), 1),
        clip_similarity(tokens, real),
        clip_similarity(output.tokens, real),
        output.error.sum(axis=-1) / jnp.maximum(there.sum(axis=-1), 1),
    )
    return jax.lax.stop_gradient(dict(zip(WATCHED, found, strict=True)))
