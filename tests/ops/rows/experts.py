"""Rows of the ops of `schema/ops/experts.py`."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from ops.row import Row, Rows, numbers

normal = numbers(31)
_CHOSEN = np.array([[2, 0], [2, 2], [1, 2], [0, 9], [2, -1]], np.int32)
"""Of four experts, one of which nobody chooses; the last two are out of range."""


def _grouped(lhs: Any, rhs: Any, sizes: Any) -> Any:
    y = np.zeros((len(lhs), rhs.shape[2]))
    start = 0
    for matrix, size in zip(rhs, sizes, strict=True):
        y[start : start + size] = lhs[start : start + size] @ matrix
        start += size
    return y


def _chosen(x: Any, expert: Any, kernel: Any, bias: Any = None) -> Any:
    """Row by row."""
    expert = np.clip(expert, 0, len(kernel) - 1)
    x = np.broadcast_to(x, (*expert.shape, x.shape[-1]))
    y = np.zeros((*expert.shape, kernel.shape[-1]))
    for at in np.ndindex(expert.shape):
        y[at] = x[at] @ kernel[expert[at]]
        if bias is not None:
            y[at] += bias[expert[at]]
    return y


_CAPACITIES: list[dict[str, Any]] = [
    {"experts": 4, "capacity": 1.0},
    {"experts": 3, "capacity": 0.5},
]


def _with_room(chosen: Any, *, experts: int, capacity: float) -> Any:
    """Choice by choice, each a look at what is left."""
    room = np.full(experts, np.ceil(capacity * chosen.size / experts), int)
    kept, dropped = np.zeros(chosen.shape, bool), np.zeros(experts, int)
    for choice, row in np.ndindex(chosen.shape[::-1]):
        expert = min(max(chosen[row, choice], 0), experts - 1)
        kept[row, choice] = room[expert] > 0
        room[expert] -= 1
        dropped[expert] += not kept[row, choice]
    return kept, dropped


ROWS: Rows = {
    "ragged_dot": Row(
        {},
        (normal(7, 3), normal(4, 3, 2), np.array([2, 0, 3, 1], np.int32)),
        reference=_grouped,
        lead=(0, 2),
        heavy=True,
    ),
    "expert_linear": [
        Row(
            {"experts": 4, "in_features": 3, "out_features": 2},
            (normal(5, 1, 3), _CHOSEN),
            {"kernel": normal(4, 3, 2), "bias": normal(4, 2)},
            _chosen,
            heavy=True,
            rare=True,  # test_experts.py computes it in every run
        ),
        Row(
            {"experts": 4, "in_features": 3, "out_features": 2, "use_bias": False},
            (normal(5, 2, 3), _CHOSEN),
            reference=_chosen,
            rare=True,
        ),
    ],
    "within_capacity": [
        Row(
            given,
            (_CHOSEN,),
            reference=partial(_with_room, **given),
            lead=False,
        )
        for given in _CAPACITIES
    ],
}
