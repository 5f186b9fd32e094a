"""The error that int8 makes in the arrays that are quantised."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from blox.mapping.layouts import Quantize
from blox.mapping.spec import Unfit
from blox.schema import ModelError

from .carry import behind
from .plan import Step


@dataclass(frozen=True)
class Rounding:
    """The error in one array.

    Args:
        path: of the array, before it was quantised.
        largest: the largest absolute difference.
        relative: the norm of all differences, divided by that of the array.
    """

    path: str
    largest: float
    relative: float


class Roundings(tuple[Rounding, ...]):
    """The errors of all arrays; `str` is a table of them."""

    __slots__ = ()

    def rows(self) -> Iterator[tuple[str, str, str]]:
        """Array, largest absolute error, relative error."""
        for row in self:
            yield row.path, f"{row.largest:.2e}", f"{row.relative:.2%}"

    def __str__(self) -> str:
        rows = [("int8", "largest error", "relative"), *self.rows()]
        width = max(len(row[0]) for row in rows)
        return "\n".join(f"{path:<{width}}  {a:>13}  {b:>8}" for path, a, b in rows)


def roundings(steps: Sequence[Step], params: Mapping[str, Any], key: Any) -> Roundings:
    """The errors that operations make, of Params of the first Graph.

    Raises:
        ModelError: params are not those of the first Graph, or an array that is quantised
            is new and there is no key, or has numbers that are not finite.
    """
    return Roundings(_found(steps, params, key))


def _found(
    steps: Sequence[Step], params: Mapping[str, Any], key: Any
) -> Iterator[Rounding]:
    for i, step in enumerate(steps):
        kinds = {
            m.where: x for m in step.moves for x in m.layouts if type(x) is Quantize
        }
        if not kinds:
            continue
        arrays, _ = behind(steps[:i], params, key)
        for path, layout in kinds.items():
            if path in arrays:  # else it is new, and has no numbers yet
                yield _rounding(path, np.asarray(arrays[path]), layout)


def _rounding(path: str, array: Any, layout: Quantize) -> Rounding:
    try:
        (back,) = layout.back(layout.forward([array]))
    except Unfit as error:
        raise ModelError.one("params", path, str(error)) from error
    exact, found = (x.astype(np.promote_types(x.dtype, "f4")) for x in (array, back))
    wrong = np.abs(exact - found)
    top = np.abs(exact).max(initial=0)
    parts = (x.ravel() / (top or 1) for x in (wrong, exact))  # squares of 1e38 are inf
    norm, size = map(np.linalg.norm, parts)
    return Rounding(path, float(wrong.max(initial=0)), float(norm / (size or 1)))
