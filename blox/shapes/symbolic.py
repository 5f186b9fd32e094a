"""Sizes that only a call decides, as JAX's symbolic dimensions: one scope per Graph."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from jax import export

from blox.runtime.sizes import evaluate
from blox.schema.expressions import ExpressionError, names, operands, parse
from blox.schema.expressions import value_of as tree_value
from blox.schema.resolve.bounds import Relation, speaking_of

from .declared import Bounds

_MAX_TEXT = 128
"""Characters of a symbolic size; of longer ones only that they are sizes is known."""
_MAX_NESTED = 4
"""Divisions, minima and maxima in one size: each doubles what JAX's bounds of it cost."""
_MANY = 1 << 30
MAX_VARIABLES = 12
"""Symbols of one shape: JAX's products of more are dear."""
MAX_TERMS = 64
"""Terms of a sum that an expression may multiply out to."""
_MAX_RELATIONS = 8
"""Relations that JAX gets: its solver combines each with all others."""
_GRAPHS, _SHARED = itertools.count(), 256
"""The number of the next Graph, and how many share scopes."""
_TAKEN = {"mod", "floordiv", "max", "min", "non_negative"}


class Symbols:
    """The symbolic dimensions of one Graph; JAX knows bounds and relations of dims.

    A dim that is a multiple of 8 is 8 times a symbol, which decides more than a
    statement about a remainder would.

    Args:
        dims: every dim of the entries, in order.
        bounds: what bounds them, where something does.
        relations: the Graph's constraints.
        values: the attributes of the Graph.
    """

    def __init__(
        self,
        dims: Iterator[str],
        bounds: Mapping[str, Bounds],
        relations: list[Relation],
        values: Mapping[str, Any],
    ) -> None:
        self._taken = set(_TAKEN)
        self._factors: dict[str, tuple[str, int]] = {}
        self.unknown: set[str] = set()
        """Symbols for sizes that follow a fault."""
        texts: dict[str, str] = {}
        constraints: list[str] = []
        for dim in dims:
            bound = bounds.get(dim, Bounds())
            text = self._variable(dim, bound.multiple_of)
            texts[dim] = text
            constraints += [f"{text} >= {bound.min}"] if bound.min > 1 else []
            constraints += [f"{text} <= {bound.max}"] if bound.max is not None else []
        constraints += _related(relations, values, texts)
        self.scope = _scope(tuple(constraints), next(_GRAPHS) // _SHARED)
        self._texts = texts
        self._made: dict[Any, Any] = {
            dim: bound.min for dim, bound in bounds.items() if bound.min == bound.max
        }

    def _variable(self, wanted: str, factor: int = 1) -> str:
        name = wanted if factor == 1 else f"{wanted}_{factor}th"
        while name in self._taken:
            name += "_"
        self._taken.add(name)
        if name != wanted:
            self._factors[name] = (wanted, factor)
        return name if factor == 1 else f"{factor}*{name}"

    def dim(self, name: str) -> Any:
        """The size of a dim, the same throughout the Graph."""
        if name not in self._made:
            text = self._texts.get(name) or self._variable(name.strip())
            self._made[name] = self._symbol(text)
        return self._made[name]

    @property
    def leading(self) -> Any:
        """The size of the one axis that stands for `"..."`."""
        return self.axis("leading")

    def leads(self, size: Any) -> bool:
        """Whether a size is made of that one."""
        return bool(re.search(rf"\b{self.leading}\b", str(size)))

    def axis(self, name: str) -> Any:
        """The size of an axis without a name, `x_0` for axis 0 of x."""
        return self.dim(f"{name} ")

    def opaque(self, of: Any = None, *, unknown: bool = False) -> Any:
        """A size of which nothing is said, the same one for equal `of`.

        `unknown` is one that follows a fault.
        """
        if of is not None and of in self._made:
            return self._made[of]
        stem = "unknown" if unknown else "size"
        name = self._variable(f"{stem}_{len(self._taken)}")
        if unknown:
            self.unknown.add(name)
        size = self._symbol(name)
        if of is not None:
            self._made[of] = size
        return size

    def _symbol(self, text: str) -> Any:
        return export.symbolic_shape(text.replace(" ", ""), scope=self.scope)[0]

    def dim_of(self, variable: str) -> tuple[str, int]:
        """(dim, factor): a symbol is that dim divided by the factor."""
        return self._factors.get(variable, (variable, 1))

    def shown(self, text: str) -> str:
        """`text` of JAX with sizes by the names of dims: `2*even_2th` as `even`."""
        for variable, (dim, factor) in self._factors.items():
            if variable in text:
                text = re.sub(
                    rf"(?:\b(\d+)\*)?\b{variable}\b",
                    lambda m, dim=dim, factor=factor: _scaled(m[1], dim, factor),  # type: ignore[misc]
                    text,
                )
        return text


def _scaled(coefficient: str | None, dim: str, factor: int) -> str:
    times, rest = divmod(int(coefficient or 1), factor)
    if rest:
        lead = f"{coefficient}*" if coefficient else ""
        return f"{lead}({dim} // {factor})"
    return dim if times == 1 else f"{times}*{dim}"


def _related(
    relations: list[Relation], values: Mapping[str, Any], texts: dict[str, str]
) -> Iterator[str]:
    """The Graph's constraints in the words of JAX, the first ones that it has words for."""
    related = speaking_of(relations, (*values, *texts))
    if not texts:
        return
    shape = export.symbolic_shape(", ".join(texts.values()))
    known = {**values, **dict(zip(texts, shape, strict=True))}
    count = 0
    for relation in related:
        sides = (relation.left, relation.right)
        if count == _MAX_RELATIONS:
            return
        if any(complexity(side, known) > 8 or is_dear(side, known) for side in sides):
            continue
        try:
            a, b = (evaluate(side, known) for side in sides)
        except ExpressionError:
            continue
        if isinstance(a, int) and isinstance(b, int):
            continue
        count += 1
        yield {
            "<": f"{a} + 1 <= {b}",
            ">": f"{a} >= {b} + 1",
        }.get(relation.sign, f"{a} {relation.sign} {b}")


@lru_cache(64)
def _scope(constraints: tuple[str, ...], turn: int) -> export.SymbolicScope:
    """A scope with those constraints that JAX takes, one for Graphs that say the same.

    What JAX keeps of a trace speaks of its scope, so Graphs that are alike are traced and
    kept once. A scope remembers what it decided: each `turn` has new ones.
    """
    try:
        return export.SymbolicScope(constraints)
    except (ValueError, NotImplementedError):
        pass
    accepted: list[str] = []
    for constraint in constraints[:64]:
        try:
            export.SymbolicScope([*accepted, constraint])
        except (ValueError, NotImplementedError):
            continue
        accepted.append(constraint)
    # A scope of its own, in which nothing was decided before.
    return export.SymbolicScope(accepted)


def is_symbolic(size: Any) -> bool:
    return type(size) is not int


def variables(size: Any) -> set[str]:
    """The symbols of a size."""
    return set() if type(size) is int else set(re.findall(r"[A-Za-z]\w*", str(size)))


def is_long(text: str) -> bool:
    """True for the text of a size that JAX should not go on with."""
    return len(text) > _MAX_TEXT or _divisions(text) > _MAX_NESTED


def _divisions(text: str) -> int:
    return sum(map(text.count, ("floordiv(", "mod(", "min(", "max(")))


def terms(size: Any) -> int:
    """How many terms a size is the sum of."""
    if type(size) is int:
        return 1
    text = str(size)
    return 1 + text.count(" + ") + text.count(" - ")


def complexity(text: str, sizes: Mapping[str, Any]) -> int:
    """How many terms an expression may multiply out to; it is not evaluated."""

    def count(tree: ast.expr) -> int:
        match tree:
            case ast.Name(id=name):
                return terms(sizes[name]) if name in sizes else 1
            case ast.BinOp(left=left, op=ast.Mult(), right=right):
                return min(count(left) * count(right), _MANY)
            case ast.BinOp(left=left, op=ast.Pow(), right=right):
                return _power(count(left), right)
        return sum(map(count, operands(tree))) or 1

    def _power(base: int, exponent: ast.expr) -> int:
        try:
            power = tree_value(exponent, sizes, "float")
        except ExpressionError:
            return _MANY
        return min(int(base ** min(max(int(power), 1), 64)), _MANY)

    return count(parse(text))


def is_dear(text: str, sizes: Mapping[str, Any]) -> bool:
    """True for an expression that JAX should not be asked for: of many terms, or of many
    divisions and choices within each other, those in its sizes counted.
    """

    def nested(tree: ast.expr) -> int:
        if isinstance(tree, ast.Name):
            return _divisions(str(sizes.get(tree.id, "")))
        own = isinstance(tree, ast.Call) or (
            isinstance(tree, ast.BinOp) and isinstance(tree.op, ast.FloorDiv | ast.Mod)
        )
        return own + sum(map(nested, operands(tree)))

    return complexity(text, sizes) > MAX_TERMS or nested(parse(text)) > _MAX_NESTED


def value_of(text: str, sizes: Mapping[str, Any], symbols: Symbols | None) -> Any:
    """The value of an expression; an opaque size where it would multiply out to much.

    Raises:
        ExpressionError: it has no value.
    """
    used = tuple(sizes.get(name) for name in names(text))
    dear = any(map(is_symbolic, used)) and is_dear(text, sizes)
    if dear and symbols is not None:
        return symbols.opaque(of=(text, tuple(map(str, used))))
    return evaluate(text, sizes)
