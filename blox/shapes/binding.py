"""Declared shapes bound to what flows in, and numbers of the file as values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from blox.schema.content import Input
from blox.schema.expressions import ExpressionError, evaluate, names
from blox.schema.fields import is_expression
from blox.schema.resolve.dims import is_dim_name
from blox.schema.undecided import kind_of

from .faults import Fault
from .symbolic import Symbols, is_symbolic, value_of
from .values import Value, Values


def input_dtype(declared: str | None, floating: Any) -> Any:
    """The dtype of an input that is declared so."""
    if declared == "key":
        return jax.eval_shape(lambda: jax.random.key(0)).dtype
    return floating if declared in ("float", None) else jnp.dtype(declared)


def bound(
    declared: Mapping[str, Input],
    values: Mapping[str, Any],
    inputs: Mapping[str, Value | None],
    symbols: Symbols,
) -> tuple[dict[str, Any], list[Fault]]:
    """The sizes of dims that declared shapes bind, and what doesn't fit these."""
    sizes = dict(values)
    faults: list[Fault] = []
    for name, given in declared.items():
        value = inputs.get(name)
        if given.shape is None:
            continue
        if value is None or value.shape is None:
            for dim in given.shape if not given.optional else ():
                if is_dim_name(dim) and dim not in sizes:
                    sizes[str(dim)] = symbols.opaque(unknown=True)
            continue
        wanted: list[Any] = list(given.shape)
        if "..." in wanted:
            at = wanted.index("...")
            more = len(value.shape) - (len(wanted) - 1)
            wanted[at : at + 1] = ["_"] * max(more, 0)
        fits = len(wanted) == len(value.shape)
        for dim, size in zip(wanted, value.shape, strict=False):
            if is_dim_name(dim):
                if dim not in sizes:
                    sizes[dim] = size
                    continue
                dim = sizes[dim]
            elif is_expression(dim):
                try:
                    dim = value_of(dim, sizes, symbols)
                except (ExpressionError, KeyError):
                    continue
            if dim != "_" and fits and not value.unknown:
                fits = dim is size or bool(dim == size)
        if not fits:
            shown, found = (", ".join(map(str, s)) for s in (given.shape, value.shape))
            text = f"expected shape [{shown}], found [{found}]"
            faults.append(Fault("shape", symbols.shown(text), field=name))
        for dim in given.shape:
            if is_dim_name(dim) and dim not in sizes:
                sizes[str(dim)] = symbols.opaque(unknown=True)
    return sizes, faults


def number_value(number: Any, sizes: Mapping[str, Any], values: Values) -> Value:
    """A number of the file, or the value of an expression."""
    if isinstance(number, (tuple, list)):
        parts = [number_value(part, sizes, values).literal for part in number]
        return values.number(tuple(0 if p is None else p for p in parts))
    if is_expression(number):
        known = {n: sizes[n] for n in names(number) if not is_symbolic(sizes[n])}
        try:
            if len(known) < len(names(number)):  # of which only the kind is known
                example = 0.0 if kind_of(number, known) == "float" else 0
                return values.as_array(values.number(example))
            number = evaluate(number, known, "float")
        except ExpressionError:
            return values.lost()
    return values.number(number)
