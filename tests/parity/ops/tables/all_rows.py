"""All rows of all tables, by the names of the tables."""

from __future__ import annotations

from collections.abc import Callable

from parity.ops.tables import (
    activations,
    attention,
    convolution,
    elementary,
    images,
    kernels,
    maps,
    norms,
    places,
    pooling,
    recurrent,
    transposed,
)
from parity.ops.tables.row import Row, Rows

MODULES = (
    activations,
    attention,
    convolution,
    elementary,
    images,
    kernels,
    maps,
    norms,
    places,
    pooling,
    recurrent,
    transposed,
)
TABLES: dict[str, Callable[[], Rows]] = {
    f"{module.__name__.rpartition('.')[2]}.{table.__name__}": table
    for module in MODULES
    for table in module.TABLES
}


def all_rows() -> dict[str, Row]:
    """The rows, by table and number."""
    return {
        f"{name}-{i}-{row.op}": row
        for name, table in TABLES.items()
        for i, row in enumerate(table())
    }
