"""Calls and first traces: a loaded model against the same function written by hand.

    python benchmarks/calls.py [--calls 400] [--traces 15] [--check]

An MLP of 100 layers of width 8 and a transformer of 12 blocks, each unrolled and
scanned. Both functions have the same jaxpr. They are called in turns, jitted and eager;
a ratio is the median over turns, blox to hand-written. A first trace is
`jax.make_jaxpr` (or `jax.jit(...).lower`) of a new function after `jax.clear_caches()`.
With `--check` the exit code is 1 where a ratio is over its goal.
"""

from __future__ import annotations

import argparse
import gc
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import jax.numpy as jnp
from jax import Array

import blox as bx

GOALS = {"call": 1.1, "eager": 1.3, "trace": 1.3, "lower": 1.3}
LAYERS, NARROW = 100, 8
BLOCKS, WIDTH, HEADS, VOCAB, TIME = 12, 32, 4, 64, 8

Params = dict[str, Any]
Function = Callable[..., Any]
Data = dict[str, Any]


# By hand -----------------------------------------------------------------------------


def linear(params: Params, x: Array) -> Array:
    y: Array = x @ params["kernel"] + params["bias"]
    return y


def layer(params: Params, x: Array) -> Array:
    return jax.nn.relu(linear(params["linear"], x))


def layer_norm(params: Params, x: Array, *, eps: float) -> Array:
    # With the barrier of ours, which bounds the time that XLA takes to compile.
    y: Array = jax.tree.map(jax.lax.optimization_barrier, x)
    y = y.astype(jnp.promote_types(x.dtype, jnp.float32))
    y = y - jnp.mean(y, axis=-1, keepdims=True)
    y = y * jax.lax.rsqrt(jnp.mean(jnp.square(y), axis=-1, keepdims=True) + eps)
    y = y * params["scale"] + params["bias"]
    return y.astype(x.dtype)


def attention(params: Params, x: Array, mask: Array) -> Array:
    shape = (*x.shape[:-1], HEADS, WIDTH // HEADS)
    q = linear(params["query"], x).reshape(shape)
    k = linear(params["key"], x).reshape(shape)
    v = linear(params["value"], x).reshape(shape)
    mixed = jax.nn.dot_product_attention(q, k, v, mask=mask)
    return linear(params["out"], mixed.reshape(x.shape))


def mlp(params: Params, x: Array) -> Array:
    up = jax.nn.gelu(linear(params["up"], x), approximate=True)
    return linear(params["down"], up)


def block(params: Params, x: Array, mask: Array) -> Array:
    x = x + attention(params["attn"], layer_norm(params["ln_1"], x, eps=1e-5), mask)
    return x + mlp(params["mlp"], layer_norm(params["ln_2"], x, eps=1e-5))


def causal_mask(positions: Array) -> Array:
    distance = positions[..., :, None] - positions[..., None, :]
    return (distance >= 0)[..., None, :, :]


def embed(params: Params, ids: Array) -> Array:
    return jnp.take(params["embedding"], ids, axis=0, mode="clip")


def mlp_by_hand(scan: bool) -> Function:
    def unrolled(params: Params, x: Array) -> Array:
        for own in params["h"]:
            x = layer(own, x)
        return x

    def scanned(params: Params, x: Array) -> Array:
        def step(x: Array, own: Params) -> tuple[Array, None]:
            return layer(own, x), None

        return jax.lax.scan(step, x, params["h"])[0]

    return scanned if scan else unrolled


def transformer_by_hand(scan: bool) -> Function:
    def transformer(params: Params, tokens: Array) -> Array:
        positions = jnp.arange(tokens.shape[1], dtype=jnp.int32)
        mask = causal_mask(positions)
        x = embed(params["wte"], tokens) + embed(params["wpe"], positions)
        if scan:

            def step(x: Array, own: Params) -> tuple[Array, None]:
                return block(own, x, mask), None

            x, _ = jax.lax.scan(step, x, params["h"])
        else:
            for own in params["h"]:
                x = block(own, x, mask)
        x = layer_norm(params["ln_f"], x, eps=1e-5)
        logits: Array = x @ params["wte"]["embedding"].T
        return logits

    return transformer


# As Graphs ---------------------------------------------------------------------------


def linear_node(x: str, features: int, out: int | None = None) -> Data:
    sizes = {"in_features": features, "out_features": features if out is None else out}
    return {"op": "linear", "x": x, **sizes}


def norm_node(x: str) -> Data:
    return {"op": "layer_norm", "x": x, "features": WIDTH, "eps": 1e-5}


def repeat_node(function: str, count: int, scan: bool, x: str, **inputs: str) -> Data:
    return {
        "op": "repeat",
        "function": function,
        "count": count,
        "scan": scan,
        "carry": {"x": x},
        "inputs": inputs,
    }


def function(inputs: Data, nodes: Data) -> Data:
    """A function that returns its last node as x."""
    return {"inputs": inputs, "nodes": nodes, "outputs": {"x": next(reversed(nodes))}}


def graph(name: str, functions: Data) -> bx.Graph:
    data = {"format": "blox/1", "name": name, "functions": functions}
    return bx.Graph.parse(data)


def mlp_graph(scan: bool) -> bx.Graph:
    x = {"x": {"shape": ["batch", NARROW], "dtype": "float"}}
    nodes = {"linear": linear_node("x", NARROW), "act": {"op": "relu", "x": "linear"}}
    main = {"h": repeat_node("layer", LAYERS, scan, "x")}
    functions = {"main": function(x, main), "layer": function({"x": {}}, nodes)}
    return graph("deep", functions)


def transformer_graph(scan: bool) -> bx.Graph:
    tokens = {"tokens": {"shape": ["batch", "seq"], "dtype": "int32"}}
    positions = {"op": "arange", "stop": "$seq", "dtype": "int32"}
    heads = ["...", HEADS, WIDTH // HEADS]

    def table(ids: str, size: int) -> Data:
        return {"op": "embed", "ids": ids, "num_embeddings": size, "features": WIDTH}

    def call(function: str, **inputs: str) -> Data:
        return {"op": "call", "function": function, "inputs": inputs}

    def add(a: str, b: str) -> Data:
        return {"op": "add", "a": a, "b": b}

    main: Data = {
        "positions": positions,
        "mask": {
            "op": "attention_mask",
            "query_positions": "positions",
            "key_positions": "positions",
            "causal": True,
        },
        "wte": table("tokens", VOCAB),
        "wpe": table("positions", TIME),
        "sum": add("wte", "wpe"),
        "h": repeat_node("block", BLOCKS, scan, "sum", mask="mask"),
        "ln_f": norm_node("h"),
        "head": {"op": "unembed", "x": "ln_f", "params": "wte"},
    }
    block: Data = {
        "ln_1": norm_node("x"),
        "attn": call("attention", x="ln_1", mask="mask"),
        "mid": add("x", "attn"),
        "ln_2": norm_node("mid"),
        "mlp": call("mlp", x="ln_2"),
        "out": add("mid", "mlp"),
    }
    attention: Data = {}
    for part in ("query", "key", "value"):
        attention[part] = linear_node("x", WIDTH)
        attention[f"{part}_heads"] = {"op": "reshape", "x": part, "shape": heads}
    attention["mixed"] = {
        "op": "dot_product_attention",
        "query": "query_heads",
        "key": "key_heads",
        "value": "value_heads",
        "mask": "mask",
    }
    attention["merged"] = {"op": "flatten", "x": "mixed", "start": -2}
    attention["out"] = linear_node("merged", WIDTH)
    mlp: Data = {
        "up": linear_node("x", WIDTH, 4 * WIDTH),
        "gelu": {"op": "gelu", "x": "up", "approximate": True},
        "down": linear_node("gelu", 4 * WIDTH, WIDTH),
    }
    return graph(
        "transformer",
        {
            "main": function(tokens, main),
            "block": function({"x": {}, "mask": {}}, block),
            "attention": function({"x": {}, "mask": {}}, attention),
            "mlp": function({"x": {}}, mlp),
        },
    )


# Measured ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """A model, its inputs, and how to make a new function of it, twice."""

    name: str
    graph: bx.Graph
    by_hand: Callable[[], Function]
    inputs: tuple[Array, ...]

    def loaded(self) -> Function:
        return bx.build(self.graph)

    def params(self) -> Params:
        return bx.init(self.graph, jax.random.key(0))


def cases() -> Iterator[Case]:
    x = jnp.ones((1, NARROW))
    tokens = jnp.ones((1, TIME), jnp.int32)
    for scan in (False, True):
        how = "scanned" if scan else "unrolled"
        yield Case(
            f"MLP, {LAYERS} layers, {how}",
            mlp_graph(scan),
            partial(mlp_by_hand, scan),
            (x,),
        )
        yield Case(
            f"transformer, {BLOCKS} blocks, {how}",
            transformer_graph(scan),
            partial(transformer_by_hand, scan),
            (tokens,),
        )


def same_program(case: Case, params: Params) -> None:
    ours = jax.make_jaxpr(case.loaded())(params, *case.inputs)
    theirs = jax.make_jaxpr(case.by_hand())(params, *case.inputs)
    assert str(ours) == str(theirs), f"{case.name}: the jaxprs differ"


def seconds(run: Callable[[], Any]) -> float:
    gc.disable()
    start = time.perf_counter()
    run()
    elapsed = time.perf_counter() - start
    gc.enable()
    return elapsed


def turns(ways: tuple[Callable[[], Any], ...], count: int) -> list[list[float]]:
    """Seconds of each way, `count` times; who goes first changes with every turn."""
    times: list[list[float]] = []
    for turn in range(count):
        order = list(enumerate(ways))
        took = {i: seconds(way) for i, way in (order[::-1] if turn % 2 else order)}
        times.append([took[i] for i in range(len(ways))])
    return times


def calls(
    case: Case, params: Params, count: int, how: Callable[[Function], Function]
) -> list[list[float]]:
    def called(function: Function) -> Callable[[], Any]:
        made = how(function)
        jax.block_until_ready(made(params, *case.inputs))
        return lambda: jax.block_until_ready(made(params, *case.inputs))

    return turns((called(case.loaded()), called(case.by_hand())), count)


def first_traces(
    case: Case, params: Params, count: int, how: Callable[[Function], Function]
) -> list[list[float]]:
    times = []
    for turn in range(count):
        pair = [case.loaded(), case.by_hand()]
        took = [0.0, 0.0]
        for i in (1, 0) if turn % 2 else (0, 1):
            jax.clear_caches()
            gc.collect()
            took[i] = seconds(partial(how(pair[i]), params, *case.inputs))
        times.append(took)
    return times


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--calls", type=int, default=400)
    parser.add_argument("--traces", type=int, default=15)
    parser.add_argument("--check", action="store_true", help="exit 1 over a goal")
    options = parser.parse_args()
    over = False
    print(f"{'':34} {'blox':>9} {'by hand':>9} {'ratio':>6} {'goal':>5}")
    for case in cases():
        params = case.params()
        same_program(case, params)
        measured = {
            "call": calls(case, params, options.calls, jax.jit),
            "eager": calls(case, params, options.traces, lambda f: f),
            "trace": first_traces(case, params, options.traces, jax.make_jaxpr),
            "lower": first_traces(
                case, params, options.traces, lambda f: jax.jit(f).lower
            ),
        }
        for what, times in measured.items():
            ours, theirs = (statistics.median(t[i] for t in times) for i in (0, 1))
            ratio = statistics.median(a / b for a, b in times)
            over = over or ratio > GOALS[what]
            print(
                f"{case.name + ' ' + what:34} {1e3 * ours:6.2f} ms {1e3 * theirs:6.2f} "
                f"ms {ratio:6.2f} {GOALS[what]:5.1f}"
            )
    return 1 if over and options.check else 0


if __name__ == "__main__":
    raise SystemExit(main())
