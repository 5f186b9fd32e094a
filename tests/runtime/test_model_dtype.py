"""One floating type of a model: that of its parameters, to which inputs are cast."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import pytest
from generated_files import executed
from jaxprs import assert_same_jaxpr
from sample_specs import Data, function, spec

import blox as bx
from blox.schema import Graph

LINEAR: Data = {"op": "linear", "in_features": 4, "out_features": 4}
FLOAT: Data = {"dtype": "float"}
INNER: Data = function(
    {
        "y": LINEAR | {"x": "x"},
        "z": {"op": "zeros", "shape": [4], "dtype": "float"},
        "sum": {"op": "add", "a": "y", "b": "z"},
    },
    "sum",
    {"x": FLOAT | {"shape": ["...", 4]}, "s": FLOAT | {"shape": []}},
)
"""An entry that a node calls with what isn't of the model's type."""
GRAPH = Graph.parse(
    spec(
        {
            "wide": {"op": "astype", "x": "x", "dtype": "float32"},
            "inner": {"op": "call", "function": "inner", "inputs": ["wide", 0.5]},
            "more": {"op": "multiply", "a": "inner", "b": "x"},
        },
        inputs={
            "x": FLOAT | {"shape": ["...", 4]},
            "n": {"shape": [], "dtype": "int32"},
        },
        functions={"inner": INNER},
        entries=["main", "inner"],
    )
)


def params_in(dtype: Any) -> Any:
    params = bx.init(GRAPH, jax.random.key(0))
    return jax.tree.map(lambda a: a.astype(dtype), params)


X = jnp.linspace(0, 1, 8).reshape(2, 4)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32"])
def test_inputs_are_cast_to_the_dtype_of_parameters(dtype: str) -> None:
    params = params_in(dtype)
    file = executed(bx.generate(GRAPH))
    loaded = jax.make_jaxpr(lambda p, x: bx.build(GRAPH)(p, x, 1)[0])(params, X)
    generated = jax.make_jaxpr(lambda p, x: file["model"](p, x, 1))(params, X)
    assert_same_jaxpr(loaded, generated)
    assert loaded.out_avals[0].dtype == dtype
    kernel, x = params["inner"]["y"]["kernel"], X.astype(dtype)
    wanted = (x @ kernel + params["inner"]["y"]["bias"]) * x
    for result in (bx.build(GRAPH)(params, X, 1)[0], file["model"](params, X, 1)):
        assert result.dtype == dtype
        assert jnp.allclose(result, wanted, rtol=1e-2)


def test_what_is_of_the_type_is_not_cast() -> None:
    jaxpr = jax.make_jaxpr(bx.build(GRAPH, "inner"))(
        params_in("bfloat16")["inner"], X.astype("bfloat16"), jnp.bfloat16(1)
    )
    assert "convert_element_type" not in str(jaxpr)


def test_a_scalar_may_be_a_number() -> None:
    params = params_in("bfloat16")["inner"]
    generated = executed(bx.generate(GRAPH))["inner"](params, X, 2.0)
    assert jnp.array_equal(generated, bx.build(GRAPH, "inner")(params, X, 2.0)[0])


def test_parameters_of_several_floating_types_need_a_choice() -> None:
    params = params_in("bfloat16")
    params["inner"]["y"]["bias"] = params["inner"]["y"]["bias"].astype("float32")
    expected = (
        r"params: expected parameters of one floating dtype, found bfloat16 "
        r"\(inner\.y\.kernel\), float32 \(inner\.y\.bias\); choose the one to compute in: "
        r'bx\.build\(graph, dtype="bfloat16"\)'
    )
    with pytest.raises(bx.ModelError, match=expected):
        bx.build(GRAPH)(params, X, 1)
    assert bx.build(GRAPH, dtype="float32")(params, X, 1)[0].dtype == "float32"


def test_a_model_without_parameters_takes_any() -> None:
    graph = Graph.parse(spec({"y": {"op": "exp", "x": "x"}}))
    x = jnp.ones((2, 8), "bfloat16")
    assert bx.build(graph)({}, x)[0].dtype == "bfloat16"
    assert executed(bx.generate(graph))["model"]({}, x).dtype == "bfloat16"
