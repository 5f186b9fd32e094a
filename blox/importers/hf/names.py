"""Arrays between Params and a checkpoint, by a table that reads both ways.

A row of the table says which module of transformers a node is; the op's spec class says
what its arrays are called there, and how they are turned. Params hold the layers stacked
under a scanned repeat, in a list under an unrolled one; a checkpoint has a module per
layer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from blox.schema import Leaf, op_class
from blox.schema.diagnostics import Diagnostic, WeightsError
from blox.weights import LeafSpec
from blox.weights.progress import track

Row = tuple[str, str, str]
"""(node, module of transformers, op); `*` stands for the number of the layer."""


@dataclass(frozen=True, slots=True)
class Place:
    """One array of a checkpoint: `params[path][layer]`, transposed or not.

    `shape` and `dtype` are those of the checkpoint; `layer` is None for what is not
    stacked.
    """

    path: str
    layer: int | None
    name: str
    transposed: bool
    shape: tuple[int, ...]
    dtype: str


def places(table: Iterable[Row], leaves: Mapping[str, Leaf]) -> list[Place]:
    """Every array of a checkpoint of a model with these leaves.

    Raises:
        WeightsError: leaves that the table doesn't name.
    """
    found: list[Place] = []
    for node, module, op in table:
        cls = op_class(op)
        assert cls is not None
        for ours, mark in cls.fields().elsewhere.items():
            rows = _copies(f"{node}.{ours}", leaves)
            for path, layer, number in rows:
                leaf = leaves[path]
                turned = mark.transposed
                shape = tuple(reversed(leaf.shape)) if turned else leaf.shape
                name = f"{module}.{mark.name}".replace("*", str(number))
                found.append(Place(path, layer, name, turned, shape, leaf.dtype))
    unknown = set(leaves) - {place.path for place in found}
    if unknown:
        raise WeightsError(
            Diagnostic("hf-name", path, "transformers has no array for this one")
            for path in leaves
            if path in unknown
        )
    return found


def _copies(
    pattern: str, leaves: Mapping[str, Leaf]
) -> Iterator[tuple[str, int | None, int]]:
    """(path, index within the array, number of the layer) for each array of a row."""
    stacked = pattern.replace(".*", "")
    if stacked in leaves:
        stack = leaves[stacked].stack
        if stack:
            yield from ((stacked, i, i) for i in range(stack[0]))
        else:
            yield stacked, None, 0
    elif "*" in pattern:
        number = 0
        while (path := pattern.replace("*", str(number))) in leaves:
            yield path, None, number
            number += 1


def expected(found: Iterable[Place]) -> dict[str, LeafSpec]:
    """The arrays that a checkpoint must hold, by name."""
    return {place.name: LeafSpec(place.shape, place.dtype) for place in found}


def gather(
    found: Iterable[Place], arrays: Mapping[str, Any], progress: bool | None = None
) -> dict[str, Any]:
    """The arrays of Params by path, from those of a checkpoint by name (NumPy).

    Raises:
        WeightsError: layers of unequal dtypes, which one array can't hold.
    """
    import numpy as np

    layers: dict[str, list[Any]] = {}
    single: dict[str, Any] = {}
    for place in found:
        array = np.asarray(arrays[place.name])
        array = array.T if place.transposed else array
        if place.layer is None:
            single[place.path] = array
        else:
            layers.setdefault(place.path, []).append(array)
    mixed = {}
    for path, parts in layers.items():
        dtypes = sorted({str(part.dtype) for part in parts})
        if len(dtypes) > 1:
            mixed[path] = dtypes
    if mixed:
        raise WeightsError(
            Diagnostic(
                "weights-dtype",
                path,
                f"expected one dtype for all layers, found {', '.join(dtypes)}",
            )
            for path, dtypes in mixed.items()
        )
    stacked: dict[str, Any] = {}
    total = sum(part.nbytes for parts in layers.values() for part in parts)
    with track("converting", total, progress if total else False) as done:
        for path, parts in layers.items():
            stacked[path] = np.stack(parts)
            done(stacked[path].nbytes)
    return single | stacked


class Scattered(Mapping[str, Any]):
    """The arrays of a checkpoint by name (NumPy), from those of Params by path.

    Each is made when it is asked for, so that no second model stands in memory.
    """

    def __init__(self, found: Iterable[Place], arrays: Mapping[str, Any]) -> None:
        self._places = {place.name: place for place in found}
        self._arrays = arrays

    def __getitem__(self, name: str) -> Any:
        import numpy as np

        place = self._places[name]
        array = np.asarray(self._arrays[place.path])
        array = array if place.layer is None else array[place.layer]
        return array.T if place.transposed else array

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)
