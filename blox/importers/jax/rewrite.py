"""Equations with ops in place of those that compute them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from .internals import (
    Atom,
    JaxprEqn,
    Literal,
    Var,
    new_equation,
    new_variable,
    shaped_array,
)
from .marks import Layer, layer_p
from .matching import Match
from .patterns.proposal import Proposal
from .seen import Seen
from .site import Equations
from .spelling import size_of


@dataclass(frozen=True, eq=False)
class Found:
    """An op that equations are.

    Args:
        equations: their places.
        root: the equation that gives the result.
        output: the result as the op gives it.
        rank: of several that overlap the first one counts: that which takes most
            equations, then that which has fewest operands and needs no other layout.
    """

    proposal: Proposal
    match: Match
    attributes: Mapping[str, Any]
    equations: frozenset[int]
    root: int
    output: Seen
    rank: tuple[int, ...]


def rewritten(site: Equations, chosen: Sequence[Found]) -> list[JaxprEqn]:
    """The equations with the ops that were chosen."""
    gone = {place for found in chosen for place in found.equations}
    at: dict[int, list[JaxprEqn]] = {}
    for found in chosen:
        end = site.end(found.equations, found.root)
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
    proposal, equations = found.proposal, []
    given: dict[str, Atom] = {}
    for name, seen in found.match.operands.items():
        more, given[name] = variable(site, seen)
        equations += more
    names = [n for n in given if n not in proposal.slots]
    slots = [n for n in given if n in proposal.slots]
    layer = Layer(
        proposal.op,
        found.attributes,
        tuple(names),
        tuple(slots),
        function_of(found, (*names, *slots)),
        elementwise=proposal.elementwise,
        recognised=True,
    )
    root = site.equations[found.root]
    result: Any = root.outvars[0]
    wanted, output = site.seen[result], result
    inputs = [given[n] for n in (*names, *slots)]
    if found.output != wanted:
        sizes = sizes_by_text([*inputs, result])
        shape = [sizes.get(s, s) for s in found.output.shape]
        output = new_variable(shaped_array(shape, result.aval.dtype))
    made = new_equation(inputs, [output], layer_p, {"layer": layer})
    equations.append(made.replace(source_info=root.source_info))
    if output is not result:
        equations += arranged(output, found.output, wanted, result)
    return equations


def variable(site: Equations, seen: Seen) -> tuple[list[JaxprEqn], Atom]:
    """A variable that has a value in a layout, and the equations that bring it there."""
    node = site.table.nodes[seen.node]
    if node.number is not None and not seen.axes:
        return [], Literal(node.number, shaped_array((), node.number.dtype))
    base = site.bases[seen.node]
    own = site.seen[base]
    if own == seen:
        return [], base
    sizes = sizes_by_text([base])
    shape = [sizes.get(s, s) for s in seen.shape]
    aval: Any = base.aval
    result = new_variable(shaped_array(shape, aval.dtype))
    return arranged(base, own, seen, result), result


def function_of(found: Found, names: Sequence[str]) -> Callable[..., Any]:
    """What an op computes, of its operands in order."""
    numbers = {n: np.asarray(v).item() for n, v in found.match.numbers.items()}

    def run(*arrays: Any) -> Any:
        given = dict(zip(names, arrays, strict=True))
        return found.proposal.function(**given, **numbers)

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

    aval: Any = x.aval
    closed = jax.make_jaxpr(arrange)(jax.ShapeDtypeStruct(aval.shape, aval.dtype))
    names: dict[Any, Any] = {closed.jaxpr.invars[0]: x, closed.jaxpr.outvars[0]: result}
    return [
        equation.replace(
            invars=[
                v if isinstance(v, Literal) else names.get(v, v)
                for v in equation.invars
            ],
            outvars=[names.get(v, v) for v in equation.outvars],
        )
        for equation in closed.jaxpr.eqns
    ]
