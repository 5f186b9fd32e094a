"""The way back: arrays of theirs by name, each made of ours when it is asked for."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from blox.schema.diagnostics import Diagnostic, WeightsError
from blox.weights.dtypes import nbytes_of
from blox.weights.faults import require_memory

from .moves import Move, Plan
from .reading import describe, host_array
from .spec import Spec, Unfit, equal_bits, part

if TYPE_CHECKING:
    from .spec import Array


class Returned(Mapping[str, Any]):
    """The arrays of theirs by name (NumPy), views of ours where possible.

    No second model stands in memory: what is not asked for is not made.

    Args:
        plan: one without faults.
        arrays: Params by path.
    """

    def __init__(self, plan: Plan, arrays: Mapping[str, Any]) -> None:
        self._arrays = arrays
        self._expected, self._leaves = plan.expected, plan.leaves
        self._from: dict[str, list[tuple[Move, int]]] = {}
        for move in plan.moves:
            for at, source in enumerate(move.sources):
                self._from.setdefault(source.name, []).append((move, at))

    def __getitem__(self, name: str) -> Array:
        import numpy as np

        rows = self._from[name]
        self._require_memory(name)
        first = self._made(*rows[0])
        if not rows[0][0].sources[rows[0][1]].at:
            for row in rows[1:]:
                self._require_equal(name, first, row)
            return first
        found: Array = np.zeros(self._expected[name].shape, first.dtype)
        for move, at in rows:
            part(found, move.sources[at].at)[...] = self._made(move, at)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._from)

    def __len__(self) -> int:
        return len(self._from)

    def spec(self, name: str) -> Spec:
        """Shape and dtype of one, which is not made."""
        move, at = self._from[name][0]
        specs = [
            Spec(
                self._leaves[target.name].full_shape[len(target.at) :],
                describe(self._arrays[target.name]).dtype,
            )
            for target in move.targets
        ]
        for layout in reversed(move.layouts):
            specs = layout.unshapes(specs)
        return Spec(self._expected[name].shape, specs[at].dtype)

    def _require_memory(self, name: str) -> None:
        spec = self.spec(name)
        try:
            require_memory(nbytes_of(spec.dtype, math.prod(spec.shape)))
        except MemoryError:
            message = f"expected memory for {list(spec.shape)}, found too little"
            raise WeightsError(Diagnostic("weights-memory", name, message)) from None

    def _made(self, move: Move, at: int) -> Array:
        arrays = [
            part(host_array(self._arrays[target.name]), target.at)
            for target in move.targets
        ]
        try:
            for layout in reversed(move.layouts):
                arrays = layout.back(arrays)
        except Unfit as error:
            found = Diagnostic("weights-value", move.where, str(error))
            raise WeightsError(found) from None
        return arrays[at]

    def _require_equal(self, name: str, first: Array, row: tuple[Move, int]) -> None:
        if not equal_bits(first, self._made(*row)):
            message = f"expected arrays that are equal, as both are {name!r}"
            raise WeightsError(Diagnostic("weights-value", row[0].where, message))
