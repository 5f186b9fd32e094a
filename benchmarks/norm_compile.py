"""Seconds to compile 24 pre-norm transformer blocks, by the phrasing of norms.

    python benchmarks/norm_compile.py [--depth 24] [--norm layer_norm|rms_norm]

`value_and_grad` of unrolled blocks with our norm, the same in `jax.lax.scan`, unrolled
with the plain two-pass formula, and in the one-pass phrasing of Flax NNX. Ratios are to
the scan. Also the seconds of a run, since a barrier may cost some.
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
from jax import Array

from blox.ops.attention import dot_product_attention
from blox.ops.norm import layer_norm, rms_norm

WIDTH, HEADS, TIME, BATCH = 128, 4, 32, 2
Norm = Callable[..., Array]


def plain_layer_norm(x: Array, scale: Array, *, eps: float) -> Array:
    y = x - jnp.mean(x, axis=-1, keepdims=True)
    variance = jnp.mean(jnp.square(y), axis=-1, keepdims=True)
    return y * jax.lax.rsqrt(variance + eps) * scale


def nnx_layer_norm(x: Array, scale: Array, *, eps: float) -> Array:
    mean = jnp.mean(x, axis=-1)
    variance = jnp.mean(jax.lax.square(x), axis=-1) - jax.lax.square(mean)
    mean, variance = mean[..., None], jnp.maximum(variance, 0.0)[..., None]
    return (x - mean) * (jax.lax.rsqrt(variance + eps) * scale)


def plain_rms_norm(x: Array, scale: Array, *, eps: float) -> Array:
    square = jnp.mean(jnp.square(x), axis=-1, keepdims=True)
    return x * jax.lax.rsqrt(square + eps) * scale


def nnx_rms_norm(x: Array, scale: Array, *, eps: float) -> Array:
    square = jnp.mean(jax.lax.square(x), axis=-1)[..., None]
    return x * (jax.lax.rsqrt(square + eps) * scale)


NORMS: dict[str, dict[str, Norm]] = {
    "layer_norm": {
        "ours": layer_norm,
        "plain": plain_layer_norm,
        "nnx": nnx_layer_norm,
    },
    "rms_norm": {"ours": rms_norm, "plain": plain_rms_norm, "nnx": nnx_rms_norm},
}


def parameters(depth: int) -> list[dict[str, Array]]:
    shapes = {
        "ln_1": (WIDTH,),
        "qkv": (WIDTH, 3 * WIDTH),
        "out": (WIDTH, WIDTH),
        "ln_2": (WIDTH,),
        "up": (WIDTH, 4 * WIDTH),
        "down": (4 * WIDTH, WIDTH),
    }
    return [{n: jnp.full(s, 0.01) for n, s in shapes.items()} for _ in range(depth)]


def block(norm: Norm, x: Array, params: dict[str, Array]) -> Array:
    normed = norm(x, params["ln_1"], eps=1e-5)
    heads = (*x.shape[:-1], HEADS, WIDTH // HEADS)
    parts = jnp.split(normed @ params["qkv"], 3, axis=-1)
    attended = dot_product_attention(
        *(part.reshape(heads) for part in parts), scale=None, heads_per_kv=1
    )
    x = x + attended.reshape(x.shape) @ params["out"]
    normed = norm(x, params["ln_2"], eps=1e-5)
    return x + jax.nn.gelu(normed @ params["up"]) @ params["down"]


def unrolled(norm: Norm, params: list[dict[str, Array]], x: Array) -> Array:
    for layer in params:
        x = block(norm, x, layer)
    return jnp.sum(x)


def scanned(norm: Norm, params: dict[str, Array], x: Array) -> Array:
    y, _ = jax.lax.scan(lambda x, layer: (block(norm, x, layer), None), x, params)
    return jnp.sum(y)


def seconds(function: Callable[..., Any], *arguments: Any) -> tuple[float, float]:
    """Of compiling `value_and_grad`, and of the fastest of five runs."""
    lowered = jax.jit(jax.value_and_grad(function)).lower(*arguments)
    start = time.perf_counter()
    compiled = lowered.compile()
    compilation = time.perf_counter() - start
    runs = []
    for _ in range(5):
        start = time.perf_counter()
        jax.block_until_ready(compiled(*arguments))
        runs.append(time.perf_counter() - start)
    return compilation, min(runs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--depth", type=int, default=24)
    parser.add_argument("--norm", choices=NORMS, default="layer_norm")
    options = parser.parse_args()
    norms = NORMS[options.norm]
    params = parameters(options.depth)
    stacked = jax.tree.map(lambda *layers: jnp.stack(layers), *params)
    x = jnp.ones((BATCH, TIME, WIDTH))
    base, run = seconds(partial(scanned, norms["ours"]), stacked, x)
    print(f"{'ours, scan':16} compile {base:6.2f} s          run {1e3 * run:6.1f} ms")
    for name, norm in norms.items():
        compilation, run = seconds(partial(unrolled, norm), params, x)
        print(
            f"{name + ', unrolled':16} compile {compilation:6.2f} s"
            f"  {compilation / base:5.1f}x  run {1e3 * run:6.1f} ms"
        )


if __name__ == "__main__":
    main()
