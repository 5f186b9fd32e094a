"""Dims in expressions, leading axes of any number, bounds where a node calls an entry."""

from __future__ import annotations

import numpy as np
import pytest
from runtime.calling import (
    WIDTH,
    X,
    assert_close,
    call,
    fn,
    graph,
    node,
    ones,
    run,
)

import blox as bx


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
