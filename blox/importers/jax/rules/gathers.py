"""Gather: elements at places that arrays say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from ...trace import Size, Value
from ...views import View, same
from ..internals import JaxprEqn, plain_size
from ..lower import Lowering, output_of, rule
from .counts import counted_slice
from .fills import filled, is_usual
from .indices import Indexed, arrays, indexed, read_indices, stacked, together
from .places import Place, guarded
from .slices import picked, sliced, stop_of


@rule("gather")
def gather(lower: Lowering, equation: JaxprEqn) -> View:
    shape, dtype = output_of(equation)
    x = lower.read(equation.invars[0])
    at = read_indices(lower, equation.invars[1])
    params = equation.params
    numbers = params["dimension_numbers"]
    batch = _paired(numbers.operand_batching_dims, numbers.start_indices_batching_dims)
    sizes = [plain_size(s) for s in params["slice_sizes"]]
    axes = [int(a) for a in numbers.start_index_map]
    of = indexed(lower, x, at, sizes, axes, batch, params["mode"])
    if x.is_number and of.mode != "fill":
        return View.filled(x.source, shape, dtype)  # type: ignore[arg-type]
    if of.mode != "fill" or is_usual(params["fill_value"], dtype):
        return _read(lower, equation, of)
    found = _read(lower, equation, replace(of, mode="clip"))
    offset = [int(a) for a in numbers.offset_dims]
    free = [i for i in range(len(shape)) if i not in offset]
    return filled(lower, of, found, free, params["fill_value"])


def _read(lower: Lowering, equation: JaxprEqn, of: Indexed) -> View:
    """What is gathered, with its axes as the equation has them."""
    shape, dtype = output_of(equation)
    numbers = equation.params["dimension_numbers"]
    found, order = _found(lower, of)
    gone = {*of.batch, *map(int, numbers.collapsed_slice_dims)}
    kept = [i for i in range(of.x.ndim) if i not in gone]
    offset = [int(a) for a in numbers.offset_dims]
    free = iter(range(len(of.frame)))
    wanted = [
        ("x", kept[offset.index(i)]) if i in offset else ("frame", next(free))
        for i in range(len(shape))
    ]
    axes_of = tuple(
        found.axes[order.index(name)] if name in order else None for name in wanted
    )
    return View(found.source, axes_of, tuple(shape), dtype)


def _paired(of_x: Sequence[Any], of_frame: Sequence[Any]) -> dict[int, int]:
    return {int(a): int(b) for a, b in zip(of_x, of_frame, strict=True)}


Name = tuple[str, int]
"""An axis of what is gathered: ("x", axis of x) or ("frame", axis of the places)."""


def _found(lower: Lowering, of: Indexed) -> tuple[View, list[Name]]:
    """What is gathered, and what its axes are; those that it lacks are of size 1."""
    if not of.frame and not of.batch:
        done = _block(lower, of)
        if done is not None:
            return done
    if (done := _counted(lower, of)) is not None:
        return done
    of = _without_starts(lower, of)
    if not of.places:  # the same for all of the frame
        return of.x, [
            ("frame", of.batch[i]) if i in of.batch else ("x", i)
            for i in range(of.x.ndim)
        ]
    places, frame = arrays(lower, of)
    windows = of.windows
    names: list[Name] = [("frame", i) for i in range(len(of.frame))]
    names += [("x", i) for i in windows]
    if not of.batch:
        return _plain(lower, of, places, frame, names)
    free = [i for i in range(len(frame)) if i not in of.batch.values()]
    if len(places) == 1 and len(free) <= 1:
        return _along(lower, of, places, frame, names)
    return _batched(lower, of, places, frame, names)


def _without_starts(lower: Lowering, of: Indexed) -> Indexed:
    """Windows that begin at 0 are cut out first."""
    lone = [i for i in of.windows if i not in of.places]
    if not lone:
        return of
    cut = {i: slice(0, of.sizes[i], 1) for i in lone}
    shape = [of.sizes[i] if i in lone else n for i, n in enumerate(of.x.shape)]
    return replace(of, x=picked(lower, of.x, cut, shape))


def _block(lower: Lowering, of: Indexed) -> tuple[View, list[Name]] | None:
    """One block at one place."""
    names: list[Name] = [("x", i) for i in range(of.x.ndim)]
    cut: dict[int, Any] = {}
    promised = of.mode == "promise"
    moving = {}
    for i, place in of.places.items():
        at = place.within(of.x.shape[i], of.sizes[i], promised)
        if at is not None:
            cut[i] = slice(at, stop_of(at, of.sizes[i], of.x.shape[i]), 1)
        else:
            moving[i] = place
    if moving and of.mode == "fill":
        return None
    ones = [i for i in moving if same(of.sizes[i], 1)]
    if moving and len(ones) == len(moving):
        return None
    for i in of.windows:
        if i not in of.places:
            cut[i] = slice(0, of.sizes[i], 1)
    shape = [of.sizes[i] if i in cut else n for i, n in enumerate(of.x.shape)]
    x = picked(lower, of.x, cut, shape) if cut else of.x
    return sliced(lower, x, moving, of.sizes), names


def _counted(lower: Lowering, of: Indexed) -> tuple[View, list[Name]] | None:
    """Places one after the other along one axis: a slice."""
    if of.batch or len(of.places) != 1 or len(of.frame) != 1 or of.windows:
        return None
    ((axis, place),) = of.places.items()
    cut = counted_slice(lower, place.view, of.x.shape[axis], of.frame[0], of.mode)
    if cut is None:
        return None
    shape = [of.frame[0] if i == axis else n for i, n in enumerate(of.x.shape)]
    whole = cut == slice(0, of.x.shape[axis], 1)
    found = of.x if whole else picked(lower, of.x, {axis: cut}, shape)
    names: list[Name] = [("x", i) for i in range(of.x.ndim)]
    names[axis] = ("frame", 0)
    return found, names


def _plain(
    lower: Lowering,
    of: Indexed,
    places: Mapping[int, Place],
    frame: Sequence[Size],
    names: Sequence[Name],
) -> tuple[View, list[Name]]:
    """Places of some axes, which are the same for all others."""
    x = lower.arranged(of.x)
    assert isinstance(x.source, Value)
    mode = _mode(of)
    own = {i: x.axes[i] or 0 for i in places}
    order = list(range(len(frame)))
    if len(places) == 1:
        order = _order_of(next(iter(places.values())).view)
    lone = len(places) == 1
    if lone and mode == "clip":  # `take` clamps below 0, too
        lone = not any(p.wraps and not p.low for p in places.values())
    attributes: dict[str, Any]
    if lone:
        ((axis, place),) = places.items()
        view = (
            place.raw if mode == "clip" else guarded(lower, place, mode, x.shape[axis])
        )
        op = "take"
        attributes = {"axis": own[axis] - x.ndim if own[axis] else 0}
        given: dict[str, Any] = {"x": x.source, "indices": view.transpose(order)}
    else:
        views = [guarded(lower, p, mode, of.x.shape[i]) for i, p in places.items()]
        seen = together(lower, [v.transpose(order) for v in views])
        op, attributes = "gather", {"axis": [own[i] for i in places]}
        given = {"x": x.source, "indices": seen}
    if mode == "fill":
        attributes["mode"] = mode
    first = min(own.values())
    gone = {a: i for i, a in own.items()}
    left = [a for a in range(x.ndim) if a not in gone]
    back = {a: i for i, a in enumerate(x.axes)}
    result: list[Name] = [("x", back[a]) for a in left if a < first]
    result += [names[i] for i in order]
    result += [("x", back[a]) for a in left if a >= first]
    sizes = [x.source.shape[a] for a in left if a < first]
    sizes += [frame[i] for i in order]
    sizes += [x.source.shape[a] for a in left if a >= first]
    return lower.emit(op, given, attributes, sizes, of.x.dtype), result


def _mode(of: Indexed) -> Literal["clip", "fill"]:
    return "fill" if of.mode == "fill" else "clip"


def _order_of(view: View) -> list[int]:
    """Its axes in the order of its source."""
    if not view.is_arranged:
        return list(range(view.ndim))
    return sorted(range(view.ndim), key=lambda i: view.axes[i] or 0)


def _along(
    lower: Lowering,
    of: Indexed,
    places: Mapping[int, Place],
    frame: Sequence[Size],
    names: Sequence[Name],
) -> tuple[View, list[Name]]:
    """Places along one axis that differ along others: they lie beside x."""
    x = lower.arranged(of.x)
    assert isinstance(x.source, Value)
    ((axis, place),) = places.items()
    mode = _mode(of)
    view = guarded(lower, place, mode, of.x.shape[axis])
    free = [i for i in range(len(frame)) if i not in of.batch.values()]
    back = {a: i for i, a in enumerate(x.axes)}
    seen: list[int | None] = []
    for a in range(x.ndim):
        i = back[a]
        beside = (
            of.batch[i] if i in of.batch else free[0] if i == axis and free else None
        )
        seen.append(beside)
    shape = tuple(1 if i is None else frame[i] for i in seen)
    axes = tuple(None if i is None else view.axes[i] for i in seen)
    indices = View(view.source, axes, shape, view.dtype)
    attributes: dict[str, Any] = {"axis": (x.axes[axis] or 0) - x.ndim}
    if mode == "fill":
        attributes["mode"] = mode
    result: list[Name] = []
    sizes = []
    for a in range(x.ndim):
        i, beside = back[a], seen[a]
        result.append(("x", i) if beside is None else names[beside])
        sizes.append(x.source.shape[a] if i != axis else shape[a])
    given = {"x": x.source, "indices": lower.array(indices)}
    return lower.emit("take_along_axis", given, attributes, sizes, of.x.dtype), result


def _batched(
    lower: Lowering,
    of: Indexed,
    places: Mapping[int, Place],
    frame: Sequence[Size],
    names: Sequence[Name],
) -> tuple[View, list[Name]]:
    """Places of several axes that differ along others."""
    mode = _mode(of)
    beside = sorted(of.batch)
    rest = [i for i in range(of.x.ndim) if i not in of.batch and i not in places]
    x = lower.array(of.x.transpose([*beside, *places, *rest]))
    free = [i for i in range(len(frame)) if i not in of.batch.values()]
    order = [*(of.batch[i] for i in beside), *free]
    sizes = [frame[i] for i in order]
    views = [
        guarded(lower, p, mode, of.x.shape[i]).transpose(order)
        for i, p in places.items()
    ]
    indices = stacked(lower, views, sizes)
    attributes: dict[str, Any] = {"batch_dims": len(beside)}
    if mode == "fill":
        attributes["mode"] = mode
    result = [names[i] for i in order] + [("x", i) for i in rest]
    shape = [*sizes, *(of.x.shape[i] for i in rest)]
    given = {"x": x, "indices": indices}
    return lower.emit("gather_nd", given, attributes, shape, of.x.dtype), result
