"""Rewrites of what a trace has to what people write: the same numbers, fewer nodes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from imported import body, check

import blox as bx
from blox.importers.jax.frontends.memories import attention

X = {"x": bx.Input(["batch", 4])}
ONE = jnp.linspace(-1.0, 1.0, 8).reshape(2, 4)
RNG = np.random.default_rng(0)


def ops(graph: bx.Graph) -> list[str]:
    """The ops of all nodes, params aside."""
    nodes = [
        n for f in graph.plain()["functions"].values() for n in f["nodes"].values()
    ]
    return [n["op"] for n in nodes if n["op"] not in ("param", "buffer")]


def normed(x: Any) -> Any:
    return x / jnp.sum(x * x, axis=-1, keepdims=True)


def scaled(x: Any) -> Any:
    return x * jax.lax.rsqrt(jnp.max(x, axis=-1, keepdims=True) / 4.0 + 1e-6)


def scaled_later(x: Any) -> Any:
    low = jnp.min(x, axis=-1) * 2.0
    return x - low[:, None], low


def bounded(x: Any) -> Any:
    return jnp.maximum(-jnp.inf, jnp.tanh(x))


def middle(x: Any) -> Any:
    return jnp.min(x, axis=0, keepdims=True) + x


def masked(x: Any) -> Any:
    return jnp.where(jnp.tril(jnp.ones((4, 4), bool)), x[:, None], 0.0)


def counted(x: Any) -> Any:
    return x + (jnp.arange(x.shape[0]) * 3 + 1)[:, None]


def swapped(x: Any) -> Any:
    heads = jnp.einsum("bi,ci->bc", x, x)
    return jnp.swapaxes(jnp.einsum("bi,bc->bic", x, heads), 1, 2)


def allowed(x: Any) -> Any:
    mask = jnp.logical_and(True, x > 0)
    return jnp.where(mask.astype(x.dtype).astype(bool), x, 2.0)


def shaped(x: Any) -> Any:
    return (x + 1).reshape(-1).reshape(2, -1, 2)


def joined(x: Any) -> Any:
    return jnp.stack([x, jnp.sin(x)], axis=1)


@pytest.mark.parametrize(
    ("function", "wanted"),
    [
        (normed, ["square", "sum", "divide"]),
        (scaled, ["max", "divide", "add", "rsqrt", "multiply"]),
        (scaled_later, ["min", "multiply", "subtract", "squeeze"]),
        (bounded, ["tanh"]),
        (middle, ["min", "add"]),
        (counted, ["arange", "astype", "expand_dims", "add"]),
        (swapped, ["einsum", "einsum"]),
        (joined, ["sin", "stack"]),
        (allowed, ["greater", "where"]),
    ],
    ids=lambda given: getattr(given, "__name__", ""),
)
def test_nodes_are_those_that_people_write(
    function: Callable[..., Any], wanted: list[str]
) -> None:
    graph = check(lambda params, x: function(x), {}, X, ONE)
    assert sorted(ops(graph)) == sorted(wanted)


def test_a_mask_is_a_comparison() -> None:
    graph = check(lambda params, x: masked(x), {}, X, ONE)
    assert ops(graph).count("where") == 1
    assert ops(graph).count("arange") == 1


def test_reshapes_follow_none() -> None:
    inputs = {"x": bx.Input([4, 4])}
    graph = check(lambda params, x: shaped(x), {}, inputs, jnp.ones((4, 4)))
    assert ops(graph).count("reshape") == 1


def pair(rows: int, columns: int) -> dict[str, Any]:
    kernel = RNG.normal(size=(rows, columns)).astype("float32")
    return {"w": kernel, "b": RNG.normal(size=columns).astype("float32")}


def test_a_kernel_and_a_bias_in_one_place_are_linear() -> None:
    def model(params: Any, x: jax.Array) -> Any:
        h = jnp.tanh(x @ params["up"]["w"] + params["up"]["b"])
        return params["down"]["b"] + h @ params["down"]["w"]

    graph = check(model, {"up": pair(4, 6), "down": pair(6, 3)}, X, ONE)
    assert ops(graph) == ["linear", "tanh", "linear"]
    assert list(graph.program().leaves()) == [
        "up.kernel",
        "up.bias",
        "down.kernel",
        "down.bias",
    ]


@pytest.mark.parametrize("place", ["more", "other", "elsewhere"])
def test_arrays_that_are_not_alone_are_no_linear(place: str) -> None:
    """Another array beside them, another use of one, two places."""

    def model(params: Any, x: jax.Array) -> Any:
        y = x @ params["up"]["w"] + params["up"]["b"]
        if place == "more":
            y = y * params["up"]["scale"]
        return y + params["up"]["w"].sum() if place == "other" else y

    params = {
        "up": pair(4, 6) | ({"scale": np.ones(6, "float32")} if place == "more" else {})
    }
    if place == "elsewhere":
        moved = {"w": params["up"]["w"], "b": params["up"]["b"]}

        def apart(params: Any, x: jax.Array) -> Any:
            return x @ params["w"]["v"] + params["b"]["v"]

        graph = check(apart, {k: {"v": v} for k, v in moved.items()}, X, ONE)
    else:
        graph = check(model, params, X, ONE)
    assert "linear" not in ops(graph)


@pytest.mark.parametrize("last", ["stacked", "carried", "both"])
def test_what_is_turned_around_for_a_scan_is_read_from_its_end(last: str) -> None:
    def step(total: Any, x: Any) -> Any:
        total = total * 0.5 + x
        return total, total * x

    def call(_: Any, x: Any) -> Any:
        total, every = jax.lax.scan(step, jnp.zeros(4), jnp.flip(x, axis=0))
        every = jnp.flip(every, axis=0)
        found = {"stacked": every, "carried": total, "both": (every, total)}
        return found[last]

    graph = check(call, {}, X, jnp.asarray(RNG.normal(size=(3, 4)), "float32"))
    assert "flip" not in ops(graph)
    (scan,) = [n for n in body(graph).values() if n["op"] == "scan"]
    assert scan["reverse"] is True


def test_a_scan_whose_outputs_are_seen_as_they_are_keeps_what_it_reads() -> None:
    def call(_: Any, x: Any) -> Any:
        turned = jnp.flip(x, axis=0)
        return jax.lax.scan(lambda c, x: (c + x, c * x), jnp.zeros(4), turned)[1]

    assert "flip" in ops(check(call, {}, X, ONE))


@pytest.mark.parametrize("kind", ["times", "chosen", "greater"])
def test_a_mask_of_numbers_is_the_condition(kind: str) -> None:
    def call(_: Any, x: Any) -> Any:
        low = x < 0.5
        number = {
            "times": low.astype("float32").astype(bool),
            "chosen": jnp.where(low, 1.0, 0.0) != 0.0,
            "greater": jnp.where(low, 1.0, 2.0) != 0.0,
        }
        return jnp.where(number[kind], x, 0.0)

    found = ops(check(call, {}, X, ONE))
    assert found.count("where") == 1 + (kind == "greater")
    assert "astype" not in found


@pytest.mark.parametrize("start", [0, 1])
def test_a_mask_of_positions_is_causal(start: int) -> None:
    def call(_: Any, x: Any) -> Any:
        at = jnp.arange(3)
        heads = x.reshape(x.shape[0], 3, 2, 2)
        mask = (at[:, None] + start >= at).astype("float32")
        return attention(heads, heads, heads, mask=mask)

    inputs = {"x": bx.Input(["batch", 12])}
    x = jnp.asarray(RNG.normal(size=(2, 12)), "float32")
    graph, params, _ = bx.from_jax(call, inputs, {}, name="model", check=False)
    wanted = call({}, x)
    np.testing.assert_allclose(bx.build(graph)(params, x)[0], wanted, 1e-5, 1e-5)
    (node,) = [n for n in body(graph).values() if n["op"] == "dot_product_attention"]
    assert node.get("causal", False) is (start == 0)
    assert ("mask" in node) is (start == 1)
