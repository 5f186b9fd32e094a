"""Sizes: integers that remember the expression which they were calculated by."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

from blox.schema import SpecError
from blox.schema.diagnostics import quote

from .trees import FUNCTIONS, Symbol, Tree, made, symbols, text_of

Number = TypeVar("Number", int, float)


class Size(int):
    """An integer with its expression: `4 * b.width` is 256 and writes `"$4 * width"`."""

    tree: Tree

    def __new__(cls, value: int, tree: Tree) -> Size:
        made = int.__new__(cls, value)
        made.tree = tree
        return made

    def __repr__(self) -> str:
        return int.__repr__(self)

    __str__ = __repr__

    def __reduce__(self) -> Any:
        return int, (int(self),)  # a copy is a plain number


class Real(float):
    """A float with its expression: `b.head_dim**-0.5`."""

    tree: Tree

    def __new__(cls, value: float, tree: Tree) -> Real:
        made = float.__new__(cls, value)
        made.tree = tree
        return made

    def __repr__(self) -> str:
        return float.__repr__(self)

    __str__ = __repr__

    def __reduce__(self) -> Any:
        return float, (float(self),)


class Dim:
    """A size that only a call decides, of the axis of an input: no number yet.

    Args:
        tree: its expression; None where the function has no name for it.
        size: JAX's symbolic dimension.
    """

    __slots__ = ("size", "tree")

    def __init__(self, tree: Tree, size: Any) -> None:
        self.tree, self.size = tree, size

    def __repr__(self) -> str:
        return "?" if self.tree is None else text_of(self.tree)

    def _undecided(self, *_: Any) -> NoReturn:
        raise SpecError.one(
            "builder-size",
            repr(self),
            "expected a size that is known when the model is written, found one that "
            "only a call decides",
            "use f.where or f.cond on values, or declare it as an attribute",
        )

    __bool__ = __int__ = __index__ = __float__ = _undecided
    __lt__ = __le__ = __gt__ = __ge__ = _undecided

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Dim) and bool(self.size == other.size)

    def __hash__(self) -> int:
        return hash(str(self.size))


OF_ANY_RANK = (
    'expected a size that has a name, found one of the axes of "..."',
    "these may be any number: name them where the entry declares its inputs, or leave "
    "them to the op, as x.reshape(..., 4) does",
)
OF_NO_INPUT = (
    "expected a size that the inputs give, found one that can't be told from theirs",
    "take it from the shape of an input, or relate their dims: "
    'b.constraint("cached >= seq")',
)
"""What is said of dims without an expression, and what to do."""


def tree_of_number(value: Any) -> Tree:
    """The expression of a number, which is itself where it has none."""
    return value.tree if isinstance(value, (Size, Real, Dim)) else value


def plain(value: Any) -> Any:
    """A number without its expression."""
    if isinstance(value, Size):
        return int(value)
    return float(value) if isinstance(value, Real) else value


def numbered(value: Any, tree: Tree) -> Any:
    """A number with its expression, if that speaks of anything."""
    if next(symbols(tree), None) is None:
        return value
    return Real(value, tree) if isinstance(value, float) else Size(value, tree)


def _calculated(operator: str, *operands: Any) -> Any:
    """What an operator gives for operands of which some are sizes."""
    if any(isinstance(operand, Dim) for operand in operands):
        return _of_dims(operator, operands)
    value = FUNCTIONS[operator](*(plain(operand) for operand in operands))
    if isinstance(value, complex):
        raise SpecError.one("builder-size", "", f"expected a number, found {value}")
    return numbered(value, made(operator, *map(tree_of_number, operands)))


def _of_dims(operator: str, operands: tuple[Any, ...]) -> Any:
    if any(isinstance(operand, float) for operand in operands) or operator == "/":
        found = next(o for o in operands if isinstance(o, Dim))
        raise SpecError.one(
            "builder-size",
            repr(found),
            f"expected integers beside a size that only a call decides, found "
            f"{quote(operator)} with a float",
            "give the expression as text to the operand: x * '$seq ** 0.5'",
        )
    sizes = [o.size if isinstance(o, Dim) else plain(o) for o in operands]
    size = FUNCTIONS[operator](*sizes)
    trees = [tree_of_number(o) for o in operands]
    tree = None if None in trees else made(operator, *trees)
    return size if isinstance(size, int) else Dim(tree, size)


def _operator(operator: str, swapped: bool = False) -> Callable[..., Any]:
    def method(self: Any, other: Any) -> Any:
        if not isinstance(other, (int, float, Dim)):
            return NotImplemented
        other = int(other) if isinstance(other, bool) else other
        return _calculated(operator, *((other, self) if swapped else (self, other)))

    return method


def _negative(number: Any) -> Any:
    return _calculated("neg", number)


_OPERATORS = {
    "add": "+",
    "sub": "-",
    "mul": "*",
    "truediv": "/",
    "floordiv": "//",
    "mod": "%",
    "pow": "**",
}
for _class in (Size, Real, Dim):
    for _name, _sign in _OPERATORS.items():
        setattr(_class, f"__{_name}__", _operator(_sign))
        setattr(_class, f"__r{_name}__", _operator(_sign, swapped=True))
    for _name, _method in (("neg", _negative), ("pos", lambda self: self)):
        setattr(_class, f"__{_name}__", _method)


def min(first: Number, /, *others: Number) -> Number:
    """The least of numbers, as an expression where one of them has one."""
    result: Number = _chosen("min", builtins.min, first, *others)
    return result


def max(first: Number, /, *others: Number) -> Number:
    """The greatest of numbers, as an expression where one of them has one."""
    result: Number = _chosen("max", builtins.max, first, *others)
    return result


def _chosen(operator: str, plainly: Any, *numbers: Any) -> Any:
    if not any(isinstance(n, (Size, Real, Dim)) for n in numbers):
        return plainly(numbers)
    result = numbers[0]
    for other in numbers[1:]:
        result = _calculated(operator, result, other)
    return result


def attribute(name: str, value: float) -> Any:
    """An attribute of the Graph as a number that remembers its name."""
    return numbered(value, Symbol(name, value))
