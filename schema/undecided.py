"""Expressions over dims: what holds of their values whatever a call brings."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .expressions import ExpressionError, Kind, check_alike, operands, parse, value_of

MAX_POWER = 64
"""The degree, and the terms, of a power of dims: what a number of 64 bits can hold, and
what JAX multiplies out in no time."""


@dataclass(frozen=True, slots=True)
class _Outline:
    """A value as a polynomial of dims; of degree 0 where no dim decides it."""

    kind: Kind
    terms: int = 1
    degree: int = 0


def kind_of(text: str, values: Mapping[str, Any]) -> Kind:
    """The kind of number that an expression gives; names that `values` lacks are dims.

    Raises:
        ExpressionError: what no sizes would make right: a part without a value, min or
            max of an integer and a float; and a power that would take too long.
    """
    return tree_kind(parse(text), values)


def tree_kind(tree: ast.expr, values: Mapping[str, Any]) -> Kind:
    """As `kind_of`, of a tree that `parse` gave."""
    return _outline(tree, values).kind


def _outline(tree: ast.expr, values: Mapping[str, Any]) -> _Outline:
    match tree:
        case ast.Name(id=name) if name not in values:
            return _Outline("int", degree=1)
        case ast.Name() | ast.Constant():
            return _known(tree, values)
    parts = [_outline(part, values) for part in operands(tree)]
    degree = max(part.degree for part in parts)
    if not degree:
        return _known(tree, values)
    kinds = [part.kind for part in parts]
    kind: Kind = "float" if "float" in kinds else "int"
    match tree:
        case ast.BinOp(op=ast.Pow(), right=right):
            base, power = parts
            return _power(base, power, right, values)
        case ast.BinOp(op=ast.Mult()):
            first, second = parts
            return _Outline(
                kind, first.terms * second.terms, first.degree + second.degree
            )
        case ast.BinOp(op=ast.Div()):
            kind = "float"
        case ast.Call(func=ast.Name(id=name)):
            check_alike([k == "float" for k in kinds], name)
    return _Outline(kind, sum(part.terms for part in parts), degree)


def _known(tree: ast.expr, values: Mapping[str, Any]) -> _Outline:
    value = value_of(tree, values, "float")
    return _Outline("float" if isinstance(value, float) else "int")


def _power(
    base: _Outline, power: _Outline, right: ast.expr, values: Mapping[str, Any]
) -> _Outline:
    if power.degree:
        raise ExpressionError("expected an exponent that no dim decides")
    exponent = value_of(right, values, "float")
    if base.kind == "float" or isinstance(exponent, float) or exponent < 0:
        return _Outline("float", degree=base.degree)
    small = exponent <= MAX_POWER and base.degree * exponent <= MAX_POWER
    if not small or base.terms**exponent > MAX_POWER:
        raise ExpressionError(
            f"expected a power of dims of at most {MAX_POWER} terms and of a degree of "
            f"at most {MAX_POWER}"
        )
    return _Outline("int", base.terms**exponent, base.degree * exponent)
