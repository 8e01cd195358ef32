"""The state of training and one pure step, for any model, any task and any mesh."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, Float, Int

from distinctad_jax.training.mesh import (
    batch_sharding,
    gathered,
    gathers_again,
    path_name,
    put_at,
    tree_shardings,
)

Batch = dict[str, Any]
Metrics = dict[str, Any]
Learns = Callable[[str], bool]
"""Tells of a parameter's path (`vision/blocks/0/qkv/kernel`) whether the optimiser moves it."""


class Task(NamedTuple):
    """What a model is asked, in two halves, so that a large batch can be read in pieces (see `make_train_step`).

    encode: (model, batch, key) -> a tree of float arrays, each with the batch's rows in front.
    objective: (model, what encode gave, batch) -> (loss, metrics); the only place where rows meet.
    """

    encode: Callable[[Any, Batch, Any], Any]
    objective: Callable[[Any, Any, Batch], tuple[Float[Array, ""], Metrics]]


class Parts(NamedTuple):
    """A model taken apart: what learns, what is fixed, and what moves without a gradient (moving averages)."""

    graph: Any
    learned: Any
    frozen: Any
    buffers: Any


class TrainState(NamedTuple):
    """All that a step reads and a checkpoint keeps. Random numbers are a function of the run's seed and `step`."""

    step: Int[Array, ""]
    learned: Any
    frozen: Any
    buffers: Any
    moments: Any


def take_apart(model: Any, learns: Learns) -> Parts:
    """Splits a module by `learns`; its trees are plain dicts, so a jitted step touches no NNX object."""

    def moved(path: tuple[Any, ...], value: Any) -> bool:
        return isinstance(value, nnx.Param) and learns("/".join(map(str, path)))

    graph, learned, frozen, buffers = nnx.split(model, moved, nnx.Param, ...)
    return Parts(graph, nnx.to_pure_dict(learned), nnx.to_pure_dict(frozen), nnx.to_pure_dict(buffers))


def put_together(parts: Parts) -> Any:
    """The module again. Trees are matched by the order of their leaves: check outside data first."""
    return nnx.merge(parts.graph, parts.learned, parts.frozen, parts.buffers)


def compiled(model: Any, function: Callable[..., Any]) -> Callable[..., Any]:
    """`function(model, *arrays)` under jit, with the model's arrays as arguments rather than constants."""
    graph, state = nnx.split(model)
    jitted = jax.jit(lambda state, *arrays: function(nnx.merge(graph, state), *arrays))
    return lambda *arrays: jitted(state, *arrays)


def buffers_of(model: Any) -> Any:
    """What a module's forward pass moved without a gradient."""
    _, _, buffers = nnx.split(model, nnx.Param, ...)
    return nnx.to_pure_dict(buffers)


def abstract_state(
    build: Callable[[], Any], learns: Learns, optimiser: optax.GradientTransformation
) -> tuple[Any, TrainState, Callable[[], TrainState]]:
    """A model's graph, the shapes of its training state, and the function that computes such a state.

    Errors: ValueError if nothing learns.
    """

    def initialise() -> TrainState:
        parts = take_apart(build(), learns)
        return TrainState(jnp.int32(0), *parts[1:], optimiser.init(parts.learned))

    abstract = jax.eval_shape(initialise)
    if not jax.tree.leaves(abstract.learned):
        raise ValueError("No parameter learns: the freeze policy matches every name of the model.")
    return take_apart(nnx.eval_shape(build), learns).graph, abstract, initialise


def make_state(
    build: Callable[[], Any],
    learns: Learns,
    optimiser: optax.GradientTransformation,
    mesh: Mesh,
    start: Mapping[str, np.ndarray] | None = None,
) -> tuple[Any, TrainState, TrainState]:
    """Initialises a model over the mesh; each device makes only its own part.

    Args:
      start: arrays by parameter path that replace the random ones (pretrained weights); shapes are checked. They are
        asked for one at a time, and each device is sent its own part and no more.
    Returns: the model's graph, the state, and the state's shardings.
    Errors: ValueError for a start that no parameter has, or of another shape; ValueError if nothing learns.
    """
    graph, abstract, initialise = abstract_state(build, learns, optimiser)
    shardings = tree_shardings(abstract, mesh)
    state = jax.jit(initialise, out_shardings=shardings)()
    return graph, _with_start(state, start or {}), shardings


def _with_start(state: TrainState, start: Mapping[str, np.ndarray]) -> TrainState:
    left = set(start)

    def chosen(path: tuple[Any, ...], leaf: Any) -> Any:
        name = path_name(path)
        if name not in left:
            return leaf
        left.remove(name)
        value = np.asarray(start[name], leaf.dtype)
        if value.shape != leaf.shape:
            raise ValueError(f"{name}: found shape {value.shape}, needed {leaf.shape}.")
        return put_at(leaf.sharding, value)

    trees = {
        name: jax.tree_util.tree_map_with_path(chosen, getattr(state, name))
        for name in ("learned", "frozen", "buffers")
    }
    if left:
        raise ValueError(f"No parameter of this model is called {', '.join(sorted(left)[:5])} ({len(left)} in all).")
    return state._replace(**trees)


def make_train_step(
    graph: Any,
    task: Task,
    optimiser: optax.GradientTransformation,
    mesh: Mesh,
    shardings: TrainState,
    *,
    seed: int,
    pieces: int = 1,
) -> Step:
    """Returns jitted `step(state, batch, told) -> (state, metrics)`; the old state is donated.

    A step whose loss or gradient is no finite number changes nothing but the step's number; `finite` tells. Without
    `told`, `update_norm` is 0: it takes as long as the update itself, and most steps are not logged.
    With `pieces` > 1 a batch is encoded in that many pieces, the loss is taken over all rows at once, and its
    gradient is carried back piece by piece: memory of one piece, and the same gradient as the whole batch, also for
    a loss in which rows meet. Source: GradCache (arXiv 2101.06983).
    """

    def whole(learned: Any, frozen: Any, buffers: Any) -> Any:
        given, where = (learned, frozen, buffers), (shardings.learned, shardings.frozen, shardings.buffers)
        return nnx.merge(graph, *(gathered(part, split) for part, split in zip(given, where, strict=True)))

    def train_step(source: Any, state: TrainState, batch: Batch, told: Any) -> tuple[TrainState, Metrics]:
        key = jax.random.fold_in(jax.random.wrap_key_data(source), state.step)
        gradient = whole_gradient if pieces == 1 else piecewise_gradient(pieces)
        loss, metrics, buffers, grads = gradient(Taught(task, whole, mesh), state, batch, key)
        grads = jax.lax.with_sharding_constraint(grads, shardings.learned)
        grad_norm = optax.tree.norm(grads)
        finite = jnp.isfinite(loss) & jnp.isfinite(grad_norm)

        def update(grads: Any, learned: Any, moments: Any) -> tuple[Any, Any]:
            return optimiser.update(grads, moments, learned)

        def move(grads: Any, learned: Any, moments: Any) -> tuple[Any, Any]:
            updates, moments = update(grads, learned, moments)
            return optax.apply_updates(learned, updates), moments

        old = (grads, state.learned, state.moments)
        update_norm = jax.lax.cond(
            finite & told, lambda *old: optax.tree.norm(update(*old)[0]), lambda *_: jnp.zeros_like(grad_norm), *old
        )
        # Only when that has been read may what is below write over it: without this order XLA copies it all.
        *old, update_norm = jax.lax.optimization_barrier((*old, update_norm))
        # What is no number moves nothing; the batch is gone all the same, as its place is a function of the step. As
        # a branch this is nearly free; a choice number by number would keep weights and moments twice.
        learned, moments = jax.lax.cond(finite, move, lambda _, *kept: tuple(kept), *old)
        buffers = jax.tree.map(lambda new, old: jnp.where(finite, new, old), buffers, state.buffers)
        norms = {"grad_norm": grad_norm, "update_norm": update_norm}
        metrics = {**metrics, "loss": loss, **norms, "finite": finite}
        return TrainState(state.step + 1, learned, state.frozen, buffers, moments), metrics

    alike = NamedSharding(mesh, P())
    jitted = jax.jit(
        train_step,
        in_shardings=(alike, shardings, batch_sharding(mesh), alike),
        out_shardings=(shardings, alike),
        donate_argnums=1,
    )
    return Step(jitted, np.asarray(jax.random.key_data(jax.random.key(seed))))


class Step(NamedTuple):
    """A jitted step, and what its random numbers are made of: an argument, so runs that differ in their seed alone
    share one compiled program."""

    jitted: Any
    source: Any

    def __call__(self, state: TrainState, batch: Batch, told: bool = True) -> tuple[TrainState, Metrics]:
        return self.jitted(self.source, state, batch, told)

    def trace(self, state: TrainState, batch: Batch) -> Any:
        """The step's program for such a state and batch."""
        return self.jitted.trace(self.source, state, batch, True)


def make_loss(graph: Any, task: Task, mesh: Mesh, *, seed: int) -> Callable[..., Any]:
    """`loss(learned, state, batch)` with the noise of `state.step`, not compiled, to be looked at closely."""

    def whole(learned: Any, frozen: Any, buffers: Any) -> Any:
        return nnx.merge(graph, learned, frozen, buffers)

    def loss(learned: Any, state: TrainState, batch: Batch) -> Any:
        taught, key = Taught(task, whole, mesh), jax.random.fold_in(jax.random.key(seed), state.step)
        return taught.objective(learned, state, taught.encode(learned, state, batch, key)[0], batch)[0]

    return loss


class Taught(NamedTuple):
    """A task, and how its model is put together of a state's parts on a mesh."""

    task: Task
    whole: Callable[[Any, Any, Any], Any]
    mesh: Mesh

    def encode(self, learned: Any, state: TrainState, batch: Batch, key: Any) -> tuple[Any, Any]:
        """What the task's first half gives, and the buffers that it moved."""

        def run(learned: Any, frozen: Any, buffers: Any) -> tuple[Any, Any]:
            model = self.whole(learned, frozen, buffers)
            return self.task.encode(model, batch, key), buffers_of(model)

        return gathers_again(run, self.mesh)(learned, state.frozen, state.buffers)

    def objective(self, learned: Any, state: TrainState, outputs: Any, batch: Batch) -> tuple[Any, Metrics]:
        """The task's second half."""
        return self.task.objective(self.whole(learned, state.frozen, state.buffers), outputs, batch)


def whole_gradient(taught: Taught, state: TrainState, batch: Batch, key: Any) -> tuple[Any, Metrics, Any, Any]:
    """Loss, metrics, moved buffers and gradient of a batch that is read at once."""

    def loss_of(learned: Any) -> tuple[Any, tuple[Metrics, Any]]:
        outputs, buffers = taught.encode(learned, state, batch, key)
        loss, metrics = taught.objective(learned, state, outputs, batch)
        return loss, (metrics, buffers)

    (loss, (metrics, buffers)), grads = jax.value_and_grad(loss_of, has_aux=True)(state.learned)
    return loss, metrics, buffers, grads


def piecewise_gradient(pieces: int) -> Callable[..., tuple[Any, Metrics, Any, Any]]:
    """As `whole_gradient`, reading a batch in `pieces`; each encodes its rows twice."""

    def split(leaf: Any) -> Any:
        # Strided, not cut: every device keeps the rows that it has.
        return jnp.swapaxes(leaf.reshape(leaf.shape[0] // pieces, pieces, *leaf.shape[1:]), 0, 1)

    def join(leaf: Any) -> Any:
        return jnp.swapaxes(leaf, 0, 1).reshape(-1, *leaf.shape[2:])

    def gradient(taught: Taught, state: TrainState, batch: Batch, key: Any) -> tuple[Any, Metrics, Any, Any]:
        parts, keys = jax.tree.map(split, batch), jax.random.split(key, pieces)
        outputs, buffers = jax.lax.map(lambda given: taught.encode(state.learned, state, *given), (parts, keys))
        outputs = jax.tree.map(join, outputs)
        pull = jax.value_and_grad(lambda *given: taught.objective(given[0], state, given[1], batch), (0, 1), True)
        (loss, metrics), (grads, backward) = pull(state.learned, outputs)

        def add(total: Any, given: Any) -> tuple[Any, None]:
            piece, piece_key, cotangent = given
            _, vjp = jax.vjp(lambda learned: taught.encode(learned, state, piece, piece_key)[0], state.learned)
            return jax.tree.map(jnp.add, total, vjp(cotangent)[0]), None

        grads, _ = jax.lax.scan(add, grads, (parts, keys, jax.tree.map(split, backward)))
        return loss, metrics, jax.tree.map(lambda leaf: leaf.mean(axis=0), buffers), grads

    return gradient
