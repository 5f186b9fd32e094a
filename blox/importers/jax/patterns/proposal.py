"""A guess that an op stands at some equation. Guesses may be wrong: what counts is whether
its formula is found among the equations."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import jax

from blox.ops.library import op_function
from blox.schema import op_class

from ..internals import Atom, JaxprEqn, Var
from ..matching import Traced
from ..numbers import number_of
from ..seen import Seen
from ..table import Table


def plain_numbers(numbers: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: number_of(number) for name, number in numbers.items()}


@dataclass(frozen=True, kw_only=True)
class Whole:
    """An op that was found.

    Args:
        function: what it computes, by name of operands and slots.
        slots: operands that are parameters of the op.
        output: what it gives.
        before: what brings an operand into the form that the op takes, by its name.
        after: what brings the op's result into that of the output; it is given the shape.
        tables: for operands that are made of other values than those that flow in the ones
            that do, which are made of those too. They come behind these, once for all ops.
        elementwise: True where it goes element by element, by NumPy's rules.
    """

    op: str
    attributes: Mapping[str, Any]
    function: Callable[..., Any]
    operands: Mapping[str, Seen]
    output: Seen
    slots: tuple[str, ...] = ()
    before: Mapping[str, Callable[[Any], Any]] = field(default_factory=dict)
    after: Callable[[Any, Sequence[Any]], Any] | None = None
    tables: Mapping[str, int] = field(default_factory=dict)
    elementwise: bool = False


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """An op, its attributes and what flows in.

    Args:
        function: the formula, by name of operands, then of numbers.
        shapes: of all operands.
        given: the operands that are known. Others are looked for.
        numbers: attributes that may be any number, which is looked for.
        attributes: all others.
        said: attributes by the numbers that were found, by default the numbers.
        elementwise: True where the formula is one of single elements, traced as such.
        wholes: the ops that the formula is a part of, by its match and what it is alone.
        key: of proposals with the same formula and attributes.
        traced: the formula, where it is traced already.
    """

    op: str
    function: Callable[..., Any]
    shapes: Mapping[str, jax.ShapeDtypeStruct]
    given: Mapping[str, Seen]
    key: Any
    traced: Traced | None = None
    numbers: tuple[str, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)
    said: Callable[[Mapping[str, Any]], Mapping[str, Any] | None] = plain_numbers
    elementwise: bool = False
    wholes: Callable[[Site, Whole], Iterator[Whole]] | None = None


def formula(op: str) -> Callable[..., Any]:
    """The function of an op, by name of operands, parameters and attributes."""
    cls = op_class(op)
    assert cls is not None
    function, order = op_function(op).call, [*cls.fields().operands]

    def call(**given: Any) -> Any:
        operands = [given.pop(name, None) for name in order]
        while operands[-1] is None:
            operands.pop()
        return function(*operands, **given)

    return call


class Site(Protocol):
    """The equations among which ops are looked for."""

    table: Table

    def of(self, atom: Atom) -> Seen:
        """The value of a variable."""
        ...

    def users(self, node: int) -> list[int]:
        """The values that are made of a value."""
        ...

    def maker(self, node: int) -> JaxprEqn | None:
        """The equation that makes a value."""
        ...

    def base(self, node: int) -> Var | None:
        """The variable that has a value in its own layout."""
        ...

    def consumers(self, node: int) -> set[str]:
        """The primitives that a value flows into."""
        ...

    def reductions(self, node: int) -> list[tuple[int, ...]]:
        """The axes of a value over which something near it is reduced."""
        ...


class Pattern(Protocol):
    """An op and a formula for it.

    Args:
        starts: the primitives at which it may begin.
    """

    @property
    def starts(self) -> Collection[str]: ...

    def proposals(self, site: Site, equation: JaxprEqn) -> Iterator[Proposal]:
        """The guesses that begin at an equation."""
        ...


class Structure(Protocol):
    """An op that is found by what its equations are made of, not by a formula."""

    @property
    def starts(self) -> Collection[str]: ...

    def wholes(self, site: Site, equation: JaxprEqn) -> Iterator[Whole]:
        """The ops that an equation gives the result of."""
        ...
