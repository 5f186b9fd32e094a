"""Equations as keys: equal ones have equal keys, in whatever way they are written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any

import numpy as np

from .internals import Atom, JaxprEqn, plain_size
from .seen import Seen, Size

_ELEMENTWISE = """
abs acos acosh add add_any and asin asinh atan atan2 atanh bessel_i0e bessel_i1e cbrt
ceil clamp clz complex conj convert_element_type cos cosh digamma div eq erf erf_inv
erfc exp exp2 expm1 floor ge gt igamma igammac imag integer_pow is_finite le lgamma log
log1p logistic lt max min mul ne neg nextafter not or polygamma population_count pow
real reduce_precision regularized_incomplete_beta rem round rsqrt select_n shift_left
shift_right_arithmetic shift_right_logical sign sin sinh sqrt square stop_gradient sub
tan tanh xor zeta
"""
ELEMENTWISE = frozenset(_ELEMENTWISE.split())
"""Primitives of which an element of the result depends on one element of each operand."""
COMMUTATIVE = frozenset(
    ["add", "add_any", "mul", "max", "min", "and", "or", "xor", "eq", "ne"]
)
SAME = frozenset(["copy", "copy_p", "optimization_barrier"])
LAYOUT = frozenset(["transpose", "squeeze", "broadcast_in_dim", "reshape"])
TURNED = {"gt": "lt", "ge": "le"}
REDUCE = frozenset(
    ["reduce_sum", "reduce_max", "reduce_min", "reduce_prod", "reduce_and", "reduce_or"]
)
REDUCE_INDEX = frozenset({"argmax", "argmin"})


class Identity:
    """A parameter that only equals itself."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Identity) and other.value is self.value

    def __hash__(self) -> int:
        return id(self.value)


def plain(value: Any) -> Any:
    """A parameter of an equation as a key."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.generic, type)):
        return repr(value)
    if isinstance(value, Mapping):
        return tuple(sorted((str(k), plain(v)) for k, v in value.items()))
    if isinstance(value, (tuple, list)) and type(value) in (tuple, list):
        return tuple(map(plain, value))
    home = type(value).__module__.split(".")[0]
    if home not in ("jax", "jaxlib", "numpy") or _runs(value):
        return value if isinstance(value, Enum) else Identity(value)
    return str(value)


def _runs(value: Any) -> bool:
    return callable(value) or hasattr(value, "eqns") or hasattr(value, "jaxpr")


def sizes_of(atom: Atom) -> tuple[Size, ...]:
    aval: Any = atom.aval
    return tuple(map(size_of, getattr(aval, "shape", ())))


def size_of(size: Any) -> Size:
    found = plain_size(size)
    return found if isinstance(found, int) else str(found)


def params_of(equation: JaxprEqn) -> tuple[Any, ...]:
    """Its parameters as a key, without those that change no numbers."""
    return tuple(
        (name, plain(value))
        for name, value in sorted(equation.params.items())
        if value is not None and name not in ("weak_type", "sharding", "out_sharding")
    )


def spelling(
    equation: JaxprEqn, given: Sequence[Seen]
) -> tuple[str, tuple[Any, ...], list[Seen]]:
    """The primitive, parameters and operands of one of several equal spellings."""
    name, params = equation.primitive.name, params_of(equation)
    operands = list(given)
    if name == "integer_pow" and equation.params["y"] == 2:
        return "square", (), operands
    if name == "mul" and operands[0] == operands[1]:
        return "square", (), operands[:1]
    if name in TURNED:
        return TURNED[name], params, operands[::-1]
    return ("add" if name == "add_any" else name), params, operands


def first_name(equation: JaxprEqn) -> str:
    """The primitive of an equation, as formulas are sorted by it."""
    name, operands = equation.primitive.name, equation.invars
    if name == "integer_pow" and equation.params["y"] == 2:
        return "square"
    if name == "mul" and operands[0] is operands[1]:
        return "square"
    return "add" if name == "add_any" else TURNED.get(name, name)
