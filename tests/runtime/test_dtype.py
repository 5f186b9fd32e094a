"""`build(dtype=)` casts trainable floating leaves, and what comes out has the type."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import pytest
from runtime.calling import (
    WIDTH,
    X,
    assert_close,
    call,
    fn,
    graph,
    init,
    linear,
    node,
    norm,
    ones,
    repeat,
    run,
)
from sample_specs import Data

import blox as bx

x = ones(6, WIDTH)
BF16 = jnp.dtype("bfloat16")


def test_only_trainable_floating_leaves_are_cast() -> None:
    copy = fn({"w": node("param", None, shape=[2])}, {"w": "w"}, inputs={})
    copies = {"function": "copy", "count": 2, "op": "repeat"}
    model = graph(
        {
            "w": node("param", None, shape=[2]),
            "frozen": node("param", None, shape=[2], frozen=["value"]),
            "buffer": node("buffer", None, shape=[2]),
            "concrete": node("param", None, shape=[2], dtype="float32"),
            "number": node("param", None, shape=[], dtype="int32"),
            "listed": {**copies, "scan": False},
            "stacked": {**copies, "scan": True},
            "bn": norm(),
            "rng": node("rng", None),
        },
        {
            "w": "w",
            "frozen": "frozen",
            "buffer": "buffer",
            "concrete": "concrete",
            "number": "number",
            "listed": "listed",
            "stacked": "stacked",
            "x": "x",
        },
        functions={"copy": copy},
    )
    built = bx.build(model, dtype="bfloat16", train=True)
    found, state = jax.eval_shape(built, init(model), x)
    assert {n: str(a.dtype) for n, a in found.items()} == {
        "w": "bfloat16",
        "frozen": "bfloat16",
        "buffer": "float32",
        "concrete": "float32",
        "number": "int32",
        "listed": "bfloat16",
        "stacked": "bfloat16",
        "x": "bfloat16",
    }
    assert {n: str(a.dtype) for n, a in state["bn"].items()} == {
        "mean": "float32",
        "var": "float32",
    }
    assert {n: str(a.dtype) for n, a in state["rng"].items()} == {
        "key_data": "uint32",
        "count": "uint32",
    }


@pytest.mark.parametrize("op", ["layer_norm", "rms_norm", "batch_norm", "softmax"])
@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32"])
def test_norms_return_the_type_of_their_input(op: str, dtype: str) -> None:
    more: Data = {"axis": -1} if op == "softmax" else {"features": WIDTH}
    model = graph({"y": node(op, **more)})
    params = init(model)
    for train in (False, True):
        built = bx.build(model, dtype=dtype, train=train)
        y, state = jax.eval_shape(built, params, x)
        assert y.dtype == jnp.dtype(dtype)
        assert all(s.dtype == jnp.float32 for s in jax.tree.leaves(state))


def test_a_model_in_bfloat16_computes_as_by_hand() -> None:
    model = graph(
        {
            "up": linear(),
            "act": node("tanh", "up"),
            "ln": node("layer_norm", "act", features=WIDTH),
        }
    )
    params = init(model)
    found, _ = bx.build(model, dtype="bfloat16")(params, x)
    own = jax.tree.map(lambda a: a.astype(BF16), params)
    y = jnp.tanh(x.astype(BF16) @ own["up"]["kernel"] + own["up"]["bias"])
    z = y.astype(jnp.float32)
    z = z - z.mean(-1, keepdims=True)
    z = z / jnp.sqrt((z**2).mean(-1, keepdims=True) + 1e-5)
    z = z * own["ln"]["scale"] + own["ln"]["bias"]
    assert found.dtype == BF16
    assert_close(found.astype("float32"), z.astype(BF16).astype("float32"), rtol=1e-2)


def test_gradients_of_a_cast_model_have_the_type_of_params() -> None:
    model = graph(
        {"h": repeat("part", scan=True)}, functions={"part": fn({"up": linear()})}
    )
    params = init(model)
    built = bx.build(model, dtype=jnp.bfloat16)
    grads = jax.eval_shape(
        jax.grad(lambda p: built(p, x)[0].astype("float32").sum()), params
    )
    assert all(g.dtype == jnp.float32 for g in jax.tree.leaves(grads))


def test_the_floating_type_is_that_of_params() -> None:
    model = graph(
        {
            "zero": node("zeros", None, shape=["$batch", WIDTH], dtype="float"),
            "made": call("make"),
            "up": linear("made"),
        },
        {"zero": "zero", "up": "up"},
        functions={
            "make": fn(
                {
                    "one": node("ones", None, shape=[WIDTH], dtype="float"),
                    "y": node("multiply", None, a="x", b="one"),
                }
            )
        },
    )
    params = init(model, dtype="bfloat16")
    assert jax.tree.leaves(params)[0].dtype == BF16
    found, _ = run(model, params, x.astype(BF16))
    assert [found[n].dtype for n in ("zero", "up")] == [BF16, BF16]
    assert bx.build(model)(init(model), x)[0]["zero"].dtype == jnp.float32
    half, _ = bx.build(model, dtype="float16")(init(model), x)
    assert half["zero"].dtype == half["up"].dtype == jnp.float16


def test_entries_without_arrays_have_float32() -> None:
    zero = fn({"z": node("zeros", None, shape=["$batch"], dtype="float")}, inputs=X)
    model = graph({"up": linear()}, functions={"zero": zero}, entries=["main", "zero"])
    params = init(model, dtype="bfloat16")
    found, _ = run(model, params, x, entry="zero")
    assert found.dtype == jnp.float32


def test_optional_float_inputs_are_cast_where_given() -> None:
    bias = {"shape": [WIDTH], "dtype": "float", "optional": True}
    model = graph(
        {
            "zero": node("zeros", None, shape=[], dtype="float"),
            "bias": node("default", "b", default="zero"),
            "y": node("add", None, a="x", b="bias"),
        },
        inputs={**X, "b": bias},
    )
    built = bx.build(model, dtype="bfloat16")
    assert built({}, x)[0].dtype == BF16
    assert built({}, x, jnp.ones(WIDTH))[0].dtype == BF16


def test_an_unknown_dtype_is_refused_at_build() -> None:
    model = graph({"up": linear()})
    with pytest.raises(bx.ModelError) as error:
        bx.build(model, dtype="float33")
    assert str(error.value) == "dtype: expected a floating dtype, found 'float33'"
    with pytest.raises(bx.ModelError) as error:
        bx.build(model, dtype="int32")
    assert str(error.value) == "dtype: expected a floating dtype, found 'int32'"
    with pytest.raises(bx.ModelError) as error:
        bx.init(model, jax.random.key(0), dtype="int32")
    assert str(error.value) == "dtype: expected a floating dtype, found 'int32'"
