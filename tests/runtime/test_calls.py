"""Calls: their parameters at paths of their own or shared, entries, slots, attributes."""

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
