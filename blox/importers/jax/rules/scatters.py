"""Scatter: elements at places that arrays say, written."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ...trace import Size, Value
from ...views import View
from ..context import Missing
from ..internals import JaxprEqn
from ..lower import Lowering, output_of, rule
from .indices import Indexed, arrays, indexed, read_indices, stacked, together
from .places import Place, guarded
from .slices import updated

REDUCE = {
    "scatter": "set",
    "scatter-add": "add",
    "scatter-sub": "add",
    "scatter-mul": "multiply",
    "scatter-min": "min",
    "scatter-max": "max",
}
WHOLE = {"add": "add", "multiply": "multiply", "min": "minimum", "max": "maximum"}
SEGMENTS = {
    "add": ("segment_sum", 0),
    "max": ("segment_max", -math.inf),
    "min": ("segment_min", math.inf),
}


@rule(*REDUCE)
def scatter(lower: Lowering, equation: JaxprEqn) -> View:
    _, dtype = output_of(equation)
    x, updates = (lower.read(equation.invars[i]) for i in (0, 2))
    at = read_indices(lower, equation.invars[1])
    params = equation.params
    name = equation.primitive.name
    if name == "scatter" and not _sets(params["update_jaxpr"]):
        raise Missing("scatter: by a function")
    numbers = params["dimension_numbers"]
    beside = [int(a) for a in numbers.operand_batching_dims]
    along = [int(a) for a in numbers.scatter_indices_batching_dims]
    gone = {int(a) for a in numbers.inserted_window_dims} | set(beside)
    window = [int(a) for a in numbers.update_window_dims]
    kept = [i for i in range(x.ndim) if i not in gone]
    sizes: list[Size] = [1] * x.ndim
    for i, place in zip(kept, window, strict=True):
        sizes[i] = updates.shape[place]
    axes = [int(a) for a in numbers.scatter_dims_to_operand_dims]
    batch = dict(zip(beside, along, strict=True))
    # XLA drops what would lie outside, also where it is promised that nothing does.
    mode = "clip" if "clip" in str(params["mode"]).lower() else "fill"
    of = indexed(lower, x, at, sizes, axes, batch, mode)
    if name == "scatter-sub":
        negative = {"x": updates}
        updates = lower.elementwise("negative", negative, updates.shape, dtype)
    # The updates as (frame..., axes of x...), those of size 1 among them.
    free = [i for i in range(updates.ndim) if i not in window]
    spread = updates.transpose([*free, *window]).broadcast(
        [*of.frame, *sizes], [*range(len(free)), *(len(free) + i for i in kept)]
    )
    return _written(lower, of, spread, REDUCE[name], bool(params["unique_indices"]))


def _sets(jaxpr: Any) -> bool:
    """True where an update takes the place of what was there."""
    if jaxpr is None:
        return True
    inner = getattr(jaxpr, "jaxpr", jaxpr)
    return not inner.eqns and inner.outvars[0] is inner.invars[1]


def _written(
    lower: Lowering, of: Indexed, updates: View, reduce: str, unique: bool
) -> View:
    """x with the updates (frame..., window...)."""
    count = len(of.frame)
    if not count and not of.batch:
        unique = True
        if reduce == "set" and (done := _block(lower, of, updates)) is not None:
            return done
        if not of.places and not of.windows:
            given = {"a": of.x, "b": updates}
            return lower.elementwise(WHOLE[reduce], given, of.x.shape, of.x.dtype)
    segments = _segments(lower, of, updates, reduce)
    if segments is not None:
        return segments
    places, frame = arrays(lower, of)
    if not places:
        raise Missing("scatter: of whole arrays, again and again")
    windows = of.windows
    # Axes of windows become axes of the frame.
    order = [*range(count), *(count + i for i in windows)]
    rest = [i for i in range(of.x.ndim) if i not in of.batch and i not in places]
    order += [count + i for i in rest]
    flat = updates.transpose(order)
    attributes: dict[str, Any] = {"reduce": reduce} if reduce != "set" else {}
    if of.mode != "fill":
        attributes["mode"] = "clip"
    if unique or (windows and not count):
        attributes["unique_indices"] = True
    if of.batch:
        return _batched(lower, of, places, frame, flat, rest, attributes)
    return _plain(lower, of, places, frame, flat, rest, attributes)


def _block(lower: Lowering, of: Indexed, updates: View) -> View | None:
    """One block at a place within x."""
    starts: dict[int, Place] = {}
    for i, place in of.places.items():
        at = place.within(of.x.shape[i], of.sizes[i], of.mode != "fill")
        if at is None and of.mode == "fill":
            return None
        starts[i] = place
    for i in of.windows:
        if i not in starts:
            zero = View.filled(0, (), "int32")
            starts[i] = Place(zero, zero, False, True)
    return updated(lower, of.x, updates, dict(sorted(starts.items())))


def _segments(lower: Lowering, of: Indexed, updates: View, reduce: str) -> View | None:
    """Rows joined by their number, beginning with nothing."""
    name, empty = SEGMENTS.get(reduce, ("", None))
    lone = list(of.places) == [0] and len(of.frame) == 1 and not of.batch
    if not name or not lone or of.windows or of.x.source != empty or of.mode != "fill":
        return None
    place = of.places[0]
    if place.wraps and not place.low:
        return None
    data = updates.squeeze([1])
    attributes = {"num_segments": of.x.shape[0]}
    given = {"data": data, "segment_ids": place.raw}
    return lower.emit(name, given, attributes, of.x.shape, of.x.dtype)


def _plain(
    lower: Lowering,
    of: Indexed,
    places: Mapping[int, Place],
    frame: Sequence[Size],
    updates: View,
    rest: Sequence[int],
    attributes: dict[str, Any],
) -> View:
    """Places of some axes, which are the same for all others."""
    x = lower.arranged(of.x)
    assert isinstance(x.source, Value)
    use: Any = "fill" if of.mode == "fill" else "clip"
    indices = together(
        lower, [guarded(lower, p, use, of.x.shape[i]) for i, p in places.items()]
    )
    axis = [x.axes[i] or 0 for i in places]
    count = len(frame)
    own = sorted(rest, key=lambda i: x.axes[i] or 0)
    before = [i for i in own if (x.axes[i] or 0) < min(axis)]
    behind = [i for i in own if (x.axes[i] or 0) > min(axis)]
    order = [
        *(count + rest.index(i) for i in before),
        *range(count),
        *(count + rest.index(i) for i in behind),
    ]
    given = {"x": x.source, "indices": indices}
    given["updates"] = _operand(lower, updates.transpose(order))
    made = lower.emit(
        "scatter", given, {"axis": axis, **attributes}, x.source.shape, x.dtype
    )
    return View(made.source, x.axes, x.shape, x.dtype)


def _operand(lower: Lowering, updates: View) -> Any:
    """Updates, as small as NumPy's rules allow."""
    return lower.aligned(updates, list(range(updates.ndim)))


def _batched(
    lower: Lowering,
    of: Indexed,
    places: Mapping[int, Place],
    frame: Sequence[Size],
    updates: View,
    rest: Sequence[int],
    attributes: dict[str, Any],
) -> View:
    """Places that differ along other axes of x."""
    beside = sorted(of.batch)
    order = [*beside, *places, *rest]
    x = lower.array(of.x.transpose(order))
    free = [i for i in range(len(frame)) if i not in of.batch.values()]
    ahead = [*(of.batch[i] for i in beside), *free]
    use: Any = "fill" if of.mode == "fill" else "clip"
    views = [
        guarded(lower, p, use, of.x.shape[i]).transpose(ahead)
        for i, p in places.items()
    ]
    indices = stacked(lower, views, [frame[i] for i in ahead])
    given = {"x": x, "indices": indices}
    behind = [len(frame) + k for k in range(len(rest))]
    given["updates"] = lower.array(updates.transpose([*ahead, *behind]))
    attributes = {"batch_dims": len(beside), **attributes}
    made = lower.emit("scatter_nd", given, attributes, x.shape, x.dtype)
    back = tuple(order.index(i) for i in range(of.x.ndim))
    return View(made.source, back, of.x.shape, of.x.dtype)
