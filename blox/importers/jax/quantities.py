"""Numbers in equations that are sizes: as equations that take the size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isfinite
from typing import Any

import numpy as np
from jax.extend.core import primitives

from .internals import (
    JaxprEqn,
    Literal,
    Var,
    dim_as_value_p,
    is_symbol,
    new_equation,
    new_variable,
    shaped_array,
)


class Quantities:
    """Writes numbers and rows of numbers that sizes decide.

    Args:
        size: of a number at each size: what it is, or None.
        equations: to which those that give them are added.
    """

    def __init__(
        self, size: Callable[[Sequence[Any]], Any], equations: list[JaxprEqn]
    ) -> None:
        self.size = size
        self.equations = equations

    def number(self, values: Sequence[Any], aval: Any, dtype: Any) -> Var | None:
        """A scalar: a size, a float that is one, 1 divided by one, or a root of one.

        None where it is none of these.
        """
        kind = np.dtype(dtype).kind
        if kind in "iu":
            found = self.size([int(v) for v in values])
            return None if found is None else self._cast(found, aval)
        if kind != "f":
            return None
        floats = [float(v) for v in values]
        if not all(map(isfinite, floats)):
            return None
        if all(v.is_integer() for v in floats):
            found = self.size([int(v) for v in floats])
            return None if found is None else self._cast(found, aval)
        return self._power(floats, aval, np.dtype(dtype).type)

    def _power(self, floats: Sequence[float], aval: Any, exact: Any) -> Var | None:
        """`1 / n`, `sqrt(n)` or `1 / sqrt(n)` of a size n."""
        if not all(1e-9 < v < 1e9 for v in floats):
            return None
        for power in (-1.0, 0.5, -0.5):
            sizes = [round(v ** (1 / power)) for v in floats]
            if not all(sizes):
                continue
            pairs = zip(sizes, floats, strict=True)
            if any(exact(n**power) != exact(v) for n, v in pairs):
                continue
            found = self.size(sizes)
            if found is None:
                continue
            made: Var = self._cast(found, aval)
            if power in (0.5, -0.5):
                made = self._add(primitives.sqrt_p, [made], aval, {"accuracy": None})
            if power < 0:
                one = Literal(exact(1), aval)
                made = self._add(primitives.div_p, [one, made], aval, {})
            return made
        return None

    def row(self, arrays: Sequence[Any], aval: Any) -> Var | None:
        """A captured array that one number fills, or a row of whole numbers, each of which
        is so much above the one before: what `numpy.arange` gives. None where it is
        neither."""
        found = [np.asarray(a) for a in arrays]
        first = found[0]
        if first.size and all((a == first.flat[0]).all() for a in found):
            filled = Literal(first.flat[0], shaped_array((), aval.dtype))
            return self._wide(filled, aval)
        if any(a.ndim != 1 or a.dtype.kind not in "iu" or a.size < 2 for a in found):
            return None
        gaps = [int(a[1]) - int(a[0]) for a in found]
        starts = [int(a[0]) for a in found]
        if any((np.diff(a) != g).any() for a, g in zip(found, gaps, strict=True)):
            return None
        gap, start = self.size(gaps), self.size(starts)
        if gap is None or start is None:
            return None
        params = {"dtype": aval.dtype, "shape": aval.shape, "dimension": 0}
        made = self._add(primitives.iota_p, [], aval, {**params, "sharding": None})
        for primitive, size in ((primitives.mul_p, gap), (primitives.add_p, start)):
            if not is_symbol(size) and size == (primitive is primitives.mul_p):
                continue
            scalar = shaped_array((), aval.dtype)
            wide = self._wide(self._cast(size, scalar), aval)
            made = self._add(primitive, [made, wide], aval, {})
        return made

    def _wide(self, scalar: Any, aval: Any) -> Var:
        params = {"shape": aval.shape, "broadcast_dimensions": (), "sharding": None}
        return self._add(primitives.broadcast_in_dim_p, [scalar], aval, params)

    def _cast(self, size: Any, aval: Any) -> Any:
        """A size as a scalar."""
        if not is_symbol(size):
            return Literal(np.dtype(aval.dtype).type(size), aval)
        plain = shaped_array((), np.dtype("int32"))
        made = self._add(dim_as_value_p, [], plain, {"dim": size})
        if aval.dtype == plain.dtype and not aval.weak_type:
            return made
        params = {
            "new_dtype": aval.dtype,
            "weak_type": aval.weak_type,
            "sharding": None,
        }
        return self._add(primitives.convert_element_type_p, [made], aval, params)

    def _add(
        self, primitive: Any, given: list[Any], aval: Any, params: dict[str, Any]
    ) -> Var:
        made = new_variable(aval)
        self.equations.append(new_equation(given, [made], primitive, params))
        return made
