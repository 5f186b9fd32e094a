"""Rows of the ops of `schema/ops/attention.py`."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from ops.row import (
    INTS,
    Row,
    Rows,
    numbers,
    unary,
)

normal = numbers(3)
_Q, _K, _V = normal(3, 4, 6), normal(5, 2, 6), normal(5, 2, 6)
_MASK = np.arange(5) <= np.array([[[2], [-1], [4]]])
"""The query in the middle may attend to nothing."""


def _attended(
    query: Any,
    key: Any,
    value: Any,
    mask: Any = None,
    bias: Any = 0.0,
    sinks: Any = None,
    *,
    cap: float = 0.5,
    scale: float = 6**-0.5,
) -> Any:
    """Query by query, head by head, with a weight for the sink in the sum."""
    queries, heads, _ = query.shape
    result = np.zeros((queries, heads, value.shape[-1]))
    bias = np.broadcast_to(bias, (heads, queries, len(key)))
    for i, h in np.ndindex(queries, heads):
        kv = h * key.shape[1] // heads
        scores = cap * np.tanh(key[:, kv] @ query[i, h] * scale / cap) + bias[h, i]
        powers = np.exp(scores) * (1 if mask is None else mask[0, i])
        total = powers.sum() + (0 if sinks is None else np.exp(sinks[h]))
        result[i, h] = powers @ value[:, kv] / total
    return result


def _near(
    query: Any, key: Any, value: Any, mask: Any = True, *, window: int = 9
) -> Any:
    """Of a key at or before the query, less than `window` away."""
    behind = np.arange(len(query))[:, None] - np.arange(len(key))
    near = mask & (behind >= 0) & (behind < window)
    return _attended(query, key, value, near.reshape(1, *behind.shape), cap=1e9)


ROWS: Rows = {
    "attention_mask": [
        Row(
            {"causal": True, "window": 2},
            (np.arange(2, 5), np.arange(5), np.array([1, 1, 1, 0, 1])),
            reference=lambda q, k, p: [
                [[j <= i and i - j < 2 and bool(p[j]) for j in k] for i in q]
            ],
        ),
        Row(
            {"causal": False, "window": None},
            (np.arange(3), np.arange(3)),
            reference=lambda q, k: np.ones((1, 3, 3)),
        ),
        Row(
            {"causal": True, "window": None},
            (np.arange(3), np.arange(3), None, np.arange(3), np.arange(3)),
            reference=lambda q, k, p, a, b: np.eye(3)[None],
        ),
    ],
    "padding_mask": unary(lambda p: (p != 0)[:, None, None], INTS),
    "dot_product_attention": [
        Row(
            {"heads_per_kv": 2},
            (normal(3, 4, 6), normal(5, 2, 6), normal(5, 2, 7), normal(4, 3, 5) > -0.5),
            heavy=True,
        ),
        Row(
            {"heads_per_kv": 2, "query_chunk": 2}, (_Q, _K, _V, _MASK, normal(4, 3, 5))
        ),
        Row(
            {"heads_per_kv": 2, "softcap": 0.5},
            (_Q, _K, _V, _MASK, normal(4, 3, 5), normal(4)),
            reference=_attended,
        ),
        Row(
            {"softcap": 2.0, "scale": 3.0},
            (normal(3, 2, 6), _K, _V),
            reference=lambda q, k, v: _attended(q, k, v, cap=2.0, scale=3.0),
        ),
        Row({"heads_per_kv": 2, "causal": True}, (_Q, _K, _V), reference=_near),
        Row(
            {"heads_per_kv": 2, "causal": True, "window": 2, "query_chunk": 2},
            (_Q, _K, _V, np.arange(5) != [[[4], [0], [1]]]),
            reference=partial(_near, window=2),
        ),
    ],
}
