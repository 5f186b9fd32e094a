"""`jax.vmap` over arrays of a model: a `map` with a count, whose function is one member."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from imported import body, check, ops

import blox as bx

RNG = np.random.default_rng(0)
X = {"x": bx.Input(["batch", 4])}
ONE = jnp.asarray(RNG.normal(size=(3, 4)), "float32")
PARAMS: dict[str, Any] = {
    "layers": [
        {"w": RNG.normal(size=(5, 4, 4)), "b": RNG.normal(size=(5, 4))}
        for _ in range(3)
    ],
    "shift": RNG.normal(size=4),
}
PARAMS = jax.tree.map(lambda a: jnp.asarray(a, "float32"), PARAMS)


def member(layers: Any, x: Any) -> Any:
    for layer in layers:
        x = jnp.tanh(x @ layer["w"] + layer["b"])
    return x


def mean(params: Any, x: Any) -> Any:
    every = jax.vmap(member, in_axes=(0, None), out_axes=1)
    return jnp.mean(every(params["layers"], x), axis=1) + params["shift"]


def in_a_batch(params: Any, x: Any) -> Any:
    every = jax.vmap(member, in_axes=(0, None))
    return jax.vmap(lambda row: every(params["layers"], row))(x)


def parts(params: Any, x: Any) -> Any:
    """Each member sees a part of its own, and gives two arrays."""
    own = jnp.stack([x * i for i in range(5)], axis=1)

    def both(layers: Any, x: Any) -> Any:
        y = member(layers, x)
        return {"y": y, "sum": jnp.sum(y, axis=-1)}

    return jax.vmap(both, in_axes=(0, 1))(params["layers"], own)


@pytest.mark.parametrize("call", [mean, in_a_batch, parts])
def test_members_are_a_map_with_a_count(call: Callable[..., Any]) -> None:
    graph = check(call, PARAMS, X, ONE)
    (node,) = [n for n in body(graph).values() if n["op"] == "map"]
    assert node["count"] == 5
    assert "einsum" not in ops(graph)
    assert ops(graph).count("linear") == 1  # the layers of a member are a repeat


def shared(params: Any, x: Any) -> Any:
    def call(layers: Any, x: Any) -> Any:
        return member(layers, x) + params["shift"]

    return jax.vmap(call, in_axes=(0, None))(params["layers"], x)


def product(params: Any, x: Any) -> Any:
    return jax.vmap(lambda w: x @ w)(params["layers"][0]["w"])


def rows(params: Any, x: Any) -> Any:
    layer = params["layers"][0]
    return x[:, :1] + jnp.sum(jax.vmap(lambda w, b: w @ b)(layer["w"], layer["b"]))


@pytest.mark.parametrize("call", [shared, product, rows])
def test_what_is_no_ensemble_is_computed_at_once(call: Callable[..., Any]) -> None:
    graph = check(call, PARAMS, X, ONE)
    assert "map" not in ops(graph)


def test_vmap_is_jax_own_behind_an_import() -> None:
    before = jax.vmap
    check(mean, PARAMS, X, ONE)
    assert jax.vmap is before
