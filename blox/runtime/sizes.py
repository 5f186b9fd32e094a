"""Expressions over sizes that may be JAX's symbolic dimensions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from jax.core import max_dim, min_dim

from blox.schema import expressions
from blox.schema.expressions import EXTREMES, Kind


def _extreme(name: str, a: Any, b: Any) -> Any:
    if isinstance(a, float):
        return EXTREMES[name](a, b)
    # Which of two symbolic sizes is less may not be known: that is a size of its own.
    return min_dim(a, b) if name == "min" else max_dim(a, b)


_EXTREMES: dict[str, Callable[[Any, Any], Any]] = {
    name: partial(_extreme, name) for name in EXTREMES
}


def evaluate(text: str, values: Mapping[str, Any], kind: Kind = "int") -> Any:
    """As `blox.schema.expressions.evaluate`, with min and max of symbolic sizes too."""
    return expressions.evaluate(text, values, kind, _EXTREMES)
