"""Numbers in formulas: what they give, and those that leave others as they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from .seen import Seen, joined
from .table import Table

FOLDED: Mapping[str, Callable[..., Any]] = {
    "convert_element_type": np.asarray,
    "sqrt": np.sqrt,
    "neg": np.negative,
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
}
"""What IEEE 754 says exactly, so that numbers can be calculated here."""
NEUTRAL: Mapping[str, Any] = {"max": -np.inf, "min": np.inf, "and": True, "or": False}
"""The number that leaves the other operand as it is."""


def neutral(table: Table, name: str, given: Sequence[Seen]) -> Seen | None:
    """The operand that the other one leaves as it is."""
    wanted = NEUTRAL.get(name)
    if wanted is None:
        return None
    for x, other in ((given[0], given[1]), (given[1], given[0])):
        number = table.nodes[other.node].number if other.node >= 0 else None
        kind = "b" if isinstance(wanted, bool) else "f"
        if number is not None and number.dtype.kind == kind and number == wanted:
            return x._replace(shape=joined([s.shape for s in given]))
    return None
