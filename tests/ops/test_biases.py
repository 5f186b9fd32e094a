"""Attributes of attention, its biases and random ops that make no sense are refused."""

from __future__ import annotations

from typing import Any

import pytest
from ops.calling import NODE

AT = {"query_positions": "q", "key_positions": "k"}
RELATIVE = {"op": "relative_bias", "heads": 2, "bidirectional": True, **AT}
FAULTS: list[tuple[dict[str, Any], str]] = [
    (
        {"op": "dot_product_attention", "query": "q", "key": "k", "value": "v"}
        | {"softcap": 0.0},
        "softcap: expected a number above 0, found 0.0",
    ),
    (
        {"op": "dot_product_attention", "query": "q", "key": "k", "value": "v"}
        | {"query_chunk": 0},
        "query_chunk: expected at least 1, found 0",
    ),
    (
        {"op": "dot_product_attention", "query": "q", "key": "k", "value": "v"}
        | {"window": 0},
        "window: expected at least 1, found 0",
    ),
    ({"op": "alibi", "heads": 2**21, **AT}, "heads: expected at most 1048576"),
    (
        RELATIVE | {"num_buckets": 7},
        "num_buckets: expected an even number from 4 to 4096, found 7",
    ),
    (
        RELATIVE | {"num_buckets": 2**13, "bidirectional": False},
        "num_buckets: expected a number from 2 to 4096, found 8192",
    ),
    (
        RELATIVE | {"max_distance": 8},
        "max_distance: expected a number above 8, found 8",
    ),
    (
        {"op": "window_bias", "window": [], "heads": 2},
        "window: expected 1 to 3 sizes, found 0",
    ),
    (
        {"op": "window_bias", "window": [2**8, 2**8], "heads": 2},
        "window: expected at most 2**31 elements, found 4294967296",
    ),
    (
        {"op": "stochastic_depth", "x": "x", "rate": 1.0},
        "rate: expected at least 0 and below 1, found 1.0",
    ),
    (
        {"op": "truncated_normal", "key": "k", "shape": [2], "dtype": "float"}
        | {"lower": 2.0, "upper": 2.0},
        "upper: expected a number above 2.0, found 2.0",
    ),
    (
        {"op": "randint", "key": "k", "shape": [2], "minval": 3, "maxval": 3},
        "maxval: expected a number above 3, found 3",
    ),
]


@pytest.mark.parametrize(("data", "problem"), FAULTS)
def test_problem(data: dict[str, Any], problem: str) -> None:
    (found,) = NODE.validate_python(data).problems()
    assert str(found).startswith(problem)
