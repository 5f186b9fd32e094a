"""The rules of all primitives, a module for each kind."""

from . import (
    along,
    casts,
    choices,
    control,
    copies,
    elementwise,
    fourier,
    indexing,
    integers,
    linalg,
    marks,
    order,
    placement,
    products,
    reductions,
    shapes,
)

__all__ = [
    "along",
    "casts",
    "choices",
    "control",
    "copies",
    "elementwise",
    "fourier",
    "indexing",
    "integers",
    "linalg",
    "marks",
    "order",
    "placement",
    "products",
    "reductions",
    "shapes",
]
