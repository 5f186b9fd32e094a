"""Loops and branches of JAX: numbers of the source, and what is written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import blox as bx
from blox.importers.jax.convert import convert
from blox.importers.jax.public import from_jax
from blox.importers.jax.sized import trace
from blox.importers.jax.source import Source

Tree = Any
RNG = np.random.default_rng(0)
X = {"x": bx.Input(["batch", 4])}
OVER_TIME = {"x": bx.Input(["batch", "seq", 4])}


def array(*shape: int) -> np.ndarray:
    return (RNG.normal(size=shape) * 0.5).astype("float32")


STACKED = {"layers": {"w": array(3, 4, 4), "b": array(3, 4)}, "out": array(4, 2)}


def rnn(p: Tree, x: Any) -> Any:
    def step(h: Any, t: Any) -> Any:
        h = jnp.tanh(t @ p["w"] + h @ p["u"])
        return h, h

    start = jnp.zeros((x.shape[0], 3))
    h, hs = jax.lax.scan(step, start, jnp.swapaxes(x, 0, 1))
    _, back = jax.lax.scan(step, start, jnp.swapaxes(x, 0, 1), reverse=True)
    return h, jnp.swapaxes(hs, 0, 1), back


def layers(p: Tree, x: Any) -> Any:
    def layer(h: Any, q: Any) -> Any:
        h = jnp.tanh(h @ q["w"] + q["b"])
        return h, h.sum(-1)

    h, sums = jax.lax.scan(layer, x, p["layers"])
    return h @ p["out"], sums


def copies_of_copies(p: Tree, x: Any) -> Any:
    def outer(h: Any, q: Any) -> Any:
        def inner(h: Any, w: Any) -> Any:
            return jnp.tanh(h @ w + q["b"]), None

        return jax.lax.scan(inner, h, q["w"])[0], None

    return jax.lax.scan(outer, x, p["layers"])[0]


def backwards_and_whole(p: Tree, x: Any) -> Any:
    def layer(h: Any, w: Any) -> Any:
        return jnp.tanh(h @ w), h.sum()

    h, sums = jax.lax.scan(layer, x, p["w"], reverse=True)
    return h + (p["w"] * 2)[0, 0], sums


def masked(p: Tree, x: Any) -> Any:
    def layer(h: Any, w: Any) -> Any:
        mask = jnp.tril(jnp.ones((x.shape[0], x.shape[0])))
        return mask @ h @ w, None

    def step(c: Any, i: Any) -> Any:
        return c + jnp.ones(x.shape).sum() * i, None

    h = jax.lax.scan(layer, x, p["layers"]["w"])[0]
    return h, jax.lax.scan(step, 0.0, jnp.arange(3.0))[0]


def counting(x: Any) -> Any:
    y = jax.lax.fori_loop(0, 3, lambda i, z: z * 0.5 + i, x)
    start = (2, 5, y)
    i, _, y = jax.lax.while_loop(
        lambda s: s[0] < s[1], lambda s: (s[0] + 1, s[1], s[2] * 1.5 + s[0]), start
    )
    return y + i


def until(p: Tree, x: Any) -> Any:
    def less(s: Any) -> Any:
        return (s[0] ** 2).sum() + s[1] < 40.0 * p["limit"]

    def more(s: Any) -> Any:
        return s[0] @ p["w"] + x, s[1] + 1

    return jax.lax.while_loop(less, more, (x, 0))[0]


def counting_to_sizes(x: Any) -> Any:
    def step(i: Any, z: Any) -> Any:
        return z * 0.5 + i

    y = jax.lax.fori_loop(0, x.shape[0], step, x)
    y, _ = jax.lax.while_loop(
        lambda s: s[1] < 7, lambda s: (s[0] * 0.5 + s[1], s[1] + 1), (y, 3)
    )
    return jax.lax.fori_loop(2, x.shape[0], step, y)


def lanes(x: Any) -> Any:
    def one(row: Any) -> Any:
        return jax.lax.while_loop(
            lambda s: s[0] < 10 + row[0],
            lambda s: (s[0] * 1.5 + 1 + row[1] ** 2, s[1] + 1),
            (row.sum() ** 2, 0),
        )

    return jax.vmap(one)(x)


def picked(x: Any) -> Any:
    def twice(a: Any) -> Any:
        return a * 2

    index = jnp.floor(x.sum() * 3).astype(jnp.int32)
    y = jax.lax.switch(index, [twice, lambda a: a + 1, jnp.zeros_like], x)
    return y, jax.lax.switch(index, [twice, lambda a: a + 1], x)


def branches(p: Tree, x: Any) -> Any:
    y = jax.lax.cond(
        x.sum() > 0, lambda a: (a @ p["w"], 1.0), lambda a: (a + p["b"], a.sum()), x
    )
    shared = jax.lax.cond(
        x.sum() > 1, lambda a: a @ p["s"], lambda a: a @ p["s"].T, y[0]
    )
    return shared + p["s"][0], y[1]


def mapped(x: Any) -> Any:
    return jax.lax.map(lambda row: row / jnp.abs(row).sum(), x)


def checkpointed(p: Tree, x: Any) -> Any:
    saved = jax.checkpoint_policies.dots_saveable

    def block(h: Any) -> Any:
        return jnp.tanh(h @ p["w"]) @ p["w"]

    h = jax.checkpoint(block, policy=saved)(x)
    return jax.lax.scan(
        jax.checkpoint(lambda h, _: (block(h), None)), h, None, length=3
    )[0]


CASES: dict[str, tuple[Callable[..., Any], Any, Any, dict[str, list[str]]]] = {
    "rnn": (
        rnn,
        {"w": array(4, 3), "u": array(3, 3)},
        OVER_TIME,
        {"main": ["zeros", "scan", "scan", "swapaxes"]},
    ),
    "layers": (layers, STACKED, X, {"main": ["repeat", "param", "matmul"]}),
    "copies_of_copies": (
        copies_of_copies,
        {"layers": {"w": array(3, 2, 4, 4), "b": array(3, 4)}},
        X,
        {"main": ["repeat"], "outer": ["param", "repeat"]},
    ),
    "backwards_and_whole": (backwards_and_whole, {"w": array(3, 4, 4)}, X, {}),
    "masked": (masked, STACKED, X, {"main": ["repeat", "arange", "scan"]}),
    "counting": (counting, None, X, {"main": ["scan", "scan", "add"]}),
    "until": (
        until,
        {"w": np.eye(4, dtype="float32") + array(4, 4), "limit": np.float32(1)},
        X,
        {"main": ["while_loop"]},
    ),
    "branches": (
        branches,
        {"w": array(4, 4), "b": array(4), "s": array(4, 4)},
        X,
        {
            "main": [
                "sum",
                "greater",
                "cond",
                "greater",
                "param",
                "cond",
                "index",
                "add",
            ]
        },
    ),
    "counting_to_sizes": (
        counting_to_sizes,
        None,
        X,
        {"main": ["scan", "scan", "while_loop"]},
    ),
    "lanes": (lanes, None, X, {"main": ["sum", "square", "zeros", "while_loop"]}),
    "picked": (
        picked,
        None,
        X,
        {"main": ["sum", "multiply", "floor", "astype", "switch", "switch"]},
    ),
    "mapped": (mapped, None, X, {"main": ["scan"]}),
    "checkpointed": (checkpointed, {"w": array(4, 4)}, X, {"main": ["call", "scan"]}),
}


SCANS = ("rnn", "layers", "copies_of_copies")
FEW = ("rnn", "layers", "counting", "until", "branches", "picked")


def some(*always: str) -> list[Any]:
    """The cases, all but some of them in the slow run."""
    slow = pytest.mark.slow
    return [pytest.param(n, marks=() if n in always else slow) for n in CASES]


@pytest.mark.parametrize("name", some(*FEW))
def test_control_gives_what_it_gave(name: str) -> None:
    function, tree, inputs, written = CASES[name]
    graph, params, _ = from_jax(function, inputs, tree, name=name, check=False)
    ops = {
        n: [node.op for node in f.nodes.values()] for n, f in graph.functions.items()
    }
    assert {n: ops[n] for n in written} == written
    built = bx.build(graph)
    for sizes in ((2, 5), (3, 3)):
        x = array(*sizes[: len(inputs["x"].shape) - 1], 4)
        for sign in (1, -1):
            wanted = function(*([] if tree is None else [tree]), sign * x)
            found = built(params, sign * x)[0]
            found = found.values() if isinstance(found, dict) else [found]
            for a, b in zip(jax.tree.leaves(wanted), found, strict=True):
                np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("name", [c for c in some("layers") if c.values[0] in SCANS])
def test_gradients_of_scans_are_those_of_the_source(name: str) -> None:
    function, tree, inputs, _ = CASES[name]
    graph, params, origin = from_jax(function, inputs, tree, name=name, check=False)
    built, x = bx.build(graph), array(*[2] * (len(inputs["x"].shape) - 1), 4)

    def loss(outputs: Any) -> Any:
        return sum((leaf**2).sum() for leaf in jax.tree.leaves(outputs))

    wanted = jax.grad(lambda p: loss(function(p, x)))(tree)
    found = origin.export(jax.grad(lambda p: loss(built(p, x)[0]))(params))
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5),
        wanted,
        found,
    )


def test_a_policy_of_checkpoints_is_kept() -> None:
    graph, _, _ = from_jax(
        checkpointed, X, {"w": array(4, 4)}, name="saved", check=False
    )
    nodes = graph.functions["main"].nodes.values()
    assert [getattr(n, "remat", None) for n in nodes] == [
        "dots_saveable",
        "nothing_saveable",
    ]


def test_a_key_that_a_loop_carries_is_said_not_to_be_one() -> None:
    def drawn(key: Any, x: Any) -> Any:
        def step(key: Any, row: Any) -> Any:
            key, now = jax.random.split(key)
            return key, row + jax.random.normal(now, row.shape)

        return jax.lax.scan(step, key, x)[1]

    with pytest.raises(bx.SpecError, match="scan: a key as a carry"):
        from_jax(drawn, {"key": bx.Input([], "key"), **X}, None, name="drawn")


def test_a_derivative_of_its_own_that_is_lost_is_said() -> None:
    @jax.custom_jvp
    def doubled(x: Any) -> Any:
        return x * 2

    doubled.defjvp(lambda p, t: (doubled(p[0]), t[0] * 5))

    @jax.custom_vjp
    def same(x: Any) -> Any:
        return x

    same.defvjp(lambda x: (x, None), lambda _, g: (-g,))

    def call(p: Tree, x: Any) -> Any:
        return jax.nn.relu(same(doubled(x * p["w"]))), {}

    source = Source(call, {"w": array(4)}, "model")
    _, _, context = convert(source, trace(source, X, {}), X, {}, "model")
    names = [place.partition(" at ")[0] for place in context.derivatives]
    assert names == ["doubled", "same"]
    assert all(" at test_control.py:" in place for place in context.derivatives)
