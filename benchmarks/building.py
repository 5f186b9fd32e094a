"""Seconds of CPU that writing a model takes, for 1,000 nodes, and those of `bx.from_hf`.

    python benchmarks/building.py

A row is a shape of model: blocks of functions that are called in a Python loop, one
repeat over them, and ops without functions. It has the seconds of tracing and of
`b.graph()`, the least of some rounds in this process, as the first one warms JAX.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import blox as bx

ROUNDS = 5
TINY = Path(__file__).parents[1] / "tests" / "hf" / "tiny_bert"


def mlp(f: bx.F, x: bx.Value) -> bx.Value:
    return f.linear("down", f.gelu(f.linear("up", x, 4 * x.features)), x.features)


def attention(f: bx.F, x: bx.Value, *, heads: int) -> bx.Value:
    width = x.features
    q, k, v = (
        f.linear(name, x, width).reshape(..., heads, width // heads) for name in "qkv"
    )
    y = f.dot_product_attention(q, k, v)
    return f.linear("out", f.flatten(y, -2), width)


def block(f: bx.F, x: bx.Value, *, heads: int) -> bx.Value:
    x = x + f.call("attn", attention)(f.layer_norm("ln_1", x), heads=heads)
    return x + f.call("mlp", mlp)(f.layer_norm("ln_2", x))


def called(f: bx.F, x: bx.Value) -> bx.Value:
    for i in range(56):
        x = f.call(f"h{i}", block)(x, heads=4)
    return x


def repeated(f: bx.F, x: bx.Value) -> bx.Value:
    for i in range(28):
        x = f.repeat(f"h{i}", block, count=12)(x, heads=4)
    return x


def plain(f: bx.F, x: bx.Value) -> bx.Value:
    for i in range(250):
        x = x + f.relu(f.layer_norm(f"n{i}", f.linear(f"l{i}", x, x.features)))
    return x


SHAPES = {"called": (called, 56 * 18), "repeated": (repeated, 28 * 18)}
SHAPES["plain"] = (plain, 1000)


def seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def main() -> None:
    for name, (function, nodes) in SHAPES.items():
        rounds = []
        for _ in range(ROUNDS):
            b = bx.GraphBuilder("model", width=64)
            inputs = {"x": bx.Input(["batch", "seq", b.width])}
            tracing = seconds(lambda: b.entry(function, **inputs))  # noqa: B023
            rounds.append((tracing, seconds(b.graph)))
        tracing, writing = (
            min(taken) * 1000 / nodes for taken in zip(*rounds, strict=True)
        )
        print(f"{name:10}{tracing:8.3f} tracing{writing:8.3f} b.graph()")
    taken = min(seconds(lambda: bx.from_hf(TINY)) for _ in range(ROUNDS))
    print(f"{'from_hf':10}{taken:8.3f} tiny BERT")


if __name__ == "__main__":
    main()
