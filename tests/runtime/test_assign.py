"""Nodes of state and `assign`: by formulas in NumPy, through calls, loops and branches."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from runtime.assigning import COUNT, COUNTED, add, assign, x
from runtime.calling import (
    WIDTH,
    assert_close,
    call,
    fn,
    graph,
    init,
    node,
    repeat,
    run,
)
from sample_specs import Data

import blox as bx


def counted(p: Any, x: Any, *, train: bool) -> tuple[Any, Any]:
    """(y, new state) of `COUNTED`, in float64."""
    x, average = np.asarray(x, np.float64), np.asarray(p["average"], np.float64)
    new = {"calls": np.asarray(p["calls"]) + 1}
    if not train:
        return x - average, new
    average = 0.9 * average + 0.1 * x.mean(0)
    return x - average, new | {"average": average}


def times(count: int, p: Any, y: Any, *, train: bool) -> tuple[Any, Any]:
    """The function again and again through one path."""
    state: Any = {}
    for _ in range(count):
        y, state = counted({**p, **state}, y, train=train)
    return y, state


def stacked(trees: list[Any]) -> Any:
    return jax.tree.map(lambda *leaves: np.stack(leaves), *trees)


def part(p: Any, i: int) -> Any:
    return jax.tree.map(lambda leaf: leaf[i], p)


BOTH = pytest.mark.parametrize("train", [True, False])


def test_a_step_counter_begins_where_init_says() -> None:
    start = {"value": {"name": "constant", "value": 10.0}}
    model = graph(
        {
            "steps": {**COUNT, "init": start},
            "next": add("steps", 1),
            "now": assign("steps", "next"),
            "rate": node("divide", None, a=1.0, b="now"),
        },
        {"rate": "rate", "now": "now"},
    )
    params = bx.init(model, jax.random.key(0))
    for step in (11, 12, 13):
        found, state = run(model, params, x)
        assert_close(found, {"rate": 1 / step, "now": step})
        params = bx.merge(params, state)
        assert params["steps"].dtype == jnp.int32


def test_an_average_moves_in_training_alone() -> None:
    model = graph({**COUNTED["nodes"]}, {"y": "y", "average": "new"})
    params = init(model)
    before = jax.tree.map(np.asarray, params)
    y, state = run(model, params, x)
    assert_close(state, {"calls": 1})
    assert_close(y["average"], before["average"])
    average = np.asarray(before["average"], np.float64)
    for _ in range(3):
        average = 0.9 * average + 0.1 * np.mean(np.asarray(x, np.float64), 0)
        y, state = run(model, params, x, train=True)
        assert_close(y, {"y": np.asarray(x) - average, "average": average})
        params = bx.merge(params, state)
    assert_close(params["average"], average)


def test_reads_see_the_entry_and_the_last_assignment_wins() -> None:
    model = graph(
        {
            "n": COUNT,
            "a": assign("n", 5),
            "again": {**COUNT, "params": "n"},
            "b": add("a", 10),
            "c": assign("again", "b"),
            "late": add("n", 0),
            "d": add("again", 0),
        },
        {name: name for name in ("a", "late", "d", "c")},
    )
    params = {"n": jnp.int32(3)}
    found, state = run(model, params, x)
    assert_close(found, {"a": 5, "late": 3, "d": 3, "c": 15})
    assert_close(state, {"n": 15})


def test_what_training_alone_assigns_wins_in_training_alone() -> None:
    model = graph(
        {
            "n": COUNT,
            "a": assign("n", 5),
            "b": assign("n", 7, training=True),
        },
        {"a": "a", "b": "b"},
    )
    params = {"n": jnp.int32(3)}
    assert_close(run(model, params, x), ({"a": 5, "b": 3}, {"n": 5}))
    assert_close(run(model, params, x, train=True), ({"a": 5, "b": 7}, {"n": 7}))


@BOTH
def test_a_later_call_sees_what_an_earlier_one_assigned(train: bool) -> None:
    model = graph(
        {
            "a": call("part", params="group.twice"),
            "b": call("part", {"x": "a"}, params="group.twice"),
        },
        functions={"part": COUNTED},
    )
    params = init(model)
    y, new = times(2, params["group"]["twice"], x, train=train)
    found, state = run(model, params, x, train=train)
    assert_close(found, y, rtol=1e-4)
    assert_close(state, {"group": {"twice": new}}, rtol=1e-4)


@BOTH
def test_a_caller_resets_what_a_function_counts(train: bool) -> None:
    model = graph(
        {
            "a": call("part"),
            "calls": {**COUNT, "params": "a.calls"},
            "zero": assign("calls", 100, training=True),
            "b": call("part", {"x": "a"}, params="a"),
            "seen": add("calls", 0),
        },
        {"b": "b", "seen": "seen"},
        functions={"part": COUNTED},
    )
    params = init(model)
    y, new = counted(params["a"], x, train=train)
    if train:
        new["calls"] = 100
    y, new = counted({**params["a"], **new}, y, train=train)
    found, state = run(model, params, x, train=train)
    assert_close(found, {"b": y, "seen": 0}, rtol=1e-4)
    assert_close(state, {"a": new}, rtol=1e-4)


@BOTH
@pytest.mark.parametrize("scan", [True, False])
def test_copies_have_state_of_their_own(train: bool, scan: bool) -> None:
    model = graph({"h": repeat("part", 3, scan=scan)}, functions={"part": COUNTED})
    params = init(model)
    y, states = x, []
    for i in range(3):
        own = part(params["h"], i) if scan else params["h"][i]
        y, new = counted(own, y, train=train)
        states.append(new)
    found, state = run(model, params, x, train=train)
    assert_close(found, y, rtol=1e-4)
    assert_close(state["h"], stacked(states) if scan else states, rtol=1e-4)


@BOTH
def test_lanes_have_state_of_their_own(train: bool) -> None:
    model = graph(
        {"m": {"op": "map", "function": "part", "inputs": {"x": "x"}, "count": 2}},
        functions={"part": COUNTED},
    )
    params = init(model)
    lanes = [counted(part(params["m"], i), x, train=train) for i in range(2)]
    found, state = run(model, params, x, train=train)
    assert_close((found, state["m"]), stacked(lanes), rtol=1e-4)


@BOTH
def test_steps_hand_state_on(train: bool) -> None:
    loop = {"op": "scan", "function": "part", "carry": {"x": "x"}, "length": 4}
    model = graph({"s": loop}, functions={"part": COUNTED})
    params = init(model)
    y, new = times(4, params["s"], x, train=train)
    found, state = run(model, params, x, train=train)
    assert_close((found, state), (y, {"s": new}), rtol=1e-4, atol=1e-5)


@BOTH
def test_a_while_loop_hands_state_on(train: bool) -> None:
    test = fn({"p": node("less", None, a="i", b=3)}, "p", inputs={"i": {}})
    loop = {"op": "while_loop", "cond": "few", "body": "part", "carry": {"x": "x"}}
    model = graph(
        {"w": {**loop, "index": "i"}}, functions={"part": COUNTED, "few": test}
    )
    params = init(model)
    y, new = times(3, params["w"]["body"], x, train=train)
    found, state = run(model, params, x, train=train)
    assert_close((found, state), (y, {"w": {"body": new}}), rtol=1e-4, atol=1e-5)


@BOTH
@pytest.mark.parametrize("op", ["cond", "switch"])
def test_other_branches_keep_theirs(train: bool, op: str) -> None:
    nested = fn({"c": call("part", params="deep.inner")})
    names = ["then", "else"] if op == "cond" else ["branch_1", "branch_0"]
    chosen: Data = {"predicate": "p", "then": "part", "else": "nested"}
    if op == "switch":
        chosen = {"index": "p", "branches": ["nested", "part"]}
    kind = "bool" if op == "cond" else "int32"
    model = graph(
        {"c": {"op": op, **chosen, "inputs": {"x": "x"}}},
        inputs={
            "x": {"shape": ["batch", WIDTH], "dtype": "float"},
            "p": {"shape": [], "dtype": kind},
        },
        functions={"part": COUNTED, "nested": nested},
    )
    params = init(model)
    first, other = (params["c"][n] for n in names)
    for taken in (True, False):
        own = first if taken else other["deep"]["inner"]
        y, new = counted(own, x, train=train)
        mine = new if taken else {n: first[n] for n in new}
        rest = {n: other["deep"]["inner"][n] for n in new} if taken else new
        wanted = {names[0]: mine, names[1]: {"deep": {"inner": rest}}}
        found, state = run(model, params, x, jnp.asarray(taken, kind), train=train)
        assert_close(found, y, rtol=1e-4)
        assert_close(state["c"], wanted, rtol=1e-4)


@BOTH
def test_loops_in_loops_in_branches(train: bool) -> None:
    inner = fn(
        {"s": {"op": "scan", "function": "part", "carry": {"x": "x"}, "length": 2}}
    )
    outer = fn({"h": repeat("inner", 2, scan=True, remat="nothing_saveable")})
    choose = {"op": "cond", "predicate": 1, "then": "outer", "else": "same"}
    model = graph(
        {"c": {**choose, "inputs": {"x": "x"}}},
        functions={
            "part": COUNTED,
            "inner": inner,
            "outer": outer,
            "same": fn({"y": node("multiply", None, a="x", b=1)}),
        },
    )
    params = init(model)
    y, states = x, []
    for i in range(2):
        y, new = times(2, part(params["c"]["then"]["h"]["s"], i), y, train=train)
        states.append({"s": new})
    found, state = run(model, params, x, train=train)
    assert_close(found, y, rtol=1e-4, atol=1e-5)
    assert_close(state, {"c": {"then": {"h": stacked(states)}}}, rtol=1e-4)
