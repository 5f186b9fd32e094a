"""Graphs of what was lowered: names, where arrays lie and in which layout, what is said."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import blox as bx
from blox.importers.jax.marks import layer

Tree = Any
RNG = np.random.default_rng(0)
X = {"x": bx.Input(["batch", 4])}


def array(*shape: int) -> np.ndarray:
    return (RNG.normal(size=shape) * 0.5).astype("float32")


def check(function: Any, params: Tree, x: Any) -> bx.Graph:
    """The Graph of a function, which gives its numbers, and its arrays back."""
    graph, placed, origin = bx.from_jax(function, X, params, name="model", check=False)
    found, _ = bx.build(graph)(placed, x)
    np.testing.assert_allclose(found, function(params, x), rtol=2e-5, atol=2e-5)
    jax.tree.map(np.testing.assert_array_equal, origin.export(placed), params)
    made: bx.Graph = graph
    return made


def ops(graph: bx.Graph, name: str = "main") -> list[str]:
    return [node.op for node in graph.functions[name].nodes.values()]


def dense(p: Tree, x: Any) -> Any:
    """A layer without a bias.

    It is that of nobody.
    """
    x = jnp.tanh(x @ p["w"])
    return x * p["scale"]


def test_functions_say_what_they_said() -> None:
    p = {"one": {"w": array(4, 4), "scale": array(4)}}
    graph = check(lambda p, x: dense(p["one"], x) + 1, p, array(2, 4))
    assert graph.functions["dense"].doc == "A layer without a bias."
    assert "\n    It is" not in bx.generate(graph)


def test_a_module_that_is_called_twice_has_one_set_of_arrays() -> None:
    p = {"one": {"w": array(4, 4), "scale": array(4)}, "out": array(4, 2)}

    def net(p: Tree, x: Any) -> Any:
        y = dense(p["one"], x) - 1
        return (dense(p["one"], y * 2) @ p["out"]) ** 3

    graph = check(net, p, array(2, 4))
    assert list(bx.leaves(graph)) == ["one.w", "one.scale", "out"]
    calls = [n for n in graph.functions["main"].nodes.values() if n.op == "call"]
    assert [getattr(n, "params", None) for n in calls] == [None, "one"]


def linear(x: Any, kernel: Any) -> Any:
    return layer(
        "linear",
        lambda x, kernel: x @ kernel,
        {"use_bias": False, "out_features": kernel.shape[1]},
        {"x": x},
        {"kernel": kernel},
    )


def test_an_array_of_a_layer_and_of_an_operand_is_stored_as_the_layer_has_it() -> None:
    p = {"up": {"weight": array(6, 4)}}

    def net(p: Tree, x: Any) -> Any:
        y = linear(x, p["up"]["weight"].T)
        return y @ p["up"]["weight"] + x

    graph = check(net, p, array(2, 4))
    (leaf,) = bx.leaves(graph).values()
    assert leaf.name == "up.kernel"
    assert leaf.shape == (4, 6)
    assert ops(graph) == ["linear", "param", "swapaxes", "matmul", "add"]


def test_an_array_of_two_layers_in_two_layouts_is_stored_once() -> None:
    p = {"up": {"weight": array(6, 4)}, "w": array(4, 4)}

    def net(p: Tree, x: Any) -> Any:
        y = linear(x @ p["w"], p["up"]["weight"].T)
        return linear(y, p["up"]["weight"])

    graph = check(net, p, array(2, 4))
    assert list(bx.leaves(graph)) == ["w", "up.kernel"]


def test_names_of_the_source_may_be_any() -> None:
    def state(max: Any, params: Any, batch: Any) -> Any:
        y = max @ params
        return y * batch.sum() + jnp.ones((batch.shape[0], 1))

    def net(p: Tree, x: Any) -> Any:
        y = state(x, p["a b"], x * 2) + p["a_b"]
        z = jax.lax.scan(lambda in_, map: (in_ * map, in_ + map), y[0], x)[1]
        return y + z + p["lambda"]["0"] + p["list"][0] + p["list_0"]

    arrays = {name: array(4) for name in ("a_b", "list_0")}
    p = {**arrays, "a b": array(4, 4), "lambda": {"0": array(4)}, "list": [array(4)]}
    graph = check(net, p, array(2, 4))
    assert len(bx.leaves(graph)) == 5


def test_functions_within_functions() -> None:
    def deep(p: Tree, x: Any, depth: int) -> Any:
        if depth == 0:
            return jnp.tanh(x @ p["w"])
        return deep(p["inner"], x + depth, depth - 1) * p["scale"]

    p: Tree = {"w": array(4, 4)}
    for _ in range(9):
        p = {"inner": p, "scale": array(4)}
    graph = check(lambda p, x: deep(p, x, 9), p, array(2, 4))
    assert "inner." * 9 + "w" in bx.leaves(graph)


def test_a_function_that_speaks_of_sizes_is_given_a_value_that_has_them() -> None:
    def positions(p: Tree, x: Any, size: int) -> Any:
        return jnp.arange(size, dtype=x.dtype)[:, None] * p["w"] + p["b"]

    def net(p: Tree, x: Any) -> Any:
        def inner(h: Any) -> Any:
            return h.sum() + positions(p, h.sum() * p["b"], x.shape[0])

        return jax.lax.cond(x.sum() > 0, inner, lambda h: h * 2.0, x)

    p = {"w": array(4), "b": array(4)}
    graph = check(net, p, abs(array(3, 4)))
    assert any("x" in f.inputs for n, f in graph.functions.items() if n == "positions")
