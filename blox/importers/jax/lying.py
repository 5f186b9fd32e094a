"""Equations that bring an array into another layout, or make what a function does of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax

from .internals import (
    Atom,
    JaxprEqn,
    Literal,
    Var,
    dtype_of,
    new_variable,
    shaped_array,
)
from .seen import Seen
from .spelling import size_of


def lying(x: Var, own: Seen, wanted: Seen) -> tuple[list[JaxprEqn], Var]:
    """A variable that has an array in another layout."""
    if own == wanted:
        return [], x
    sizes = sizes_by_text([x])
    shape = [sizes.get(s, s) for s in wanted.shape]
    result = new_variable(shaped_array(shape, dtype_of(x)))
    return arranged(x, own, wanted, result), result


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
    if own is closed.jaxpr.invars[0] and result is None:
        assert isinstance(x, Var)
        return [], x
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
