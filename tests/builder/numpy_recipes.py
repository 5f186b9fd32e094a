"""Models of one recipe, and what NumPy makes of their numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

import blox as bx
from blox.schema import Graph

recipes = bx.recipes


Numbers = Any  # what NumPy computes with


def graph_of(function: Callable[..., bx.Value], **options: Any) -> Graph:
    """The function of x (batch, time, width) and a mask, with options; texts are attributes."""
    b = bx.GraphBuilder("model", width=8, heads=4)

    @b.entry(
        x=bx.Input(["batch", "time", b.width]),
        mask=bx.Input(["batch", 1, "time", "time"], "bool", optional=True),
    )
    def main(f: bx.F, x: bx.Value, mask: bx.Value | None = None) -> bx.Value:
        return f.call("r", function)(x, mask=mask, **options)

    return b.graph()


def without_mask(function: Callable[..., Any], **options: Any) -> Graph:
    b = bx.GraphBuilder("model", width=8)

    @b.entry(x=bx.Input(["...", b.width]))
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        y: bx.Value = f.call("r", function)(x, **options)
        return y

    return b.graph()


def random_params(graph: Graph) -> Any:
    """Biases too, so that one in the wrong place shows."""
    shapes = jax.eval_shape(lambda key: bx.init(graph, key), jax.random.key(0))
    rng = np.random.default_rng(0)
    return jax.tree.map(lambda s: rng.normal(size=s.shape).astype(np.float32), shapes)


def linear(x: Numbers, p: dict[str, Numbers]) -> Numbers:
    return x @ p["kernel"] + p.get("bias", 0)


def attention(
    p: dict[str, Any],
    x: Numbers,
    context: Numbers,
    heads: int,
    kv_heads: int,
    mask: Numbers = True,
) -> Numbers:
    """One head after another, in float64."""
    q, k, v = (
        linear(x, p["query"]),
        linear(context, p["key"]),
        linear(context, p["value"]),
    )
    dim = q.shape[-1] // heads
    parts = []
    for head in range(heads):
        group = head // (heads // kv_heads)
        own, shared = (slice(i * dim, (i + 1) * dim) for i in (head, group))
        scores = q[..., own] @ np.swapaxes(k[..., shared], -1, -2) / np.sqrt(dim)
        scores = np.where(mask, scores, -1e30)
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        weights = weights / weights.sum(-1, keepdims=True)
        parts.append(weights @ v[..., shared])
    return linear(np.concatenate(parts, -1), p["out"])


def x_of(width: int = 8, time: int = 5) -> Numbers:
    rng = np.random.default_rng(1)
    return rng.normal(size=(2, time, width)).astype(np.float32)


def f64(params: Any) -> Any:
    return jax.tree.map(lambda a: np.asarray(a, np.float64), params)


def gelu(x: Numbers) -> Numbers:
    from math import erf

    return x * 0.5 * (1 + np.vectorize(erf)(x / np.sqrt(2)))


def gelu_tanh(x: Numbers) -> Numbers:
    return x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


ACTIVATIONS: dict[Any, Callable[[Numbers], Numbers]] = {
    "gelu": gelu,
    "gelu_tanh": gelu_tanh,
    "relu": lambda x: np.maximum(x, 0),
    "silu": lambda x: x / (1 + np.exp(-x)),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "tanh": np.tanh,
}


def normed(x: Numbers, p: dict[str, Numbers], kind: str) -> Numbers:
    if kind == "layer_norm":
        x = x - x.mean(-1, keepdims=True)
    y = x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-3)
    return y * p["scale"] + p.get("bias", 0)
