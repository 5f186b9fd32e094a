"""JAX's transforms on the bare function: what they give equals the plain loop."""

from __future__ import annotations

from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P
from runtime.calling import (
    WIDTH,
    X,
    assert_close,
    call,
    dropout,
    fn,
    graph,
    init,
    linear,
    node,
    norm,
    ones,
    repeat,
    structure,
)

import blox as bx

MODEL = graph(
    {
        "rng": {"op": "rng"},
        "h": repeat("block", 2, scan=True, inputs={"key": "rng"}),
        "a": call("block", {"x": "h", "key": "rng"}, remat="nothing_saveable"),
        "b": call("block", {"x": "a"}, params="a"),
    },
    functions={
        "block": fn(
            {
                "up": linear(),
                "bn": norm("up"),
                "act": node("tanh", "bn"),
                "drop": dropout("act", rate=0.25),
                "y": node("add", None, a="x", b="drop"),
            },
            inputs={"x": {}, "key": {"dtype": "key", "optional": True}},
        )
    },
)
PARAMS = init(MODEL)
EVAL, TRAIN = bx.build(MODEL), bx.build(MODEL, train=True)
x = ones(8, WIDTH)


def loss(params: Any, x: Any) -> Any:
    y, state = TRAIN(params, x)
    return jnp.mean(y**2), state


@pytest.mark.parametrize("model", [EVAL, TRAIN], ids=["eval", "train"])
def test_jit(model: Any) -> None:
    jitted, plain = jax.jit(model), model(PARAMS, x)
    assert_close(jitted(PARAMS, x), plain, rtol=1e-4, atol=1e-5)
    assert_close(jitted(params=PARAMS, x=x), plain, rtol=1e-4, atol=1e-5)


TRAINABLE, REST = bx.split(MODEL, PARAMS)


@jax.jit
def value(trainable: Any) -> Any:
    return loss(bx.merge(trainable, REST), x)


@cache
def value_and_grad() -> Any:
    return jax.jit(jax.value_and_grad(value, has_aux=True))(TRAINABLE)


def test_value_and_grad_with_split_against_finite_differences() -> None:
    (before, state), grads = value_and_grad()
    assert structure(grads) == structure(TRAINABLE)
    assert_close(before, loss(PARAMS, x)[0], rtol=1e-4)
    assert int(state["rng"]["count"]) == 1
    rng = np.random.default_rng(0)
    direction = jax.tree.map(
        lambda a: jnp.asarray(rng.normal(size=a.shape), a.dtype), TRAINABLE
    )
    step = 1e-3

    def moved(by: float) -> Any:
        return jax.tree.map(lambda a, d: a + by * d, TRAINABLE, direction)

    numeric = (value(moved(step))[0] - value(moved(-step))[0]) / (2 * step)
    slopes = jax.tree.map(lambda g, d: jnp.vdot(g, d), grads, direction)
    assert_close(sum(jax.tree.leaves(slopes)), numeric, rtol=2e-2, atol=1e-3)
    _, tangent = jax.jvp(lambda t: value(t)[0], (TRAINABLE,), (direction,))
    assert_close(tangent, sum(jax.tree.leaves(slopes)), rtol=1e-3)


def test_jvp_over_inputs() -> None:
    model = graph({"up": linear(), "y": node("tanh", "up")})
    params, built = init(model), bx.build(model)
    y, tangent = jax.jvp(lambda x: built(params, x)[0], (x,), (jnp.ones_like(x),))
    kernel, bias = (np.asarray(params["up"][n]) for n in ("kernel", "bias"))
    by_hand = np.tanh(np.asarray(x) @ kernel + bias)
    assert_close(y, by_hand)
    assert_close(tangent, (1 - by_hand**2) * kernel.sum(0), rtol=1e-4, atol=1e-5)


def test_vmap_over_inputs_and_over_params() -> None:
    xs = jnp.stack([x, 2 * x, x**2])
    found, _ = jax.jit(jax.vmap(EVAL, (None, 0)))(PARAMS, xs)
    assert_close(found, jnp.stack([EVAL(PARAMS, x)[0] for x in xs]), atol=1e-5)
    many = [init(MODEL, seed) for seed in (0, 5)]
    stacked = jax.tree.map(lambda *a: jnp.stack(a), *many)
    found = jax.jit(jax.vmap(TRAIN, (0, None)))(stacked, x)
    each = [jax.jit(TRAIN)(p, x) for p in many]
    expected = jax.tree.map(lambda *a: jnp.stack(a), *each)
    assert_close(found, expected, rtol=1e-3, atol=1e-5)


def test_checkpoint() -> None:
    saved = jax.checkpoint(TRAIN)

    def again(trainable: Any) -> Any:
        y, state = saved(bx.merge(trainable, REST), x)
        return jnp.mean(y**2), state

    found, state = jax.jit(jax.grad(again, has_aux=True))(TRAINABLE)
    (_, expected_state), expected = value_and_grad()
    assert_close(found, expected, rtol=1e-3, atol=1e-5)
    assert structure(state) == structure(expected_state)


def test_scan_over_the_model() -> None:
    def step(params: Any, _: Any) -> tuple[Any, Any]:
        y, state = TRAIN(params, x)
        return bx.merge(params, state), y

    last, ys = jax.jit(lambda p: jax.lax.scan(step, p, None, length=3))(PARAMS)
    params, expected = PARAMS, []
    one = jax.jit(step)
    for _ in range(3):
        params, y = one(params, None)
        expected.append(y)
    assert int(last["rng"]["count"]) == 3
    assert_close((last, ys), (params, jnp.stack(expected)), rtol=1e-3, atol=1e-5)


def test_eval_shape_and_donation() -> None:
    shapes = jax.eval_shape(lambda: bx.init(MODEL, jax.random.key(0)))
    (y, state) = jax.eval_shape(TRAIN, shapes, x)
    assert (y.shape, y.dtype) == ((8, WIDTH), jnp.float32)
    merged = jax.eval_shape(bx.merge, shapes, state)
    assert structure(merged) == structure(PARAMS)

    def step(params: Any) -> Any:
        return bx.merge(params, TRAIN(params, x)[1])

    text = jax.jit(step, donate_argnums=0).lower(PARAMS).as_text()
    assert text.count("tf.aliasing_output") == len(jax.tree.leaves(PARAMS))


def test_the_jitted_function_has_a_name_and_a_signature() -> None:
    import inspect

    assert EVAL.__name__ == "model"
    assert list(inspect.signature(EVAL).parameters) == ["params", "x"]
    assert "jit_model" in jax.jit(EVAL).lower(PARAMS, x).as_text()[:200]


NORMED = graph({"bn": norm(unbiased=True), "y": linear("bn")})


def test_statistics_over_an_axis_of_vmap() -> None:
    params, y = init(NORMED), ones(4, 6, WIDTH) ** 2
    whole = bx.build(NORMED, train=True)(params, y.reshape(24, WIDTH))
    lanes = bx.build(NORMED, train=True, axis_name="batch")
    found, state = jax.vmap(lanes, (None, 0), axis_name="batch")(params, y)
    assert_close(found.reshape(24, WIDTH), whole[0], rtol=1e-4, atol=1e-5)
    for i in range(4):
        each = jax.tree.map(lambda a, i=i: a[i], state)
        assert_close(each, whole[1], rtol=1e-4)


def sharded(function: Any, mesh: Mesh, specs: Any, out: Any) -> Any:
    return jax.jit(jax.shard_map(function, mesh=mesh, in_specs=specs, out_specs=out))


def test_statistics_over_devices(devices: list[Any]) -> None:
    mesh = Mesh(np.array(devices), ("data",))
    params, y = init(NORMED), ones(16, WIDTH) ** 2
    found, state = sharded(
        bx.build(NORMED, train=True, axis_name="data"),
        mesh,
        (P(), P("data")),
        (P("data"), P()),
    )(params, y)
    assert found.sharding == NamedSharding(mesh, P("data"))
    scale, bias = (np.asarray(params["bn"][n]) for n in ("scale", "bias"))
    z = np.asarray(y, np.float64)
    mean, var = z.mean(0), z.var(0)
    expected = (z - mean) / np.sqrt(var + 1e-5) * scale + bias
    expected = expected @ np.asarray(params["y"]["kernel"]) + np.asarray(
        params["y"]["bias"]
    )
    assert_close(found, expected, rtol=1e-4, atol=1e-5)
    old = params["bn"]
    stored = {
        "mean": 0.9 * np.asarray(old["mean"]) + 0.1 * mean,
        "var": 0.9 * np.asarray(old["var"]) + 0.1 * var * 16 / 15,
    }
    assert_close(state, {"bn": stored}, rtol=1e-4)


def test_shard_map_and_sharded_params(devices: list[Any]) -> None:
    mesh = Mesh(np.array(devices).reshape(4, 2), ("data", "model"))
    found, _ = sharded(EVAL, mesh, (P(), P("data")), (P("data"), P()))(PARAMS, x)
    expected, _ = EVAL(PARAMS, x)
    assert_close(found, expected, rtol=1e-4, atol=1e-5)

    def place(a: Any) -> Any:
        last = (
            P(*[None] * (a.ndim - 1), "model")
            if a.ndim and a.shape[-1] == WIDTH
            else P()
        )
        return jax.device_put(a, NamedSharding(mesh, last))

    params = jax.tree.map(place, PARAMS)
    batch = jax.device_put(x, NamedSharding(mesh, P("data")))
    assert_close(jax.jit(EVAL)(params, batch)[0], expected, rtol=1e-4, atol=1e-5)


def test_export() -> None:
    from jax import export

    (batch,) = export.symbolic_shape("batch")
    shape = jax.ShapeDtypeStruct((batch, WIDTH), jnp.float32)
    specs = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype), PARAMS)
    exported = export.export(jax.jit(EVAL))(specs, shape)
    for size in (2, 8):
        assert_close(exported.call(PARAMS, x[:size])[0], EVAL(PARAMS, x[:size])[0])


def test_dims_and_bounds_under_export() -> None:
    from jax import export

    model = graph(
        {
            "n": node("arange", None, stop="$seq"),
            "y": node("reshape", shape=["$batch * seq", WIDTH]),
        },
        {"n": "n", "y": "y"},
        inputs={"x": {"shape": ["batch", "seq", WIDTH], "dtype": "float"}},
        dims={"seq": {"min": 1, "max": 16}},
    )
    b, s = export.symbolic_shape("b, s", constraints=["s >= 1", "s <= 16"])
    shape = jax.ShapeDtypeStruct((b, s, WIDTH), jnp.float32)
    exported = export.export(jax.jit(bx.build(model)))({}, shape)
    assert exported.call({}, ones(2, 3, WIDTH))[0]["y"].shape == (6, WIDTH)


def test_entries_take_tracers_of_every_kind() -> None:
    model = graph({"y": linear()}, inputs=X)
    params, built = init(model), bx.build(model)
    hessian = jax.jit(jax.hessian(lambda x: built(params, x[None])[0].sum() ** 2))(x[0])
    kernel = np.asarray(params["y"]["kernel"]).sum(-1)
    assert_close(hessian, 2 * np.outer(kernel, kernel), rtol=1e-4)
