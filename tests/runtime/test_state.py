"""State: running statistics by their formula, through calls, loops and branches."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from runtime.calling import (
    WIDTH,
    assert_close,
    call,
    fn,
    graph,
    init,
    linear,
    node,
    norm,
    ones,
    repeat,
    run,
    structure,
)

import blox as bx

MOMENTUM, EPS = 0.75, 1e-5
x = ones(5, WIDTH)
BN = norm(momentum=MOMENTUM)
PART = fn({"bn": BN, "y": node("multiply", None, a="bn", b=1.5)})


def batch_norm(p: Any, x: Any, *, unbiased: bool = False) -> tuple[Any, Any]:
    """(y, new running statistics) of a training step, in float64."""
    x = np.asarray(x, np.float64)
    mean, var = x.mean(0), x.var(0)
    stored = var * len(x) / (len(x) - 1) if unbiased else var
    y = (x - mean) / np.sqrt(var + EPS) * np.asarray(p["scale"]) + np.asarray(p["bias"])
    new = {
        "mean": MOMENTUM * np.asarray(p["mean"]) + (1 - MOMENTUM) * mean,
        "var": MOMENTUM * np.asarray(p["var"]) + (1 - MOMENTUM) * stored,
    }
    return y, new


def running(p: Any, x: Any) -> Any:
    """y by the running statistics."""
    x = np.asarray(x, np.float64)
    y = (x - np.asarray(p["mean"])) / np.sqrt(np.asarray(p["var"]) + EPS)
    return y * np.asarray(p["scale"]) + np.asarray(p["bias"])


def part(p: Any, x: Any) -> tuple[Any, Any]:
    y, new = batch_norm(p["bn"], x)
    return y * 1.5, {"bn": new}


def empty(tree: Any) -> bool:
    return jax.tree.leaves(tree) == []


@pytest.mark.parametrize("unbiased", [False, True])
def test_one_step(unbiased: bool) -> None:
    model = graph({"bn": norm(momentum=MOMENTUM, unbiased=unbiased)})
    params = init(model)
    y, new = batch_norm(params["bn"], x, unbiased=unbiased)
    assert_close(run(model, params, x, train=True), (y, {"bn": new}), rtol=1e-4)
    y, state = run(model, params, x)
    assert state == {"bn": {}}
    assert_close(y, running(params["bn"], x), rtol=1e-4)


def test_merge_puts_state_in_place() -> None:
    model = graph({"bn": BN, "out": linear("bn")})
    params = init(model)
    _, state = run(model, params, x, train=True)
    merged = bx.merge(params, state)
    assert list(merged) == list(params)
    assert structure(merged) == structure(params)
    assert merged["out"] is params["out"]
    assert merged["bn"]["scale"] is params["bn"]["scale"]
    assert merged["bn"]["mean"] is state["bn"]["mean"]
    assert params["bn"]["mean"] is not state["bn"]["mean"]
    _, again = run(model, merged, x, train=True)
    assert_close(again["bn"], batch_norm(merged["bn"], x)[1])
    untouched = bx.merge(params, run(model, params, x)[1])
    assert structure(untouched) == structure(params)


def test_many_steps_come_near_the_statistics() -> None:
    model = graph({"bn": BN})
    step = jax.jit(lambda p: bx.merge(p, bx.build(model, train=True)(p, x)[1]))
    params = init(model)
    for _ in range(40):
        params = step(params)
    assert_close(params["bn"]["mean"], np.mean(x, 0), atol=1e-4)
    assert_close(params["bn"]["var"], np.var(x, 0), atol=1e-4)


def test_two_calls_through_one_path_update_one_after_the_other() -> None:
    model = graph(
        {
            "far": node("multiply", None, a="x", b=3.0),
            "a": call("part", params="shared"),
            "b": call("part", {"x": "far"}, params="shared"),
        },
        {"a": "a", "b": "b"},
        functions={"part": PART},
    )
    params = init(model)
    own = params["shared"]
    a, first = part(own, x)
    b, second = part(bx.merge(own, first), 3 * x)
    found, state = run(model, params, x, train=True)
    assert_close(found, {"a": a, "b": b}, rtol=1e-4)
    assert_close(state, {"shared": second}, rtol=1e-4)


@pytest.mark.parametrize("order", ["inside first", "outside first"])
def test_a_path_and_a_path_below_it(order: str) -> None:
    inside = norm("x", momentum=MOMENTUM, params="group.bn")
    outside = call("part", {"x": "x"}, params="group")
    nodes = {"a": inside, "b": outside}
    if order == "outside first":
        nodes = {"b": outside, "a": inside}
    model = graph(nodes, {"a": "a", "b": "b"}, functions={"part": PART})
    params = init(model)
    assert list(params) == ["group"]
    own = params["group"]["bn"]
    y, first = batch_norm(own, x)
    _, second = batch_norm({**own, **first}, x)
    found, state = run(model, params, x, train=True)
    assert_close(found, {"a": y, "b": y * 1.5}, rtol=1e-4)
    assert_close(state, {"group": {"bn": second}}, rtol=1e-4)
    assert_close(run(model, params, x)[0]["a"], running(own, x), rtol=1e-4)


def test_state_at_the_scope_itself() -> None:
    model = graph(
        {
            "a": call("part", params="."),
            "b": norm("a", momentum=MOMENTUM, params="bn"),
            "c": norm("b", momentum=MOMENTUM, params="."),
        },
        functions={"part": PART},
    )
    params = init(model)
    assert sorted(params) == ["bias", "bn", "mean", "scale", "var"]
    a, first = part(params, x)
    b, second = batch_norm({**params["bn"], **first["bn"]}, a)
    c, third = batch_norm(params, b)
    found, state = run(model, params, x, train=True)
    assert_close(found, c, rtol=1e-3, atol=1e-5)
    assert_close(state, {"bn": second, **third}, rtol=1e-4)


def test_what_nothing_uses_updates_its_state_all_the_same() -> None:
    model = graph({"bn": BN, "y": node("negative")}, "y")
    params = init(model)
    found, state = run(model, params, x, train=True)
    assert_close(found, -x)
    assert_close(state, {"bn": batch_norm(params["bn"], x)[1]})


@pytest.mark.parametrize("scan", [False, True])
@pytest.mark.parametrize("remat", [None, "nothing_saveable"])
def test_through_repeat(scan: bool, remat: str | None) -> None:
    model = graph(
        {"h": repeat("part", scan=scan, remat=remat)}, functions={"part": PART}
    )
    params = init(model)
    copies = params["h"]
    if scan:
        copies = [jax.tree.map(lambda a, i=i: a[i], copies) for i in range(3)]
    expected, states = x, []
    for own in copies:
        expected, new = part(own, expected)
        states.append(new)
    wanted: Any = jax.tree.map(lambda *a: np.stack(a), *states) if scan else states
    found, state = run(model, params, x, train=True)
    assert_close(found, expected, rtol=1e-3, atol=1e-5)
    assert_close(state, {"h": wanted}, rtol=1e-4)
    assert structure(bx.merge(params, state)) == structure(params)
    assert empty(run(model, params, x)[1])


def test_through_scan() -> None:
    model = graph(
        {"s": {"op": "scan", "function": "part", "carry": {"x": "x"}, "length": 4}},
        functions={"part": PART},
    )
    params = init(model)
    own, expected = params["s"], x
    new: Any = {}
    for _ in range(4):
        expected, new = part(own, expected)
        own = bx.merge(own, new)
    found, state = run(model, params, x, train=True)
    assert_close(found, expected, rtol=1e-3, atol=1e-5)
    assert_close(state, {"s": new}, rtol=1e-4)
    assert empty(run(model, params, x)[1])


def test_through_map() -> None:
    model = graph(
        {"m": {"op": "map", "function": "part", "xs": {"x": "y"}, "count": 2}},
        inputs={"y": {"shape": [2, "batch", WIDTH], "dtype": "float"}},
        functions={"part": PART},
    )
    params, y = init(model), ones(2, 5, WIDTH) ** 2
    lanes = [
        part(jax.tree.map(lambda a, i=i: a[i], params["m"]), y[i]) for i in range(2)
    ]
    expected = jax.tree.map(lambda *a: np.stack(a), *lanes)
    found, state = run(model, params, y, train=True)
    assert_close((found, state["m"]), expected, rtol=1e-3, atol=1e-5)
    assert empty(run(model, params, y)[1])


@pytest.mark.parametrize("taken", [True, False])
def test_through_cond(taken: bool) -> None:
    twice = fn({"a": call("part"), "b": call("part", {"x": "a"}, params="a")})
    model = graph(
        {
            "c": {
                "op": "cond",
                "predicate": "p",
                "then": "twice",
                "else": "part",
                "inputs": {"x": "x"},
            }
        },
        inputs={
            "x": {"shape": ["batch", WIDTH], "dtype": "float"},
            "p": {"shape": [], "dtype": "bool"},
        },
        functions={"part": PART, "twice": twice},
    )
    params = init(model)
    own = params["c"]
    found, state = run(model, params, x, jnp.array(taken), train=True)
    kept = {"bn": {k: own["else"]["bn"][k] for k in ("mean", "var")}}
    if taken:
        y, new = part(own["then"]["a"], x)
        y, new = part(bx.merge(own["then"]["a"], new), y)
        wanted = {"then": {"a": new}, "else": kept}
    else:
        y, new = part(own["else"], x)
        unused = {k: own["then"]["a"]["bn"][k] for k in ("mean", "var")}
        wanted = {"then": {"a": {"bn": unused}}, "else": new}
    assert_close(found, y, rtol=1e-3, atol=1e-5)
    assert_close(state, {"c": wanted}, rtol=1e-4)
    assert empty(run(model, params, x, jnp.array(taken))[1])


def test_through_while_loop() -> None:
    inputs: dict[str, Any] = {"x": {}, "n": {}}
    model = graph(
        {
            "w": {
                "op": "while_loop",
                "cond": "more",
                "body": "body",
                "carry": {"x": "x", "n": 0},
            }
        },
        "w.x",
        functions={
            "part": PART,
            "more": fn({"p": node("less", None, a="n", b=3)}, "p", inputs=inputs),
            "body": fn(
                {"y": call("part"), "m": node("add", None, a="n", b=1)},
                {"x": "y", "n": "m"},
                inputs=inputs,
            ),
        },
    )
    params = init(model)
    own, expected = params["w"]["body"]["y"], x
    new: Any = {}
    for _ in range(3):
        expected, new = part(own, expected)
        own = bx.merge(own, new)
    found, state = run(model, params, x, train=True)
    assert_close(found, expected, rtol=1e-3, atol=1e-5)
    assert_close(state, {"w": {"body": {"y": new}}}, rtol=1e-4)
    assert empty(run(model, params, x)[1])


def test_loops_in_loops_in_branches() -> None:
    inner = fn(
        {"s": {"op": "scan", "function": "part", "carry": {"x": "x"}, "length": 2}}
    )
    outer = fn(
        {
            "h": repeat("inner", 2, scan=True),
            "g": repeat("inner", 2, scan=False, carry={"x": "h"}),
        }
    )
    model = graph(
        {
            "c": {
                "op": "cond",
                "predicate": 1,
                "then": "outer",
                "else": "same",
                "inputs": {"x": "x"},
            }
        },
        functions={
            "part": PART,
            "inner": inner,
            "outer": outer,
            "same": fn({"y": node("multiply", None, a="x", b=1)}),
        },
    )
    params = init(model)
    own = params["c"]["then"]
    copies = [jax.tree.map(lambda a, i=i: a[i], own["h"]) for i in range(2)]
    expected, states = x, []
    for copy in [*copies, *own["g"]]:
        mine, new = copy["s"], None
        for _ in range(2):
            expected, new = part(mine, expected)
            mine = bx.merge(mine, new)
        states.append({"s": new})
    wanted = {
        "h": jax.tree.map(lambda *a: np.stack(a), *states[:2]),
        "g": states[2:],
    }
    found, state = run(model, params, x, train=True)
    assert_close(found, expected, rtol=1e-2, atol=1e-4)
    assert_close(state, {"c": {"then": wanted}}, rtol=1e-3, atol=1e-5)
