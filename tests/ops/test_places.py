"""Gather, scatter and order: what is refused, and axes of which only a call says the size."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ops.calling import NODE, call

ND = {"op": "gather_nd", "x": "x", "indices": "i"}
SUM = {"op": "segment_sum", "data": "d", "segment_ids": "s", "num_segments": 4}
GATHER = {"op": "gather", "x": "x", "indices": ["i", "j"], "axis": [0, 1]}
FAULTS: list[tuple[dict[str, Any], dict[str, tuple[int, ...]], str]] = [
    (GATHER | {"axis": [1]}, {}, "indices: expected 1, one for each axis, found 2"),
    (GATHER | {"axis": [1, 1]}, {}, "axis: expected each axis once, found [1, 1]"),
    (GATHER, {"x": (3,)}, "axis: expected axes of x, which has 1, found 1"),
    (GATHER | {"axis": [1, -1]}, {"x": (3, 4)}, "axis: expected each of 2 axes once"),
    (ND | {"batch_dims": 33}, {}, "batch_dims: expected at most 32, found 33"),
    (
        ND | {"batch_dims": 2},
        {"x": (2, 3, 4), "indices": (2, 1)},
        "batch_dims: expected at most 1, axes of both, found 2",
    ),
    (
        ND | {"batch_dims": 1},
        {"x": (2, 3), "indices": (3, 1)},
        "indices: expected axes [2] first, found [3]",
    ),
    (
        ND,
        {"x": (2, 3), "indices": (5, 3)},
        "indices: expected a last axis of 1 to 2, the axes of x, found 3",
    ),
    (
        {"op": "put_along_axis", "x": "x", "indices": "i", "values": 0, "axis": 0},
        {"x": (2, 3), "indices": (2,)},
        "indices: expected 2 axes, as x has, found 1",
    ),
    (SUM | {"num_segments": 2**32}, {}, "num_segments: expected at most 2**31"),
    (
        SUM,
        {"data": (3, 4), "segment_ids": (4,)},
        "segment_ids: expected the first axes of data, [3, 4], found [4]",
    ),
    (
        SUM,
        {"data": (3,), "segment_ids": ()},
        "segment_ids: expected an axis of rows, found no axis",
    ),
    ({"op": "unique", "x": "x", "size": 2**32}, {}, "size: expected at most 2**31"),
    ({"op": "nonzero", "x": "x", "size": 2**32}, {}, "size: expected at most 2**31"),
    (
        {"op": "top_k", "x": "x", "k": 5},
        {"x": (8, 4)},
        "k: expected at most 4, the size of the axis, found 5",
    ),
]


@pytest.mark.parametrize(("data", "shapes", "problem"), FAULTS)
def test_problem(
    data: dict[str, Any], shapes: dict[str, tuple[int, ...]], problem: str
) -> None:
    op = NODE.validate_python(data)
    (found,) = op.operand_problems(shapes) if shapes else op.problems()
    assert str(found).startswith(problem)


def test_products_and_their_gradient_of_a_symbolic_number_of_rows() -> None:
    """Scanned one by one there, as halves of the axis have no size."""
    data = np.array([2.0, 3.0, 0.0, 5.0, -1.0], np.float32)
    ids = np.array([1, 0, 1, 1, 7], np.int32)
    op = NODE.validate_python(SUM | {"op": "segment_prod"})

    def both(data: Any, ids: Any) -> Any:
        def total(data: Any) -> Any:
            y = call(op, [data, ids], {})
            return jnp.sum(y), y

        return jax.grad(total, has_aux=True)(data)

    shape = jax.export.symbolic_shape("n")
    kinds = [jax.ShapeDtypeStruct(shape, x.dtype) for x in (data, ids)]
    for function in (both, jax.export.export(jax.jit(both))(*kinds).call):
        slope, y = function(jnp.asarray(data), jnp.asarray(ids))
        np.testing.assert_array_equal(y, [3, 0, 1, 1])
        np.testing.assert_array_equal(slope, [0, 1, 10, 0, 0])
