"""What lies outside of an array: values of the user's own, and nothing at all."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from imported import check_sizes, ops
from jax import lax

import blox as bx

IDS = np.array([[0, 9], [-1, 4], [-7, 3]], "int32")
READ = {
    "rows": lambda x, i: x.at[i].get(mode="fill", fill_value=-1.0),
    "elements": lambda x, i: x.at[i[:, 0], i[:, 1]].get(mode="fill", fill_value=0.5),
    "columns": lambda x, i: jnp.take(x, i, axis=1, mode="fill", fill_value=3.0),
}


@pytest.mark.parametrize("read", READ)
def test_a_value_for_places_outside(read: str) -> None:
    x = jnp.asarray(np.random.default_rng(0).normal(size=(5, 4)), "float32")
    inputs = {"x": bx.Input([5, 4]), "i": bx.Input(["n", 2], "int32")}
    graph, params, _ = bx.from_jax(READ[read], inputs, name="model", check=False)
    run = bx.build(graph)

    @jax.jit
    def both(x: Any) -> Any:
        def loss(x: Any) -> Any:
            found = run(params, x, IDS)[0], READ[read](x, IDS)  # type: ignore[no-untyped-call]
            return [jnp.sum(jnp.sin(y)) for y in found], found

        return jax.jacrev(loss, has_aux=True)(x)

    slopes, outputs = both(x)
    np.testing.assert_allclose(slopes[0], slopes[1], rtol=1e-6)
    np.testing.assert_array_equal(outputs[0], outputs[1])


def test_padding_and_windows_with_values_of_ones_own() -> None:
    def model(_: Any, x: Any) -> Any:
        wide = lax.pad(x, x[0, 1], ((1, -1, 0), (2, 0, 1)))
        return {
            "padded": wide,
            "greatest": lax.reduce_window(x, 0.5, lax.max, (1, 2), (1, 1), "SAME"),
            "sums": lax.reduce_window(x, 0.5, lax.add, (2, 2), (1, 1), "VALID"),
        }

    check_sizes(model, None, {"x": bx.Input(["batch", 4])}, {"batch": 3})


def test_the_greatest_of_nothing() -> None:
    def model(_: Any, x: Any) -> Any:
        none = x[:, :0]
        return {
            "greatest": jnp.max(none, axis=1, initial=3.0) + x[:, 0],
            "least": jnp.min(none, axis=1, initial=3.0) + x[:, 0],
            "sum": jnp.sum(none, axis=1) + x[:, 0],
        }

    graph = check_sizes(model, None, {"x": bx.Input(["batch", 4])}, {"batch": 3})
    assert not {"max", "min", "sum"} & set(ops(graph))


def test_numbers_alone_that_a_loop_carries() -> None:
    def model(w: Any, x: Any) -> Any:
        def step(carry: Any, row: Any) -> Any:
            return jnp.where(row > 0, 1.0, 2.0), row * carry

        return lax.scan(step, 0 * w, x)[1]

    w, x = jnp.ones(4), jnp.ones((3, 4))
    graph, params, _ = bx.from_jax(model, {"x": bx.Input([3, 4])}, w, name="model")
    low = jax.tree.map(lambda a: a.astype("bfloat16"), params)
    found = bx.build(graph)(low, x)[0]
    np.testing.assert_array_equal(found.astype("float32"), model(w, x))


@pytest.mark.slow
def test_integrals_of_exponentials() -> None:
    def model(_: Any, x: Any) -> Any:
        return {"exp1": jax.scipy.special.exp1(jnp.abs(x) + 0.1)}

    with pytest.warns(UserWarning, match="derivative"):
        check_sizes(model, None, {"x": bx.Input(["batch", 4])}, {"batch": 3})
