"""`switch` against a `jax.lax.switch` by hand."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from runtime.calling import (
    KEY,
    WIDTH,
    X,
    assert_close,
    dropout,
    fn,
    graph,
    init,
    linear,
    node,
    norm,
    ones,
    run,
)
from sample_specs import Data

import blox as bx
from blox.schema import Graph

INDEX: Data = {"i": {"shape": [], "dtype": "int32"}}
DENSE = fn({"up": linear()})
GAIN = fn(
    {
        "gain": node("param", None, shape=[]),
        "y": node("multiply", None, a="x", b="gain"),
    }
)
PLAIN = fn({"y": node("negative")})
x = ones(3, WIDTH)


def switch(*branches: str, **fields: Any) -> Data:
    given = {"index": "i", "inputs": {"x": "x"}, **fields}
    return {"op": "switch", "branches": list(branches), **given}


def model() -> Graph:
    return graph(
        {"s": switch("dense", "gain", "plain"), "y": node("tanh", "s")},
        inputs=X | INDEX,
        functions={"dense": DENSE, "gain": GAIN, "plain": PLAIN},
    )


def by_hand(params: Any, x: Any, i: Any) -> Any:
    own = params["s"]
    branches = [
        lambda: x @ own["branch_0"]["up"]["kernel"] + own["branch_0"]["up"]["bias"],
        lambda: x * own["branch_1"]["gain"],
        lambda: -x,
    ]
    return jnp.tanh(jax.lax.switch(i, branches))


@pytest.mark.parametrize("i", [0, 1, 2, 3, -1])
def test_the_index_picks_and_is_clamped(i: int) -> None:
    params = init(model())
    assert sorted(params["s"]) == ["branch_0", "branch_1"]
    found, _ = run(model(), params, x, jnp.int32(i))
    assert_close(found, by_hand(params, x, i))


def test_gradients_and_vmap() -> None:
    params, built = init(model()), bx.build(model())

    def loss(params: Any, x: Any, i: Any) -> Any:
        return jnp.sum(built(params, x, i)[0] ** 2)

    def expected(params: Any, x: Any, i: Any) -> Any:
        return jnp.sum(by_hand(params, x, i) ** 2)

    for i in range(3):
        grads = [
            jax.jit(jax.grad(f))(params, x, jnp.int32(i)) for f in (loss, expected)
        ]
        assert_close(*grads)
    which, many = jnp.arange(-1, 4), jnp.stack([x * n for n in range(5)])
    mapped = [jax.vmap(f, (None, 0, 0))(params, many, which) for f in (loss, expected)]
    assert_close(*mapped)


def test_a_literal_index_several_outputs_and_one_branch() -> None:
    both = fn({"y": node("negative"), "n": node("sum")}, {"a": "y", "b": "n"})
    other = fn({"y": node("square"), "n": node("max")}, {"a": "y", "b": "n"})
    for branches, index in ((("both", "other"), 1), (("other",), 0)):
        several = graph(
            {"s": switch(*branches, index=index)},
            {"b": "s.b", "a": "s.a"},
            functions={"both": both, "other": other},
        )
        found, _ = run(several, {}, x)
        assert_close(found, {"b": np.max(x), "a": np.asarray(x) ** 2})


def test_state_of_what_does_not_run_is_kept() -> None:
    part = fn({"bn": norm()})
    stateful = graph(
        {"s": switch("part", "plain", "part")},
        inputs=X | INDEX,
        functions={"part": part, "plain": PLAIN},
    )
    params = init(stateful)
    for i in range(3):
        _, state = run(stateful, params, x, jnp.int32(i), train=True)
        assert sorted(state["s"]) == ["branch_0", "branch_2"]
        for n in (0, 2):
            old = {k: params["s"][f"branch_{n}"]["bn"][k] for k in ("mean", "var")}
            new = state["s"][f"branch_{n}"]["bn"]
            same = [bool(jnp.all(old[k] == new[k])) for k in old]
            assert same == [n != i, n != i]


def test_keys_are_folded_with_the_node() -> None:
    part = fn({"drop": dropout()}, inputs={"x": {}, "key": KEY})
    other = fn({"y": node("negative")}, inputs={"x": {}, "key": KEY})
    drawn = graph(
        {"s": switch("part", "other", inputs={"x": "x", "key": "key"})},
        inputs=X | INDEX | {"key": {**KEY, "shape": []}},
        functions={"part": part, "other": other},
    )
    key = jax.random.key(3)
    found, _ = run(drawn, {}, x, jnp.int32(0), key, train=True)
    alone = graph(
        {"s": {"op": "call", "function": "part", "inputs": {"x": "x", "key": "key"}}},
        inputs=X | {"key": {**KEY, "shape": []}},
        functions={"part": part},
    )
    assert_close(found, run(alone, {}, x, key, train=True)[0])


def test_branches_in_branches() -> None:
    inner = fn({"s": switch("gain", "plain")}, inputs={"x": {}, "i": {}})
    lone = fn({"y": node("abs")}, inputs={"x": {}, "i": {}})
    nested = graph(
        {"s": switch("inner", "lone", "inner", inputs={"x": "x", "i": "i"})},
        inputs=X | INDEX,
        functions={"inner": inner, "lone": lone, "gain": GAIN, "plain": PLAIN},
    )
    params = init(nested)
    paths = [f"s.branch_{n}.s.branch_0.gain" for n in (0, 2)]
    assert list(nested.program().leaves()) == paths
    gain = params["s"]["branch_0"]["s"]["branch_0"]["gain"]
    for i, expected in enumerate((x * gain, abs(x), -x)):
        assert_close(run(nested, params, x, jnp.int32(i))[0], expected)


def faults(node: Data, **functions: Data) -> list[str]:
    known = {"plain": PLAIN, **functions}
    try:
        wrong = graph({"s": node}, inputs=X | INDEX, functions=known)
    except bx.SpecError as error:
        return str(error).splitlines()
    return [str(d) for d in bx.validate(wrong).errors]


def test_branches_that_are_no_branches() -> None:
    assert faults(switch()) == [
        "main.s.branches: expected at least one item, found a list"
    ]
    assert faults(switch("plain", "other")) == [
        "main.s.branches.1: expected the name of a function, found 'other'"
        "; functions are main, plain"
    ]
    assert faults(switch("plain", "main"))[:1] == [
        "main: expected calls without a cycle, found one through main"
    ]


def test_branches_that_differ() -> None:
    assert faults(
        switch("names", "plain"), names=fn({"y": node("abs")}, {"y": "y"})
    ) == ["main.s: expected names and plain to have the same outputs"]
    takes = fn({"y": node("abs", "z")}, inputs={"z": {}})
    assert faults(switch("takes", "plain"), takes=takes) == [
        "main.s: expected takes and plain to have the same inputs"
    ]
    (shape,) = faults(switch("top", "plain"), top=fn({"y": node("max")}))
    assert shape.startswith("main.s: expected all branches to give the same x, found ")
    whole = fn({"y": node("astype", dtype="int32")})
    (dtype,) = faults(switch("plain", "whole"), whole=whole)
    assert dtype.startswith("main.s: expected all branches to give the same x, found ")


def test_an_index_that_is_none() -> None:
    for index, found in (("x", "a scalar"), (0.5, "an integer")):
        (text,) = faults(switch("plain", "plain", index=index))
        assert text.startswith(f"main.s.index: expected {found}, found ")


def test_a_thousand_branches() -> None:
    """They are counted, and alike they are one instance."""
    many = graph(
        {"s": switch(*["dense"] * 1000)}, inputs=X | INDEX, functions={"dense": DENSE}
    )
    assert bx.validate(many).ok
    program = many.program()
    assert len(program.instances) == 2
    assert len(program.leaves()) == 2000
    wide = graph(
        {f"s{n}": switch(*["dense"] * 1000) for n in range(101)},
        inputs=X | INDEX,
        functions={"dense": DENSE},
    )
    (error,) = bx.validate(wide).errors
    assert error.code == "too-large"
    with pytest.raises(bx.SpecError) as caught:
        graph({"s": switch(*["dense"] * 1025)}, inputs=X | INDEX)
    assert str(caught.value) == (
        "main.s.branches: expected at most 1024 items, found 1025"
    )
