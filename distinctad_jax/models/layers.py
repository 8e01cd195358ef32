"""The layers that every model here is made of, of `linear.py`'s maps: attention, the MLP, and the pre-norm block.

Parameters are float32; `dtype` ("float32" or "bfloat16") is what the matrix products run in. Attention weights and
norms are always computed in float32. Keys of parameters are stable, because meshes, freeze rules and published
weights are told apart by them: `qkv`, `out`, `up`, `down`, `norm_attention`, `norm_mlp`, `lora_a`, `lora_b`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import einops
import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from distinctad_jax.models.cache import Memory
from distinctad_jax.models.linear import NO_LORA, Linear, LoraConfig

EPSILON = 1e-5  # CLIP's and GPT-2's; Flax's default is 1e-6, which moves the output by more than rounding does
DTYPES = ("float32", "bfloat16")


def quick_gelu(values: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """x * sigmoid(1.702 x): the activation that OpenAI's CLIP was trained with."""
    return values * jax.nn.sigmoid(1.702 * values)


def gelu(values: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """The exact GELU, of CLIP models retrained by LAION."""
    return jax.nn.gelu(values, approximate=False)


def gelu_tanh(values: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """The tanh form of GELU, GPT-2's ("gelu_new")."""
    return jax.nn.gelu(values, approximate=True)


ACTIVATIONS: dict[str, Callable[[Array], Array]] = {"quick_gelu": quick_gelu, "gelu": gelu, "gelu_tanh": gelu_tanh}


BLOCK_MAPS = {"attention": ("qkv", "out"), "mlp": ("up", "down")}


@dataclass(frozen=True)
class BlockConfig:
    """One pre-norm transformer block. `stddev*` are the sizes of the random starting weights."""

    width: int
    heads: int
    activation: str = "quick_gelu"
    stddev: float = 0.02  # of the query, key and value map
    stddev_up: float = 0.02
    stddev_residual: float = 0.02  # of the two maps that write to the residual stream
    dropout: float = 0.0
    lora: LoraConfig = NO_LORA
    dtype: str = "float32"

    def __post_init__(self) -> None:
        if min(self.width, self.heads) < 1 or self.width % self.heads:
            raise ValueError(
                f"width must be a positive multiple of heads, got width {self.width}, heads {self.heads}."
            )
        if self.activation not in ACTIVATIONS:
            raise ValueError(f"activation must be one of {', '.join(ACTIVATIONS)}, got {self.activation!r}.")
        if self.dtype not in DTYPES:
            raise ValueError(f"dtype must be one of {', '.join(DTYPES)}, got {self.dtype!r}.")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must lie in [0, 1), got {self.dropout}.")
        self.lora.fits(self.width, BLOCK_MAPS)


def layer_norm(width: int, *, dtype: str = "float32", rngs: nnx.Rngs) -> nnx.LayerNorm:
    """LayerNorm as CLIP and GPT-2 have it; the variance in two passes, since one pass loses digits in float32."""
    return nnx.LayerNorm(width, epsilon=EPSILON, use_fast_variance=False, dtype=jnp.dtype(dtype), rngs=rngs)


def dropout(values: Float[Array, "*shape"], rate: float, key: PRNGKeyArray | None) -> Float[Array, "*shape"]:
    """Zeroes a share `rate` of the values and scales up the rest; changes nothing without a key."""
    if key is None or rate == 0:
        return values
    kept = jax.random.bernoulli(key, 1 - rate, values.shape)
    return jnp.where(kept, values / (1 - rate), 0)


def causal_mask(seen: int) -> Bool[Array, "one seen seen"]:
    """True where a query (middle axis) may look at a key (last axis): at itself and at what came before."""
    return jnp.tril(jnp.ones((1, seen, seen), bool))


def attend(
    queries: Float[Array, "batch seen heads depth"],
    keys: Float[Array, "batch keys shared depth"],
    values: Float[Array, "batch keys shared depth"],
    mask: Bool[Array, "#batch #seen keys"] | None = None,
    *,
    rate: float = 0.0,
    key: PRNGKeyArray | None = None,
) -> Float[Array, "batch seen heads depth"]:
    """Scaled dot-product attention; a query with no key to look at gets zeros, not NaN and not an average.

    There may be fewer heads of keys and values than of queries: each then serves as many neighbouring query heads.
    `rate` and `key`: dropout of attention weights. Without mask and dropout, bfloat16 on a GPU takes cuDNN's fused
    kernel, which never writes the weights to memory.
    """
    if mask is None and (key is None or rate == 0) and queries.dtype == jnp.bfloat16 and _has_fused_attention():
        return jax.nn.dot_product_attention(queries, keys, values, implementation="cudnn")
    return _attend(queries, keys, values, mask, "bksd", rate=rate, key=key)


def recall(
    queries: Float[Array, "batch seen heads depth"], memory: Memory, mask: Bool[Array, "#batch #seen length"] | None
) -> Float[Array, "batch seen heads depth"]:
    """`attend` to all that a memory holds and the mask allows."""
    return _attend(queries, memory.keys, memory.values, mask, "bskd")


def _attend(
    queries: Float[Array, "batch seen heads depth"],
    keys: Float[Array, "batch first second depth"],
    values: Float[Array, "batch first second depth"],
    mask: Bool[Array, "#batch #seen keys"] | None,
    stored: str,
    *,
    rate: float = 0.0,
    key: PRNGKeyArray | None = None,
) -> Float[Array, "batch seen heads depth"]:
    """`stored` tells the axes of keys and values: (b)atch, (k)eys, (s)hared heads, (d)epth."""
    batch, seen, heads, depth = queries.shape
    shared = keys.shape[stored.index("s")]
    grouped = queries.reshape(batch, seen, shared, heads // shared, depth)
    logits = jnp.einsum(f"bqsgd,{stored}->bsgqk", grouped, keys, preferred_element_type=jnp.float32)
    logits = logits * depth**-0.5
    if mask is not None:
        mask = mask[:, None, None]
        logits = jnp.where(mask, logits, jnp.finfo(jnp.float32).min)
    weights = jax.nn.softmax(logits, axis=-1)
    if mask is not None:
        weights = jnp.where(mask, weights, 0)
    weights = dropout(weights, rate, key).astype(values.dtype)
    return jnp.einsum(f"bsgqk,{stored}->bqsgd", weights, values).reshape(queries.shape)


def _has_fused_attention() -> bool:
    """Whether programs are compiled for a GPU that cuDNN's attention runs on (compute capability 8 and later)."""
    if jax.default_backend() != "gpu":
        return False
    return float(getattr(jax.local_devices()[0], "compute_capability", "0")) >= 8.0


@jax.custom_vjp
def scores(hidden: Float[Array, "*rows width"], table: Float[Array, "vocab width"]) -> Float[Array, "*rows vocab"]:
    """float32 inner products with every row of a table, as a language model scores its vocabulary.

    The gradient is rounded to the type of `hidden` before it is multiplied: in bfloat16, a product with a float32
    factor would run on the slow units.
    """
    return jnp.einsum("...w,vw->...v", hidden, table, preferred_element_type=jnp.float32)


def _scores_forward(hidden: Array, table: Array) -> tuple[Array, tuple[Array, Array]]:
    return scores(hidden, table), (hidden, table)


def _scores_backward(kept: tuple[Array, Array], slopes: Array) -> tuple[Array, Array]:
    hidden, table = kept
    slopes = slopes.astype(hidden.dtype)
    return jnp.einsum("...v,vw->...w", slopes, table), jnp.einsum("...v,...w->vw", slopes, hidden)


scores.defvjp(_scores_forward, _scores_backward)


def _apart(
    fused: Float[Array, "batch seen outputs"], heads: int, parts: int
) -> list[Float[Array, "batch seen heads depth"]]:
    """What a fused map makes, whose outputs stand in the order (heads, parts, depth)."""
    fused = einops.rearrange(fused, "b s (h parts d) -> b s h parts d", h=heads, parts=parts)
    return [part.squeeze(3) for part in jax.lax.split(fused, (1,) * parts, axis=3)]


class SelfAttention(nnx.Module):
    """Tokens look at each other. One fused map makes queries, keys and values.

    The outputs of `qkv` stand in the order (heads, query|key|value, depth): cut along them over the `tensor` axis
    of a mesh, and each head stays whole.
    """

    def __init__(self, config: BlockConfig, *, rngs: nnx.Rngs):
        self.heads, self.dropout = config.heads, config.dropout
        shared = {"dtype": config.dtype, "rngs": rngs}
        lora = {name: config.lora.of("attention", name) for name in BLOCK_MAPS["attention"]}
        self.qkv = Linear(config.width, 3 * config.width, stddev=config.stddev, lora=lora["qkv"], **shared)
        self.out = Linear(config.width, config.width, stddev=config.stddev_residual, lora=lora["out"], **shared)

    def __call__(
        self,
        tokens: Float[Array, "batch seen width"],
        mask: Bool[Array, "#batch #seen keys"] | None = None,
        *,
        memory: Memory | None = None,
        slot: Int[Array, ""] | None = None,
        key: PRNGKeyArray | None = None,
    ) -> tuple[Float[Array, "batch seen width"], Memory | None]:
        """With a memory: writes the tokens' keys and values from `slot` on, and looks at all that it holds."""
        queries, keys, values = _apart(self.qkv(tokens), self.heads, 3)
        if memory is not None and slot is not None:
            memory = memory.extended(keys, values, slot)
            return self.out(recall(queries, memory, mask).reshape(tokens.shape)), memory
        joined = attend(queries, keys, values, mask, rate=self.dropout, key=key)
        return self.out(joined.reshape(tokens.shape)), memory


class CrossAttention(nnx.Module):
    """Tokens look at a context of another kind, and of another width if `context_width` is given."""

    def __init__(
        self,
        width: int,
        heads: int,
        *,
        context_width: int | None = None,
        bias: bool = True,
        stddev: float = 0.02,
        stddev_out: float = 0.02,
        dtype: str = "float32",
        rngs: nnx.Rngs,
    ):
        if width % heads:
            raise ValueError(f"width must be a multiple of heads, got width {width}, heads {heads}.")
        self.heads = heads
        shared = {"bias": bias, "dtype": dtype, "rngs": rngs}
        self.query = Linear(width, width, stddev=stddev, **shared)
        self.key_value = Linear(context_width or width, 2 * width, stddev=stddev, **shared)
        self.out = Linear(width, width, stddev=stddev_out, **shared)

    def __call__(
        self,
        tokens: Float[Array, "batch seen width"],
        context: Float[Array, "batch keys context_width"],
        mask: Bool[Array, "#batch #seen keys"] | None = None,
    ) -> Float[Array, "batch seen width"]:
        queries = einops.rearrange(self.query(tokens), "b s (h d) -> b s h d", h=self.heads)
        keys, values = _apart(self.key_value(context), self.heads, 2)
        return self.out(attend(queries, keys, values, mask).reshape(tokens.shape))


class Mlp(nnx.Module):
    """Up, activation, down."""

    def __init__(
        self,
        width: int,
        hidden: int,
        *,
        outputs: int | None = None,
        activation: str = "quick_gelu",
        stddev: float = 0.02,
        stddev_out: float = 0.02,
        lora: LoraConfig = NO_LORA,
        bias: bool = True,
        dtype: str = "float32",
        rngs: nnx.Rngs,
    ):
        if activation not in ACTIVATIONS:
            raise ValueError(f"activation must be one of {', '.join(ACTIVATIONS)}, got {activation!r}.")
        self.activation = activation
        shared = {"bias": bias, "dtype": dtype, "rngs": rngs}
        self.up = Linear(width, hidden, stddev=stddev, lora=lora.of("mlp", "up"), **shared)
        self.down = Linear(hidden, outputs or width, stddev=stddev_out, lora=lora.of("mlp", "down"), **shared)

    def __call__(self, tokens: Float[Array, "... width"]) -> Float[Array, "... outputs"]:
        return self.down(ACTIVATIONS[self.activation](self.up(tokens)))


def settled(tokens: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """The tokens, whose gradient a CPU then computes once and keeps.

    XLA's fusion on CPUs repeats cheap operations rather than keep what they make. The gradient of the residual
    stream is a sum over all blocks behind, of cheap operations only, and each block would begin that sum anew: a
    third of the step of a narrator of four blocks. A division is not cheap, so it is not repeated; this one is by 1,
    and changes no bit.
    """
    return _settled(tokens) if jax.default_backend() == "cpu" else tokens


@jax.custom_vjp
def _settled(tokens: Array) -> Array:
    return tokens


def _settled_backward(tokens: Array, slopes: Array) -> tuple[Array]:
    return (slopes / (tokens * 0 + 1),)  # a 1 that XLA cannot know beforehand: 0 times infinity is none


_settled.defvjp(lambda tokens: (tokens, tokens), _settled_backward)


class Block(nnx.Module):
    """Pre-norm transformer block: tokens + attention(norm(tokens)), then + mlp(norm(tokens))."""

    def __init__(self, config: BlockConfig, *, rngs: nnx.Rngs):
        self.dropout = config.dropout
        self.norm_attention = layer_norm(config.width, dtype=config.dtype, rngs=rngs)
        self.attention = SelfAttention(config, rngs=rngs)
        self.norm_mlp = layer_norm(config.width, dtype=config.dtype, rngs=rngs)
        self.mlp = Mlp(
            config.width,
            4 * config.width,
            activation=config.activation,
            stddev=config.stddev_up,
            stddev_out=config.stddev_residual,
            lora=config.lora,
            dtype=config.dtype,
            rngs=rngs,
        )

    def __call__(
        self,
        tokens: Float[Array, "batch seen width"],
        mask: Bool[Array, "#batch #seen keys"] | None = None,
        *,
        memory: Memory | None = None,
        slot: Int[Array, ""] | None = None,
        key: PRNGKeyArray | None = None,
    ) -> tuple[Float[Array, "batch seen width"], Memory | None]:
        """Returns the tokens, and the memory as it is after them (None if none was given)."""
        in_weights, after_attention, after_mlp = (None,) * 3 if key is None else jax.random.split(key, 3)
        seen, memory = self.attention(self.norm_attention(tokens), mask, memory=memory, slot=slot, key=in_weights)
        tokens = settled(tokens + dropout(seen, self.dropout, after_attention))
        return settled(tokens + dropout(self.mlp(self.norm_mlp(tokens)), self.dropout, after_mlp)), memory


def run_blocks(
    blocks: nnx.List[Block],
    tokens: Float[Array, "batch seen width"],
    mask: Bool[Array, "#batch #seen seen"] | None = None,
    *,
    remat: bool = False,
    key: PRNGKeyArray | None = None,
) -> Float[Array, "batch seen width"]:
    """One block after the other, without memory; with `remat`, activations inside a block are computed twice
    instead of kept for the backward pass."""

    def run(block: Block, tokens: Array, mask: Array | None, key: Array | None) -> Array:
        return block(tokens, mask, key=key)[0]

    step = jax.checkpoint(run) if remat else run
    for index, block in enumerate(blocks):
        tokens = step(block, tokens, mask, None if key is None else jax.random.fold_in(key, index))
    return tokens
