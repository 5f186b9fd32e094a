"""`jax.lax.associative_scan` while a model is traced: its equations halve a time axis again
and again, so that they neither hold for a size that is a symbol nor read as what they are.

What its function computes is compared: a linear recurrence is the op, a sum, a product, a
greatest or least one the cumulative primitive. Any other runs as it is, or one step after
the other where the size is a symbol: that gives the same, as the function is associative.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from .flatten import flatten
from .frontends.layers import op
from .internals import associative_scan_by
from .marks import mark_p
from .numbering import Numbering
from .seen import Seen
from .spelling import sizes_of
from .table import Table

Combine = Callable[[Any, Any], Any]
CUMULATIVE: tuple[tuple[Combine, Callable[..., Any]], ...] = (
    (lax.add, lax.cumsum),
    (lax.mul, lax.cumprod),
    (lax.max, lax.cummax),
    (lax.min, lax.cummin),
)


@contextmanager
def recognised_scans() -> Iterator[None]:
    """Calls of `jax.lax.associative_scan` are what they compute, while it lasts; those of
    the ops that say so are their own."""
    inside = False

    def scanned(own: Callable[..., Any], *given: Any) -> Any:
        nonlocal inside
        if inside:
            return own(*given)
        inside = True
        try:
            return _scanned(own, *given)
        finally:
            inside = False

    with associative_scan_by(scanned):
        yield


def _scanned(
    own: Callable[..., Any], fn: Combine, elems: Any, reverse: bool, axis: int
) -> Any:
    """What `own(fn, elems, reverse, axis)` gives."""
    arrays, tree = jax.tree.flatten(elems)
    arrays = [jnp.asarray(a) for a in arrays]
    ranks = [a.ndim for a in arrays]
    if not ranks or not -ranks[0] <= axis < ranks[0]:
        return own(fn, elems, reverse, axis)
    place = axis % ranks[0]
    if place >= min(ranks):
        return own(fn, elems, reverse, axis)

    def combine(*both: Any) -> list[Any]:
        a, b = both[: len(arrays)], both[len(arrays) :]
        return jax.tree.leaves(
            fn(jax.tree.unflatten(tree, a), jax.tree.unflatten(tree, b))
        )

    found = None
    if len({*ranks}) == 1:
        found = _recognised(combine, arrays, reverse, place - ranks[0])
    if found is None and jax.export.is_symbolic_dim(arrays[0].shape[place]):
        found = _one_by_one(combine, arrays, reverse, place)
    return (
        own(fn, elems, reverse, axis)
        if found is None
        else jax.tree.unflatten(tree, found)
    )


def _recognised(
    combine: Callable[..., Any], arrays: Sequence[Any], reverse: bool, axis: int
) -> list[Any] | None:
    """The results by ops that are the scan, None where none is."""
    specs = [_spec(a, axis) for a in arrays]
    if len(arrays) == 1:
        for binary, cumulative in CUMULATIVE:
            if _same(combine, lambda a, b, f=binary: [f(a, b)], specs):
                place = axis % arrays[0].ndim
                return [cumulative(arrays[0], axis=place, reverse=reverse)]
    if len(arrays) != 2:
        return None
    for first in (0, 1):
        rate, added = arrays[first], arrays[1 - first]
        if not _is_rate(rate, added):
            continue

        def steps(*both: Any, first: int = first) -> list[Any]:
            (a, b), (c, d) = both[:2], both[2:]
            if first:
                a, b, c, d = b, a, d, c
            made = [a * c, c * b + d]
            return made[::-1] if first else made

        if _same(combine, steps, specs):
            said = {"axis": axis, "reverse": reverse}
            y = op("linear_recurrence", said, {"a": rate, "b": added})
            place = axis % rate.ndim
            made = [lax.cumprod(rate, axis=place, reverse=reverse), y]
            return made[::-1] if first else made
    return None


def _is_rate(rate: Any, added: Any) -> bool:
    """True where what is added keeps shape and dtype when a rate multiplies it."""
    sizes = zip(rate.shape, added.shape, strict=True)
    kept = jnp.result_type(rate, added) == added.dtype
    return (
        kept
        and jnp.issubdtype(added.dtype, jnp.inexact)
        and all(a in (1, b) for a, b in sizes)
    )


def _spec(array: Any, axis: int) -> jax.ShapeDtypeStruct:
    """Some steps of an array."""
    shape = list(array.shape)
    shape[axis] = 3
    return jax.ShapeDtypeStruct(tuple(shape), array.dtype)


def _same(
    one: Callable[..., Any], two: Callable[..., Any], specs: Sequence[Any]
) -> bool:
    """True where two functions of two runs of steps compute the same."""
    table = Table()
    return _numbered(table, one, specs) == _numbered(table, two, specs)


def _numbered(
    table: Table, function: Callable[..., Any], specs: Sequence[Any]
) -> list[Seen]:
    """What a function gives, as values of the table."""
    closed = jax.make_jaxpr(function)(*specs, *specs)
    flat = flatten(closed.jaxpr, closed.consts)
    numbering = Numbering(table, flat.custom, flat.known)
    for place, variable in enumerate(closed.jaxpr.invars):
        dtype = str(variable.aval.dtype)
        seen = numbering.new(("operand", place), sizes_of(variable), dtype)
        numbering.seen[variable] = seen
    for equation in flat.equations:
        if equation.primitive is not mark_p:
            numbering.equation(equation)
    return [numbering.of(v) for v in flat.outputs]


def _one_by_one(
    combine: Callable[..., Any], arrays: Sequence[Any], reverse: bool, place: int
) -> list[Any]:
    """The scan as a loop over the axis: each step keeps it, of size 1."""

    def cut(array: Any, start: int, end: int | None) -> Any:
        return lax.slice_in_dim(array, start, end, axis=place)

    def step(carry: list[Any], here: list[Any]) -> tuple[list[Any], list[Any]]:
        found = combine(*carry, *(jnp.expand_dims(x, place) for x in here))
        return found, [jnp.squeeze(x, place) for x in found]

    def joined(first: Any, rest: Any) -> Any:
        parts = [first, jnp.moveaxis(rest, 0, place)]
        return jnp.concatenate(parts[::-1] if reverse else parts, axis=place)

    ends, rest = ((-1, None), (0, -1)) if reverse else ((0, 1), (1, None))
    first = [cut(a, *ends) for a in arrays]
    others = [jnp.moveaxis(cut(a, *rest), place, 0) for a in arrays]
    _, made = lax.scan(step, first, others, reverse=reverse)
    return [joined(a, b) for a, b in zip(first, made, strict=True)]
