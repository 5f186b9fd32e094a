"""Lists of arrays, one for each copy of an unrolled repeat, against loops by hand."""

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
    norm,
    ones,
    repeat,
    run,
)
from sample_specs import Data

import blox as bx
from blox.schema import Graph

x = ones(3, WIDTH)
K = [ones(3, WIDTH) * i for i in (1, 2, 3)]
CACHE: Data = {"shape": ["batch", WIDTH], "dtype": "float", "copies": 3}
CELL = fn(
    {
        "up": linear(),
        "new": node("add", None, a="k", b="up"),
        "y": node("tanh", "new"),
    },
    {"x": "y", "k": "new"},
    inputs={"x": {}, "k": {}},
)
STACK = repeat("cell", scan=False, xs={"k": "k"}, listed=["k"])
OUT: Data = {"x": "h.x", "k": {"value": "h.k", "next": "k"}}


def model(nodes: Data, outputs: Data = OUT, cell: Data = CELL, **more: Any) -> Graph:
    inputs = X | {"k": CACHE} | more.pop("inputs", {})
    functions = {"cell": cell} | more.pop("functions", {})
    return graph(nodes, outputs, inputs=inputs, functions=functions, **more)


def by_hand(params: Any, x: Any, k: Any) -> Data:
    """The stack of cells, whose parameters are a list or one set for all."""
    x, found = np.asarray(x), []
    for i, each in enumerate(k):
        own = params[i] if isinstance(params, list) else params
        dense = x @ np.asarray(own["up"]["kernel"]) + np.asarray(own["up"]["bias"])
        found.append(np.asarray(each) + dense)
        x = np.tanh(found[-1])
    return {"x": x, "k": found}


@pytest.mark.parametrize("remat", [None, "nothing_saveable"])
@pytest.mark.parametrize("shared", [False, True])
def test_each_copy_has_one(shared: bool, remat: str | None) -> None:
    found = model({"h": {**STACK, "shared": shared, "remat": remat}})
    params = init(found)
    outputs, _ = run(found, params, x, K)
    assert isinstance(outputs["k"], list)
    assert_close(outputs, by_hand(params["h"], x, K))
    again, _ = run(found, params, x, tuple(outputs["k"]))
    assert_close(again, by_hand(params["h"], x, outputs["k"]))


def test_beside_slices_keys_and_the_index() -> None:
    cell = fn(
        {
            "row": node("add", None, a="k", b="r"),
            "at": node("add", None, a="row", b="i"),
            "y": node("add", None, a="at", b="x"),
            "drop": node("dropout", "y", key="key", rate=0.5),
        },
        {"x": "drop", "k": "at", "seen": "y"},
        inputs={"x": {}, "k": {}, "r": {}, "i": {}, "key": {"dtype": "key"}},
    )
    stack = repeat(
        "cell", scan=False, xs={"k": "k", "r": "rows"}, inputs={"key": "key"}, index="i"
    )
    inputs = {
        "rows": {"shape": [3, 1], "dtype": "float"},
        "key": {"shape": [], "dtype": "key"},
    }
    outputs = {"k": "h.k", "seen": "h.seen"}
    found = model({"h": {**stack, "listed": ["k"]}}, outputs, cell, inputs=inputs)
    rows = ones(3, 1)
    given, _ = run(found, {}, x, K, rows, jax.random.key(0))
    assert_close(given["k"], [each + rows[i] + i for i, each in enumerate(K)])
    assert given["seen"].shape == (3, 3, WIDTH)  # a stack beside it


def test_numbers_become_arrays() -> None:
    cell = fn({"y": node("add", None, a="x", b="k")}, {"x": "y", "k": "n"})
    cell["inputs"] = {"x": {}, "k": {}, "n": {}}
    stack = repeat("cell", scan=False, xs={"k": "k", "n": [1, 2.5, 3]}, listed=["k"])
    outputs, _ = run(model({"h": stack}, {"x": "h.x", "k": "h.k"}, cell), {}, x, K)
    assert [float(a) for a in outputs["k"]] == [1, 2.5, 3]


NESTED: Data = {
    "stack": fn(
        {"h": STACK}, {"x": "h.x", "k": "h.k"}, inputs={"x": {}, "k": {"copies": 3}}
    ),
    "alone": fn({"h": STACK}, {"x": "h.x"}, inputs={"x": {}, "k": {"copies": 3}}),
    "other": fn({"y": node("tanh")}, {"x": "y"}, inputs={"x": {}, "k": {"copies": 3}}),
}
LIST = {"x": "x", "k": "k"}
TEST: Data = {
    "sum": node("sum", "x", axis=None),
    "test": node("less", None, a="sum", b=9),
}


@pytest.mark.parametrize(
    "nodes",
    [
        {"h": call("stack", LIST)},
        {"a": call("stack", LIST), "h": call("stack", {"x": "a.x", "k": "a.k"})},
        {
            **TEST,
            "a": node(
                "cond",
                None,
                predicate="test",
                then="other",
                inputs=LIST,
                **{"else": "alone"},
            ),
            "h": call("stack", {"x": "a", "k": "k"}),
        },
        {
            "a": repeat("alone", 2, scan=True, inputs={"k": "k"}),
            "h": call("stack", {"x": "a", "k": "k"}),
        },
        {
            "a": node("map", None, function="other", xs={"x": "x"}, inputs={"k": "k"}),
            "h": call("stack", {"x": "a", "k": "k"}),
        },
    ],
    ids=["call", "one after another", "cond", "scan", "map"],
)
def test_functions_get_and_give_them(nodes: Data) -> None:
    found = model(nodes, functions=NESTED)
    params = init(found)
    outputs, _ = run(found, params, x, K)  # as generated
    if list(nodes) == ["h"]:
        assert_close(outputs, by_hand(params["h"]["h"], x, K))
    if "test" in nodes:
        assert_close(outputs, by_hand(params["h"]["h"], np.tanh(x), K))


def test_a_list_that_may_be_absent() -> None:
    optional: Data = {"copies": 3, "optional": True}
    inner = fn({"y": node("tanh")}, inputs={"x": {}, "k": optional})
    found = graph(
        {"a": call("inner", LIST)},
        inputs=X | {"k": CACHE | optional},
        functions={"inner": inner},
    )
    for given in ((x,), (x, K)):
        assert_close(run(found, {}, *given)[0], np.tanh(x))


def test_state_and_gradients() -> None:
    cell = fn(
        {"norm": norm(), "new": node("add", None, a="k", b="norm")},
        {"x": "new", "k": "new"},
        inputs={"x": {}, "k": {}},
    )
    found = model({"h": STACK}, cell=cell)
    params = init(found)
    _, state = run(found, params, x, K, train=True)
    assert len(state["h"]) == 3
    grads = jax.grad(lambda k: jnp.sum(bx.build(found)(params, x, k)[0]["x"] ** 2))(K)
    assert len(grads) == 3
    assert all(jnp.any(g != 0) for g in grads)


def test_dims_are_read_off_a_list() -> None:
    inputs = {"k": {"shape": ["batch", "cached"], "dtype": "float", "copies": 2}}
    nodes = {"ones": node("ones", None, shape=["$batch", "$cached + 1"], dtype="float")}
    found = graph(nodes, "ones", inputs=inputs)
    assert run(found, {}, [jnp.zeros((2, 5))] * 2)[0].shape == (2, 6)


def test_the_dtype_of_the_model() -> None:
    found = model({"h": STACK})
    params = jax.tree.map(lambda a: a.astype(jnp.bfloat16), init(found))
    outputs, _ = run(found, params, x, K)
    assert {a.dtype for a in outputs["k"]} == {jnp.dtype("bfloat16")}
    half, _ = bx.build(found, dtype="bfloat16")(init(found), x, K)
    assert {a.dtype for a in half["k"]} == {jnp.dtype("bfloat16")}


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (K[:2], "main.k: expected a list of 3, each float [batch, 4], found one of 2"),
        (
            jnp.stack(K),
            "main.k: expected a list of 3, each float [batch, 4], found float32[3, 3, 4]; "
            "give [*k]",
        ),
        (
            {str(i): a for i, a in enumerate(K)},
            "main.k: expected a list of 3, each float [batch, 4], found dict; "
            "give [*k.values()]",
        ),
        (
            [K[0], K[1][:2], K[2]],
            "main.k.1: expected shape [batch, 4], found [2, 4], where batch is 3 elsewhere",
        ),
        (
            [K[0], "text", K[2]],
            "main.k.1: expected float [batch, 4], found str",
        ),
        (
            [K[0].astype(int), *K[1:]],
            "main.k.0: expected a floating dtype, found int32; cast it: "
            'x.astype("float32")',
        ),
    ],
)
def test_what_is_refused_at_a_call(given: Any, text: str) -> None:
    found = model({"h": STACK})
    with pytest.raises(bx.ModelError) as caught:
        bx.build(found)(init(found), x, given)
    assert str(caught.value) == text


def test_a_loop_of_the_user_takes_them_as_a_carry() -> None:
    found = model({"h": STACK})
    params, run_ = init(found), bx.build(found)

    def step(carry: Any, _: None) -> Any:
        out, _state = run_(params, *carry)
        return (out["x"], out["k"]), out["x"]

    (_, k), xs = jax.jit(lambda x, k: jax.lax.scan(step, (x, k), length=2))(x, K)
    one = by_hand(params["h"], x, K)
    two = by_hand(params["h"], one["x"], one["k"])
    assert_close((k, xs), (two["k"], np.stack([one["x"], two["x"]])))


def test_shown_with_how_many_there_are() -> None:
    found = model({"h": STACK})
    text = str(bx.summary(found))
    assert "k list of 3 float[batch, 4]" in text
    assert "[batch, 4], list of 3 [batch, 4]" in text


def test_parts() -> None:
    found = model({"h": STACK})
    params = init(found)
    whole, one = (found.extract(path) for path in ("h", "h[1]"))
    outputs, _ = bx.build(whole.graph)(whole.params(params), x, K)
    assert_close(outputs, by_hand(params["h"], x, K))
    outputs, _ = bx.build(one.graph)(one.params(params), x, K[1])
    wanted = by_hand(params["h"][1:2], x, K[1:2])
    assert_close(outputs, {"x": wanted["x"], "k": wanted["k"][0]})
