"""`jax.grad` through nested loops and branches, of the loader and of generated files."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import pytest
from runtime.calling import (
    WIDTH,
    assert_close,
    call,
    fn,
    generated,
    graph,
    init,
    linear,
    node,
    ones,
    repeat,
)
from sample_specs import Data

import blox as bx

x = ones(3, WIDTH)
STEP: Data = fn({"w": linear(), "y": node("tanh", "w")})
TWICE: Data = fn(
    {"w": linear(use_bias=False), "y": node("multiply", None, a="w", b=2.0)}
)
INPUTS: Data = {
    "x": {"shape": ["batch", WIDTH], "dtype": "float"},
    "which": {"shape": [], "dtype": "int32"},
}


def nest(remat: str | None) -> Any:
    """A scan in a repeat in a repeat, lanes, a branch of three, a branch of two."""
    scan = {"op": "scan", "function": "step", "carry": {"x": "x"}, "length": 2}
    branches = {"op": "switch", "index": "which", "branches": ["step", "twice", "grid"]}
    return graph(
        {
            "h": repeat("row", 2, scan=True),
            "lanes": {"op": "map", "function": "twice", "inputs": {"x": "h"}, "count": 2},
            "sum": node("sum", "lanes", axis=0),
            "rows": {"op": "map", "function": "step", "xs": {"x": "sum"}, "axis": 0},
            "s": {**branches, "inputs": {"x": "rows"}},
            "top": node("greater", None, a="which", b=0),
            "c": {"op": "cond", "predicate": "top", "then": "twice", "else": "step",
                  "inputs": {"x": "s"}},
        },
        inputs=INPUTS,
        functions={
            "step": STEP,
            "twice": TWICE,
            "inner": fn({"s": {**scan, "remat": remat}}),
            "row": fn({"r": repeat("inner", 2, scan=False, remat=remat)}),
            "grid": fn({"a": call("step"), "b": call("step", {"x": "a"}, params="a")}),
        },
    )  # fmt: skip


def by_hand(p: Any, x: Any, which: int) -> Any:
    def step(p: Any, x: Any) -> Any:
        return jnp.tanh(x @ p["w"]["kernel"] + p["w"]["bias"])

    def twice(p: Any, x: Any) -> Any:
        return x @ p["w"]["kernel"] * 2.0

    def grid(p: Any, x: Any) -> Any:
        return step(p["a"], step(p["a"], x))

    for i in range(2):
        for j in range(2):
            own = jax.tree.map(lambda a, i=i: a[i], p["h"]["r"][j]["s"])
            x = step(own, step(own, x))
    lanes = [twice(jax.tree.map(lambda a, i=i: a[i], p["lanes"]), x) for i in range(2)]
    x = step(p["rows"], lanes[0] + lanes[1])
    own = p["s"][f"branch_{which}"]
    x = [step, twice, grid][which](own, x)
    return twice(p["c"]["then"], x) if which > 0 else step(p["c"]["else"], x)


@pytest.mark.parametrize("remat", [None, "dots_saveable"])
def test_nested_loops_and_branches(remat: str | None) -> None:
    model = nest(remat)
    params = init(model)
    weights = jnp.cos(jnp.arange(3.0 * WIDTH)).reshape(3, WIDTH)
    for function in (bx.build(model), generated(model)):

        @jax.jit
        def slopes(params: Any, x: Any, which: Any, f: Any = function) -> Any:
            return jax.grad(lambda p, x: jnp.sum(f(p, x, which)[0] * weights), (0, 1))(
                params, x
            )

        for which in range(3):
            wanted = jax.grad(
                lambda p, x, i=which: jnp.sum(by_hand(p, x, i) * weights), (0, 1)
            )(params, x)
            assert_close(slopes(params, x, which), wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("train", [True, False])
def test_statistics_in_loops(train: bool) -> None:
    """Gradients through statistics of a batch that a loop hands on."""
    part = fn({"n": node("batch_norm", features=WIDTH), "y": node("tanh", "n")})
    loop = {"op": "scan", "function": "part", "carry": {"x": "x"}, "length": 3}
    model = graph({"s": loop}, functions={"part": part})
    params = init(model)

    def plain(p: Any, x: Any) -> Any:
        own = p["s"]["n"]
        mean, var = own["mean"], own["var"]
        for _ in range(3):
            now, spread = (x.mean(0), x.var(0)) if train else (mean, var)
            mean = 0.9 * mean + 0.1 * now
            x = (x - now) / jnp.sqrt(spread + 1e-5)
            x = jnp.tanh(x * own["scale"] + own["bias"])
        return jnp.sum(x**3)

    wanted = jax.grad(plain)(params, x)
    for function in (bx.build(model, train=train), generated(model, train=train)):
        found = jax.grad(lambda p, f=function: jnp.sum(f(p, x)[0] ** 3))(params)
        assert_close(found, wanted, rtol=1e-3, atol=1e-4)
