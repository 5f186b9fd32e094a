"""Whether equations are the same, whatever their variables are called."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from .internals import Atom, ClosedJaxpr, Jaxpr, JaxprEqn, Literal, Var, written_at


class Alike:
    """Compares equations, and remembers which variables of both are the same."""

    def __init__(self) -> None:
        self.same: dict[Var, Atom] = {}

    def equations(self, a: JaxprEqn, b: JaxprEqn) -> bool:
        """True where both do the same to the same."""
        if a.primitive is not b.primitive or len(a.invars) != len(b.invars):
            return False
        flowing = zip(a.invars, b.invars, strict=True)
        if not all(self.atoms(x, y) for x, y in flowing):
            return False
        if len(a.outvars) != len(b.outvars) or not self.values(a.params, b.params):
            return False
        outputs = zip(a.outvars, b.outvars, strict=True)
        self.same |= zip(a.outvars, b.outvars, strict=True)
        return all(str(x.aval) == str(y.aval) for x, y in outputs)

    def atoms(self, a: Any, b: Any) -> bool:
        """True for literals of one value, and for variables that are the same."""
        if str(a.aval) != str(b.aval):
            return False
        if isinstance(a, Literal):
            return isinstance(b, Literal) and _equal(a.val, b.val)
        return self.same.get(a) is b

    def jaxprs(self, a: Jaxpr, b: Jaxpr) -> bool:
        """True for functions of the same equations, written at the same place if it is
        said: a function with derivatives of its own has them by its code."""
        counts = [(len(j.invars), len(j.constvars), len(j.eqns)) for j in (a, b)]
        if counts[0] != counts[1] or written_at(a) != written_at(b):
            return False
        inner = Alike()
        inner.same = dict(
            zip((*a.invars, *a.constvars), (*b.invars, *b.constvars), strict=True)
        )
        return all(str(x.aval) == str(y.aval) for x, y in inner.same.items()) and (
            all(inner.equations(x, y) for x, y in zip(a.eqns, b.eqns, strict=True))
            and len(a.outvars) == len(b.outvars)
            and all(
                inner.atoms(x, y) for x, y in zip(a.outvars, b.outvars, strict=True)
            )
        )

    def values(self, a: Any, b: Any) -> bool:
        """True for parameters of equations that say the same."""
        if isinstance(a, dict) and isinstance(b, dict):
            return a.keys() == b.keys() and all(self.values(a[k], b[k]) for k in a)
        if isinstance(a, ClosedJaxpr) and isinstance(b, ClosedJaxpr):
            return self.jaxprs(a.jaxpr, b.jaxpr) and self.values(a.consts, b.consts)
        if isinstance(a, Jaxpr) and isinstance(b, Jaxpr):
            return self.jaxprs(a, b)
        if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
            each = zip(a, b, strict=False)
            return len(a) == len(b) and all(self.values(x, y) for x, y in each)
        if hasattr(a, "shape") and hasattr(b, "shape"):
            return _equal(a, b)
        return a is b or _text(a) == _text(b)


def _equal(a: Any, b: Any) -> bool:
    """True for arrays of the same numbers, NaN where the other one has it."""
    return np.array_equal(a, b, equal_nan=np.asarray(a).dtype.kind in "fc")


def _text(value: Any) -> str:
    """What it says of itself, but where it lies in memory."""
    return re.sub(r"0x[0-9a-fA-F]+", "", f"{type(value).__qualname__} {value}")
