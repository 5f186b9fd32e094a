"""Arguments whose expressions are replaced by their values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..expressions import evaluate, names
from ..fields import is_expression
from ..undecided import kind_of
from .program import Arg


def with_values(arg: Any, values: Mapping[str, Any]) -> Any:
    """Arguments with the values of their expressions, as far as these are known.

    Raises:
        ExpressionError: an expression has no value.
    """
    match arg:
        case Arg(value=str() as text):
            return replace(arg, value=_number(text, values), text=text)
        case Arg(value=tuple() as items):
            return replace(arg, value=tuple(_number(v, values) for v in items))
        case list():
            return [with_values(a, values) for a in arg]
        case dict():
            return {k: with_values(a, values) for k, a in arg.items()}
    return arg


def _number(value: Any, values: Mapping[str, Any]) -> Any:
    if not is_expression(value):
        return value
    if all(n in values for n in names(value)):
        return evaluate(value, values, "float")
    kind_of(value, values)
    return value
