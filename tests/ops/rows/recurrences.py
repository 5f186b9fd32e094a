"""Rows of the ops of `schema/ops/recurrences.py`."""

from __future__ import annotations

from typing import Any

import numpy as np
from ops.row import Row, Rows, floats, numbers

normal = numbers(17)
_A, _B, _Y = normal(5, 3), normal(5, 3), normal(3)


def _ran(a: Any, b: Any, y: Any) -> Any:
    """One step after the other along the first axis."""
    steps = []
    for at, bt in zip(a, b, strict=True):
        y = at * y + bt
        steps.append(y)
    return np.stack(steps)


ROWS: Rows = {
    "linear_recurrence": [
        Row(
            {"axis": -2},
            (_A, _B, _Y),
            reference=_ran,
            heavy=True,
        ),
        Row(
            {"axis": -1, "reverse": True},
            (_A, _B),
            reference=lambda a, b: _ran(a.T[::-1], b.T[::-1], 0)[::-1].T,
        ),
        floats(
            Row(
                {"axis": -2, "reverse": True},
                (normal(1), _B, _Y),
                reference=lambda a, b, y: _ran([a] * 5, b[::-1], y)[::-1],
                lead=(1, 2),
            )
        ),
    ],
}
