"""Rotary positions are recognised, in whatever way they are written."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from imported import body

import blox as bx

X = np.random.default_rng(0).normal(size=(2, 5, 4, 8)).astype("float32")
INPUTS = {"x": bx.Input(["batch", "time", 4, 8])}


def angles(time: int, heads: bool = True) -> Any:
    freqs = 1e4 ** (-jnp.arange(0, 8, 2) / 8)
    found = jnp.arange(time)[:, None] * freqs
    return found[:, None] if heads else found


def halves(x: Any) -> Any:
    cos, sin = jnp.cos(angles(x.shape[1])), jnp.sin(angles(x.shape[1]))
    a, b = jnp.split(x, 2, -1)
    return jnp.concatenate([a * cos - b * sin, b * cos + a * sin], -1)


def rotated(x: Any) -> Any:
    a, b = x[..., : x.shape[-1] // 2], x[..., x.shape[-1] // 2 :]
    return jnp.concatenate([-b, a], -1)


def rotate_half(x: Any) -> Any:
    both = jnp.concatenate([angles(x.shape[1])] * 2, -1).swapaxes(0, 1)
    cos, sin = jnp.cos(both), jnp.sin(both)
    q = x.swapaxes(1, 2)
    k = q * 2
    q, k = (x * cos + rotated(x) * sin for x in (q, k))
    return (q - k).swapaxes(1, 2)


def of_lanes(x: Any) -> Any:
    def one(x: Any) -> Any:
        every = (f(angles(x.shape[0], False)) for f in (jnp.cos, jnp.sin))
        cos, sin = (jnp.tile(table, (1, 2)) for table in every)
        return x * cos + rotated(x) * sin

    return jax.vmap(jax.vmap(one, in_axes=1, out_axes=1))(x)


def interleaved(x: Any) -> Any:
    cos, sin = jnp.cos(angles(x.shape[1])), jnp.sin(angles(x.shape[1]))
    a, b = x[..., ::2], x[..., 1::2]
    return jnp.stack([a * cos - b * sin, a * sin + b * cos], -1).reshape(x.shape)


def of_a_product(x: Any) -> Any:
    y = jnp.einsum("bthd,dk->kbht", x, jnp.arange(64.0).reshape(8, 8))
    return interleaved(jnp.transpose(y, (1, 3, 2, 0)))


def rotate_every_two(x: Any) -> Any:
    every = (f(angles(x.shape[1])) for f in (jnp.cos, jnp.sin))
    cos, sin = (jnp.repeat(table, 2, -1) for table in every)
    turned = jnp.stack([-x[..., 1::2], x[..., ::2]], -1).reshape(x.shape)
    return x * cos + turned * sin


def pairs(x: Any) -> Any:
    cos, sin = jnp.cos(angles(x.shape[1])), jnp.sin(angles(x.shape[1]))
    y = x.reshape(*x.shape[:-1], -1, 2)
    a, b = y[..., 0], y[..., 1]
    return jnp.stack([a * cos - b * sin, b * cos + a * sin], -1).reshape(x.shape)


def ropes(function: Any) -> list[dict[str, Any]]:
    """The attributes of its ropes, once the numbers agree."""
    graph, params, _ = bx.from_jax(function, INPUTS, name="model", check=False)
    found = jax.jit(bx.build(graph))(params, X)[0]
    np.testing.assert_allclose(found, jax.jit(function)(X), rtol=1e-5, atol=1e-5)
    return [
        node
        for name in graph.functions
        for node in body(graph, name).values()
        if node["op"] == "rope"
    ]


SPELLINGS = {
    halves: "half_split",
    rotate_half: "half_split",
    of_lanes: "half_split",
    interleaved: "interleaved",
    of_a_product: "interleaved",
    rotate_every_two: "interleaved",
    pairs: "interleaved",
}


@pytest.mark.parametrize(
    "function", SPELLINGS, ids=lambda function: str(function.__name__)
)
def test_rotary_positions_are_one_op(function: Any) -> None:
    found = ropes(function)
    assert len(found) == (2 if function is rotate_half else 1)
    for rope in found:
        assert rope.get("layout", "half_split") == SPELLINGS[function]
    assert len({(r["cos"], r["sin"]) for r in found}) == 1


def turned_back(x: Any) -> Any:
    cos, sin = jnp.cos(angles(x.shape[1])), jnp.sin(angles(x.shape[1]))
    a, b = jnp.split(x, 2, -1)
    return jnp.concatenate([a * cos + b * sin, b * cos - a * sin], -1)


def sides_differ(x: Any) -> Any:
    both = jnp.concatenate([angles(x.shape[1]), 2 * angles(x.shape[1])], -1)
    return x * jnp.cos(both) + rotated(x) * jnp.sin(both)


def layouts_mixed(x: Any) -> Any:
    every = (f(angles(x.shape[1])) for f in (jnp.cos, jnp.sin))
    cos, sin = (jnp.repeat(table, 2, -1) for table in every)
    return x * cos + rotated(x) * sin


def of_another(x: Any) -> Any:
    cos, sin = (jnp.tile(f(angles(x.shape[1])), 2) for f in (jnp.cos, jnp.sin))
    return x * cos + rotated(jnp.exp(x)) * sin


@pytest.mark.parametrize(
    "function",
    [turned_back, sides_differ, layouts_mixed, of_another],
    ids=lambda function: str(function.__name__),
)
def test_what_is_near_is_left(function: Any) -> None:
    assert not ropes(function)
