"""Annotations of parameters, narrowed to the values that a file gives them."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any

from ...schema.syntax import parsed_expression

_LONGEST = 3
"""Items of a tuple that its type names one by one."""


def narrowed(
    annotation: ast.expr, values: Sequence[Any], *, is_there: bool, is_array: bool
) -> ast.expr:
    """The parts of a union that the values are of.

    Without None for what is there, and without numbers for what is always an array.
    """
    parts = members(annotation)
    if is_array and "Array" in parts:
        parts = [p for p in parts if p in ("Array", "None")]
    if is_there:
        parts = [p for p in parts if p != "None"]
    kinds = {_kind(v) for v in values}
    fits = [p for p in parts if kinds & _kinds_of(p)]
    return parsed_expression(" | ".join(fits or parts))


def _kind(value: Any) -> str:
    kinds = (bool, int, float, str, tuple)
    return next((k.__name__ for k in kinds if isinstance(value, k)), "None")


def type_of(value: Any) -> str:
    """The type of an integer, or of a short tuple of what has one: `tuple[int, int]`."""
    if isinstance(value, int):
        return "int"
    if not isinstance(value, tuple) or not 0 < len(value) <= _LONGEST:
        return ""
    parts = [type_of(v) for v in value]
    return f"tuple[{', '.join(parts)}]" if all(parts) else ""


def _kinds_of(part: str) -> set[str]:
    """The kinds of values that an annotation admits."""
    if part.startswith(("Sequence", "tuple")):
        return {"tuple"}
    return {"float", "int"} if part == "float" else {part}


def members(annotation: ast.expr | None) -> list[str]:
    """The parts of a union."""
    match annotation:
        case None:
            return []
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return [*members(left), *members(right)]
    return [ast.unparse(annotation)]
