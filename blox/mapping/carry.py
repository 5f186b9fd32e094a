"""Arrays of theirs become ours: slice by slice, into memory that is there once.

Beside the result at most the arrays of one rule are in memory: each is read when its slice
is written, and dropped then.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from blox.schema.diagnostics import Diagnostic, WeightsError, bounded
from blox.weights.comparing import wide
from blox.weights.faults import require_memory
from blox.weights.loading import aligned_bytes, x64_enabled
from blox.weights.progress import track

from .moves import Described, Move, Plan
from .reading import host_array, immutable
from .spec import Layout, Spec, Unfit, part

if TYPE_CHECKING:
    import numpy as np

    from .spec import Array

_CHUNK = 1 << 24
_CAST = "cast some of them"


def carry(
    plan: Plan,
    tree: Mapping[str, Any],
    there: Mapping[str, Described],
    *,
    dtypes: Mapping[str, Any] | None = None,
    progress: bool | None = None,
) -> dict[str, Array]:
    """The arrays of Params by path (NumPy), those that the plan has moves for.

    Args:
        plan: one without faults, for these arrays.
        tree: arrays of theirs by name, each read when it is needed.
        there: their shapes and dtypes.
        dtypes: that arrays are cast to, by path; others keep theirs.
        progress: see `track`.

    Raises:
        WeightsError: copies whose dtypes no one dtype holds; arrays that are to be equal
            and are not; values that haven't the shape that was promised.
    """
    found = _dtypes(plan, there, dtypes or {})
    made: dict[str, Array] = {}
    moved: list[Move] = []
    for path, moves in plan.paths.items():
        shared = _as_it_is(path, moves, tree, found[path])
        if shared is None:
            moved += [move for move in moves if move.targets[0].name == path]
        else:
            made[path] = shared
    sizes = {
        path: math.prod(plan.leaves[path].full_shape) * found[path].itemsize
        for path in plan.paths
        if path not in made
    }
    require_memory(sum(sizes.values()))
    for path in sizes:
        made[path] = _new(plan.leaves[path].full_shape, found[path])
    reader = _Reader(tree, there)
    total = sum(sizes.values())
    with track("converting", total, progress if total else False) as done:
        for move in moved:
            _perform(move, reader, made, done)
    return {path: made[path] for path in plan.leaves if path in made}


class _Reader:
    """Arrays by name; those of the last move are kept, as the next may be a slice of one."""

    def __init__(self, tree: Mapping[str, Any], there: Mapping[str, Described]) -> None:
        self._tree, self._there = tree, there
        self._held: dict[str, Array] = {}

    def keep(self, names: set[str]) -> None:
        self._held = {n: a for n, a in self._held.items() if n in names}

    def read(self, name: str, at: tuple[int, ...]) -> Array:
        if name not in self._held:
            array, shape = host_array(self._tree[name]), tuple(self._there[name].shape)
            if array.shape != shape:
                text = (
                    f"expected values of shape {list(shape)}, found {list(array.shape)}"
                )
                raise WeightsError(Diagnostic("weights-value", name, text))
            self._held[name] = array
        return part(self._held[name], at)


def _perform(
    move: Move,
    reader: _Reader,
    made: Mapping[str, Array],
    done: Callable[[int], None],
) -> None:
    reader.keep({source.name for source in move.sources})
    targets = [part(made[target.name], target.at) for target in move.targets]
    layouts, windows = _from_behind(move.layouts, targets)
    try:
        if layouts:
            arrays = [reader.read(*source) for source in move.sources]
            for layout in layouts:
                arrays = layout.forward(arrays)
            for window, array in zip(windows, arrays, strict=True):
                _copy(window, array, done)
            return
        for window, source in zip(windows, move.sources, strict=True):
            reader.keep({source.name})
            _copy(window, reader.read(*source), done)
    except Unfit as error:
        found = Diagnostic("weights-value", move.where, str(error))
        raise WeightsError(found) from None


def _from_behind(
    layouts: tuple[Layout, ...], targets: list[Array]
) -> tuple[tuple[Layout, ...], list[Array]]:
    """The layouts that are left, and views of the targets for what comes out of them.

    Where the last ones only move numbers, arrays are written through views into their
    place: without a copy, and one at a time.
    """
    while layouts:
        views = layouts[-1].windows(targets)
        if views is None:
            break
        layouts, targets = layouts[:-1], views
    return layouts, targets


def _copy(target: Array, source: Array, done: Callable[[int], None]) -> None:
    """`target[...] = source`, in parts, cast where dtypes differ."""
    import numpy as np

    if target.ndim and target.nbytes > _CHUNK and len(target) > 1:
        rows = max(1, len(target) * _CHUNK // target.nbytes)
        for start in range(0, len(target), rows):
            _copy(target[start : start + rows], source[start : start + rows], done)
        return
    with np.errstate(over="ignore", invalid="ignore"):
        np.copyto(target, source, casting="unsafe")
    done(target.nbytes)


def _as_it_is(
    path: str, moves: list[Move], tree: Mapping[str, Any], dtype: Any
) -> Array | None:
    """An array of theirs that is ours as it lies, and that nobody can change."""
    move = moves[0]
    whole = len(moves) == 1 and move.targets == ((path, ()),) and not move.layouts
    if not whole or move.sources[0].at:
        return None
    array = immutable(tree[move.sources[0].name])
    return array if array is not None and array.dtype == dtype else None


def _dtypes(
    plan: Plan, there: Mapping[str, Described], casts: Mapping[str, Any]
) -> dict[str, np.dtype[Any]]:
    """The dtype of each array of ours: that of `casts`, or one that holds all its parts.

    Raises:
        WeightsError: there is none, as for float16 and bfloat16; one of 64 bits while
            JAX's x64 is off.
    """
    import numpy as np

    found: dict[str, dict[str, None]] = {}
    known: dict[tuple[tuple[Layout, ...], tuple[Spec, ...]], list[Spec]] = {}
    for move in plan.moves:
        given = tuple(Spec(_part(there[name].shape, at), there[name].dtype)
                      for name, at in move.sources)  # fmt: skip
        specs = known.get((move.layouts, given))
        if specs is None:
            specs = known[move.layouts, given] = _after(move, given)
        for target, spec in zip(move.targets, specs, strict=True):
            found.setdefault(target.name, {})[spec.dtype] = None
    faults: list[Diagnostic] = []
    dtypes: dict[str, np.dtype[Any]] = {}
    for path, names in found.items():
        joined = casts.get(path) or _joined([*names])
        if joined is None:
            wanted = "expected one dtype for all copies of one array"
            text = f"{wanted}, found {', '.join(sorted(names))}"
            faults.append(Diagnostic("weights-dtype", path, text, _CAST))
        else:
            dtypes[path] = np.dtype(joined)
    if not x64_enabled():
        ours = {path: Spec((), str(dtype)) for path, dtype in dtypes.items()}
        faults += wide(ours, ours)
    if faults:
        raise WeightsError(bounded(faults))
    return dtypes


def _after(move: Move, given: tuple[Spec, ...]) -> list[Spec]:
    specs = [*given]
    try:
        for layout in move.layouts:
            specs = layout.shapes(specs)
    except Unfit as error:
        found = Diagnostic("weights-dtype", move.where, str(error))
        raise WeightsError(found) from None
    return specs


def _part(shape: tuple[int, ...], at: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(shape[len(at) :])


def _joined(names: list[str]) -> np.dtype[Any] | None:
    import ml_dtypes
    import numpy as np

    dtypes = [np.dtype(getattr(ml_dtypes, name, None) or name) for name in names]
    try:
        return np.result_type(*dtypes)
    except TypeError:
        return None


def _new(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    memory = aligned_bytes(math.prod(shape) * dtype.itemsize)
    array: Array = memory.view(dtype).reshape(shape)
    return array
