"""The error that int8 makes in the arrays that are quantised."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from blox.schema import ModelError

from .carry import behind
from .plan import Step
from .quantize import Quantized, quantized


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
        layouts = {m.old[0]: part for m in step.moves for part in m.layouts}
        axes = {p: x.axes for p, x in layouts.items() if isinstance(x, Quantized)}
        if not axes:
            continue
        arrays, _ = behind(steps[:i], params, key)
        for path, own in axes.items():
            if path in arrays:  # else it is new, and has no numbers yet
                yield _rounding(path, np.asarray(arrays[path]), own)


def _rounding(path: str, array: Any, axes: tuple[int, ...]) -> Rounding:
    try:
        values, scale = quantized(array, axes)
    except ValueError as error:
        raise ModelError.one("params", path, str(error)) from error
    exact = array.astype(np.promote_types(array.dtype, np.float32))
    error = np.abs(exact - values * scale.astype(exact.dtype))
    top = np.abs(exact).max(initial=0)
    parts = (x.ravel() / (top or 1) for x in (error, exact))  # squares of 1e38 are inf
    wrong, size = map(np.linalg.norm, parts)
    return Rounding(path, float(error.max(initial=0)), float(wrong / (size or 1)))
