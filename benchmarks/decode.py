"""Decoding with a cache: a loaded model against the same function written by hand.

    python benchmarks/decode.py [--positions 2048] [--rounds 30] [--loop 8] [--check]

A decoder whose caches have `--positions` positions, of which all but a few are in use. Its
caches are lists, an array for each layer, or stacked, an array for all layers, run by
`jax.lax.scan`. A step takes one token and gives the next caches in place of the old ones,
which are donated; `loop` is `--loop` steps in one `jax.lax.scan` over the model. The functions
take turns; a ratio is the median over turns of the time by hand to that of the model, so that
above 1 the model is faster. `temporary` is the memory that a loop takes beside its arguments,
in caches: a loop that copied them would take one or more. With `--check` the exit code is 1
where a ratio with lists is below its goal.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import jax.numpy as jnp
from jax import Array

import blox as bx

GOAL = 0.95
DEPTH, WIDTH, HEADS, VOCAB = 6, 256, 8, 512

Params = dict[str, Any]
Caches = tuple[Any, Any]
Step = Callable[[Params, Array, Array, Any, Any], tuple[Array, Any, Any]]


# By hand -----------------------------------------------------------------------------


def rms_norm(params: Params, x: Array) -> Array:
    mean = jnp.mean(jnp.square(x.astype(jnp.float32)), axis=-1, keepdims=True)
    y: Array = (x * jax.lax.rsqrt(mean + 1e-6) * params["scale"]).astype(x.dtype)
    return y


def attention(
    params: Params, x: Array, mask: Array, k: Array, v: Array, position: Array
) -> tuple[Array, Array, Array]:
    heads = (*x.shape[:2], HEADS, WIDTH // HEADS)
    q, k_now, v_now = (
        (x @ params[n]["kernel"]).reshape(heads) for n in ("query", "key", "value")
    )
    k = jax.lax.dynamic_update_slice_in_dim(k, k_now, position, axis=1)
    v = jax.lax.dynamic_update_slice_in_dim(v, v_now, position, axis=1)
    y = jax.nn.dot_product_attention(q, k, v, mask=mask)
    return y.reshape(x.shape) @ params["out"]["kernel"], k, v


def block(
    params: Params, x: Array, mask: Array, k: Array, v: Array, position: Array
) -> tuple[Array, Array, Array]:
    y = rms_norm(params["attn_norm"], x)
    y, k, v = attention(params["attn"], y, mask, k, v, position)
    x = x + y
    y = rms_norm(params["mlp_norm"], x)
    gate = jax.nn.silu(y @ params["gate"]["kernel"])
    return x + (gate * (y @ params["up"]["kernel"])) @ params["down"]["kernel"], k, v


def begin(
    params: Params, tokens: Array, position: Array, cached: int
) -> tuple[Array, Array]:
    at = position + jnp.arange(tokens.shape[1])
    mask = (jnp.arange(cached) <= at[:, None])[None]
    words = params["words"]["embedding"][tokens]
    return words + params["places"]["embedding"][at], mask


def end(params: Params, x: Array) -> Array:
    logits: Array = rms_norm(params["norm"], x) @ params["words"]["embedding"].T
    return logits


def by_hand(params: Params, tokens: Array, position: Array, k: Any, v: Any) -> Any:
    """The decoder with a list of caches."""
    x, mask = begin(params, tokens, position, k[0].shape[1])
    caches: tuple[list[Array], list[Array]] = [], []
    for layer, layer_k, layer_v in zip(params["h"], k, v, strict=True):
        x, layer_k, layer_v = block(layer, x, mask, layer_k, layer_v, position)
        caches[0].append(layer_k)
        caches[1].append(layer_v)
    return end(params, x), *caches


def by_hand_stacked(
    params: Params, tokens: Array, position: Array, k: Any, v: Any
) -> Any:
    """The decoder with its layers and their caches on a leading axis."""
    x, mask = begin(params, tokens, position, k.shape[2])

    def step(x: Array, layer: Any) -> Any:
        x, k, v = block(layer[0], x, mask, layer[1], layer[2], position)
        return x, (k, v)

    x, (k, v) = jax.lax.scan(step, x, (params["h"], k, v))
    return end(params, x), k, v


# The model -----------------------------------------------------------------------------


def cached_attention(
    f: bx.F, x: bx.Value, mask: bx.Value, k: bx.Value, v: bx.Value, position: bx.Value
) -> dict[str, bx.Value]:
    q, k_now, v_now = (
        f.linear(n, x, x.features, use_bias=False).reshape(..., HEADS, WIDTH // HEADS)
        for n in ("query", "key", "value")
    )
    k = f.dynamic_update_slice(k, k_now, [position], axis=[1])
    v = f.dynamic_update_slice(v, v_now, [position], axis=[1])
    y = f.flatten(f.dot_product_attention(q, k, v, mask), start=-2)
    return {"x": f.linear("out", y, x.features, use_bias=False), "k": k, "v": v}


def cached_block(
    f: bx.F, x: bx.Value, mask: bx.Value, k: bx.Value, v: bx.Value, position: bx.Value
) -> dict[str, bx.Value]:
    y = f.call("attn", cached_attention)(
        f.rms_norm("attn_norm", x), mask, k, v, position
    )
    x = x + y["x"]
    h = f.rms_norm("mlp_norm", x)
    gate = f.silu(f.linear("gate", h, 2 * WIDTH, use_bias=False))
    h = gate * f.linear("up", h, 2 * WIDTH, use_bias=False)
    x = x + f.linear("down", h, WIDTH, use_bias=False)
    return {"x": x, "k": y["k"], "v": y["v"]}


def decoder(positions: int, *, scan: bool) -> bx.Graph:
    """The same decoder as a Graph; with `scan` its caches are stacked."""
    b = bx.GraphBuilder("decoder", context=positions)
    b.dim("cached", max=b.context)
    b.constraint("seq <= cached")
    heads = [HEADS, WIDTH // HEADS]
    cache = bx.Input(["batch", "cached", *heads], copies=DEPTH)
    if scan:
        cache = bx.Input([DEPTH, "batch", "cached", *heads])

    @b.entry(
        tokens=bx.Input(["batch", "seq"], "int32"),
        position=bx.Input([], "int32"),
        k=cache,
        v=cache,
    )
    def main(
        f: bx.F, tokens: bx.Value, position: bx.Value, k: bx.Value, v: bx.Value
    ) -> dict[str, bx.Value]:
        at = position + f.arange(tokens.shape[1])
        cached = k.shape[2] if scan else k.shape[1]
        mask = f.attention_mask(at, f.arange(cached), causal=True)
        x = f.embed("words", tokens, VOCAB, WIDTH)
        x = x + f.embed("places", at, b.context, WIDTH)
        given = (x, mask, bx.slices(k), bx.slices(v), position)
        if scan:
            stacked = f.repeat("h", carried_block, count=DEPTH)(*given)
            x, k, v = stacked["x"], stacked["k_new"], stacked["v_new"]
        else:
            listed = f.repeat("h", cached_block, count=DEPTH, scan=False)(*given)
            x, k, v = listed["x"], listed["k"], listed["v"]
        logits = f.unembed("head", f.rms_norm("norm", x), params="words")
        k, v = bx.output(k, next="k"), bx.output(v, next="v")
        return {"logits": logits, "k_new": k, "v_new": v}

    return b.graph()


def carried_block(
    f: bx.F, x: bx.Value, mask: bx.Value, k: bx.Value, v: bx.Value, position: bx.Value
) -> dict[str, bx.Value]:
    y = cached_block(f, x, mask, k, v, position)
    return {"x": y["x"], "k_new": y["k"], "v_new": y["v"]}


def loaded(graph: bx.Graph) -> Step:
    """The built model with its outputs as a tuple, as by hand."""
    model = bx.build(graph)

    def step(params: Params, tokens: Array, position: Array, k: Any, v: Any) -> Any:
        outputs, _ = model(params, tokens, position, k, v)
        return outputs["logits"], outputs["k_new"], outputs["v_new"]

    return step


# Measuring -----------------------------------------------------------------------------


def loop(step: Step, steps: int) -> Step:
    """So many steps in one scan, each of the most likely token."""

    def run(params: Params, tokens: Array, position: Array, k: Any, v: Any) -> Any:
        def body(carry: Any, _: None) -> Any:
            tokens, position, k, v = carry
            logits, k, v = step(params, tokens, position, k, v)
            tokens = jnp.argmax(logits[:, -1:], axis=-1)
            return (tokens, position + 1, k, v), tokens

        first = (tokens, position, k, v)
        (_, _, k, v), found = jax.lax.scan(body, first, length=steps)
        return found, k, v

    return run


def inputs(positions: int, *, scan: bool) -> Caches:
    shape = (1, positions, HEADS, WIDTH // HEADS)
    if scan:
        return jnp.ones((DEPTH, *shape)), jnp.ones((DEPTH, *shape))
    return [jnp.ones(shape)] * DEPTH, [jnp.ones(shape)] * DEPTH


def compiled(
    step: Step, params: Params, tokens: Array, at: Array, caches: Caches
) -> Any:
    jitted = jax.jit(step, donate_argnums=(3, 4))
    return jitted.lower(params, tokens, at, *caches).compile()


def timed(step: Any, params: Params, tokens: Array, at: Array, caches: Caches) -> Any:
    """(seconds, the next caches)"""
    start = time.perf_counter()
    _, k, v = jax.block_until_ready(step(params, tokens, at, *caches))
    return time.perf_counter() - start, (k, v)


def temporary(step: Any, caches: Caches) -> float:
    """The memory that a compiled function takes beside its arguments, in caches."""
    size = sum(a.nbytes for a in jax.tree.leaves(caches))
    used: int = step.memory_analysis().temp_size_in_bytes
    share: float = used / size
    return share


def compare(
    pair: tuple[Step, Step], params: Params, positions: int, scan: bool, args: Any
) -> None:
    """Checks that two steps give the same."""
    k, v = inputs(positions, scan=scan)
    (ours, *_), (theirs, *_) = (jax.jit(step)(params, *args, k, v) for step in pair)
    assert jnp.allclose(ours, theirs, atol=1e-4)


def measured(
    pair: tuple[Step, Step],
    params: Params,
    positions: int,
    rounds: int,
    scan: bool,
    steps: int,
) -> tuple[float, float, float, float]:
    """(the ratio, milliseconds by hand and of the model, temporary memory of the model)"""
    args = jnp.ones((1, 1), jnp.int32), jnp.asarray(positions - steps, jnp.int32)
    made = [
        compiled(step, params, *args, inputs(positions, scan=scan)) for step in pair
    ]
    # Arrays of their own: what is donated is gone.
    caches = [jax.tree.map(jnp.copy, inputs(positions, scan=scan)) for _ in pair]
    took: list[list[float]] = [[], []]
    for turn in range(rounds + 3):
        for i in (0, 1) if turn % 2 else (1, 0):
            seconds, caches[i] = timed(made[i], params, *args, caches[i])
            if turn >= 3:
                took[i].append(seconds)
    ratios = [a / b for a, b in zip(*took, strict=True)]
    hand, model = (1000 * statistics.median(t) for t in took)
    return statistics.median(ratios), hand, model, temporary(made[1], caches[1])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--positions", type=int, default=2048)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--loop", type=int, default=8)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    failed = False
    print(f"{'':<16} by hand     blox   ratio  temporary")
    for scan in (False, True):
        graph = decoder(options.positions, scan=scan)
        params = bx.init(graph, jax.random.key(0))
        pair = (by_hand_stacked if scan else by_hand, loaded(graph))
        args = (
            jnp.ones((1, 1), jnp.int32),
            jnp.asarray(options.positions - 1, jnp.int32),
        )
        compare(pair, params, options.positions, scan, args)
        for steps in (1, options.loop):
            both = pair if steps == 1 else (loop(pair[0], steps), loop(pair[1], steps))
            ratio, hand, model, more = measured(
                both, params, options.positions, options.rounds, scan, steps
            )
            name = (
                f"{'stacked' if scan else 'lists'}, {'step' if steps == 1 else 'loop'}"
            )
            print(f"{name:<16} {hand:5.2f} ms {model:5.2f} ms {ratio:6.2f} {more:9.2f}")
            failed |= options.check and not scan and ratio < GOAL
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
