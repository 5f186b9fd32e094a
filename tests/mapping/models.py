"""A small model with most of what mapping meets, scanned or unrolled."""

from __future__ import annotations

from functools import cache
from typing import Any

import jax
import numpy as np

import blox as bx

L = bx.layouts


def layer(f: bx.F, x: bx.Value, *, hidden: int) -> bx.Value:
    h = f.relu(f.linear("up", f.layer_norm("norm", x), hidden))
    return x + f.linear("down", h, x.features, use_bias=False)


def attention(f: bx.F, x: bx.Value) -> bx.Value:
    q, k, v = (f.linear(name, x, x.features) for name in ("q", "k", "v"))
    return f.linear("out", q * k + v, x.features)


@cache
def model(*, scan: bool = True, depth: int = 3) -> bx.Graph:
    b = bx.GraphBuilder("m", width=4, depth=depth)

    @b.entry(x=bx.Input(["batch", b.width]))
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        x = f.repeat("layers", layer, count=b.depth, scan=scan)(x, hidden=6)
        x = f.call("attention", attention)(x)
        return f.linear("head", x, 5)

    return b.graph()


def params(graph: bx.Graph, seed: int = 0) -> dict[str, Any]:
    drawn = np.random.default_rng(seed)
    shapes = jax.eval_shape(lambda: bx.init(graph, jax.random.key(0)))
    made: dict[str, Any] = jax.tree.map(
        lambda a: jax.numpy.asarray(drawn.normal(size=a.shape).astype(a.dtype)), shapes
    )
    return made


RULES: list[Any] = [
    bx.Rule("layers.{i}.norm.scale", "h.{i}.ln.gamma"),
    bx.Rule("layers.{i}.norm.scale", "h.{i}.ln.weight"),
    bx.Rule("layers.{i}.norm.bias", ("h.{i}.ln.bias", "h.{i}.ln.steps"),
            L.Constant(0, "int32")),
    bx.Rule("layers.{i}.up.kernel", "h.{i+1}.fc1.weight", L.Kernel()),
    bx.Rule("layers.{i}.up.bias", "fc1_biases"),
    bx.Rule("layers.{i}.down.kernel", ("h.{i}.fc2.a", "h.{i}.fc2.b"),
            L.Concat((1, 3)), L.Kernel()),
    bx.Rule(tuple(f"attention.{n}.kernel" for n in "qkv"), "in_proj", L.Split(3),
            L.Kernel()),
    bx.Rule(tuple(f"attention.{n}.bias" for n in "qkv"), "in_b", L.Unstack(3, -1)),
    bx.Rule("attention.out.*", "out_*"),
    bx.Rule("head.kernel", "rows.{row}"),
    bx.Rule("head.bias", ("bias", "bias_again"), L.Same()),
    bx.Ignored("**.position_ids", "junk"),
]  # fmt: skip
