"""Arrays that a call changes: their next values are those of the source."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import blox as bx
from blox.importers.jax.convert import convert
from blox.importers.jax.frontends.functions import marked_functions
from blox.importers.jax.sized import trace
from blox.importers.jax.source import Source

Tree = Any
Call = Callable[[Tree, Any], tuple[Any, Mapping[Any, Any]]]
RNG = np.random.default_rng(0)
X = {"x": bx.Input(["batch", 4])}


def array(*shape: int) -> Any:
    return jnp.asarray(RNG.normal(size=shape) * 0.5, jnp.float32)


def check(call: Call, arrays: Tree, *kept: str) -> bx.Graph:
    """The Graph of a source, which gives what it gives and changes what it changes."""
    kinds: Any = {(name,): "state" for name in kept}
    code = getattr(call, "__code__", None)
    source = Source(
        call, arrays, "model", lambda without: marked_functions(code), kinds=kinds
    )
    graph, placed, _ = convert(source, trace(source, X, {}), X, {}, "model")
    params: dict[str, Any] = {}
    for path, leaf in placed.items():
        *outer, last = path.split(".")
        inner = params
        for part in outer:
            inner = inner.setdefault(part, {})
        inner[last] = leaf_of(arrays, leaf.sources[0])
    run = bx.build(graph)
    for batch in (2, 3):
        x = array(batch, 4)
        wanted, updates = call(arrays, x)
        found, state = run(params, x)
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)
        there = {p: leaf.sources[0] for p, leaf in placed.items()}
        assigned = {k for k, v in updates.items() if v is not leaf_of(arrays, k)}
        for path, source_path in there.items():
            if source_path in assigned:
                new = leaf_of(state, tuple(path.split(".")))
                np.testing.assert_allclose(
                    new, updates[source_path], rtol=1e-5, atol=1e-5
                )
        assert {*updates} <= {*there.values()}
    return graph


def leaf_of(tree: Tree, path: Any) -> Any:
    for part in path:
        tree = tree[part]
    return tree


def ops(graph: bx.Graph, name: str = "main") -> list[str]:
    return [node.op for node in graph.functions[name].nodes.values()]


def test_a_counter_and_an_average() -> None:
    def call(p: Tree, x: Any) -> Any:
        mean = 0.9 * p["mean"] + 0.1 * x.mean(0)
        return x - p["mean"], {("mean",): mean, ("count",): p["count"] + 1}

    arrays = {"mean": array(4), "count": jnp.int32(3)}
    graph = check(call, arrays, "mean", "count")
    assert ops(graph).count("state") == 2
    assert ops(graph)[-2:] == ["assign", "assign"]


def iterated(w: Any, u: Any) -> tuple[Any, Any]:
    """A step of the power iteration of spectral norm."""
    v = w @ u
    v = v / jnp.sqrt((v * v).sum())
    u = w.T @ v
    u = u / jnp.sqrt((u * u).sum())
    return w / (v @ w @ u), u


def normed(p: Tree, x: Any) -> tuple[Any, Any]:
    w, u = iterated(p["w"], jax.lax.stop_gradient(p["u"]))
    return x @ w, u


def test_a_function_updates_its_own_state() -> None:
    def call(p: Tree, x: Any) -> Any:
        y, u = normed(p["layer"], x)
        return jnp.tanh(y), {("layer", "u"): u}

    arrays = {"layer": {"w": array(4, 4), "u": array(4)}}
    graph = check(call, arrays)
    assert "assign" in ops(graph, "normed")
    assert "assign" not in ops(graph)


def test_state_that_is_read_later_is_assigned_behind_that() -> None:
    def call(p: Tree, x: Any) -> Any:
        y, u = normed(p["layer"], x)
        return y * p["layer"]["u"], {("layer", "u"): u}

    graph = check(call, {"layer": {"w": array(4, 4), "u": array(4)}})
    assert ops(graph)[-1] == "assign"


def test_one_layer_that_runs_twice_keeps_its_last_value() -> None:
    def call(p: Tree, x: Any) -> Any:
        y, u = normed(p["layer"], x)
        y, u = normed({**p["layer"], "u": u}, jnp.tanh(y))
        return y, {("layer", "u"): u}

    check(call, {"layer": {"w": array(4, 4), "u": array(4)}})


def test_each_of_stacked_layers_updates_its_own_state() -> None:
    def layer(h: Any, q: Tree) -> tuple[Any, Any]:
        mean = 0.5 * q["mean"] + 0.5 * h.mean(0)
        return jnp.tanh((h - q["mean"]) @ q["w"]), mean

    def call(p: Tree, x: Any) -> Any:
        y, means = jax.lax.scan(layer, x, p["layers"])
        return y, {("layers", "mean"): means}

    arrays = {"layers": {"w": array(3, 4, 4), "mean": array(3, 4)}}
    graph = check(call, arrays)
    assert ops(graph) == ["repeat"]
    assert ops(graph, "layer")[-1] == "assign"


def test_state_that_is_carried_through_a_scan() -> None:
    def step(carry: Any, row: Any) -> tuple[Any, Any]:
        mean = 0.5 * carry + 0.5 * row
        return mean, row - mean

    def call(p: Tree, x: Any) -> Any:
        mean, y = jax.lax.scan(step, p["mean"], x)
        return y, {("mean",): mean}

    graph = check(call, {"mean": array(4)}, "mean")
    assert ops(graph) == ["state", "scan", "assign"]


def test_stacked_state_that_is_read_as_a_whole_too() -> None:
    def layer(h: Any, q: Tree) -> tuple[Any, Any]:
        return jnp.tanh((h - q["mean"]) @ q["w"]), h.mean(0)

    def call(p: Tree, x: Any) -> Any:
        y, means = jax.lax.scan(layer, x, p["layers"])
        return y + (p["layers"]["mean"] * 2).sum(0), {("layers", "mean"): means}

    check(call, {"layers": {"w": array(3, 4, 4), "mean": array(3, 4)}})


def test_what_a_call_leaves_as_it_is_is_not_assigned() -> None:
    graph = check(lambda p, x: (x * p["s"], {("s",): p["s"]}), {"s": array(4)}, "s")
    assert ops(graph) == ["state", "multiply"]


def test_what_is_assigned_is_made_of_what_was_there_before() -> None:
    def moved(s: Any, x: Any) -> Any:
        y = x * s["a"]
        return jnp.tanh(y + s["a"]).sum(0)

    def call(p: Tree, x: Any) -> Any:
        return x * p["b"], {("a",): p["a"] * 2, ("b",): moved(p, x)}

    graph = check(call, {"a": array(4), "b": array(4)})
    assert ops(graph)[-2:] == ["assign", "assign"]
