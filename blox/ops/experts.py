"""Mixture of experts: kernels of which each row of an array takes one."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import Array
from jax.core import max_dim


def _in_blocks(lhs: Array, rhs: Array, group_sizes: Array) -> Array:
    """Blocks of rows of one group, one after another; groups fill up their last one."""
    rows, groups = lhs.shape[0], rhs.shape[0]
    size = rows // (2 * groups) + 1
    count = max_dim((rows + groups * (size - 1)) // size, 1)
    blocks = -(-group_sizes // size)
    row_ends, block_ends = jnp.cumsum(group_sizes), jnp.cumsum(blocks)
    group = jnp.searchsorted(row_ends, jnp.arange(rows), side="right")
    block_group = jnp.searchsorted(block_ends, jnp.arange(count), side="right")
    # A row behind the last group lies behind the last block, and so nowhere.
    shift = (block_ends - blocks) * size - (row_ends - group_sizes)
    shift = jnp.take(shift, group, mode="fill", fill_value=count * size)
    place = jnp.arange(rows) + shift
    padded = jnp.zeros((count * size, lhs.shape[1]), lhs.dtype)
    padded = padded.at[place].set(lhs, mode="drop", unique_indices=True)
    y = jax.lax.map(
        lambda block: block[0] @ jnp.take(rhs, block[1], axis=0, mode="clip"),
        (padded.reshape(count, size, lhs.shape[1]), block_group),
    )
    y = y.reshape(count * size, rhs.shape[2])
    return jnp.take(y, place, axis=0, mode="fill", fill_value=0)


def ragged_dot(lhs: Array, rhs: Array, group_sizes: Array, *, method: str) -> Array:
    """The rows of each group times its matrix: (..., rows, in) -> (..., rows, out)."""
    kind = jnp.result_type(lhs, rhs)
    product = _in_blocks
    if method == "ragged_dot":
        product = jax.lax.ragged_dot
        # There is no vmap of it over rows alone.
        batch = jnp.broadcast_shapes(lhs.shape[:-2], group_sizes.shape[:-1])
        rhs = jnp.broadcast_to(rhs, (*batch, *rhs.shape))
    product = jnp.vectorize(product, signature="(m,k),(g,k,n),(g)->(m,n)")
    y: Array = product(lhs.astype(kind), rhs.astype(kind), group_sizes)
    return y


def expert_linear(
    x: Array, expert: Array, kernel: Array, bias: Array | None = None, *, method: str
) -> Array:
    """x @ kernel + bias, those of the expert of each row: (..., in) -> (..., out)."""
    kind = jnp.result_type(x, kernel)
    batch = jnp.broadcast_shapes(x.shape[:-1], expert.shape)
    chosen = jnp.broadcast_to(expert, batch).reshape(-1)
    chosen = jnp.clip(chosen, 0, kernel.shape[0] - 1)
    rows = jnp.broadcast_to(x, (*batch, x.shape[-1])).reshape(-1, x.shape[-1])
    order = jnp.argsort(chosen)
    counts = jnp.bincount(chosen, length=kernel.shape[0])
    product = jax.lax.ragged_dot if method == "ragged_dot" else _in_blocks
    y = product(rows[order].astype(kind), kernel.astype(kind), counts)
    y = y[jnp.argsort(order)]
    y = y if bias is None else y + bias[chosen]
    return y.reshape(*batch, kernel.shape[2])


def within_capacity(
    chosen: Array, *, experts: int, capacity: float
) -> tuple[Array, Array]:
    """Which choices (..., top_k) find room, and how many of each expert (experts,) do not."""
    # The first choices of all rows stand before the second ones.
    ranked = jnp.moveaxis(jnp.clip(chosen, 0, experts - 1), -1, 0)
    taken = jax.nn.one_hot(ranked.reshape(-1), experts, dtype=jnp.int32)
    place = (jnp.cumsum(taken, axis=0) * taken).sum(axis=-1)
    counts = taken.sum(axis=0)
    room = jnp.ceil(capacity * counts.sum() / experts).astype(jnp.int32)
    kept = (place <= room).reshape(ranked.shape)
    return jnp.moveaxis(kept, 0, -1), jnp.maximum(counts - room, 0)
