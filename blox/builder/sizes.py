"""Dims as JAX's symbolic dimensions, and as sample sizes where JAX can't decide."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from jax import export

from blox.schema.expressions import evaluate
from blox.schema.graph import split_constraint

# Sizes that divide by much, and sizes that divide by nothing. None is 1, which would
# broadcast, none is small, as slices want room, and none is likely in a model.
_SAMPLES = (
    (23 * 48, 29 * 48, 31 * 48, 37 * 48, 41 * 48, 43 * 48),
    (47 * 48, 53 * 48, 59 * 48, 61 * 48, 67 * 48, 71 * 48),
    (1009, 1013, 1019, 1021, 1031, 1033),
)


@dataclass(frozen=True, slots=True)
class Dim:
    """The bounds of a dim, as numbers."""

    min: int = 1
    max: int | None = None
    multiple_of: int = 1


class Dims:
    """The symbolic dimensions of one Graph.

    A dim with a `multiple_of` m is m times a symbol, so that JAX can divide by m.
    """

    def __init__(
        self,
        bounds: Mapping[str, Dim],
        constraints: list[str],
        known: Mapping[str, Any],
    ) -> None:
        self.bounds = dict(bounds)
        self.known = dict(known)
        self.relations = [split_constraint(text) for text in constraints]
        self._symbols: dict[str, Any] = {}
        self._fresh = itertools.count(1)
        self.unknown: set[str] = set()
        self.scope = export.SymbolicScope(list(self._conditions()))

    def symbol(self, name: str) -> Any:
        """The symbolic size of a dim, which has the same name throughout the Graph."""
        if name not in self._symbols:
            self._symbols[name] = self._made(name, self.scope)
        return self._symbols[name]

    def fresh(self, *, undecided: bool = False) -> Any:
        """A size of its own; `undecided` ones are in truth expressions of others."""
        name = f"{'undecided' if undecided else 'any'}_{next(self._fresh)}"
        if undecided:
            self.unknown.add(name)
        return self._made(name, self.scope)

    def is_undecided(self, size: Any) -> bool:
        return not isinstance(size, int) and bool(variables(size) & self.unknown)

    def _factor(self, name: str) -> int:
        return self.bounds[name].multiple_of if name in self.bounds else 1

    def _made(self, name: str, scope: Any) -> Any:
        factor = self._factor(name)
        if factor == 1:
            return export.symbolic_shape(name, scope=scope)[0]
        return factor * export.symbolic_shape(f"{name}_{factor}", scope=scope)[0]

    def _conditions(self) -> Iterator[str]:
        scope = export.SymbolicScope()
        for name, dim in self.bounds.items():
            symbol, factor = self._made(name, scope), dim.multiple_of
            variable = symbol // factor
            if dim.min > 1:
                yield f"{variable} >= {-(-dim.min // factor)}"
            if dim.max is not None:
                yield f"{variable} <= {dim.max // factor}"
        for left, sign, right in self.relations:
            sizes = dict(self.known)
            for text in (left, right):
                for name in variables_of_text(text) - set(sizes):
                    sizes[name] = self._made(name, scope)
            a, b = evaluate(left, sizes), evaluate(right, sizes)
            if isinstance(a, int) and isinstance(b, int):
                continue
            match sign:
                case "<":
                    yield f"{b} >= {a + 1}"
                case ">":
                    yield f"{a} >= {b + 1}"
                case "<=":
                    yield f"{b} >= {a}"
                case ">=":
                    yield f"{a} >= {b}"
                case _ if len(variables(a)) == 1 and str(a).isidentifier():
                    yield f"{a} == {b}"
                case _:
                    yield f"{b} == {a}"

    # Sample sizes

    def samples(self, names: set[str]) -> list[dict[str, int]]:
        """Up to three ways to choose sizes within bounds and constraints."""
        found = []
        for row in _SAMPLES:
            for turn in range(len(row)):
                turned = itertools.cycle(row[turn:] + row[:turn])
                sizes = {
                    n: self._within(n, i, next(turned))
                    for i, n in enumerate(sorted(names))
                }
                if self._holds(sizes):
                    found.append(sizes)
                    break
        return found

    def _within(self, name: str, index: int, size: int) -> int:
        stem, _, factor = name.rpartition("_")
        dim = self.bounds.get(stem if factor.isdigit() else name, None)
        dim = dim or self.bounds.get(name) or Dim()
        low = -(-dim.min // dim.multiple_of)
        high = None if dim.max is None else dim.max // dim.multiple_of
        size = max(size, low)
        # Dims that meet their bounds should still differ.
        return size if high is None or size <= high else max(high - index, low)

    def _holds(self, sizes: dict[str, int]) -> bool:
        values = dict(self.known)
        for name in self._symbols:
            factor = self._factor(name)
            symbol = name if factor == 1 else f"{name}_{factor}"
            if symbol in sizes:
                values[name] = sizes[symbol] * factor
        for left, sign, right in self.relations:
            if not (variables_of_text(left) | variables_of_text(right)) <= set(values):
                continue
            a, b = evaluate(left, values), evaluate(right, values)
            if not {
                "<": a < b, ">": a > b, "<=": a <= b, ">=": a >= b, "==": a == b
            }[sign]:  # fmt: skip
                return False
        return True


def variables_of_text(text: str) -> set[str]:
    return {n.id for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Name)}


def variables(size: Any) -> set[str]:
    """The symbols of a size."""
    if isinstance(size, int):
        return set()
    return variables_of_text(str(size)) - {"floordiv", "mod", "max", "min"}


def at_sample(size: Any, sizes: Mapping[str, int]) -> int:
    """A symbolic size with numbers for its symbols.

    Its text is that of `jax.export.symbolic_shape`: names, numbers, + - *, `floordiv`,
    `mod`, `max` and `min`.
    """
    if isinstance(size, int):
        return size

    def value(tree: ast.expr) -> int:
        match tree:
            case ast.Name(id=name):
                return sizes[name]
            case ast.Constant(value=int(number)):
                return number
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -value(operand)
            case ast.BinOp(left=left, op=op, right=right):
                a, b = value(left), value(right)
                match op:
                    case ast.Add():
                        return a + b
                    case ast.Sub():
                        return a - b
                    case ast.Mult():
                        return a * b
                    case ast.Pow():
                        return int(a**b)
            case ast.Call(func=ast.Name(id=name), args=[x, y]):
                a, b = value(x), value(y)
                match name:
                    case "floordiv":
                        return a // b
                    case "mod":
                        return a % b
                    case "max":
                        return max(a, b)
                    case "min":
                        return min(a, b)
        raise ValueError(f"a size that JAX writes in a new way: {ast.unparse(tree)}")

    return value(ast.parse(str(size).replace("^", "**"), mode="eval").body)
