"""The text of single ops, where a rule of the writer decides it."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import pytest
from generated_files import executed
from sample_specs import Data, spec

import blox as bx
from blox.schema import Graph

X: Data = {"x": {"shape": ["batch", "seq", 8], "dtype": "float"}}


def written(node: Data, inputs: Data = X) -> str:
    return bx.generate(Graph.parse(spec({"n": node}, inputs=inputs)))


CASES: list[tuple[Data, str]] = [
    # 0 is no "no": only null and false are as JAX has them.
    ({"op": "stack", "xs": ["x", "x"]}, "jnp.stack([x, x], axis=0)"),
    ({"op": "triu", "x": "x"}, "jnp.triu(x, k=0)"),
    ({"op": "sum", "x": "x"}, "jnp.sum(x)"),
    ({"op": "reshape", "x": "x", "shape": ["...", 4, -1]},
     "x.reshape(*x.shape[:-1], 4, x.shape[-1] // 4)"),
    ({"op": "reshape", "x": "x", "shape": ["...", 2, -1, 2]},
     "x.reshape(*x.shape[:-1], 2, x.shape[-1] // 4, 2)"),
    ({"op": "reshape", "x": "x", "shape": ["...", 4, 2]},
     "x.reshape(*x.shape[:-1], 4, 2)"),
    ({"op": "equal", "a": "x", "b": True}, "jnp.equal(x, True)"),
    ({"op": "not_equal", "a": False, "b": "x"}, "jnp.not_equal(False, x)"),
    ({"op": "multiply", "a": "x", "b": "$-inf"}, "x * -jnp.inf"),
    ({"op": "power", "a": "$nan", "b": "x"}, "jnp.nan**x"),
]  # fmt: skip


@pytest.mark.parametrize(("node", "text"), CASES, ids=[t for _, t in CASES])
def test_text(node: Data, text: str) -> None:
    assert f"return {text}\n" in written(node)


def test_a_size_of_an_axis_is_never_what_is_left_over() -> None:
    """So nothing of that stands in the file."""
    inputs = {"x": {"shape": ["$seq * 2", "seq"], "dtype": "float"}}
    text = written({"op": "reshape", "x": "x", "shape": ["...", "$seq", 1]}, inputs)
    assert "return x.reshape(*x.shape[:-1], x.shape[1], 1)" in text


def test_an_empty_batch_is_reshaped() -> None:
    graph = Graph.parse(
        spec({"n": {"op": "reshape", "x": "x", "shape": ["...", 4, -1]}}, inputs=X)
    )
    empty: Any = jnp.zeros((0, 3, 8))
    assert bx.build(graph)({}, x=empty)[0].shape == (0, 3, 4, 2)
    assert executed(bx.generate(graph))["model"]({}, empty).shape == (0, 3, 4, 2)
