"""Functions of a tree of arrays, as people write them without a library."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import blox as bx


def normed(x: Any, scale: Any) -> Any:
    mean = jnp.mean(x * x, axis=-1, keepdims=True)
    return x * jax.lax.rsqrt(mean + 1e-6) * scale


def forward(params: Any, tokens: jax.Array) -> Any:
    x = params["table"][tokens]
    mask = jnp.tril(jnp.ones((tokens.shape[1], tokens.shape[1]), bool))
    scores = jnp.einsum("bqd,bkd->bqk", x @ params["wq"], x @ params["wk"])
    weights = jax.nn.softmax(jnp.where(mask, scores, -1e9), axis=-1)
    return normed(x + weights @ x, params["scale"]) @ params["table"].T


def test_a_function_gives_what_it_gave() -> None:
    rng = np.random.default_rng(0)
    shapes = {"table": (11, 8), "wq": (8, 8), "wk": (8, 8), "scale": (8,)}
    tree = {k: rng.normal(size=s).astype("float32") for k, s in shapes.items()}
    tokens = {"tokens": bx.Input(["batch", "seq"], "int32")}
    graph, params, origin = bx.from_jax(forward, tokens, tree, name="small")
    ids = jnp.array([[1, 2, 3, 10, 0], [4, 4, 4, 9, 8]])
    out, _ = bx.build(graph)(params, ids)
    np.testing.assert_allclose(out, forward(tree, ids), rtol=1e-5, atol=1e-5)
    trained = jax.tree.map(lambda a: a + 1, params)
    back = origin.export(trained)
    np.testing.assert_allclose(
        bx.build(graph)(trained, ids)[0], forward(back, ids), rtol=1e-5, atol=1e-5
    )
