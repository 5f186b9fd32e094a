"""`associative_scan` against a loop, by the loader and as generated."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from runtime.calling import assert_close, fn, generated, graph, node, run
from sample_specs import Data

import blox as bx
from blox.schema import Graph, ModelError, SpecError

A = jax.random.uniform(jax.random.key(0), (2, 7, 3))
B = jax.random.normal(jax.random.key(1), (2, 7, 3))
INPUTS: Data = {n: {"shape": ["batch", "time", 3], "dtype": "float"} for n in "ab"}
COMPOSE: Data = fn(
    {
        "rate": node("multiply", None, a="a", b="a2"),
        "kept": node("multiply", None, a="b", b="a2"),
        "sum": node("add", None, a="kept", b="b2"),
    },
    {"b": "sum", "a": "rate"},
    inputs={"b2": {}, "a": {}, "a2": {}, "b": {}},
)
SCAN: Data = {
    "op": "associative_scan", "function": "compose", "xs": {"a": "a", "b": "b"},
    "right": {"a": "a2", "b": "b2"}, "axis": 1,
}  # fmt: skip


def model(**fields: Any) -> Graph:
    return graph(
        {"s": {**SCAN, **fields}},
        {"rate": "s.a", "y": "s.b"},
        inputs=INPUTS,
        functions={"compose": COMPOSE},
    )


def by_steps(a: Any, b: Any, *, reverse: bool = False) -> Any:
    """The same by a loop over axis 1."""
    rate, y = jnp.ones_like(a[:, 0]), jnp.zeros_like(b[:, 0])
    rates, ys = [], []
    order = range(a.shape[1])
    for t in reversed(order) if reverse else order:
        rate, y = rate * a[:, t], y * a[:, t] + b[:, t]
        rates.append(rate)
        ys.append(y)
    turn = -1 if reverse else 1
    return {"rate": jnp.stack(rates[::turn], 1), "y": jnp.stack(ys[::turn], 1)}


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("axis", [1, -2])
def test_a_recurrence(axis: int, reverse: bool) -> None:
    found, state = run(model(axis=axis, reverse=reverse), {}, A, B)
    assert state == {}
    assert_close(found, by_steps(A, B, reverse=reverse))


@pytest.mark.parametrize("steps", [0, 1, 2])
def test_few_elements(steps: int) -> None:
    found, _ = run(model(), {}, A[:, :steps], B[:, :steps])
    wanted = by_steps(A[:, :2], B[:, :2])
    assert_close(found, {n: y[:, :steps] for n, y in wanted.items()})


def test_gradients() -> None:
    def loss(function: Any) -> Any:
        return jax.grad(lambda a, b: jnp.sum(jnp.cos(function(a, b)["y"])), (0, 1))(
            A, B
        )

    wanted = loss(by_steps)
    for function in (bx.build(model()), generated(model())):
        assert_close(loss(lambda a, b, f=function: f({}, a, b)[0]), wanted, rtol=1e-4)


def test_products_of_matrices_with_a_parameter() -> None:
    """The order counts, and all calls share what the function owns."""
    turn = fn(
        {
            "w": node("param", None, shape=[3, 3]),
            "xw": node("matmul", None, a="x", b="w"),
            "y": node("matmul", None, a="xw", b="by"),
        },
        inputs={"x": {}, "by": {}},
    )
    scan = {
        **SCAN,
        "function": "turn",
        "xs": {"x": "m"},
        "right": {"x": "by"},
        "axis": 0,
    }
    matrices = {"m": {"shape": ["n", 3, 3], "dtype": "float"}}
    own = graph({"s": scan}, inputs=matrices, functions={"turn": turn})
    params = bx.init(own, jax.random.key(3))
    params = {"s": {"w": params["s"]["w"] + jnp.eye(3)}}
    m = jax.random.normal(jax.random.key(2), (5, 3, 3))
    found, _ = run(own, params, m)
    x, wanted = np.asarray(m[0], np.float64), [np.asarray(m[0])]
    for by in np.asarray(m[1:], np.float64):
        x = x @ np.asarray(params["s"]["w"], np.float64) @ by
        wanted.append(x)
    assert_close(found, np.stack(wanted), rtol=1e-4, atol=1e-4)


def test_the_builder_and_an_included_graph() -> None:
    def compose(f: bx.F, a: bx.Value, b: bx.Value, a2: bx.Value, b2: bx.Value) -> Any:
        return {"b": b * a2 + b2, "a": a * a2}

    def larger(f: bx.F, x: bx.Value, y: bx.Value, least: bx.Value) -> bx.Value:
        return f.maximum(f.maximum(x, y), least)

    def entry(f: bx.F, a: bx.Value, b: bx.Value) -> dict[str, bx.Value]:
        y = f.associative_scan("steps", compose, axis=1)(a, b)["b"]
        least = f.zeros([])
        top = f.associative_scan("top", larger, axis=1, reverse=True)(y, least=least)
        return {"y": y, "top": top}

    builder = bx.GraphBuilder("written")
    shape: list[int | str] = ["batch", "time", 3]
    builder.entry(entry, a=bx.Input(shape), b=bx.Input(shape))
    written = builder.graph()
    found, _ = run(written, {}, A, B, entry="entry")
    y = by_steps(A, B)["y"]
    top = np.maximum.accumulate(y[:, ::-1], 1)[:, ::-1].copy()
    top[:, :-1] = np.maximum(top[:, :-1], 0)  # the last one is combined with nothing
    assert_close(found, {"y": y, "top": top})
    outer = bx.GraphBuilder("outer")
    base: Any = outer.include(written)

    @outer.entry(a=bx.Input(shape), b=bx.Input(shape))
    def main(f: bx.F, a: bx.Value, b: bx.Value) -> bx.Value:
        top: bx.Value = f.call("inner", base.entry)(a, b).top
        return top

    assert_close(bx.build(outer.graph())({}, A, B)[0], top)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"right": {"a": "a2"}}, "main.s.right: expected another input for each of xs"),
        ({"right": {"a": "a2", "b": "a2"}}, "main.s.right: expected another input"),
        ({"right": {"a": "a2", "b": "c"}}, "main.s.right: expected inputs of compose"),
        ({"right": {"a": "b", "b": "b2"}}, "main.s.xs.b: expected each input once"),
        ({"xs": {"a": "a"}, "right": {"a": "a2"}},
         "main.s: expected compose to return the elements (a), found b, a"),
        ({"xs": {}, "right": {}}, "expected compose to return the elements (none), found b, a"),
        ({"function": "drawn"}, "expected a function without keys, found 'k' of drawn"),
        ({"function": "counted"}, "expected a function that updates no state, as it runs"),
    ],
)  # fmt: skip
def test_what_a_file_may_not_say(fields: Data, text: str) -> None:
    keyed = {
        **COMPOSE,
        "inputs": {**COMPOSE["inputs"], "k": {"dtype": "key", "optional": True}},
    }
    counts = {
        "n": {"op": "state", "shape": []},
        "a3": {"op": "assign", "to": "n", "x": 1.0},
    }
    counted = {**COMPOSE, "nodes": {**counts, **COMPOSE["nodes"]}}
    data = model().plain()
    data["functions"] |= {"drawn": keyed, "counted": counted}
    data["functions"]["main"]["nodes"]["s"] |= fields
    data["functions"]["main"]["outputs"] = {
        "y": "s.b" if "b" in fields.get("xs", "b") else "s.a"
    }
    with pytest.raises(SpecError) as caught:
        Graph.parse(data).program()
    assert text in str(caught.value)


def test_elements_that_change_are_refused() -> None:
    wider = {**COMPOSE, "outputs": {"a": "both", "b": "sum"}}
    wider["nodes"] = {
        **COMPOSE["nodes"],
        "both": node("stack", None, xs=["a", "a2"], axis=0),
    }
    data = {**model().plain()}
    data["functions"]["compose"] = wider
    (said,) = bx.validate(Graph.parse(data)).errors
    assert str(said).startswith("main.s.xs.a: expected an element as what it takes")
    with pytest.raises(ModelError, match=r"main\.s"):
        bx.build(Graph.parse(data))({}, A, B)


def test_scans_within_scans_are_counted() -> None:
    """Each traces its function for every other level of the elements."""
    functions = {"f0": COMPOSE}
    for i in range(1, 5):
        rows: Data = {
            f"{n}_rows": node("stack", None, xs=[n, f"{n}2"], axis=0) for n in "ab"
        }
        scan = {**SCAN, "function": f"f{i - 1}", "axis": 0}
        rows["s"] = {**scan, "xs": {"a": "a_rows", "b": "b_rows"}}
        rows |= {f"{n}_last": node("index", f"s.{n}", at="-1") for n in "ab"}
        outputs = {"a": "a_last", "b": "b_last"}
        functions[f"f{i}"] = {**COMPOSE, "nodes": rows, "outputs": outputs}
    data = model().plain()
    data["functions"] = {"main": data["functions"]["main"], **functions}
    data["functions"]["main"]["nodes"]["s"]["function"] = "f1"
    Graph.parse(data).program()
    data["functions"]["main"]["nodes"]["s"]["function"] = "f4"
    with pytest.raises(SpecError, match="expected at most 200000 nodes"):
        Graph.parse(data).program()
