"""Rows multiplied by the matrix of their group or expert: any sizes, and at what cost."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ops.calling import NODE

import blox as bx
from blox.ops.experts import expert_linear, ragged_dot
from blox.shapes.symbolic import Symbols
from blox.show.equations import Equations
from blox.show.flops import measure

RAGGED = {"op": "ragged_dot", "lhs": "x", "rhs": "w", "group_sizes": "n"}


def normal(seed: int, *shape: int) -> Any:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def by_group(lhs: Any, rhs: Any, sizes: Any) -> Any:
    """Group by group in float64; rows behind the last one are 0."""
    y, start = np.zeros((len(lhs), rhs.shape[-1])), 0
    for matrix, size in zip(rhs.astype(np.float64), sizes, strict=True):
        y[start : start + size] = lhs[start : start + size].astype(np.float64) @ matrix
        start += size
    return y


@pytest.mark.parametrize("method", ["blocks", "ragged_dot"])
@pytest.mark.parametrize(
    "sizes",
    [[9], [0, 9], [9, 0, 0], [0, 0, 0], [1] * 9, [0, 5, 0, 4, 0], [3, 2, 1], [0] * 20],
)
def test_groups_of_any_sizes_and_their_gradients(method: str, sizes: list[int]) -> None:
    lhs, rhs = normal(0, 9, 3), normal(1, len(sizes), 3, 2)
    slopes = normal(2, 9, 2)

    def weighed(lhs: Any, rhs: Any) -> Any:
        y = ragged_dot(lhs, rhs, jnp.array(sizes), method=method)
        return (y * slopes).sum(), y

    (of_lhs, of_rhs), y = jax.jit(jax.grad(weighed, (0, 1), has_aux=True))(lhs, rhs)
    np.testing.assert_allclose(y, by_group(lhs, rhs, sizes), 1e-5, 1e-5)
    wanted = by_group(slopes, rhs.swapaxes(1, 2), sizes)
    np.testing.assert_allclose(of_lhs, wanted, 1e-5, 1e-5)
    ends = np.cumsum(sizes)
    parts = [slice(end - size, end) for end, size in zip(ends, sizes, strict=True)]
    wanted = np.array([lhs[part].T @ slopes[part] for part in parts])
    np.testing.assert_allclose(of_rhs, wanted, 1e-5, 1e-5)


@pytest.mark.parametrize("method", ["blocks", "ragged_dot"])
def test_a_batch_shares_the_matrices(method: str) -> None:
    lhs, rhs = normal(0, 2, 9, 3), normal(1, 3, 3, 2)
    sizes = np.array([[4, 0, 5], [1, 2, 3]])
    y = jax.jit(partial(ragged_dot, method=method))(lhs, rhs, sizes)
    wanted = [by_group(rows, rhs, n) for rows, n in zip(lhs, sizes, strict=True)]
    np.testing.assert_allclose(y, wanted, 1e-5, 1e-5)


def test_rows_of_a_symbolic_number() -> None:
    kernel, bias = normal(0, 4, 3, 2), normal(1, 4, 2)
    run = partial(expert_linear, method="blocks")
    (n,) = jax.export.symbolic_shape("n")
    kinds = [
        jax.ShapeDtypeStruct((n, 1, 3), jnp.float32),
        jax.ShapeDtypeStruct((n, 2), jnp.int32),
        *(jax.ShapeDtypeStruct(a.shape, a.dtype) for a in (kernel, bias)),
    ]
    exported = jax.export.export(jax.jit(run))(*kinds)
    assert exported.out_avals[0].shape == (n, 2, 2)
    for rows in (1, 5, 40):
        x = normal(2, rows, 1, 3)
        expert = np.random.default_rng(3).integers(0, 4, (rows, 2)).astype(np.int32)
        y = exported.call(x, expert, kernel, bias)
        wanted = np.einsum("ni,nkio->nko", x[:, 0], kernel[expert]) + bias[expert]
        np.testing.assert_allclose(y, wanted, 1e-5, 1e-5)


@pytest.mark.parametrize("experts", [1, 4, 64, 512])
@pytest.mark.parametrize("rows", [1, 100, 4096])
def test_it_costs_what_the_chosen_experts_cost(experts: int, rows: int) -> None:
    """In products, at most half as much again, however many experts there are."""
    arrays = [
        jax.ShapeDtypeStruct(shape, dtype)
        for shape, dtype in (
            ((rows, 32), jnp.float32),
            ((rows,), jnp.int32),
            ((experts, 32, 64), jnp.float32),
        )
    ]
    run = partial(expert_linear, method="blocks")
    counts = Equations(Symbols(iter(()), {}, [], {}))
    found = counts(jax.make_jaxpr(run)(*arrays)).number
    least = 2 * rows * 32 * 64
    assert found is not None
    assert least <= found <= 1.5 * least + 2 * 64 * rows


def test_counted_is_the_product_of_all_rows_with_one_matrix_each() -> None:
    b = bx.GraphBuilder("model", width=8, experts=5)

    @b.entry(
        x=bx.Input(["batch", "time", b.width]),
        expert=bx.Input(["batch", "time"], "int32"),
    )
    def main(f: bx.F, x: bx.Value, expert: bx.Value) -> bx.Value:
        return f.expert_linear("up", x, expert, b.experts, 16, use_bias=False)

    assert str(measure(b.graph()).entries["main"].flops) == "256*batch*time"


def test_problems() -> None:
    op = NODE.validate_python(
        {"op": "expert_linear", "x": "x", "expert": "e", "experts": 0}
    )
    (found,) = op.problems()
    assert str(found).startswith("experts: expected at least 1, found 0")
    (found,) = NODE.validate_python(RAGGED).operand_problems({"rhs": (0, 3, 2)})
    assert str(found).startswith("rhs: expected at least one matrix, found 0")
