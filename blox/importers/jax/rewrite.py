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
    dtype_of,
    new_equation,
    new_variable,
    shaped_array,
)
from .marks import Layer, layer_p
from .patterns.proposal import Whole
from .seen import Seen
from .site import Cut, Equations
from .spelling import size_of


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
    for found in chosen:
        end = site.end(found.cut.equations, found.cut.root)
        assert end is not None
        at.setdefault(end, []).extend(written(site, found))
    kept: list[JaxprEqn] = []
    for place, equation in enumerate(site.equations):
        kept += at.get(place, [])
        if place not in gone:
            kept.append(equation)
    return [*kept, *at.get(len(site.equations), [])]


def written(site: Equations, found: Found) -> list[JaxprEqn]:
    """An op, and what brings its operands and its result in their layouts."""
    whole = found.whole
    equations: list[JaxprEqn] = []
    given: dict[str, Atom] = {}
    for name, seen in whole.operands.items():
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
    return all(
        (site.table.nodes[seen.node].number is not None and not seen.axes)
        or any(True for _ in site.ways(seen.node, cut.edge))
        for seen in whole.operands.values()
    )


def variable(site: Equations, found: Found, seen: Seen) -> tuple[list[JaxprEqn], Atom]:
    """A variable that has a value in a layout, and the equations that bring it there."""
    node = site.table.nodes[seen.node]
    if node.number is not None and not seen.axes:
        return [], Literal(node.number, shaped_array((), node.number.dtype))
    ways = list(site.ways(seen.node, found.cut.edge))
    for x in ways:
        if site.seen[x] == seen:
            return [], x
    x = ways[0]
    sizes = sizes_by_text([x])
    shape = [sizes.get(s, s) for s in seen.shape]
    result = new_variable(shaped_array(shape, dtype_of(x)))
    return arranged(x, site.seen[x], seen, result), result


def in_order(function: Callable[..., Any], names: Sequence[str]) -> Callable[..., Any]:
    """A function of operands by name as one of operands in order."""

    def run(*arrays: Any) -> Any:
        return function(**dict(zip(names, arrays, strict=True)))

    return run


def sizes_by_text(atoms: Sequence[Atom]) -> dict[Any, Any]:
    """The sizes of arrays by the text that stands for them."""
    found: dict[Any, Any] = {}
    for atom in atoms:
        aval: Any = atom.aval
        found |= {size_of(size): size for size in aval.shape}
    return found


def arranged(x: Var, own: Seen, wanted: Seen, result: Var) -> list[JaxprEqn]:
    """The equations that bring a value from one layout into another."""
    target: Any = result.aval

    def arrange(array: Any) -> Any:
        gone = [i for i, axis in enumerate(own.axes) if axis is None]
        for i in reversed(gone):
            array = jax.lax.index_in_dim(array, 0, i, keepdims=False)
        kept = [axis for axis in own.axes if axis is not None]
        order = [axis for axis in wanted.axes if axis is not None]
        array = jax.lax.transpose(array, [kept.index(axis) for axis in order])
        places = [i for i, axis in enumerate(wanted.axes) if axis is not None]
        return jax.lax.broadcast_in_dim(array, target.shape, places)

    return applied(arrange, x, result)[0]


def applied(
    function: Callable[[Any], Any], x: Atom, result: Var | None = None
) -> tuple[list[JaxprEqn], Var]:
    """The equations of a function of an array, and what has its result."""
    aval: Any = x.aval
    closed = jax.make_jaxpr(function)(jax.ShapeDtypeStruct(aval.shape, aval.dtype))
    (own,) = closed.jaxpr.outvars
    made = new_variable(own.aval) if result is None else result
    names: dict[Any, Any] = {closed.jaxpr.invars[0]: x, own: made}
    equations = [
        equation.replace(
            invars=[
                v if isinstance(v, Literal) else names.get(v, v)
                for v in equation.invars
            ],
            outvars=[names.get(v, v) for v in equation.outvars],
        )
        for equation in closed.jaxpr.eqns
    ]
    return equations, made
