"""Values of equations, compared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


class Differs(Exception):
    """What sizes change beside sizes; the text says where."""


def same(a: Any, b: Any) -> bool:
    """True for equal values, arrays among them; NaN equals itself."""
    if a is b:
        return True
    if isinstance(a, (np.ndarray, np.generic)) or hasattr(a, "dtype"):
        if str(getattr(a, "dtype", "")).startswith("key"):
            return False
        x, y = np.asarray(a), np.asarray(b)
        return x.shape == y.shape and bool(
            np.array_equal(x, y, equal_nan=x.dtype.kind in "fc")
        )
    if isinstance(a, float) and a != a:
        return isinstance(b, float) and b != b
    return bool(a == b)


def said(found: Sequence[Any]) -> str:
    """Two values that differ, in a few words."""
    first = found[0]
    other = next((v for v in found if not (v is first or str(v) == str(first))), first)
    return " and ".join(f"{v}"[:60] for v in (first, other))
