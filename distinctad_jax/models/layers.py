"""The layers that every model here is made of: linear maps, attention, the MLP, and the pre-norm block.

Parameters are float32; `dtype` ("float32" or "bfloat16") is what the matrix products run in. Attention weights and
norms are always computed in float32. Keys of parameters are stable, because meshes, freeze rules and published
weights are told apart by them: `qkv`, `out`, `up`, `down`, `norm_attention`, `norm_mlp`, `lora_a`, `lora_b`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import einops
import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

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
    lora_rank: int = 0  # 0: no low-rank update
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
        if not 0 <= self.lora_rank <= self.width:
            raise ValueError(f"lora_rank must lie in 0..width = {self.width}, got {self.lora_rank}.")


def layer_norm(width: int, *, dtype: str = "float32", rngs: nnx.Rngs) -> nnx.LayerNorm:
    """LayerNorm as CLIP and GPT-2 have it; the variance in two passes, since one pass loses digits in float32."""
    return nnx.LayerNorm(width, epsilon=EPSILON, use_fast_variance=False, dtype=jnp.dtype(dtype), rngs=rngs)


def normal(stddev: float, shape: tuple[int, ...], rngs: nnx.Rngs) -> nnx.Param:
    """A float32 parameter drawn from a normal distribution; zeros if `stddev` is 0."""
    if stddev == 0:
        return nnx.Param(jnp.zeros(shape, jnp.float32))
    return nnx.Param(nnx.initializers.normal(stddev)(rngs.params(), shape, jnp.float32))


def dropout(values: Float[Array, "*shape"], rate: float, key: PRNGKeyArray | None) -> Float[Array, "*shape"]:
    """Zeroes a share `rate` of the values and scales up the rest; changes nothing without a key."""
    if key is None or rate == 0:
        return values
    kept = jax.random.bernoulli(key, 1 - rate, values.shape)
    return jnp.where(kept, values / (1 - rate), 0)


class Linear(nnx.Module):
    """An affine map, with a low-rank update beside it if `lora_rank` is not 0.

    Shapes: `... inputs` to `... outputs`. Kernel `inputs outputs`, bias `outputs`; lora_a `inputs rank`,
      lora_b `rank outputs`, which starts at zero, so the update changes nothing until it is trained.
    Source: LoRA (arXiv 2106.09685) with alpha equal to the rank, that is, a scale of 1.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        bias: bool = True,
        stddev: float = 0.02,
        lora_rank: int = 0,
        dtype: str = "float32",
        rngs: nnx.Rngs,
    ):
        self.dtype = dtype
        self.kernel = normal(stddev, (inputs, outputs), rngs)
        self.bias = nnx.Param(jnp.zeros((outputs,), jnp.float32)) if bias else None
        self.lora_a = normal(inputs**-0.5, (inputs, lora_rank), rngs) if lora_rank else None
        self.lora_b = normal(0.0, (lora_rank, outputs), rngs) if lora_rank else None

    def __call__(self, tokens: Float[Array, "... inputs"]) -> Float[Array, "... outputs"]:
        tokens = tokens.astype(self.dtype)
        mapped = tokens @ self.kernel[...].astype(self.dtype)
        if self.bias is not None:
            mapped = mapped + self.bias[...].astype(self.dtype)
        if self.lora_a is not None and self.lora_b is not None:
            mapped = mapped + (tokens @ self.lora_a[...].astype(self.dtype)) @ self.lora_b[...].astype(self.dtype)
        return mapped


def causal_mask(seen: int) -> Bool[Array, "one seen seen"]:
    """True where a query (middle axis) may look at a key (last axis): at itself and at what came before."""
    return jnp.tril(jnp.ones((1, seen, seen), bool))


def attend(
    queries: Float[Array, "batch seen heads depth"],
    keys: Float[Array, "batch keys heads depth"],
    values: Float[Array, "batch keys heads depth"],
    mask: Bool[Array, "#batch #seen keys"] | None = None,
    *,
    rate: float = 0.0,
    key: PRNGKeyArray | None = None,
) -> Float[Array, "batch seen heads depth"]:
    """Scaled dot-product attention; a query with no key to look at gets zeros, not NaN and not an average.

    `rate` and `key`: dropout of attention weights.
    """
    logits = jnp.einsum("bqhd,bkhd->bhqk", queries, keys, preferred_element_type=jnp.float32)
    logits = logits * queries.shape[-1] ** -0.5
    if mask is not None:
        logits = jnp.where(mask[:, None], logits, jnp.finfo(jnp.float32).min)
    weights = jax.nn.softmax(logits, axis=-1)
    if mask is not None:
        weights = jnp.where(mask[:, None], weights, 0)
    weights = dropout(weights, rate, key)
    return jnp.einsum("bhqk,bkhd->bqhd", weights.astype(values.dtype), values)


class Memory(NamedTuple):
    """What one attention layer remembers of the tokens that it has seen."""

    keys: Float[Array, "batch length heads depth"]
    values: Float[Array, "batch length heads depth"]


class SelfAttention(nnx.Module):
    """Tokens look at each other. One fused map makes queries, keys and values.

    The outputs of `qkv` stand in the order (heads, query|key|value, depth): cut along them over the `tensor` axis
    of a mesh, and each head stays whole.
    """

    def __init__(self, config: BlockConfig, *, rngs: nnx.Rngs):
        self.heads, self.dropout = config.heads, config.dropout
        shared = {"lora_rank": config.lora_rank, "dtype": config.dtype, "rngs": rngs}
        self.qkv = Linear(config.width, 3 * config.width, stddev=config.stddev, **shared)
        self.out = Linear(config.width, config.width, stddev=config.stddev_residual, **shared)

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
        fused = einops.rearrange(self.qkv(tokens), "b s (h three d) -> three b s h d", h=self.heads, three=3)
        queries, keys, values = fused[0], fused[1], fused[2]
        if memory is not None and slot is not None:
            start = (0, slot, 0, 0)
            keys = jax.lax.dynamic_update_slice(memory.keys, keys.astype(memory.keys.dtype), start)
            values = jax.lax.dynamic_update_slice(memory.values, values.astype(memory.values.dtype), start)
            memory = Memory(keys, values)
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
        fused = einops.rearrange(self.key_value(context), "b k (h two d) -> two b k h d", h=self.heads, two=2)
        return self.out(attend(queries, fused[0], fused[1], mask).reshape(tokens.shape))


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
        lora_rank: int = 0,
        bias: bool = True,
        dtype: str = "float32",
        rngs: nnx.Rngs,
    ):
        if activation not in ACTIVATIONS:
            raise ValueError(f"activation must be one of {', '.join(ACTIVATIONS)}, got {activation!r}.")
        self.activation = activation
        shared = {"bias": bias, "lora_rank": lora_rank, "dtype": dtype, "rngs": rngs}
        self.up = Linear(width, hidden, stddev=stddev, **shared)
        self.down = Linear(hidden, outputs or width, stddev=stddev_out, **shared)

    def __call__(self, tokens: Float[Array, "... width"]) -> Float[Array, "... outputs"]:
        return self.down(ACTIVATIONS[self.activation](self.up(tokens)))


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
            lora_rank=config.lora_rank,
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
        tokens = tokens + dropout(seen, self.dropout, after_attention)
        return tokens + dropout(self.mlp(self.norm_mlp(tokens)), self.dropout, after_mlp), memory


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
