"""What is known while one imports is computed, and stands in no Graph as equations."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..views import View
from .flatten import value_of
from .internals import JaxprEqn, Literal, Var, evaluated, plain_size
from .numbers import number_of

SMALL = 64
"""Elements of a known array that still stands in the Graph as a constant."""
STAYS = ("blox_layer", "blox_mark")
SIZES: Mapping[str, Callable[..., Any]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "neg": operator.neg,
}
"""What is calculated of sizes, too."""


def computed(equation: JaxprEqn, known: Mapping[Var, Any]) -> list[Any] | None:
    """What an equation gives, where all that flows in is known.

    Arrays of `iota` are not known, as the Graph is to say how tables are made; nor are
    large ones that broadcasting makes.
    """
    name = equation.primitive.name
    stays = not equation.invars or equation.effects or name in STAYS
    if stays or not all(isinstance(v, Literal) or v in known for v in equation.invars):
        return None
    shapes = [
        [plain_size(s) for s in getattr(v.aval, "shape", ())] for v in equation.outvars
    ]
    if not all(isinstance(size, int) for shape in shapes for size in shape):
        return None
    if name == "broadcast_in_dim" and np.prod(shapes[0]) > SMALL:
        return None
    given = [
        value_of(v) if isinstance(v, Literal) else known[v] for v in equation.invars
    ]
    return evaluated(equation, given)


def of_numbers(equation: JaxprEqn, views: Sequence[View]) -> View | None:
    """What an equation that goes element by element gives, where each operand is filled by
    one number or size; None where that is not known."""
    if not views or not all(v.is_number for v in views):
        return None
    aval: Any = equation.outvars[0].aval
    shape, dtype = tuple(map(plain_size, aval.shape)), str(aval.dtype)
    given: list[Any] = [v.source for v in views]
    if all(isinstance(n, (int, float, complex)) for n in given):
        scalars = [np.asarray(n, v.dtype) for n, v in zip(given, views, strict=True)]
        return View.filled(number_of(evaluated(equation, scalars)[0]), shape, dtype)
    name = equation.primitive.name
    if "int" in dtype and name in SIZES:
        return View.filled(SIZES[name](*given), shape, dtype)
    return None
