"""What a mixture of experts costs beside all experts at once and JAX written by hand.

    python benchmarks/moe.py [--experts 8] [--top-k 2] [--rows 2048] [--width 256]
                             [--hidden 512]

Gated MLPs chosen by a softmax router: our recipe with kernels multiplied in blocks and by
`jax.lax.ragged_dot`; by hand with `jax.lax.ragged_dot`, with all experts for all rows, and
with the rows that each expert gets known beforehand (`least`: one dense MLP for as many
rows). The forward pass and its gradient: seconds of a run, memory besides arguments, and
FLOPs as XLA counts them, which has a loop's body once; those of the recipe are counted
from its shapes.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

import blox as bx
from blox.show.flops import measure

Params = dict[str, Any]


def recipe(sizes: argparse.Namespace, method: Any) -> bx.Graph:
    b = bx.GraphBuilder("moe", width=sizes.width, experts=sizes.experts)

    @b.entry(x=bx.Input(["rows", b.width]))
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        run = f.call("moe", bx.recipes.mixture_of_experts)
        y = run(
            x, experts=b.experts, top_k=sizes.top_k, hidden=sizes.hidden, method=method
        )
        return y["y"]

    return b.graph()


def routed(params: Params, x: Array, k: int) -> tuple[Array, Array]:
    weights, chosen = jax.lax.top_k(jax.nn.softmax(x @ params["router"]["kernel"]), k)
    return weights / jnp.sum(weights, -1, keepdims=True), chosen


def by_ragged_dot(params: Params, x: Array, *, k: int) -> Array:
    """One sort and one way back for all three products."""
    weights, chosen = routed(params, x, k)
    gate, up, down = (params[n]["kernel"] for n in ("gate", "up", "down"))
    order = jnp.argsort(chosen.reshape(-1))
    counts = jnp.bincount(chosen.reshape(-1), length=len(gate))
    rows = x[order // k]
    h = jax.nn.silu(jax.lax.ragged_dot(rows, gate, counts))
    h = h * jax.lax.ragged_dot(rows, up, counts)
    y = jax.lax.ragged_dot(h, down, counts)[jnp.argsort(order)]
    return jnp.sum(y.reshape(*chosen.shape, -1) * weights[..., None], axis=1)


def by_all_experts(params: Params, x: Array, *, k: int) -> Array:
    weights, chosen = routed(params, x, k)
    gate, up, down = (params[n]["kernel"] for n in ("gate", "up", "down"))
    shares = jnp.sum(jax.nn.one_hot(chosen, len(gate)) * weights[..., None], axis=1)
    h = jax.nn.silu(jnp.einsum("ri,eih->erh", x, gate))
    h = h * jnp.einsum("ri,eih->erh", x, up)
    return jnp.einsum("erh,eho,re->ro", h, down, shares)


def least(params: Params, x: Array, *, k: int) -> Array:
    """The same products, every expert having as many rows as any other."""
    weights, _ = routed(params, x, k)
    gate, up, down = (params[n]["kernel"] for n in ("gate", "up", "down"))
    rows = jnp.repeat(x, k, axis=0).reshape(len(gate), -1, x.shape[1])
    h = jax.nn.silu(jnp.einsum("eri,eih->erh", rows, gate))
    h = h * jnp.einsum("eri,eih->erh", rows, up)
    y = jnp.einsum("erh,eho->ero", h, down).reshape(*weights.shape, -1)
    return jnp.sum(y * weights[..., None], axis=1)


def timed(function: Callable[..., Any], *arguments: Any) -> tuple[float, float, float]:
    """Seconds of the fastest of runs, bytes besides arguments, FLOPs as XLA counts."""
    compiled = jax.jit(function).lower(*arguments).compile()
    jax.block_until_ready(compiled(*arguments))
    runs = []
    for _ in range(7):
        start = time.perf_counter()
        jax.block_until_ready(compiled(*arguments))
        runs.append(time.perf_counter() - start)
    cost: Any = compiled.cost_analysis()
    memory: Any = compiled.memory_analysis()
    return min(runs), float(memory.temp_size_in_bytes), float(cost["flops"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    for name, default in (
        ("experts", 8), ("top-k", 2), ("rows", 2048), ("width", 256), ("hidden", 512)
    ):  # fmt: skip
        parser.add_argument(f"--{name}", type=int, default=default)
    sizes = parser.parse_args()
    graph = recipe(sizes, "blocks")
    params = bx.init(graph, jax.random.key(0))
    x = jax.random.normal(jax.random.key(1), (sizes.rows, sizes.width))
    blocks, ragged = (bx.build(recipe(sizes, m)) for m in ("blocks", "ragged_dot"))

    def only(model: Any) -> Callable[..., Array]:
        return lambda params, x: model({"moe": params}, x)[0]

    k = sizes.top_k
    forms: dict[str, Callable[..., Array]] = {
        "least": partial(least, k=k),
        "ours, blocks": only(blocks),
        "ours, ragged_dot": only(ragged),
        "hand, ragged_dot": partial(by_ragged_dot, k=k),
        "hand, all experts": partial(by_all_experts, k=k),
    }
    own = params["moe"]
    wanted = forms["hand, all experts"](own, x)
    flops = measure(graph, {"rows": sizes.rows}).entries["main"].flops.number
    print(f"{sizes}\nthe recipe has {(flops or 0) / 1e9:.2f} GFLOP")
    bases: dict[str, float] = {}
    for name, form in forms.items():
        if name != "least":
            np.testing.assert_allclose(form(own, x), wanted, 1e-3, 1e-4)
        for kind, call in (
            ("forward", form),
            ("gradient", jax.grad(lambda p, x, f=form: jnp.sum(jnp.square(f(p, x))))),
        ):
            seconds, memory, count = timed(call, own, x)
            base = bases.setdefault(kind, seconds)
            print(
                f"{name:18} {kind:9} {1e3 * seconds:8.1f} ms {seconds / base:6.2f}x"
                f" {memory / 1e6:7.0f} MB {count / 1e9:8.2f} GFLOP by XLA"
            )


if __name__ == "__main__":
    main()
