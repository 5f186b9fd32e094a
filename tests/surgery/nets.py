"""Small Graphs that the tests of operations change."""

from __future__ import annotations

import jax.numpy as jnp

import blox as bx
from blox.schema import Graph


def net(scan: bool = True, count: int = 3) -> Graph:
    b = bx.GraphBuilder("net", width=4, depth=count)

    def block(f: bx.F, x: bx.Value) -> bx.Value:
        return x + f.tanh(f.linear("up", x, b.width), name="act")

    @b.entry(x=bx.Input(["batch", b.width]))
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        x = f.repeat("h", block, count=b.depth, scan=scan)(x)
        return f.linear("out", x, 2)

    return b.graph()


X = jnp.arange(8.0).reshape(2, 4) / 8


def two() -> Graph:
    """One function that two nodes call."""
    b = bx.GraphBuilder("two", width=4)

    def block(f: bx.F, x: bx.Value) -> bx.Value:
        return f.linear("up", x, b.width)

    @b.entry(x=bx.Input(["batch", b.width]))
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        return f.call("b", block)(f.call("a", block)(x))

    return b.graph()
