"""Scan, map, cond and while_loop against loops by hand."""

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
    fn,
    graph,
    init,
    linear,
    node,
    ones,
    run,
    structure,
)
from sample_specs import Data

import blox as bx

x = ones(3, WIDTH)


def dense(params: Any, x: Any) -> Any:
    return np.asarray(x) @ np.asarray(params["kernel"]) + np.asarray(params["bias"])


def scan(function: str, **fields: Any) -> Data:
    return {"op": "scan", "function": function, **fields}


STEP = fn(
    {
        "up": linear("h"),
        "next": node("add", None, a="up", b="row"),
        "out": node("multiply", None, a="next", b="gain"),
    },
    {"out": "out", "h": "next"},
    inputs={"h": {}, "row": {}, "gain": {}},
)


@pytest.mark.parametrize("axis", [0, 1, -2])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("remat", [None, "nothing_saveable"])
def test_scan_over_an_axis(axis: int, reverse: bool, remat: str | None) -> None:
    model = graph(
        {
            "s": scan(
                "step",
                carry={"h": "x"},
                xs={"row": "rows"},
                inputs={"gain": 2.5},
                axis=axis,
                reverse=reverse,
                remat=remat,
            )
        },
        {"h": "s.h", "out": "s.out"},
        inputs={**X, "rows": {"shape": ["_", "_", "_"], "dtype": "float"}},
        functions={"step": STEP},
    )
    params = init(model)
    steps = ones(5, 3, WIDTH) ** 2
    # What is stacked has the axis of its own rank, which is that of the xs here.
    found, _ = run(model, params, x, jnp.moveaxis(steps, 0, axis))
    h, outs = np.asarray(x), [np.zeros(0)] * 5
    for i in range(5)[::-1] if reverse else range(5):
        h = dense(params["s"]["up"], h) + np.asarray(steps[i])
        outs[i] = h * 2.5
    assert_close(found, {"h": h, "out": np.stack(outs, axis)})


def test_scan_of_a_length_and_an_index() -> None:
    power = fn(
        {
            "next": node("multiply", None, a="y", b=2.0),
            "seen": node("add", None, a="next", b="i"),
        },
        {"y": "next", "seen": "seen"},
        inputs={"y": {"dtype": "float"}, "i": {}},
    )
    for length in (4, "$batch + 1"):
        model = graph(
            {"s": scan("power", carry={"y": 1}, length=length, index="i")},
            {"y": "s.y", "seen": "s.seen"},
            functions={"power": power},
        )
        found, _ = run(model, {}, x)
        assert_close(found, {"y": 16.0, "seen": np.array([2.0, 5.0, 10.0, 19.0])})
        assert found["y"].dtype == jnp.float32


@pytest.mark.parametrize("reverse", [False, True])
def test_the_index_counts_xs_not_steps(reverse: bool) -> None:
    part = fn({"y": node("add", None, a="x", b="i")}, inputs={"x": {}, "i": {}})
    model = graph(
        {"s": scan("part", xs={"x": "x"}, index="i", reverse=reverse)},
        functions={"part": part},
    )
    found, _ = run(model, {}, x)
    assert_close(found, x + jnp.arange(3)[:, None])


def lanes(function: str, **fields: Any) -> Data:
    return {"op": "map", "function": function, **fields}


@pytest.mark.parametrize("axis", [0, 1])
def test_map_with_shared_parameters(axis: int) -> None:
    model = graph(
        {"m": lanes("part", xs={"x": "y"}, axis=axis)},
        inputs={"y": {"shape": ["_", "_", WIDTH], "dtype": "float"}},
        functions={"part": fn({"up": linear("x", 2)})},
    )
    params, y = init(model), ones(5, 3, WIDTH)
    assert params["m"]["up"]["kernel"].shape == (WIDTH, 2)
    assert_close(run(model, params, y)[0], dense(params["m"]["up"], y))


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("sliced", [False, True])
def test_map_with_parameters_for_each_lane(axis: int, sliced: bool) -> None:
    fields: Data = {"xs": {"x": "y"}} if sliced else {"inputs": {"x": "y"}}
    model = graph(
        {"m": lanes("part", count=5, axis=axis, **fields)},
        inputs={"y": {"shape": ["_", "_", WIDTH], "dtype": "float"}},
        functions={"part": fn({"up": linear("x", 2)})},
    )
    params = init(model)
    y = jnp.moveaxis(ones(5, 3, WIDTH), 0, axis)
    found, _ = run(model, params, y)
    own = [jax.tree.map(lambda a, i=i: a[i], params["m"]["up"]) for i in range(5)]
    rows = np.moveaxis(np.asarray(y), axis, 0) if sliced else [y] * 5
    expected = [dense(p, row) for p, row in zip(own, rows, strict=True)]
    assert_close(found, np.stack(expected, axis))


def test_map_of_several_outputs_and_inputs_that_stay() -> None:
    part = fn(
        {
            "sum": node("add", None, a="a", b="b"),
            "scaled": node("multiply", None, a="sum", b="c"),
        },
        {"s": "sum", "t": "scaled"},
        inputs={"a": {}, "b": {}, "c": {}},
    )
    model = graph(
        {"m": lanes("part", xs={"a": "x", "b": "x"}, inputs={"c": 3})},
        {"t": "m.t", "s": "m.s"},
        functions={"part": part},
    )
    assert_close(run(model, {}, x)[0], {"t": 6 * x, "s": 2 * x})


def test_map_without_arrays_repeats_its_result() -> None:
    part = fn({"y": node("negative")})
    model = graph(
        {"m": lanes("part", inputs={"x": "x"}, count=2)}, functions={"part": part}
    )
    assert_close(run(model, {}, x)[0], jnp.stack([-x, -x]))


def branch(**fields: Any) -> Data:
    return {"op": "cond", "predicate": "p", "then": "warm", "else": "cold", **fields}


def test_cond_runs_one_branch() -> None:
    model = graph(
        {
            "total": node("sum"),
            "p": node("greater", None, a="total", b=0),
            "c": branch(inputs={"x": "x", "y": 2.0}),
        },
        {"a": "c.a", "b": "c.b"},
        functions={
            "warm": fn(
                {"up": linear(), "b": node("multiply", None, a="up", b="y")},
                {"a": "up", "b": "b"},
                inputs={"x": {}, "y": {}},
            ),
            "cold": fn(
                {"up": linear(), "a": node("add", None, a="up", b="y")},
                {"a": "a", "b": "up"},
                inputs={"x": {}, "y": {}},
            ),
        },
    )
    params = init(model)
    assert sorted(params["c"]) == ["else", "then"]
    up = dense(params["c"]["then"]["up"], abs(x))
    assert_close(run(model, params, abs(x))[0], {"a": up, "b": up * 2})
    up = dense(params["c"]["else"]["up"], -abs(x))
    assert_close(run(model, params, -abs(x))[0], {"a": up + 2, "b": up})


def loop(**fields: Any) -> Data:
    return {"op": "while_loop", "cond": "small", "body": "grow", **fields}


@pytest.mark.parametrize("limit", [None, 2, 20, "$batch"])
def test_while_loop(limit: int | str | None) -> None:
    inputs: Data = {"x": {}, "n": {}, "step": {}}
    model = graph(
        {"w": loop(carry={"x": "x", "n": 0}, inputs={"step": 0.25}, max_steps=limit)},
        {"x": "w.x", "n": "w.n"},
        functions={
            "small": fn(
                {
                    "gate": node("param", None, shape=[]),
                    "top": node("max"),
                    "p": node("less", None, a="top", b="gate"),
                },
                "p",
                inputs=inputs,
            ),
            "grow": fn(
                {
                    "up": node("param", None, shape=[WIDTH]),
                    "by": node("multiply", None, a="up", b="step"),
                    "y": node("add", None, a="x", b="by"),
                    "m": node("add", None, a="n", b=1),
                },
                {"n": "m", "x": "y"},
                inputs=inputs,
            ),
        },
    )
    params = {"w": {"cond": {"gate": jnp.float32(3)}, "body": {"up": jnp.ones(WIDTH)}}}
    assert structure(params) == structure(init(model))
    found, _ = run(model, params, x)
    y, n = np.asarray(x), 0
    most = {None: 100, "$batch": 3, 2: 2, 20: 20}[limit]
    while y.max() < 3 and n < most:
        y, n = y + 0.25, n + 1
    assert n == {None: 8, 2: 2, 20: 8, "$batch": 3}[limit]
    assert_close(found, {"x": y, "n": n})


@pytest.mark.parametrize("limit", [None, 2])
def test_a_while_loop_counts_its_steps(limit: int | None) -> None:
    """`cond` and `body` take what they name: the step, some of the carry, an input."""
    model = graph(
        {
            "w": loop(
                carry={"x": "x", "total": 0},
                inputs={"top": 5, "by": 0.25},
                index="step",
                max_steps=limit,
            )
        },
        {"x": "w.x", "total": "w.total"},
        functions={
            "small": fn(
                {"p": node("less", None, a="total", b="top")},
                "p",
                inputs={"top": {}, "total": {}},
            ),
            "grow": fn(
                {
                    "y": node("add", None, a="x", b="by"),
                    "n": node("add", None, a="total", b="step"),
                },
                {"total": "n", "x": "y"},
                inputs={"x": {}, "by": {}, "total": {}, "step": {"dtype": "int32"}},
            ),
        },
    )
    found, _ = run(model, {}, x)
    y, total, step = np.asarray(x), 0, 0
    while total < 5 and (limit is None or step < limit):
        y, total, step = y + 0.25, total + step, step + 1
    assert_close(found, {"x": y, "total": total})
    _, slope = jax.jvp(lambda x: bx.build(model)({}, x)[0]["x"], (x,), (x,))
    assert_close(slope, x)  # forward mode: the loop adds numbers
    with pytest.raises(ValueError, match="Reverse-mode differentiation does not work"):
        jax.grad(lambda x: bx.build(model)({}, x)[0]["x"].sum())(x)


def test_a_cond_that_looks_at_the_step_alone() -> None:
    few = fn({"p": node("less", None, a="i", b=4)}, "p", inputs={"i": {}})
    twice = fn({"y": node("multiply", None, a="x", b=2.0)})
    model = graph(
        {"w": loop(carry={"x": "x"}, index="i")},
        functions={"small": few, "grow": twice},
    )
    assert_close(run(model, {}, x)[0], np.asarray(x) * 16)


def test_a_number_of_dims_as_a_carry() -> None:
    part = fn({"m": node("add", None, a="n", b=1)}, {"n": "m"}, inputs={"n": {}})
    for text, first in (("$batch", 3), ("$batch / 2", 1.5), ("$batch * rate", 1.5)):
        model = graph(
            {"s": scan("part", carry={"n": text}, length=2)},
            attributes={"rate": 0.5},
            functions={"part": part},
        )
        found, _ = run(model, {}, x)
        assert_close(found, first + 2)
        assert found.dtype == (jnp.int32 if first == 3 else jnp.float32)


def test_an_integer_as_a_carry_of_the_floating_type() -> None:
    part = fn(
        {"m": node("add", None, a="n", b=0.5)},
        {"n": "m"},
        inputs={"n": {"dtype": "float"}},
    )
    inner = fn({"s": scan("part", carry={"n": 0}, length=2)}, {"n": "s"})
    model = graph(
        {"c": {"op": "call", "function": "inner", "inputs": {"x": "x"}}},
        functions={"part": part, "inner": inner},
    )
    found, _ = run(model, {}, x)
    assert_close(found, 1.0)


def test_dims_in_literal_xs() -> None:
    part = fn(
        {"y": node("multiply", None, a="x", b="gain")}, inputs={"x": {}, "gain": {}}
    )
    for scanned in (False, True):
        model = graph(
            {
                "h": {
                    "op": "repeat",
                    "function": "part",
                    "count": 2,
                    "scan": scanned,
                    "carry": {"x": "x"},
                    "xs": {"gain": ["$batch", "$two / batch"]},
                }
            },
            attributes={"two": 2},
            functions={"part": part},
        )
        assert_close(run(model, bx.init(model, jax.random.key(0)), x)[0], 2 * x)


@pytest.mark.parametrize("op", ["scan", "repeat"])
def test_steps_are_int32_with_x64_too(op: str) -> None:
    part = fn(
        {"m": node("add", None, a="n", b="i")}, {"n": "m"}, inputs={"n": {}, "i": {}}
    )
    length = {"length": 3} if op == "scan" else {"count": 3}
    steps = {"op": op, "function": "part", "carry": {"n": 0}, "index": "i", **length}
    model = graph({"s": steps}, functions={"part": part})
    with jax.enable_x64(True):
        found, _ = run(model, {}, x)
    assert found.dtype == jnp.int32
    assert_close(found, 3)
