"""What type checkers know nothing of: parameters, numbers, what JAX's transforms give."""

from __future__ import annotations

import ast
from collections.abc import Set

from ..nodes import Known, Open


def is_untyped(value: ast.expr, names: Set[str]) -> bool:
    """True where a type checker takes a value for Any, as it does the locals `names`."""
    match value:
        case ast.Name(id=text):
            return text in names
        case ast.Subscript(value=inner) | ast.Attribute(value=inner):
            return is_untyped(inner, names)
        case ast.BinOp(op=ast.Pow(), left=Known() | Open() | ast.Call(func=ast.Name())):
            return True  # of numbers: an int, a float or a complex number
        case ast.BinOp(left=left, right=right):
            return is_untyped(left, names) or is_untyped(right, names)
        case ast.Compare(left=left, comparators=[right]):
            return is_untyped(left, names) or is_untyped(right, names)
        case ast.UnaryOp(operand=operand):
            return is_untyped(operand, names)
        case ast.Call(func=ast.Attribute(value=inner)):
            return is_untyped(inner, names)
        case ast.Call(func=ast.Call(func=ast.Attribute(attr="vmap"))):
            return False
        case ast.Call(func=ast.Call()):
            return True
    return False
