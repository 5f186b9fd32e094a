"""Norms and attention as people write them become one op, and nothing else does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import blox as bx

RNG = np.random.default_rng(0)


def drawn(*shape: int) -> Any:
    return jnp.asarray(RNG.normal(size=shape).astype("float32"))


def nodes(
    function: Callable[..., Any], params: Any, inputs: dict[str, bx.Input], *arrays: Any
) -> list[tuple[str, dict[str, Any]]]:
    """The op of each node and its attributes, once the numbers and gradients agree."""
    graph, found, origin = bx.from_jax(
        function, inputs, params, name="model", check=False
    )
    run = bx.build(graph)

    def both(call: Callable[..., Any], params: Any) -> Any:
        def loss(params: Any) -> Any:
            y = call(params, *arrays)
            return jnp.sum(jnp.sin(y)), y

        every = jax.jit(jax.value_and_grad(loss, has_aux=True))
        (_, y), slopes = every(params)
        return y, slopes

    out, slopes = both(lambda p, *xs: run(p, *xs)[0], found)
    wanted, their = both(function, params)
    np.testing.assert_allclose(out, wanted, rtol=1e-5, atol=1e-5)
    back = jax.tree.leaves(origin.export(slopes))
    for given, slope in zip(back, jax.tree.leaves(their), strict=True):
        np.testing.assert_allclose(given, slope, rtol=1e-4, atol=1e-5)
    return [
        (node.op, node.model_dump(exclude_defaults=True))
        for part in graph.functions.values()
        for node in part.nodes.values()
        if node.op != "param"
    ]


def by_square(p: Any, x: Any) -> Any:
    mean = x.mean(-1, keepdims=True)
    var = jnp.mean((x - mean) ** 2, -1, keepdims=True)
    return (x - mean) / jnp.sqrt(var + 1e-5) * p["scale"] + p["bias"]


def scale_first(p: Any, x: Any) -> Any:
    y = p["scale"] * (x - x.mean(-1, keepdims=True))
    return y / jnp.sqrt(x.var(-1, keepdims=True) + 1e-5) + p["bias"]


def root_scaled(p: Any, x: Any) -> Any:
    factor = jax.lax.rsqrt(x.var(-1, keepdims=True) + 1e-5) * p["scale"]
    return (x - x.mean(-1, keepdims=True)) * factor + p["bias"]


def by_lanes(p: Any, x: Any) -> Any:
    return jax.vmap(lambda row: by_square(p, row), in_axes=1, out_axes=1)(x)


def divided(p: Any, x: Any) -> Any:
    return x * jax.lax.rsqrt(jnp.mean(x * x, -1, keepdims=True) + 1e-6) * p["scale"]


def divided_shifted(p: Any, x: Any) -> Any:
    return (1 + p["scale"]) * (x / jnp.sqrt(jnp.mean(x**2, -1)[..., None] + 1e-6))


def over_places(p: Any, x: Any) -> Any:
    y = (x - x.mean(1, keepdims=True)) * jax.lax.rsqrt(x.var(1, keepdims=True) + 1e-5)
    return y * p["scale"] + p["bias"]


WRITTEN = {
    by_square: "layer_norm",
    scale_first: "layer_norm",
    root_scaled: "layer_norm",
    by_lanes: "layer_norm",
    divided: "rms_norm",
    divided_shifted: "rms_norm",
    over_places: "instance_norm",
}


def test_norms_are_one_op() -> None:
    params = {f.__name__: {"scale": drawn(8)} for f in WRITTEN}
    for f in WRITTEN:
        if WRITTEN[f] != "rms_norm":
            params[f.__name__]["bias"] = drawn(8)

    def every(p: Any, x: Any) -> Any:
        return jnp.stack([f(p[f.__name__], x) for f in WRITTEN])

    found = nodes(every, params, {"x": bx.Input(["batch", 5, 8])}, drawn(3, 5, 8))
    ops = [op for op, _ in found if op not in ("call", "stack")]
    assert sorted(ops) == sorted([*WRITTEN.values(), "add"])
    assert ("layer_norm", {"x": "x", "features": 8}) in found


UNITS = {
    "by norm": lambda x: x / jnp.linalg.norm(x, axis=-1, keepdims=True),
    "at least": lambda x: (
        x / jnp.maximum(jnp.linalg.norm(x, axis=-1, keepdims=True), 1e-6)
    ),
    "by root": lambda x: (
        x * jax.lax.rsqrt(jnp.maximum((x * x).sum(-1), 1e-12))[..., None]
    ),
}


def test_vectors_of_length_one_are_one_op() -> None:
    def every(_: Any, x: Any) -> Any:
        return jnp.stack([way(x) for way in UNITS.values()])  # type: ignore[no-untyped-call]

    found = nodes(every, {}, {"x": bx.Input(["batch", 8])}, drawn(3, 8))
    made = [fields["eps"] for op, fields in found if op == "l2_normalize"]
    assert (sorted(set(made)), len(found)) == ([0.0, 1e-6], len(made) + 1)


def standardized(x: Any) -> Any:
    return (x - x.mean(-1, keepdims=True)) / jnp.sqrt(x.var(-1, keepdims=True) + 1e-5)


def of_groups_last(p: Any, x: Any) -> Any:
    y = x.reshape(*x.shape[:2], 2, 4)
    mean = y.mean((1, 3), keepdims=True)
    y = (y - mean) / jnp.sqrt(((y - mean) ** 2).mean((1, 3), keepdims=True) + 1e-5)
    return y.reshape(x.shape) * p["scale"] + p["bias"]


def of_groups_first(p: Any, x: Any) -> Any:
    x = jnp.swapaxes(x, 1, 2)
    y = x.reshape(x.shape[0], 2, 4, x.shape[2])
    root = jax.lax.rsqrt(y.var((2, 3), keepdims=True) + 1e-5)
    y = (y - y.mean((2, 3), keepdims=True)) * root
    return jnp.swapaxes(y.reshape(x.shape), 1, 2) + p["bias"]


def test_norms_of_groups_are_one_op() -> None:
    def both(p: Any, x: Any) -> Any:
        return of_groups_first(p, of_groups_last(p, x))

    inputs = {"x": bx.Input(["batch", "time", 8])}
    params = {"scale": drawn(8), "bias": drawn(8)}
    found = nodes(both, params, inputs, drawn(2, 5, 8))
    norms = [fields for op, fields in found if op == "group_norm"]
    assert [(n["groups"], n["features"], n["spatial_axes"]) for n in norms] == [
        (2, 8, 1)
    ] * 2
    assert "reshape" not in [op for op, _ in found]


NEAR = {
    "eps outside of the root": lambda p, x: (
        (x - x.mean(-1, keepdims=True)) / (x.std(-1, keepdims=True) + 1e-5) * p
    ),
    "n - 1": lambda p, x: (
        (x - x.mean(-1, keepdims=True))
        / jnp.sqrt(x.var(-1, keepdims=True, ddof=1) + 1e-5)
        * p
    ),
    "a scale for each row": lambda p, x: standardized(x) * p[:3, None],
    "the variance of another axis": lambda p, x: (
        (x - x.mean(-1, keepdims=True)) / jnp.sqrt(x.var(0, keepdims=True) + 1e-5) * p
    ),
    "another x": lambda p, x: (
        (jnp.sin(x) - x.mean(-1, keepdims=True))
        / jnp.sqrt(x.var(-1, keepdims=True) + 1e-5)
        * p
    ),
}


@pytest.mark.slow
def test_what_is_near_a_norm_is_none() -> None:
    def every(p: Any, x: Any) -> Any:
        return jnp.stack([f(p["p"], x) for f in NEAR.values()])  # type: ignore[no-untyped-call]

    found = nodes(every, {"p": drawn(8)}, {"x": bx.Input([3, 8])}, drawn(3, 8))
    assert not {"layer_norm", "rms_norm", "instance_norm"} & {op for op, _ in found}


def test_a_value_of_a_norm_that_is_used_elsewhere_is_there() -> None:
    def leaking(p: Any, x: Any) -> Any:
        y = x - x.mean(-1, keepdims=True)
        return y * jax.lax.rsqrt(jnp.mean(y * y, -1, keepdims=True) + 1e-5) * p["p"] + y

    found = nodes(leaking, {"p": drawn(8)}, {"x": bx.Input(["batch", 8])}, drawn(3, 8))
    assert "layer_norm" not in [op for op, _ in found]


# Attention ----------------------------------------------------------------------------

Q, K, V = drawn(2, 5, 4, 8), drawn(2, 5, 4, 8), drawn(2, 5, 4, 8)
MASK = jnp.asarray(RNG.random((2, 1, 5, 5)) > 0.4).at[:, :, 2].set(False)
HEADS = {n: bx.Input(["batch", "time", 4, 8]) for n in "qkv"}
MASKED = {**HEADS, "mask": bx.Input(["batch", 1, "time", "time"], "bool")}
OP = "dot_product_attention"


def weighed(scores: Any, v: Any) -> Any:
    return jnp.einsum("bhqk,bkhd->bqhd", jax.nn.softmax(scores, axis=-1), v)


def scores_of(q: Any, k: Any) -> Any:
    return jnp.einsum("bqhd,bkhd->bhqk", q, k)


def of_jax(_: Any, q: Any, k: Any, v: Any, mask: Any) -> Any:
    return jax.nn.dot_product_attention(q, k, v, mask=mask)


def filled(_: Any, q: Any, k: Any, v: Any, mask: Any) -> Any:
    return weighed(jnp.where(mask, scores_of(q, k) / jnp.sqrt(8), -1e9), v)


def of_lanes(_: Any, q: Any, k: Any, v: Any, mask: Any) -> Any:
    def one(q: Any, k: Any, v: Any, mask: Any) -> Any:
        scores = jnp.einsum("qhd,khd->hqk", q / jnp.sqrt(8), k)
        least = jnp.finfo(scores.dtype).min  # type: ignore[no-untyped-call]
        scores = jnp.where(mask, scores, least)
        return jnp.einsum("hqk,khd->qhd", jax.nn.softmax(scores, axis=-1), v)

    return jax.vmap(one)(q, k, v, mask)


def heads_first(_: Any, q: Any, k: Any, v: Any, mask: Any) -> Any:
    q, k, v = (jnp.swapaxes(a, 1, 2) for a in (q, k, v))
    scores = jnp.where(mask, q @ jnp.swapaxes(k, -1, -2) * 8**-0.5, -1e30)
    e = jnp.exp(scores - scores.max(-1, keepdims=True))
    return jnp.swapaxes(e / e.sum(-1, keepdims=True) @ v, 1, 2)


def test_attention_is_one_op() -> None:
    def every(p: Any, *arrays: Any) -> Any:
        ways = (of_jax, filled, of_lanes, heads_first)
        return jnp.stack([way(p, *arrays) for way in ways])

    found = nodes(every, {}, MASKED, Q, K, V, MASK)
    fields = {"query": "q", "key": "k", "value": "v", "mask": "mask"}
    assert found[0] == (OP, fields)
    assert [op for op, _ in found] == [OP, "stack"]


@pytest.mark.slow
def test_attention_with_bias_and_cap() -> None:
    def biased(p: Any, q: Any, k: Any, v: Any) -> Any:
        return weighed(scores_of(q * 0.3, k) + p["bias"], v)

    def capped(_: Any, q: Any, k: Any, v: Any) -> Any:
        return weighed(30 * jnp.tanh(scores_of(q, k) * 8**-0.5 / 30), v)

    inputs = {n: bx.Input(["batch", 5, 4, 8]) for n in "qkv"}
    ((op, fields),) = nodes(biased, {"bias": drawn(4, 5, 5)}, inputs, Q, K, V)
    assert (op, fields["scale"]) == (OP, 0.3)
    ((op, fields),) = nodes(capped, {}, HEADS, Q, K, V)
    assert (op, fields["softcap"], "scale" in fields) == (OP, 30.0, False)


def behind(t: int) -> Any:
    """True for a key that is behind the query, which is an axis of any name."""
    return jnp.arange(t)[None, :] > jnp.arange(t)[:, None]


def of_groups(_: Any, q: Any, k: Any, v: Any) -> Any:
    return jax.nn.dot_product_attention(q, k, v, is_causal=True)


def repeated(_: Any, q: Any, k: Any, v: Any) -> Any:
    k, v = jnp.repeat(k, 2, axis=2), jnp.repeat(v, 2, axis=2)
    shown = jnp.tril(jnp.ones((q.shape[1], q.shape[1]), bool))
    return weighed(jnp.where(shown, scores_of(q, k) * 0.3, -jnp.inf), v)


def broadcast(_: Any, q: Any, k: Any, v: Any) -> Any:
    def every(x: Any) -> Any:
        b, t, h, d = x.shape
        x = jnp.broadcast_to(x.swapaxes(1, 2)[:, :, None], (b, h, 2, t, d))
        return x.reshape(b, 2 * h, t, d)

    scores = q.swapaxes(1, 2) @ every(k).swapaxes(2, 3) * 0.3
    least = jnp.finfo("float32").min  # type: ignore[no-untyped-call]
    scores = scores + jnp.where(behind(q.shape[1]), least, 0)
    return (jax.nn.softmax(scores) @ every(v)).swapaxes(1, 2)


def grouped(_: Any, q: Any, k: Any, v: Any) -> Any:
    b, t, _, d = q.shape
    scores = jnp.einsum("btkgd,bskd->bkgts", q.reshape(b, t, 2, 2, d) * 0.3, k)
    scores = jnp.where(behind(t), -jnp.inf, scores)
    y = jnp.einsum("bkgts,bskd->btkgd", jax.nn.softmax(scores), v)
    return y.reshape(b, t, 4, d)


def test_attention_of_grouped_heads_is_one_op() -> None:
    def every(p: Any, *arrays: Any) -> Any:
        ways = (of_groups, repeated, broadcast, grouped)
        return jnp.stack([way(p, *arrays) for way in ways])

    few = bx.Input(["batch", "time", 2, 8])
    inputs = {"q": bx.Input(["batch", "time", 4, 8]), "k": few, "v": few}
    found = nodes(every, {}, inputs, Q, K[:, :, :2], V[:, :, :2])
    fields = {"query": "q", "key": "k", "value": "v", "causal": True}
    fields |= {"heads_per_kv": 2}
    assert (OP, fields) in found
    assert (OP, {**fields, "scale": 0.3}) in found
    assert {op for op, _ in found} == {OP, "stack"}


@pytest.mark.slow
def test_attention_of_one_head_of_keys_and_other_masks() -> None:
    def shared(_: Any, q: Any, k: Any, v: Any, mask: Any) -> Any:
        scores = jnp.einsum("bthd,bsd->bhts", q, k[:, :, 0])
        scores = jnp.where(~mask, -1e9, scores)
        return jnp.einsum("bhts,bsd->bthd", jax.nn.softmax(scores), v[:, :, 0])

    def both(_: Any, q: Any, k: Any, v: Any, mask: Any) -> Any:
        shown = mask & ~behind(q.shape[1])
        return weighed(jnp.where(shown, scores_of(q, k), -1e9), v)

    def endless(_: Any, q: Any, k: Any, v: Any, mask: Any) -> Any:
        scores = jnp.where(mask.at[:, :, 2].set(True), scores_of(q, k), -jnp.inf)
        return weighed(scores, v)

    def window(_: Any, q: Any, k: Any, v: Any, mask: Any) -> Any:
        time = jnp.arange(q.shape[1])
        near = time[:, None] - time < 2
        return weighed(jnp.where(near, scores_of(q, k), -1e9), v)

    def decoding(_: Any, q: Any, k: Any, v: Any, mask: Any) -> Any:
        every = q[:, :1], k[:, :, :2], v[:, :, :2]
        return jax.nn.dot_product_attention(*every, mask=mask[:, :, :1])

    def of(way: Any) -> dict[str, Any]:
        found = nodes(way, {}, MASKED, Q, K, V, MASK)
        (fields,) = [fields for op, fields in found if op == OP]
        return fields

    assert of(shared)["heads_per_kv"] == 4
    assert (of(both)["mask"], of(both)["causal"]) == ("mask", True)
    assert "bias" in of(endless)
    assert "causal" not in of(window)
    assert of(decoding)["heads_per_kv"] == 2


NO_ATTENTION = {
    "masked by little": lambda _, q, k, v, m: weighed(
        jnp.where(m, scores_of(q, k), -9.0), v
    ),
    "weights over queries": lambda _, q, k, v, m: jnp.einsum(
        "bhqk,bkhd->bqhd", jax.nn.softmax(scores_of(q, k), axis=-2), v
    ),
    "heads mixed": lambda _, q, k, v, m: jnp.einsum(
        "bhqk,bkgd->bqhd", jax.nn.softmax(scores_of(q, k), axis=-1), v
    ),
}


@pytest.mark.slow
def test_what_is_near_attention_is_left() -> None:
    def every(p: Any, *arrays: Any) -> Any:
        return jnp.stack(
            [way(p, *arrays) for way in NO_ATTENTION.values()]  # type: ignore[no-untyped-call]
        )

    found = nodes(every, {}, MASKED, Q, K, V, MASK)
    assert OP not in [op for op, _ in found]
