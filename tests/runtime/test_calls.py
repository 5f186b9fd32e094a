"""Calls, shared parameters, entries, attributes, dims, slots, optional inputs."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from runtime.calling import (
    WIDTH,
    X,
    assert_close,
    call,
    fn,
    graph,
    init,
    linear,
    node,
    ones,
    run,
)

import blox as bx

MLP = fn({"up": linear(), "act": node("tanh", "up"), "down": linear("act")})
x = ones(3, WIDTH)


def dense(params: Any, x: Any) -> Any:
    return np.asarray(x) @ np.asarray(params["kernel"]) + np.asarray(params["bias"])


def mlp(params: Any, x: Any) -> Any:
    return dense(params["down"], np.tanh(dense(params["up"], x)))


def test_a_call_has_parameters_under_its_name() -> None:
    model = graph(
        {"a": call("mlp"), "b": call("mlp", {"x": "a"})}, functions={"mlp": MLP}
    )
    params = init(model)
    assert sorted(params) == ["a", "b"]
    found, state = run(model, params, x)
    assert state == {}
    assert_close(found, mlp(params["b"], mlp(params["a"], x)))


@pytest.mark.parametrize("remat", ["nothing_saveable", "dots_saveable"])
def test_a_call_under_remat(remat: str) -> None:
    model = graph({"a": call("mlp", remat=remat)}, functions={"mlp": MLP})
    params = init(model)
    found, _ = run(model, params, x)
    assert_close(found, mlp(params["a"], x))
    assert "remat" in str(jax.make_jaxpr(bx.build(model))(params, x))


def test_one_path_is_one_array() -> None:
    model = graph(
        {
            "a": call("mlp"),
            "b": call("mlp", {"x": "a"}, params="a"),
            "head": linear("b", params="a.up"),
        },
        functions={"mlp": MLP},
    )
    params = init(model)
    assert list(params) == ["a"]
    found, _ = run(model, params, x)
    own = params["a"]
    assert_close(found, dense(own["up"], mlp(own, mlp(own, x))))


def test_params_at_the_scope_itself_and_nested() -> None:
    model = graph(
        {
            "a": call("mlp", params="."),
            "b": linear("a", params="deep.inside.group"),
            "c": linear("b", params="deep.inside.other"),
        },
        functions={"mlp": MLP},
    )
    params = init(model)
    assert sorted(params) == ["deep", "down", "up"]
    found, _ = run(model, params, x)
    inside = params["deep"]["inside"]
    assert_close(found, dense(inside["other"], dense(inside["group"], mlp(params, x))))


def test_a_tied_head() -> None:
    table = node("embed", None, ids="ids", num_embeddings=7, features=WIDTH)
    model = graph(
        {"wte": table, "head": node("unembed", "wte", params="wte")},
        inputs={"ids": {"shape": ["batch", "seq"], "dtype": "int32"}},
    )
    params = init(model)
    ids = jnp.array([[0, 3, 6], [2, 2, 1]])
    found, _ = run(model, params, ids)
    rows = np.asarray(params["wte"]["embedding"])
    assert_close(found, rows[np.asarray(ids)] @ rows.T)


def test_entries_over_the_same_arrays() -> None:
    model = graph(
        {"encode": call("encode", params=".")},
        entries=["main", "encode", "logits"],
        functions={
            "encode": fn({"up": linear()}, inputs=X),
            "logits": fn(
                {
                    "h": call("encode", params="."),
                    "out": linear("h", 2),
                    "two": linear("h", params="up"),
                },
                {"a": "out", "b": "two"},
                inputs=X,
            ),
        },
    )
    params = init(model)
    assert sorted(params) == ["out", "up"]
    h = dense(params["up"], x)
    assert_close(run(model, params, x)[0], h)
    assert_close(run(model, params, x, entry="encode")[0], h)
    found, _ = run(model, params, x, entry="logits")
    assert_close(found, {"a": dense(params["out"], h), "b": dense(params["up"], h)})
    assert list(found) == ["a", "b"]


def test_a_slot_that_is_given_is_not_stored() -> None:
    model = graph(
        {
            "raw": node("param", None, shape=[WIDTH, 3]),
            "kernel": node("tanh", "raw"),
            "shift": node("param", None, shape=[3]),
            "out": linear("x", 3, kernel="kernel", bias="shift"),
        }
    )
    params = init(model)
    assert sorted(params) == ["raw", "shift"]
    found, _ = run(model, params, x)
    expected = np.asarray(x) @ np.tanh(params["raw"]) + np.asarray(params["shift"])
    assert_close(found, expected)


def test_a_kernel_that_a_call_computes() -> None:
    hyper = fn({"k": node("reshape", "x", shape=[WIDTH, WIDTH])})
    model = graph(
        {
            "flat": node("param", None, shape=[WIDTH * WIDTH]),
            "kernel": call("hyper", {"x": "flat"}),
            "out": linear("x", kernel="kernel", use_bias=False),
        },
        functions={"hyper": hyper},
    )
    params = init(model)
    found, _ = run(model, params, x)
    assert_close(found, np.asarray(x) @ np.asarray(params["flat"]).reshape(4, 4))


def test_function_attributes() -> None:
    part = fn(
        {
            "up": node("linear", in_features=WIDTH, out_features="$features"),
            "scaled": node("multiply", None, a="up", b="$2 * features + gain"),
        },
        attributes=["features", "gain"],
    )
    model = graph(
        {
            "a": call("part", attributes={"features": 3, "gain": 0.5}),
            "b": call("part", attributes={"features": "$wide // 2", "gain": "$-wide"}),
        },
        {"a": "a", "b": "b"},
        attributes={"wide": 10},
        functions={"part": part},
    )
    params = init(model)
    found, _ = run(model, params, x)
    expected = {
        "a": dense(params["a"]["up"], x) * 6.5,
        "b": dense(params["b"]["up"], x) * 0,
    }
    assert params["b"]["up"]["kernel"].shape == (WIDTH, 5)
    assert_close(found, expected)


def test_dims_in_expressions() -> None:
    model = graph(
        {
            "rows": node("arange", None, stop="$h * w"),
            "flat": node("reshape", "x", shape=["$batch", "$h * w", "$c"]),
            "scaled": node("multiply", None, a="flat", b="$(h + 1) / w"),
            "square": call("square", {"y": "scaled"}),
        },
        {"rows": "rows", "scaled": "scaled", "n": "square"},
        inputs={"x": {"shape": ["batch", "h", "w", "c"], "dtype": "float"}},
        functions={
            "square": fn(
                {"n": node("arange", None, stop="$h")},
                inputs={"y": {"shape": ["...", "h", "_"]}},
            )
        },
    )
    image = ones(2, 3, 5, 4)
    found, _ = run(model, {}, image)
    assert_close(found["rows"], np.arange(15))
    assert_close(found["scaled"], np.asarray(image).reshape(2, 15, 4) * (4 / 5))
    assert_close(found["n"], np.arange(15))


def test_leading_axes_of_any_number() -> None:
    model = graph(
        {"n": node("arange", None, stop="$last - 1"), "y": node("negative")},
        {"n": "n", "y": "y"},
        inputs={"x": {"shape": ["...", "last", 4], "dtype": "float"}},
    )
    for shape in ((3, 4), (5, 3, 4), (2, 5, 3, 4)):
        found, _ = run(model, {}, ones(*shape), jit=False)
        assert_close(found, {"n": np.arange(2), "y": -np.asarray(ones(*shape))})


OPTIONAL = {"shape": ["batch", WIDTH], "dtype": "float", "optional": True}


def test_optional_inputs_in_every_position() -> None:
    model = graph(
        {
            "zero": node("zeros_like"),
            "b0": node("default", "b", default="zero"),
            "c0": node("default", "c", default="zero"),
            "ten": node("multiply", None, a="b0", b=10.0),
            "hundred": node("multiply", None, a="c0", b=100.0),
            "s": node("add", None, a="x", b="ten"),
            "t": node("add", None, a="s", b="hundred"),
        },
        inputs={**X, "b": OPTIONAL, "c": OPTIONAL},
    )
    one = jnp.ones_like(x)
    for given, expected in (
        ({}, x),
        ({"b": one}, x + 10),
        ({"c": one}, x + 100),
        ({"b": one, "c": one}, x + 110),
        ({"b": None, "c": one}, x + 100),
    ):
        assert_close(bx.build(model)({}, x, **given)[0], expected)
    assert_close(run(model, {}, x, None, one)[0], x + 100)
    assert_close(run(model, {}, x, one)[0], x + 10)


@pytest.mark.parametrize(
    "kind", ["call", "remat", "unrolled", "scanned", "map", "cond"]
)
def test_an_optional_input_passes_through(kind: str) -> None:
    part = fn(
        {
            "zero": node("zeros_like"),
            "given": node("default", "b", default="zero"),
            "y": node("add", None, a="x", b="given"),
        },
        inputs={"x": {}, "b": {"optional": True}},
    )
    both: dict[str, Any] = {"x": "x", "b": "b"}
    only = {"b": "b"}
    nodes: dict[str, Any] = {
        "call": call("part", both),
        "remat": call("part", both, remat="nothing_saveable"),
        "map": {"op": "map", "function": "part", "xs": {"x": "x"}, "inputs": only},
    }
    for how in ("unrolled", "scanned"):
        nodes[how] = {
            "op": "repeat",
            "function": "part",
            "count": 1,
            "carry": {"x": "x"},
            "inputs": only,
            "scan": how == "scanned",
        }
    nodes["cond"] = {
        "op": "cond",
        "predicate": 1,
        "then": "part",
        "else": "part",
        "inputs": both,
    }
    model = graph(
        {"y": nodes[kind]},
        inputs={
            "x": {"shape": ["batch", WIDTH], "dtype": "float"},
            "b": {"shape": [WIDTH], "dtype": "float", "optional": True},
        },
        functions={"part": part},
    )
    assert_close(run(model, {}, x)[0], x)
    assert_close(run(model, {}, x, jnp.full(WIDTH, 2.0))[0], x + 2)


def test_numbers_as_inputs_of_a_call_and_as_outputs() -> None:
    part = fn(
        {"y": node("add", None, a="x", b="n")},
        {"y": "y", "n": "n"},
        inputs={"x": {}, "n": {}},
    )
    model = graph(
        {
            "a": call("part", {"x": "x", "n": 3}),
            "b": node("add", None, a="a.y", b="a.n"),
        },
        {"y": "b", "n": "a.n"},
        functions={"part": part},
    )
    found, _ = run(model, {}, x)
    assert_close(found, {"y": x + 6, "n": 3})
    eager, _ = bx.build(model)({}, x)
    assert isinstance(eager["n"], jax.Array)


def test_outputs_are_inputs_and_the_same_node_twice() -> None:
    model = graph({"y": node("negative")}, {"a": "x", "b": "y", "c": "y"})
    found, _ = run(model, {}, x)
    assert_close(found, {"a": x, "b": -x, "c": -x})


def test_inputs_by_position_and_by_name() -> None:
    model = graph(
        {"y": node("subtract", None, a="x", b="z")}, inputs={**X, "z": X["x"]}
    )
    built = bx.build(model)
    for found, _ in (
        built({}, x, 2 * x),
        built({}, x, z=2 * x),
        built({}, z=2 * x, x=x),
    ):
        assert_close(found, -x)
    found, _ = built(params={}, x=x, z=2 * x)
    assert_close(found, -x)


def test_bounds_of_an_entry_hold_where_a_node_calls_it() -> None:
    inner = fn({"act": node("tanh")}, inputs=X)
    model = graph(
        {"inner": call("inner")},
        functions={"inner": inner},
        entries=["main", "inner"],
        dims={"batch": {"multiple_of": 4}},
        constraints=["batch <= 8"],
    )
    run(model, {}, ones(8, WIDTH))
    for size, text in ((6, "batch: expected a multiple of 4"), (12, "batch <= 8")):
        with pytest.raises(bx.ModelError, match=text):
            bx.build(model, "inner")({}, ones(size, WIDTH))
        with pytest.raises(bx.ModelError, match=text):
            bx.build(model)({}, ones(size, WIDTH))


def test_bounds_of_an_inner_dim_are_those_of_its_own_name() -> None:
    """The caller's dim has another name and no bounds."""
    inner = fn(
        {"act": node("tanh")}, inputs={"x": {**X["x"], "shape": ["rows", WIDTH]}}
    )
    model = graph(
        {"inner": call("inner")},
        functions={"inner": inner},
        entries=["main", "inner"],
        dims={"rows": {"max": 4}},
    )
    run(model, {}, ones(4, WIDTH))
    with pytest.raises(
        bx.ModelError, match=r"main\.inner\.rows: expected at most 4, found 5"
    ):
        bx.build(model)({}, ones(5, WIDTH))
