"""Models in bfloat16: statistics, running ones too, are of float32."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from runtime.calling import WIDTH, graph, init, node
from sample_specs import Data

import blox as bx

ROUNDING = 2.0**-8
"""Of a number in bfloat16, which has eight bits."""
SPREAD = np.random.default_rng(0).normal(size=(64, WIDTH))
FAR = jnp.asarray(100 + SPREAD, jnp.bfloat16)
"""Numbers of which statistics in bfloat16 would have lost the spread."""
WIDE = jnp.asarray(np.linspace(-2, 2, 3000), jnp.bfloat16)[None]


def standardized(z: Any, axis: Any, eps: float = 1e-5) -> Any:
    z = z - z.mean(axis, keepdims=True)
    return z / np.sqrt((z**2).mean(axis, keepdims=True) + eps)


def softmax(z: Any) -> Any:
    y = np.exp(z - z.max(-1, keepdims=True))
    return y / y.sum(-1, keepdims=True)


PLAIN: Data = {"use_scale": False, "use_bias": False}
CASES: dict[str, tuple[Data, Any, Any]] = {
    "layer_norm": (
        node("layer_norm", features=WIDTH, **PLAIN),
        FAR,
        lambda z: standardized(z, -1),
    ),
    "rms_norm": (
        node("rms_norm", features=3000),
        WIDE,
        lambda z: z / np.sqrt((z**2).mean(-1, keepdims=True) + 1e-6),
    ),
    "batch_norm": (
        node("batch_norm", features=WIDTH, **PLAIN),
        FAR,
        lambda z: standardized(z, 0),
    ),
    "instance_norm": (
        node("instance_norm", features=WIDTH, spatial_axes=1, **PLAIN),
        FAR,
        lambda z: standardized(z, 0),
    ),
    "group_norm": (
        node("group_norm", features=WIDTH, groups=2, spatial_axes=1, **PLAIN),
        FAR,
        lambda z: standardized(z.reshape(64, 2, 2), (0, 2)).reshape(64, WIDTH),
    ),
    "softmax": (node("softmax"), WIDE, softmax),
    "logsumexp": (
        node("logsumexp", axis=-1, keepdims=True),
        WIDE,
        lambda z: np.log(np.exp(z).sum(-1, keepdims=True)),
    ),
    "mean": (
        node("mean", axis=-1, keepdims=True),
        WIDE + 1,
        lambda z: z.mean(-1, keepdims=True),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_statistics_are_those_of_float32(name: str) -> None:
    step, x, formula = CASES[name]
    model = graph({"y": step}, inputs={"x": {"shape": ["...", "n"], "dtype": "float"}})
    params = bx.init(model, jax.random.key(0), dtype=jnp.bfloat16)
    found, _ = bx.build(model, train=True, dtype=jnp.bfloat16)(params, x)
    assert found.dtype == jnp.bfloat16
    wanted = formula(np.asarray(x, np.float64))
    np.testing.assert_allclose(
        np.asarray(found, np.float64), wanted, rtol=1.01 * ROUNDING, atol=1e-3
    )


def test_running_statistics_move_where_bfloat16_would_stand_still() -> None:
    """At momentum 0.999 a step is less than the rounding of the mean."""
    model = graph({"y": node("batch_norm", features=WIDTH, momentum=0.999)})
    params = bx.init(model, jax.random.key(0), dtype=jnp.bfloat16)
    step = jax.jit(bx.build(model, train=True))
    mean, var = np.zeros(WIDTH), np.ones(WIDTH)
    z = np.asarray(FAR, np.float64)
    for _ in range(20):
        params = bx.merge(params, step(params, FAR)[1])
        mean = 0.999 * mean + 0.001 * z.mean(0)
        var = 0.999 * var + 0.001 * z.var(0)
    own = params["y"]
    assert own["scale"].dtype == jnp.bfloat16
    assert own["mean"].dtype == own["var"].dtype == jnp.float32
    np.testing.assert_allclose(own["mean"], mean, rtol=1e-5)
    np.testing.assert_allclose(own["var"], var, rtol=1e-5)


def test_an_attention_is_near_that_of_float32() -> None:
    inputs = {n: {"shape": ["b", "t", 2, 8], "dtype": "float"} for n in "qkv"}
    attend = {"op": "dot_product_attention", "query": "q", "key": "k", "value": "v"}
    model = graph({"y": attend}, inputs=inputs)
    random = np.random.default_rng(1)
    arrays = [
        jnp.asarray(random.normal(size=(2, 9, 2, 8)), jnp.bfloat16) for _ in "qkv"
    ]
    found, _ = bx.build(model, dtype=jnp.bfloat16)({}, *arrays)
    q, k, v = (np.asarray(a, np.float64) for a in arrays)
    scores = np.einsum("btnh,bsnh->bnts", q, k) / np.sqrt(8)
    wanted = np.einsum("bnts,bsnh->btnh", softmax(scores), v)
    assert found.dtype == jnp.bfloat16
    np.testing.assert_allclose(np.asarray(found, np.float64), wanted, 0, 4 * ROUNDING)


@pytest.mark.parametrize("op", ["layer_norm", "batch_norm", "rms_norm"])
def test_gradients_are_those_of_float32(op: str) -> None:
    model = graph({"y": node(op, features=WIDTH)})
    params = init(model)
    x, weights = FAR - 90, jnp.asarray(SPREAD[::-1].copy(), jnp.float32)

    def slope(dtype: Any) -> Any:
        run = bx.build(model, train=True, dtype=dtype)

        def loss(p: Any, x: Any) -> Any:
            return jnp.sum(run(p, x)[0].astype("float32") * weights)

        trained, rest = bx.split(model, params)
        return jax.grad(lambda p, x: loss(bx.merge(p, rest), x), (0, 1))(trained, x)

    narrow, wide = slope("bfloat16"), slope("float32")
    for a, b in zip(jax.tree.leaves(narrow), jax.tree.leaves(wide), strict=True):
        largest = float(jnp.max(jnp.abs(b.astype("float32"))))
        a, b = (np.asarray(z, np.float64) for z in (a, b))
        np.testing.assert_allclose(a, b, 0, 4 * ROUNDING * largest)
