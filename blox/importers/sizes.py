"""Sizes of the source, calculated of the sizes that values of a function have."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

import blox as bx

from .trace import Size, Value

_TWO = {
    "floordiv": lambda a, b: a // b,
    "mod": lambda a, b: a % b,
    "max": lambda a, b: bx.max(a, b),
    "min": lambda a, b: bx.min(a, b),
}


class Sizes:
    """The sizes that the values of a function know, by their expressions."""

    def __init__(self, values: Mapping[Value, Any]) -> None:
        self.values = values
        self._known: dict[str, Any] | None = None

    def resolved(self, attribute: Any) -> Any:
        """An attribute with the builder's sizes in place of the source's."""
        if isinstance(attribute, slice):
            bounds = (attribute.start, attribute.stop, attribute.step)
            return slice(*map(self.resolved, bounds))
        if isinstance(attribute, (list, tuple)):
            return [self.resolved(part) for part in attribute]
        if isinstance(attribute, dict):
            return {key: self.resolved(part) for key, part in attribute.items()}
        plain = attribute is None or isinstance(attribute, (str, int, float, complex))
        return attribute if plain or attribute is Ellipsis else self.size(attribute)

    def size(self, size: Size) -> Any:
        """A size as the builder has it: that of an axis, or calculated of such."""
        text = str(size).replace("^", "**")
        return self._value(ast.parse(text, mode="eval").body)

    @property
    def known(self) -> dict[str, Any]:
        if self._known is None:
            self._known = {}
            for value, built in self.values.items():
                for axis, size in enumerate(value.shape):
                    if not isinstance(size, int):
                        text = ast.unparse(ast.parse(str(size).replace("^", "**")))
                        self._known.setdefault(text, built.shape[axis])
        return self._known

    def _value(self, tree: ast.expr) -> Any:
        text = ast.unparse(tree)
        if text in self.known:
            return self.known[text]
        match tree:
            case ast.Constant(value=value):
                return value
            case ast.BinOp(left=left, op=op, right=right):
                a, b = self._value(left), self._value(right)
                match op:
                    case ast.Add():
                        return a + b
                    case ast.Sub():
                        return a - b
                    case ast.Mult():
                        return a * b
                    case ast.Pow():
                        return a**b
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -self._value(operand)
            case ast.Call(func=ast.Name(id=name), args=[left, right]) if name in _TWO:
                return _TWO[name](self._value(left), self._value(right))
        raise KeyError(text)
