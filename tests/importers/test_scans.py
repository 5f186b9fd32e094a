"""`jax.lax.associative_scan` in imported models."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from imported import ops
from jax.lax import associative_scan

import blox as bx


def drawn(*shape: int) -> Any:
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def imported(function: Any, x: Any, *names: str) -> bx.Graph:
    """Its Graph, which gives the same numbers as the function."""
    graph: bx.Graph
    inputs = {"x": bx.Input([*names, *x.shape[len(names) :]])}
    graph, params, _ = bx.from_jax(function, inputs, name="model", check=False)
    found, _ = bx.build(graph)(params, x)
    np.testing.assert_allclose(found, function(x), rtol=2e-5, atol=2e-5)
    return graph


@jax.vmap
def combined(first: Any, second: Any) -> Any:
    rate, added = first
    other, more = second
    return other * rate, other * added + more


def test_a_linear_recurrence_is_the_op() -> None:
    def model(x: Any) -> Any:
        def one(x: Any) -> Any:
            rate = jnp.tanh(x)
            _, y = associative_scan(combined, (rate, x))
            _, z = associative_scan(
                lambda p, q: (q[0] * p[0], q[1] + q[0] * p[1]), (rate, x), True
            )
            return y - z

        return jax.vmap(one)(x)

    graph = imported(model, drawn(2, 7, 3), "batch", "time")
    assert ops(graph).count("linear_recurrence") == 2
    assert "cumprod" not in ops(graph)


def test_of_a_length_that_is_a_number() -> None:
    def model(x: Any) -> Any:
        return associative_scan(combined, (jax.nn.sigmoid(x), x))[1]

    assert ops(imported(model, drawn(5, 3))).count("linear_recurrence") == 1


def test_of_complex_numbers_too_and_with_all_results() -> None:
    def model(x: Any) -> Any:
        rate = jnp.exp(1j * x[..., :1])
        y, z = associative_scan(
            lambda p, q: (p[0] * q[1] + q[0], q[1] * p[1]), (x + 0j, rate), axis=1
        )
        return jnp.abs(y) + jnp.imag(z)

    assert "linear_recurrence" in ops(imported(model, drawn(2, 7, 3), "batch", "time"))


NEAR = {
    "rates of the step before": lambda p, q: (p[0] * q[0], p[0] * p[1] + q[1]),
    "two of what is added": lambda p, q: (p[0] * q[0], q[0] * p[1] + q[1] + q[1]),
    "sums of rates": lambda p, q: (p[0] + q[0], q[0] * p[1] + q[1]),
}


@pytest.mark.parametrize("near", NEAR)
def test_what_is_near_is_left(near: str) -> None:
    def model(x: Any) -> Any:
        return associative_scan(NEAR[near], (jnp.tanh(x), x))[1]

    graph, _, _ = bx.from_jax(model, {"x": bx.Input([3, "n"])}, check=False)
    assert "linear_recurrence" not in ops(graph)


def test_others_are_loops_where_the_size_is_a_name() -> None:
    def product(a: Any, b: Any) -> Any:
        return jnp.einsum("...ij,...jk->...ik", b, a)

    def model(x: Any) -> Any:
        y = associative_scan(product, x, axis=1)
        return y + jax.vmap(lambda x: associative_scan(product, x, reverse=True))(x)

    graph = imported(model, drawn(2, 5, 2, 2), "batch", "time")
    assert ops(graph).count("scan") == 2


def test_arrays_of_other_ranks_go_along() -> None:
    """As those that say where a sequence begins anew."""

    def restart(p: Any, q: Any) -> Any:
        (a, begins), (b, anew) = p, q
        return jnp.where(anew[:, None], b, a + b), begins | anew

    def model(x: Any) -> Any:
        return associative_scan(restart, (x, x[:, 0] > 1.0))[0]

    found = imported(model, drawn(5, 3), "time")
    assert ops(found).count("scan") == 1


def test_sums_and_the_like_are_cumulative_ops() -> None:
    def model(x: Any) -> Any:
        y = associative_scan(jnp.add, x, axis=1) * associative_scan(jnp.multiply, x)
        return y - associative_scan(lambda a, b: jnp.maximum(b, a), x, True, 1)

    found = ops(imported(model, drawn(4, 5), "batch", "time"))
    assert {"cumsum", "cumprod", "cummax"} <= set(found)
