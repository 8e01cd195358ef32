"""The linear map that every model here is made of, and the low-rank update beside it."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float


@dataclass(frozen=True)
class LoraConfig:
    """Low-rank updates beside some of a block's maps, multiplied by alpha / rank; rank 0 is none.

    targets: names of maps, or "attention" or "mlp" for all maps of that part.
    Source: LoRA (arXiv 2106.09685). Rank, alpha and targets are our defaults.
    """

    rank: int = 0
    alpha: float = 16.0
    targets: tuple[str, ...] = ("attention",)

    def __post_init__(self) -> None:
        if self.rank < 0 or not self.alpha > 0 or not self.targets:
            raise ValueError(f"low-rank updates need rank >= 0, alpha > 0 and targets, got {self}.")

    def fits(self, width: int, maps: dict[str, tuple[str, ...]]) -> None:
        """Errors: ValueError if blocks of this width have no such maps, named by their part, or no such rank."""
        if self.rank > width:
            raise ValueError(f"the rank of low-rank updates must lie in 0..width = {width}, got {self.rank}.")
        known = {*maps, *(name for names in maps.values() for name in names)}
        unknown = sorted(set(self.targets) - known)
        if self.rank and unknown:
            raise ValueError(f"no map is called {unknown[0]!r}; targets are among {', '.join(sorted(known))}.")

    def of(self, part: str, name: str) -> LoraConfig:
        """The update of one map: this one if it or its part is a target, or else none."""
        return self if {part, name} & set(self.targets) else NO_LORA


NO_LORA = LoraConfig()


def normal(stddev: float, shape: tuple[int, ...], rngs: nnx.Rngs, dtype: str = "float32") -> nnx.Param:
    """A parameter drawn from a normal distribution; zeros if `stddev` is 0."""
    if stddev == 0:
        return nnx.Param(jnp.zeros(shape, dtype))
    return nnx.Param(nnx.initializers.normal(stddev)(rngs.params(), shape, jnp.dtype(dtype)))


@jax.custom_vjp
def affine(
    tokens: Float[Array, "*rows inputs"], kernel: Float[Array, "inputs outputs"], bias: Float[Array, " outputs"]
) -> Float[Array, "*rows outputs"]:
    """tokens @ kernel + bias, with gradients that read what they are given as it lies.

    XLA on CPUs turns the left factor of a kernel's gradient round, and what JAX puts there is the outputs' gradient:
    three or four times as wide as the inputs in a fused map and in an MLP's first. Here the narrower of the two is
    turned, and the bias's gradient is a product with ones, as a sum down the columns is a slow one there.
    """
    return tokens @ kernel + bias


def _affine_forward(tokens: Array, kernel: Array, bias: Array) -> tuple[Array, tuple[Array, Array]]:
    return affine(tokens, kernel, bias), (tokens, kernel)


def _affine_backward(kept: tuple[Array, Array], slopes: Array) -> tuple[Array, Array, Array]:
    tokens, kernel = kept
    if kernel.shape[0] <= kernel.shape[1]:
        of_kernel = jnp.einsum("...i,...o->io", tokens, slopes)
    else:
        of_kernel = jnp.einsum("...o,...i->oi", slopes, tokens).T
    of_bias = jnp.einsum("u...,...o->uo", jnp.ones((1, *slopes.shape[:-1]), slopes.dtype), slopes)[0]
    return jnp.einsum("...o,io->...i", slopes, kernel), of_kernel, of_bias


affine.defvjp(_affine_forward, _affine_backward)


class Linear(nnx.Module):
    """An affine map, with a low-rank update beside it if `lora` has a rank.

    Shapes: `... inputs` to `... outputs`. Kernel `inputs outputs`, bias `outputs`; lora_a `inputs rank`,
      lora_b `rank outputs`, which starts at zero, so the update changes nothing until it is trained.
    `weights` is what kernel and bias are kept in; a low-rank update learns, and is float32 always.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        bias: bool = True,
        stddev: float = 0.02,
        lora: LoraConfig = NO_LORA,
        dtype: str = "float32",
        weights: str = "float32",
        rngs: nnx.Rngs,
    ):
        self.dtype = dtype
        self.scale = lora.alpha / lora.rank if lora.rank else 1.0
        self.kernel = normal(stddev, (inputs, outputs), rngs, weights)
        self.bias = nnx.Param(jnp.zeros((outputs,), weights)) if bias else None
        self.lora_a = normal(inputs**-0.5, (inputs, lora.rank), rngs) if lora.rank else None
        self.lora_b = normal(0.0, (lora.rank, outputs), rngs) if lora.rank else None

    def __call__(self, tokens: Float[Array, "... inputs"]) -> Float[Array, "... outputs"]:
        tokens = tokens.astype(self.dtype)
        kernel = self.kernel[...].astype(self.dtype)
        mapped = tokens @ kernel if self.bias is None else affine(tokens, kernel, self.bias[...].astype(self.dtype))
        if self.lora_a is not None and self.lora_b is not None:
            down = tokens @ self.lora_a[...].astype(self.dtype)
            mapped = mapped + self.scale * (down @ self.lora_b[...].astype(self.dtype))
        return mapped
