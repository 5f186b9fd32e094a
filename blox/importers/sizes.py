"""Sizes of the source, calculated of the sizes that values of a function have."""

from __future__ import annotations

import ast
from functools import lru_cache
from typing import Any

import blox as bx

from .trace import Size, Value

_TWO = {
    "floordiv": lambda a, b: a // b,
    "mod": lambda a, b: a % b,
    "max": lambda a, b: bx.max(a, b),
    "min": lambda a, b: bx.min(a, b),
}


def parsed(size: Size) -> ast.expr:
    """The expression of a size."""
    return _parsed(str(size))


@lru_cache(maxsize=4096)
def _parsed(text: str) -> ast.expr:
    return ast.parse(text.replace("^", "**"), mode="eval").body


class Sizes:
    """The sizes that the values of a function know, by their expressions."""

    def __init__(self) -> None:
        self.known: dict[str, Any] = {}

    def learn(self, value: Value, built: Any) -> None:
        """Remembers the sizes of a value.

        Args:
            built: the value as the builder has it.
        """
        for axis, size in enumerate(value.shape):
            if not isinstance(size, int):
                self.known.setdefault(ast.unparse(parsed(size)), built.shape[axis])

    def resolved(self, attribute: Any) -> Any:
        """An attribute with the builder's sizes in place of the source's."""
        if isinstance(attribute, slice):
            bounds = (attribute.start, attribute.stop, attribute.step)
            return slice(*map(self.resolved, bounds))
        if isinstance(attribute, (list, tuple)):
            return [self.resolved(part) for part in attribute]
        if isinstance(attribute, dict):
            return {key: self.resolved(part) for key, part in attribute.items()}
        return self.size(attribute) if is_symbolic(attribute) else attribute

    def size(self, size: Size) -> Any:
        """A size as the builder has it: that of an axis, or calculated of such."""
        return self._value(parsed(size))

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


def is_symbolic(size: Any) -> bool:
    """True of a size that only a call decides."""
    plain = size is None or size is Ellipsis
    return not (plain or isinstance(size, (str, int, float, complex, Value)))
