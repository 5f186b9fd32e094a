"""Primitives that join arrays, and that take them apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...trace import Size, Value
from ...views import View, same
from ..internals import JaxprEqn
from ..lower import Lowering, output_of, rule
from .slices import picked


@rule("concatenate")
def concatenate(lower: Lowering, equation: JaxprEqn) -> View:
    shape, dtype = output_of(equation)
    parts = [lower.read(v) for v in equation.invars]
    axis = int(equation.params["dimension"])
    if len(parts) == 1:
        return parts[0]
    return _joined(lower, parts, axis, shape, dtype)


def _joined(
    lower: Lowering,
    parts: Sequence[View],
    axis: int,
    shape: Sequence[object],
    dtype: str,
) -> View:
    """The arrays one after another, in the order of axes that the first of them has."""
    parts = [lower.current(p) for p in parts]
    single = all(same(p.shape[axis], 1) for p in parts)
    new = single and all(p.axes[axis] is None for p in parts)
    if new and not all(p.is_number for p in parts):
        rest = [i for i in range(len(shape)) if i != axis]
        order = _order([p.squeeze([axis]) for p in parts], rest)
        place = axis if order == rest else 0
        order.insert(place, axis)
        given = [p.transpose([i for i in order if i != axis]) for p in parts]
        said = -1 if place == len(order) - 1 else place
        op, attributes = "stack", {"axis": said}
    else:
        order = _order(parts, list(range(len(shape))))
        place = order.index(axis)
        given = [p.transpose(order) for p in parts]
        op, attributes = "concatenate", {"axis": place - len(order)}
    made = lower.emit(op, {"xs": given}, attributes, [shape[i] for i in order], dtype)
    assert isinstance(made.source, Value)
    if single:
        lone = [p if op == "stack" else p.squeeze([place]) for p in given]
        lower.parts[made.source] = lone, place
    places = tuple(order.index(i) for i in range(len(shape)))
    return View(made.source, places, tuple(shape), dtype)


def _order(parts: Sequence[View], axes: list[int]) -> list[int]:
    """These axes in the order in which most of the arrays have them."""
    found = [
        sorted(axes, key=lambda i, p=p: p.axes[axes.index(i)])  # type: ignore[misc]
        for p in parts
        if p.is_arranged
    ]
    return max(found, key=lambda order: found.count(order)) if found else list(axes)


@rule("split")
def split(lower: Lowering, equation: JaxprEqn) -> list[View]:
    axis = int(equation.params["axis"])
    whole = lower.read(equation.invars[0])
    shapes = [output_of(equation, i)[0] for i in range(len(equation.outvars))]
    parts = [View.filled(0, shape, whole.dtype) for shape in shapes]  # where empty
    places = [i for i, shape in enumerate(shapes) if not same(shape[axis], 0)]
    if len(places) == 1:
        parts[places[0]] = whole
    elif places:
        sizes = [shapes[i][axis] for i in places]
        for i, part in zip(places, _parts(lower, whole, axis, sizes), strict=True):
            parts[i] = View(part.source, part.axes, shapes[i], whole.dtype)
    return parts


def _parts(
    lower: Lowering, x: View, axis: int, sizes: Sequence[Size]
) -> Iterator[View]:
    """Two or more parts of an array, of the axes that it has."""
    x = lower.along(x, [axis])
    assert isinstance(x.source, Value)
    own = x.axes[axis]
    assert own is not None
    equal = all(same(s, sizes[0]) for s in sizes)
    names = [f"part_{i}" for i in range(len(sizes))]
    outputs = []
    for name, size in zip(names, sizes, strict=True):
        shape = [size if i == own else n for i, n in enumerate(x.source.shape)]
        outputs.append((name, shape, x.dtype))
    attributes = {
        "names": names,
        "sections": len(sizes) if equal else list(sizes),
        "axis": own - x.source.ndim,
    }
    for part in lower.emit_several("split", {"x": x.source}, attributes, outputs):
        yield View(part.source, x.axes, part.shape, x.dtype)


@rule("stack")
def stack(lower: Lowering, equation: JaxprEqn) -> View:
    shape, dtype = output_of(equation)
    axis = int(equation.params["axis"])
    rest = [i for i in range(len(shape)) if i != axis]
    one = [1 if i == axis else n for i, n in enumerate(shape)]
    parts = [lower.read(v).broadcast(one, rest) for v in equation.invars]
    return _joined(lower, parts, axis, shape, dtype)


@rule("unstack")
def unstack(lower: Lowering, equation: JaxprEqn) -> list[View]:
    x = lower.read(equation.invars[0])
    axis = int(equation.params["axis"])
    one = [1 if i == axis else n for i, n in enumerate(x.shape)]
    return [
        picked(lower, x, {axis: slice(place, place + 1, 1)}, one).squeeze([axis])
        for place in range(len(equation.outvars))
    ]


@rule("tile")
def tile(lower: Lowering, equation: JaxprEqn) -> View:
    shape, dtype = output_of(equation)
    x = lower.read(equation.invars[0])
    reps = [*equation.params["reps"]]
    reps = [1] * (x.ndim - len(reps)) + reps
    return lower.emit("tile", {"x": x}, {"reps": reps}, shape, dtype)
