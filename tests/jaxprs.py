"""Jaxprs compared up to the order of equations that don't depend on each other.

Every value gets a number by what it is: an input by its place, a constant by its content,
the result of an equation by its primitive, parameters and operands. Two programs are the
same if they have the same equations as often, and give the same values; what has effects
also has to come in the same order.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal

Key = tuple[Any, ...]


def same_program(a: ClosedJaxpr, b: ClosedJaxpr) -> bool:
    """True of jaxprs that differ at most in the order of independent equations."""
    known: dict[Key, int] = {}
    return _closed(a, known) == _closed(b, known)


def assert_same_jaxpr(a: ClosedJaxpr, b: ClosedJaxpr, shown: str = "") -> None:
    """Fails with both as text where they are different programs."""
    if not same_program(a, b):
        assert str(a) == str(b), shown
        raise AssertionError(f"same text, other constants or types: {a}\n{shown}")


def _number(key: Key, known: dict[Key, int]) -> int:
    return known.setdefault(key, len(known))


def _closed(closed: ClosedJaxpr, known: dict[Key, int]) -> int:
    consts = [_number(("const", *_content(c)), known) for c in closed.consts]
    return _program(closed.jaxpr, consts, known)


def _program(jaxpr: Jaxpr, consts: list[int], known: dict[Key, int]) -> int:
    """The number of a program, the same for all orders of it."""
    values = dict(zip(jaxpr.constvars, consts, strict=True))
    for i, var in enumerate(jaxpr.invars):
        values[var] = _number(("in", i, _type(var.aval)), known)

    def value(atom: Any) -> int:
        if isinstance(atom, Literal):
            return _number(("literal", repr(atom.val), _type(atom.aval)), known)
        return values[atom]

    equations: Counter[int] = Counter()
    ordered: list[int] = []
    for equation in jaxpr.eqns:
        number = _number(
            (
                equation.primitive.name,
                *(
                    (k, _parameter(v, known))
                    for k, v in sorted(equation.params.items())
                ),
                *(value(atom) for atom in equation.invars),
                *(_type(var.aval) for var in equation.outvars),
            ),
            known,
        )
        equations[number] += 1
        if equation.effects:
            ordered.append(number)
        for i, var in enumerate(equation.outvars):
            values[var] = _number(("out", number, i), known)
    outputs = tuple(map(value, jaxpr.outvars))
    inputs = tuple(_type(var.aval) for var in jaxpr.invars)
    return _number(
        ("program", inputs, frozenset(equations.items()), tuple(ordered), outputs),
        known,
    )


def _parameter(value: Any, known: dict[Key, int]) -> Any:
    if isinstance(value, ClosedJaxpr):
        return _closed(value, known)
    if isinstance(value, Jaxpr):
        consts = [_number(("constvar", i), known) for i in range(len(value.constvars))]
        return _program(value, consts, known)
    if isinstance(value, list | tuple):
        return tuple(_parameter(v, known) for v in value)
    return re.sub(r" at 0x[0-9a-f]+", "", f"{type(value).__name__} {value!r}")


def _type(aval: Any) -> str:
    return f"{aval} {getattr(aval, 'weak_type', False)}"


def _content(const: Any) -> Key:
    array = np.asarray(const)
    return str(array.dtype), array.shape, array.tobytes()
