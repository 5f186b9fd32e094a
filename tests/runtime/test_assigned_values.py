"""What `assign` makes of a value: its dtype, its gradient, what is refused."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from runtime.assigning import COUNT, COUNTED, assign, x
from runtime.calling import (
    WIDTH,
    assert_close,
    graph,
    init,
    linear,
    node,
    run,
)

import blox as bx
from blox.schema import ModelError


def test_state_is_float32_in_a_model_of_bfloat16() -> None:
    model = graph({**COUNTED["nodes"], "out": linear("y")}, {"out": "out", "m": "new"})
    params = init(model, dtype=jnp.bfloat16)
    found, state = run(model, params, x.astype(jnp.bfloat16), train=True)
    assert params["out"]["kernel"].dtype == jnp.bfloat16
    assert found["m"].dtype == state["average"].dtype == jnp.float32
    wanted = 0.9 * params["average"] + 0.1 * x.astype(jnp.bfloat16).mean(0)
    np.testing.assert_allclose(state["average"], wanted, rtol=1e-2)


def test_a_value_gets_the_dtype_of_the_state() -> None:
    model = graph(
        {
            "n": COUNT,
            "top": node("max"),
            "b": node("astype", "top", dtype="bool"),
            "a": assign("n", "b"),
        },
        {"n": "a"},
    )
    found, state = run(model, {"n": jnp.int32(0)}, x)
    assert state["n"].dtype == found.dtype == jnp.int32
    assert int(found) == 1


def test_gradients_go_through_what_is_assigned() -> None:
    model = graph({**COUNTED["nodes"], "t": node("tanh", "y")}, "t")
    params = init(model)
    step = bx.build(model, train=True)

    def loss(x: Any) -> Any:
        return jnp.sum(step(params, x)[0])

    def plain(x: Any) -> Any:
        average = 0.9 * params["average"] + 0.1 * x.mean(0)
        return jnp.sum(jnp.tanh(x - average))

    assert_close(jax.grad(loss)(x), jax.grad(plain)(x))


def test_power_iteration_is_what_spectral_norm_does() -> None:
    eps = 1e-12
    builder = bx.GraphBuilder("spectral")

    def unit(f: bx.F, v: bx.Value) -> bx.Value:
        return v / f.maximum(f.norm(v), eps)

    @builder.entry(x=bx.Input(["batch", 4]))
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        kernel = f.param("kernel", [4, 3])
        u = f.state("u", [3], init={"value": {"name": "normal", "stddev": 1.0}})
        fixed = f.stop_gradient(kernel)
        now = f.stop_gradient(unit(f, u))
        step = f.stop_gradient(unit(f, unit(f, fixed @ now) @ fixed))
        now = unit(f, f.assign(u, step, training=True))
        return x @ (kernel / (unit(f, fixed @ now) @ kernel @ now))

    @builder.entry(x=bx.Input(["batch", 4]))
    def other(f: bx.F, x: bx.Value) -> bx.Value:
        return x @ f.spectral_norm("norm", f.param("kernel", [4, 3]), params=".")

    model = builder.graph()
    params = init(model)
    for train in (True, False):
        y, state = run(model, params, x, train=train)
        z, wanted = bx.build(model, "other", train=train)(params, x)
        assert_close(y, z, rtol=1e-4, atol=1e-5)
        assert_close(state, wanted, rtol=1e-4)


def test_a_value_of_another_shape_or_kind_is_refused() -> None:
    def message(value: str, **state: Any) -> str:
        model = graph({"n": {**COUNT, **state}, "a": assign("n", value)}, "a")
        with pytest.raises(ModelError) as caught:
            bx.build(model)({"n": jnp.zeros(state["shape"], jnp.int32)}, x)
        return str(caught.value)

    said = message("x", shape=[WIDTH])
    assert "main.a.x: expected the shape of the state, [4], found [5, 4]" in said
    said = message("x", shape=[5, WIDTH])
    assert (
        "main.a.x: expected what fits into the state's int32, found 'float32'" in said
    )


def test_the_builder_says_that_what_is_assigned_to_is_no_state() -> None:
    b = bx.GraphBuilder("wrong", width=WIDTH)

    @b.entry(x=bx.Input(["batch", b.width]))
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        return f.assign(x, x + 1)

    with pytest.raises(bx.SpecError, match=r"assign_1\.to: expected a node `state`"):
        b.graph()
