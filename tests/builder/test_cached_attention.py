"""Attention with caches by steps, against that of whole sequences, which has a reference."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import blox as bx
from blox.schema import Graph

WIDTH, HEADS, DEPTH, TIME = 8, 4, 2, 6


def whole(**options: Any) -> Graph:
    """Layers of causal attention over a whole sequence."""
    b = bx.GraphBuilder("whole")

    def layer(f: bx.F, x: bx.Value, cos: bx.Value, sin: bx.Value) -> bx.Value:
        attention = f.call("attn", bx.recipes.multi_head_attention)
        return x + attention(x, cos=cos, sin=sin, causal=True, heads=HEADS, **options)

    @b.entry(x=bx.Input(["batch", "seq", WIDTH]))
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        cos, sin = f.rope_table(f.arange(x.shape[1]), WIDTH // HEADS)
        return f.repeat("h", layer, count=DEPTH, scan=False)(x, cos, sin)

    return b.graph()


def steps(*, scan: bool = False, **options: Any) -> Graph:
    """The same layers, with a list of caches, or stacked ones that are scanned."""
    b = bx.GraphBuilder("steps")
    b.constraint("seq <= cached")
    kv_heads = options.get("kv_heads", HEADS)
    shape = ["batch", "cached", kv_heads, WIDTH // HEADS]
    cache = bx.Input([DEPTH, *shape]) if scan else bx.Input(shape, copies=DEPTH)

    def layer(
        f: bx.F,
        x: bx.Value,
        k: bx.Value,
        v: bx.Value,
        position: bx.Value,
        cos: bx.Value,
        sin: bx.Value,
    ) -> dict[str, bx.Value]:
        attention = f.call("attn", bx.recipes.cached_attention)
        y = attention(x, k, v, position, cos, sin, heads=HEADS, **options)
        return {"x": x + y["x"], "k_new": y["k"], "v_new": y["v"]}

    @b.entry(
        x=bx.Input(["batch", "seq", WIDTH]),
        position=bx.Input([], "int32"),
        k=cache,
        v=cache,
    )
    def main(
        f: bx.F, x: bx.Value, position: bx.Value, k: bx.Value, v: bx.Value
    ) -> dict[str, bx.Value]:
        cos, sin = f.rope_table(position + f.arange(x.shape[1]), WIDTH // HEADS)
        listed = () if scan else ("k_new", "v_new")
        run = f.repeat("h", layer, count=DEPTH, scan=scan, listed=listed)
        y = run(x, bx.slices(k), bx.slices(v), position, cos, sin)
        k, v = bx.output(y["k_new"], next="k"), bx.output(y["v_new"], next="v")
        return {"x": y["x"], "k_new": k, "v_new": v}

    return b.graph()


OPTIONS: list[dict[str, Any]] = [
    {},
    {"kv_heads": 2, "window": 3},
    {"qk_norm": "rms_norm", "softcap": 5.0, "scale": 0.3, "use_bias": False},
]


@pytest.mark.parametrize(
    ("options", "scan"),
    [*((options, False) for options in OPTIONS), (OPTIONS[1], True)],
    ids=["plain", "grouped", "normed", "stacked"],
)
def test_steps_are_the_whole(options: dict[str, Any], scan: bool) -> None:
    one, other = whole(**options), steps(scan=scan, **options)
    params = bx.init(one, jax.random.key(0))
    own = jax.tree.map(lambda *layers: jnp.stack(layers), *params["h"])
    own = {"h": own} if scan else params
    shapes = jax.tree.map(jnp.shape, own)
    assert shapes == jax.tree.map(jnp.shape, bx.init(other, jax.random.key(0)))
    x = jax.random.normal(jax.random.key(1), (2, TIME, WIDTH))
    expected, _ = bx.build(one)(params, x)
    shape = (2, TIME, options.get("kv_heads", HEADS), WIDTH // HEADS)
    empty: Any = jnp.zeros((DEPTH, *shape)) if scan else [jnp.zeros(shape)] * DEPTH
    k, v = empty, empty
    run, found = jax.jit(bx.build(other)), []
    for start, end in ((0, 3), (3, 4), (4, 5), (5, 6)):  # a prompt, then one by one
        out, _ = run(own, x[:, start:end], jnp.int32(start), k, v)
        found.append(out["x"])
        k, v = out["k_new"], out["v_new"]
    np.testing.assert_allclose(jnp.concatenate(found, 1), expected, atol=1e-5)


def test_a_loop_over_the_model_copies_no_cache() -> None:
    graph = steps()
    params, model = bx.init(graph, jax.random.key(0)), bx.build(graph)
    cached = 512
    cache = [jnp.zeros((1, cached, HEADS, WIDTH // HEADS))] * DEPTH

    def loop(params: Any, x: Any, k: Any, v: Any) -> Any:
        def step(carry: Any, i: Any) -> Any:
            x, k, v = carry
            out, _ = model(params, x, i, k, v)
            return (out["x"], out["k_new"], out["v_new"]), None

        return jax.lax.scan(step, (x, k, v), jnp.arange(8, dtype="int32"))[0]

    x = jnp.ones((1, 1, WIDTH))
    jitted = jax.jit(loop, donate_argnums=(2, 3))
    memory = jitted.lower(params, x, cache, cache).compile().memory_analysis()
    assert memory is not None
    size = sum(a.nbytes for a in cache) * 2
    assert memory.alias_size_in_bytes >= size  # the caches are the ones that were given
    # The scores of all heads are kept beside them, but no second copy of the caches.
    assert memory.temp_size_in_bytes < size / 2 + 4 * HEADS * cached * 4
