"""Equations with ops in place of those that compute them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax

from .internals import (
    Atom,
    JaxprEqn,
    Literal,
    Var,
    new_equation,
    new_variable,
    shaped_array,
)
from .lying import applied, arranged, lying, sizes_by_text
from .marks import Layer, layer_p
from .patterns.proposal import Whole
from .seen import Seen
from .site import Cut, Equations


@dataclass(frozen=True, eq=False)
class Found:
    """An op that equations are.

    Args:
        cut: the equations.
        order: of the pattern among others.
        wanted: the result as that equation gives it.
        moved: True where an operand is needed in another layout than its own.
    """

    whole: Whole
    cut: Cut
    order: int
    wanted: Seen
    moved: bool

    @property
    def rank(self) -> tuple[int, ...]:
        """Of several that overlap the first one counts: that which takes most equations,
        then that which has fewest operands and needs no other layout."""
        turned = self.whole.output != self.wanted
        count = len(self.whole.operands)
        return (
            -len(self.cut.equations),
            count,
            self.moved,
            turned,
            self.order,
            self.cut.root,
        )


def rewritten(site: Equations, chosen: Sequence[Found]) -> list[JaxprEqn]:
    """The equations with the ops that were chosen."""
    gone = {place for found in chosen for place in found.cut.equations}
    at: dict[int, list[JaxprEqn]] = {}
    tables = Tables(site)
    for found in chosen:
        end = site.end(found.cut.equations, found.cut.root)
        assert end is not None
        at.setdefault(end, []).extend(written(site, found, tables))
    kept: list[JaxprEqn] = []
    for place, equation in enumerate(site.equations):
        kept += at.get(place, [])
        if place not in gone:
            kept.append(equation)
        kept += tables.behind.get(place, [])
    return [*kept, *at.get(len(site.equations), [])]


class Tables:
    """Values that operands are made of, each once where a value of the source is."""

    def __init__(self, site: Equations) -> None:
        self.site = site
        self.made: dict[tuple[int, int], tuple[Var, Seen]] = {}
        self.behind: dict[int, list[JaxprEqn]] = {}

    def of(self, found: Found, name: str) -> tuple[Var, Seen]:
        """The table that stands for an operand, and how it lies."""
        whole = found.whole
        table, seen = whole.tables[name], whole.operands[name]
        there = self.site.behind(table, seen.node, found.cut.edge)
        assert there is not None
        place, variable = there
        key = (place, table)
        if key not in self.made:
            more, made = applied(whole.before[name], variable)
            self.behind.setdefault(place, []).extend(more)
            self.made[key] = made, self.site.seen[variable]
        return self.made[key]


def written(site: Equations, found: Found, tables: Tables) -> list[JaxprEqn]:
    """An op, and what brings its operands and its result in their layouts."""
    whole = found.whole
    equations: list[JaxprEqn] = []
    given: dict[str, Atom] = {}
    for name, seen in whole.operands.items():
        if name in whole.tables:
            more, given[name] = lying(*tables.of(found, name), seen)
            equations += more
            continue
        more, given[name] = variable(site, found, seen)
        equations += more
        if name in whole.before:
            more, given[name] = applied(whole.before[name], given[name])
            equations += more
    names = tuple(n for n in given if n not in whole.slots)
    slots = tuple(n for n in given if n in whole.slots)
    layer = Layer(
        whole.op,
        whole.attributes,
        names,
        slots,
        in_order(whole.function, (*names, *slots)),
        elementwise=whole.elementwise,
        recognised=True,
    )
    root = site.equations[found.cut.root]
    result: Any = root.outvars[0]
    inputs = [given[n] for n in (*names, *slots)]
    sizes = sizes_by_text([*inputs, result])
    shape = [sizes.get(s, s) for s in whole.output.shape]
    output = made = result
    if whole.output != found.wanted:
        output = made = new_variable(shaped_array(shape, result.aval.dtype))
    after = whole.after
    if after is not None:
        own = given_by(layer, inputs)
        if own.shape == tuple(shape):
            after = None
        else:
            made = new_variable(own)
    equation = new_equation(inputs, [made], layer_p, {"layer": layer})
    equations.append(equation.replace(source_info=root.source_info))
    if after is not None:
        equations += applied(lambda x: after(x, shape), made, output)[0]
    if output is not result:
        equations += arranged(output, whole.output, found.wanted, result)
    return equations


def given_by(layer: Layer, inputs: Sequence[Atom]) -> Any:
    """What an op gives for arrays like these."""
    avals: list[Any] = [v.aval for v in inputs]
    shapes = [jax.ShapeDtypeStruct(a.shape, a.dtype) for a in avals]
    found: Any = jax.eval_shape(layer.function, *shapes)
    return shaped_array(found.shape, found.dtype)


def has_ways(site: Equations, whole: Whole, cut: Cut) -> bool:
    """True where each operand is a number or flows in: what is computed of numbers alone may
    lie within a cut."""
    for name, seen in whole.operands.items():
        if name in whole.tables:
            if site.behind(whole.tables[name], seen.node, cut.edge) is None:
                return False
            continue
        number = site.table.nodes[seen.node].number is not None and not seen.axes
        if not number and next(site.ways(seen.node, cut.edge), None) is None:
            return False
    return True


def variable(site: Equations, found: Found, seen: Seen) -> tuple[list[JaxprEqn], Atom]:
    """A variable that has a value in a layout, and the equations that bring it there."""
    node = site.table.nodes[seen.node]
    if node.number is not None and not seen.axes:
        return [], Literal(node.number, shaped_array((), node.number.dtype))
    ways = list(site.ways(seen.node, found.cut.edge))
    for x in ways:
        if site.seen[x] == seen:
            return [], x
    return lying(ways[0], site.seen[ways[0]], seen)


def in_order(function: Callable[..., Any], names: Sequence[str]) -> Callable[..., Any]:
    """A function of operands by name as one of operands in order."""

    def run(*arrays: Any) -> Any:
        return function(**dict(zip(names, arrays, strict=True)))

    return run
