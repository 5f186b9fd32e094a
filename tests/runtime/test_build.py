"""What `bx.build` gives: one function for a Graph and options, with names for profiles."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.core import jaxprs_in_params
from runtime.calling import (
    KEY,
    WIDTH,
    X,
    assert_close,
    call,
    dropout,
    fn,
    generated,
    graph,
    init,
    linear,
    node,
    ones,
    repeat,
    run,
)
from sample_specs import Data
from work import counted

import blox as bx
from blox.runtime.build import MAX_BUILT
from blox.schema import Graph

x = ones(3, WIDTH)
SCALED = {"y": node("multiply", None, a="x", b="$gain")}


def scaled(gain: float) -> Graph:
    return graph(SCALED, attributes={"gain": gain})


def test_the_same_graph_and_options_give_one_function() -> None:
    model = scaled(2)
    built = bx.build(model)
    assert bx.build(model) is bx.build(model, "main", train=False) is built
    others = [
        bx.build(model, train=True),
        bx.build(model, dtype="bfloat16"),
        bx.build(model, dtype="float16"),
        bx.build(model, axis_name="batch"),
    ]
    assert len({id(f) for f in (built, *others)}) == 5
    assert bx.build(model, dtype=jnp.bfloat16) is others[1]


def test_one_and_one_point_zero_are_two_attributes() -> None:
    ints, floats = scaled(1), scaled(1.0)
    assert bx.build(ints) is not bx.build(floats)
    n = jnp.arange(3 * WIDTH, dtype=jnp.float16).reshape(3, WIDTH)
    assert_close(bx.build(ints)({}, n)[0], bx.build(floats)({}, n)[0])


def test_jit_of_it_in_a_loop_compiles_once(caplog: pytest.LogCaptureFixture) -> None:
    model = scaled(3)
    with jax.log_compiles():
        for n in range(4):
            assert_close(jax.jit(bx.build(model))({}, x * n)[0], 3 * n * x)
    compiled = [r for r in caplog.messages if r.startswith("Compiling jit(model)")]
    assert len(compiled) == 1


def test_equal_graphs_have_one_function_and_ops_of_others_share_nothing() -> None:
    one, other = scaled(5), scaled(5)
    assert one is not other
    assert bx.build(one) is bx.build(other)
    assert bx.build(one) is not bx.build(other, train=True)
    body = fn({"y": node("negative")})
    custom = {"y": {"op": "acme:turn", "x": "x"}}

    def turned() -> bx.Graph:
        return graph(custom, functions={"turn": body}, ops={"acme:turn": "turn"})

    assert bx.build(turned()) is not bx.build(turned())


def test_functions_are_kept_as_long_as_their_graph_and_not_too_many() -> None:
    model = scaled(4)
    first = weakref.ref(bx.build(model))
    gc.collect()
    assert first() is bx.build(model)
    for n in range(MAX_BUILT):
        bx.build(model, axis_name=f"axis_{n}")
    gc.collect()
    assert first() is None
    last = weakref.ref(bx.build(model))
    del model
    gc.collect()
    assert last() is None


def test_work_grows_with_the_calls_and_not_with_alike_copies() -> None:
    block = fn({"y": node("negative")})

    def work(nodes: Data) -> int:
        model = graph(nodes, functions={"block": block})
        model.program()
        with counted() as work:
            bx.build(model)
        return work.calls

    def chain(count: int) -> Data:
        names = ["x", *(f"c{n}" for n in range(count))]
        return {new: call("block", {"x": old}) for old, new in pairwise(names)}

    def listed(count: int) -> Data:
        return {"h": repeat("block", count, scan=False)}

    work(chain(1))
    assert work(chain(1000)) < 2.2 * work(chain(500))
    assert work(listed(20_000)) < work(listed(10)) + 2_000


def test_profiles_name_the_graph_path() -> None:
    block = fn({"up": linear(), "act": node("tanh", "up")})
    functions = {"block": block, "outer": fn({"inner": call("block")})}
    model = graph(
        {
            "a": call("outer"),
            "h": repeat("block", 2, scan=False, carry={"x": "a"}),
            "s": repeat("block", 2, scan=True, carry={"x": "h"}),
            "c": {
                "op": "cond",
                "predicate": 1,
                "then": "block",
                "else": "block",
                "inputs": {"x": "s"},
            },
        },
        functions=functions,
    )
    jaxpr = jax.make_jaxpr(bx.build(model))(init(model), x).jaxpr
    names = {str(e.source_info.name_stack) for e in equations(jaxpr)}
    assert names >= {
        *("a/inner/up", "a/inner/act", "h/0/up", "h/0/act", "h/1/up", "h/1/act"),
        *("s", "up", "act", "c", "then/up", "else/act"),
    }
    flat = graph({"a": call("outer")}, functions=functions)
    lowered = jax.jit(bx.build(flat)).lower(init(flat), x).as_text(debug_info=True)
    assert '"jit(model)/a/inner/up/dot_general"' in lowered


def equations(jaxpr: Any) -> Iterator[Any]:
    for equation in jaxpr.eqns:
        yield equation
        for inner in jaxprs_in_params(equation.params):
            yield from equations(inner)


def test_debug_nans_is_not_a_fault_of_the_model() -> None:
    part = fn({"y": node("log")})
    for nodes in ({"y": node("log")}, {"c": call("part")}):
        model = graph(nodes, functions={"part": part})
        built = bx.build(model)
        with jax.debug_nans(True):
            for function in (built, jax.jit(built)):
                with pytest.raises(FloatingPointError, match="nan"):
                    function({}, -x - 2)


SAME = fn({}, {"x": "x", "s": "s"}, inputs={"x": {}, "s": {}})
ADDED = {"y": node("add", None, a="x", b="s")}
TOTAL = fn(ADDED, {"x": "x", "s": "y"}, inputs={"x": {}, "s": {}})
LITERALS: dict[str, tuple[Data, Any]] = {
    "call": (call("same", {"x": "x", "s": 1.5}), np.float32(1.5)),
    "nested": (call("nested"), np.int32(7)),
    "list": (
        repeat("same", 2, scan=False, inputs={"s": 4}, carry={"x": "x"}),
        np.array([4, 4], np.int32),
    ),
    "carry": (repeat("same", 2, scan=False, carry={"x": "x", "s": 4}), np.int32(4)),
    "scan": (repeat("same", 2, scan=True, carry={"x": "x", "s": 4}), np.int32(4)),
    "total": (call("total", {"x": 2, "s": 3}), np.int32(5)),
    "swap": (
        repeat("swap", 3, scan=False, carry={"x": "x", "s": "x"}, inputs={"n": 6}),
        np.int32(6),
    ),
}


@pytest.mark.parametrize("case", LITERALS)
def test_a_number_that_comes_out_is_an_array(case: str) -> None:
    """It is the loader's array, of its dtype, in a generated file too."""
    data, expected = LITERALS[case]
    swap = fn({}, {"s": "n", "x": "s"}, inputs={"x": {}, "s": {}, "n": {}})
    nested = fn({"c": call("same", {"x": "x", "s": 7})}, {"x": "c.x", "s": "c.s"})
    model = graph(
        {"c": data},
        {"s": "c.s", "x": "x"},
        functions={"same": SAME, "total": TOTAL, "swap": swap, "nested": nested},
    )
    ours, _ = bx.build(model)({}, x)
    theirs, _ = generated(model)({}, x)
    for outputs in (ours, theirs):
        assert all(isinstance(v, jax.Array) for v in outputs.values())
        assert_close(outputs, {"s": expected, "x": x})
    assert ours["s"].aval == theirs["s"].aval
    run(model, {}, x)


@pytest.mark.parametrize("how", ["call", "scan", "list", "cond", "map", "while"])
def test_a_key_that_nothing_reads_is_not_folded(how: str) -> None:
    inputs = {"x": {}, "key": KEY}
    unread = fn({"y": node("tanh")}, inputs=inputs)
    below = fn({"y": call("unread", {"x": "x", "key": "key"})}, inputs=inputs)
    given = {"inputs": {"key": "key"}, "carry": {"x": "x"}}
    lanes = {"xs": {"x": "x"}, "inputs": {"key": "key"}}
    both = {"x": "x", "key": "key"}
    loop = {"op": "while_loop", "cond": "more", "body": "below", "max_steps": 2}
    cond = {"op": "cond", "predicate": 1, "then": "below", "else": "unread"}
    data: Data = {
        "call": call("below", both),
        "scan": repeat("below", 2, scan=True, **given),
        "list": repeat("below", 2, scan=False, **given),
        "cond": cond | {"inputs": both},
        "map": {"op": "map", "function": "below", **lanes},
        "while": loop | given,
    }[how]
    test = {"m": node("max"), "p": node("less", None, a="m", b=9)}
    functions = {"unread": unread, "below": below, "more": fn(test, "p", inputs=inputs)}
    model = graph(
        {"n": data}, inputs=X | {"key": {**KEY, "shape": []}}, functions=functions
    )
    key = jax.random.key(0)
    run(model, {}, x, key)
    assert "random_" not in str(jax.make_jaxpr(bx.build(model))({}, x, key))
    read = {**functions, "unread": fn({"y": dropout()}, inputs=inputs)}
    drawn = graph({"n": data}, inputs=X | {"key": {**KEY, "shape": []}}, functions=read)
    run(drawn, {}, x, key)
    assert "random_" in str(jax.make_jaxpr(bx.build(drawn))({}, x, key))
