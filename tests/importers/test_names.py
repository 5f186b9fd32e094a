"""Names of an imported model: those that its code has."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from imported import check

import blox as bx

X = {"x": bx.Input(["batch", 4])}
ONE = jnp.linspace(-1.0, 1.0, 8).reshape(2, 4)
SCALES = {"first": np.ones(4, "float32"), "second": np.full(4, 2.0, "float32")}


def nodes(graph: bx.Graph, function: str = "main") -> dict[str, str]:
    """The ops by the names of the nodes of a function."""
    found = graph.plain()["functions"][function]["nodes"]
    return {name: node["op"] for name, node in found.items()}


def test_values_have_the_names_that_their_lines_assign() -> None:
    def model(params: Any, x: jax.Array) -> Any:
        turn = jnp.exp(x) * 2
        cosine: jax.Array = jnp.cos(
            turn,
        )
        return cosine + jnp.sin(turn)

    found = nodes(check(model, {}, X, ONE))
    assert found["turn"] == "multiply"
    assert found["cosine"] == "cos"


def test_no_name_is_that_of_an_op_an_input_or_a_dim() -> None:
    def model(params: Any, x: jax.Array) -> Any:
        mean = jnp.exp(x)
        batch = mean * 2
        x = batch + mean
        params = jnp.sin(x)
        return params * x

    found = nodes(check(model, {}, X, ONE))
    assert not {"mean", "batch", "x", "params"} & found.keys()


def test_a_name_that_is_assigned_again_is_the_first_ones() -> None:
    def model(params: Any, x: jax.Array) -> Any:
        h = jnp.exp(x)
        h = jnp.sin(h) + h
        return h * h

    found = nodes(check(model, {}, X, ONE))
    assert found["h"] == "exp"
    assert not any(name.startswith("h_") for name in found)


def test_functions_of_libraries_have_the_line_that_calls_them() -> None:
    """JAX keeps the trace of the first call, with its line."""

    def model(params: Any, x: jax.Array) -> Any:
        low = jnp.where(x > 0, x, 0.0)
        high = jnp.where(x < 0, low, 1.0)
        return low * high

    found = nodes(check(model, {}, X, ONE))
    assert (found["low"], found["high"]) == ("where", "where")


def scaled(x: jax.Array, scale: jax.Array) -> Any:
    return jnp.sin(x) * scale + 1.0


def test_arrays_that_a_function_is_given_are_its_inputs() -> None:
    def model(params: Any, x: jax.Array) -> Any:
        return scaled(scaled(x, params["first"]), params["second"])

    graph = check(model, SCALES, X, ONE)
    functions = graph.plain()["functions"]
    assert list(functions) == ["main", "scaled"]
    assert list(functions["scaled"]["inputs"]) == ["x", "scale"]
    assert list(graph.program().leaves()) == ["first", "second"]


def ordered(x: jax.Array) -> Any:
    late = jnp.cos(x)
    early = jnp.exp(x)
    return (early - 1.0) * late


def test_what_is_used_once_stands_where_it_is_used() -> None:
    text = bx.generate(check(lambda params, x: ordered(x), {}, X, ONE))
    assert "return (jnp.exp(x) - 1.0) * jnp.cos(x)" in text


def halves(x: jax.Array) -> Any:
    first, second = jnp.split(x, 2, axis=-1)
    return jnp.sin(first) * second


def test_calls_and_parts_have_the_names_of_their_lines() -> None:
    def model(params: Any, x: jax.Array) -> Any:
        low = halves(x)
        high = halves(x + 1)
        return low + high * low

    graph = check(model, {}, X, ONE)
    found = nodes(graph)
    assert (found["low"], found["high"]) == ("call", "call")
    functions = graph.plain()["functions"]
    (split,) = (n for n in functions["halves"]["nodes"].values() if n["op"] == "split")
    assert split["names"] == ["first", "second"]


def test_parts_of_an_argument_have_the_names_that_the_function_gives_them() -> None:
    def step(carry: Any, now: Any) -> Any:
        (low, high), total = carry
        gain = now["gain"]
        low = low * gain + high
        return ((low, high - low), total + low), total

    def call(_: Any, x: Any) -> Any:
        start = jnp.zeros(4)
        (pair, total), every = jax.lax.scan(step, ((start, start), start), {"gain": x})
        return pair[0] + total, every

    graph = check(call, {}, X, ONE)
    inputs = graph.functions["step"].inputs
    assert list(inputs) == ["low", "high", "total", "gain"]
