"""Nodes of a function whose call leaves inputs out."""

from __future__ import annotations

from collections.abc import Set
from typing import Any

from ..op import Op

_GROUPS = frozenset({"inputs", "carry", "xs"})


def without(node: dict[str, Any], op: Op, absent: Set[str]) -> dict[str, Any]:
    """The fields of a node that does not get some inputs of its function.

    Args:
        node: its fields, as a file has them.
        op: the same as it was read.
        absent: the inputs, which are optional where the node uses them.
    """
    operands = op.fields().operands
    found: dict[str, Any] = {}
    for field, value in node.items():
        if field in _GROUPS and isinstance(value, dict):
            found[field] = {n: v for n, v in value.items() if not _is_one(v, absent)}
        elif not _is_one(value, absent) or field not in operands:
            found[field] = value
        elif field in op.ABSENT:
            found[field] = node[op.ABSENT[field]]
    return found


def _is_one(value: Any, names: Set[str]) -> bool:
    return isinstance(value, str) and value in names
