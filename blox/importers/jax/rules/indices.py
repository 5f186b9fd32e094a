"""What the primitives of gather and scatter have in common: places for axes of an array,
in an array whose last axis goes through the axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...trace import Size, Value
from ...views import View, same
from ..internals import Atom, plain_size
from ..lower import Lowering
from .places import Place, place_of


@dataclass(frozen=True)
class Indexed:
    """A gather or a scatter.

    Args:
        x: what is read or written.
        places: of each axis that has places of its own.
        batch: axes of x that go along with one of `frame`.
        frame: sizes of the axes of the places, those of windows behind them.
        sizes: of the window, for each axis of x; 1 for those of `batch`.
        mode: "clip", "fill" (or drop), or "promise" that all lies within.
    """

    x: View
    places: dict[int, Place]
    batch: dict[int, int]
    frame: tuple[Size, ...]
    sizes: tuple[Size, ...]
    mode: str

    @property
    def windows(self) -> list[int]:
        """Axes along which the window has several elements, but for those that it has
        whole wherever it lies."""
        return [
            i
            for i, n in enumerate(self.sizes)
            if i not in self.batch
            and not same(n, 1 if i in self.places else self.x.shape[i])
        ]


def indexed(
    lower: Lowering,
    x: View,
    at: View,
    sizes: Sequence[Size],
    axes: Sequence[int],
    batch: dict[int, int],
    mode: Any,
) -> Indexed:
    """What the parameters of a gather or scatter say.

    Args:
        at: (frame..., number of axes).
        axes: the axis of x for each element along the last axis of `at`.
    """
    text = str(mode).lower()
    said = "fill" if "fill" in text else "clip" if "clip" in text else "promise"
    frame = at.shape[:-1]
    places = {}
    for k, axis in enumerate(axes):
        place = place_of(lower, component(lower, at, k), x.shape[axis])
        full = same(sizes[axis], x.shape[axis]) and not same(sizes[axis], 1)
        zero = place.number is not None and same(place.number, 0)
        if zero and same(sizes[axis], x.shape[axis]):
            continue
        if full and said != "fill":
            continue
        places[axis] = place
    return Indexed(x, places, batch, tuple(frame), tuple(sizes), said)


def read_indices(lower: Lowering, atom: Atom) -> View:
    """Places as they are; none of no axis."""
    aval: Any = atom.aval
    shape = tuple(map(plain_size, aval.shape))
    return lower.read(atom) if shape[-1] else View.filled(0, shape, str(aval.dtype))


def component(lower: Lowering, at: View, place: int) -> View:
    """`at[..., place]`."""
    last = at.ndim - 1
    if at.is_number:
        return at.squeeze([last])
    if same(at.shape[last], 1):
        return at.squeeze([last])
    found = lower.parts.get(at.source)  # type: ignore[arg-type]
    if found is not None and at.axes[last] == found[1]:
        parts, axis = found
        if len(parts) == at.shape[last]:
            own = [a - (a > axis) if a is not None else None for a in at.axes[:last]]
            part = parts[place]
            axes = tuple(None if a is None else part.axes[a] for a in own)
            return View(part.source, axes, at.shape[:last], part.dtype)
    step = lower.made.get(at.source)  # type: ignore[arg-type]
    if step is not None and step.op == "constant" and last == 0:
        return View.filled(step.attributes["value"][place], (), at.dtype)
    value = lower.array(at)
    made = lower.emit(
        "index", {"x": value}, {"at": [Ellipsis, place]}, at.shape[:last], at.dtype
    )
    return made


def arrays(lower: Lowering, of: Indexed) -> tuple[dict[int, Place], tuple[Size, ...]]:
    """Places for each element of a window, axis by axis, in one frame: its own axes, then
    one for each axis of which the window has a part."""
    windows = of.windows
    frame = (*of.frame, *(of.sizes[i] for i in windows))
    rank = len(of.frame)
    found: dict[int, Place] = {}
    for axis, place in of.places.items():
        if axis not in windows:
            found[axis] = _stretched(place, frame)
    for k, axis in enumerate(windows):
        found[axis] = _window(lower, of, axis, frame, rank + k)
    return dict(sorted(found.items())), frame


def _stretched(place: Place, frame: Sequence[Size]) -> Place:
    def to(view: View) -> View:
        return view.broadcast(frame, range(view.ndim))

    return Place(to(place.raw), to(place.view), place.wraps, place.low)


def _window(
    lower: Lowering, of: Indexed, axis: int, frame: Sequence[Size], at: int
) -> Place:
    """The places of a window along an axis."""
    size, count = of.x.shape[axis], of.sizes[axis]
    first: Size | None = 0
    if axis in of.places:
        first = of.places[axis].within(size, count, of.mode == "promise")
    attributes = {"stop": plain_size((first or 0) + count), "dtype": "int32"}
    if first:
        attributes["start"] = first
    steps = lower.emit("arange", {}, attributes, [count], "int32")
    along = steps.broadcast(frame, [at])
    if first is not None:
        return Place(along, along, False, True)
    place = _stretched(of.places[axis], frame)
    start = place.raw

    def op(name: str, a: View, b: Any, dtype: str = "") -> View:
        other = b if isinstance(b, View) else View.filled(b, frame, start.dtype)
        return lower.elementwise(
            name, {"a": a, "b": other}, frame, dtype or start.dtype
        )

    if of.mode == "clip":
        start = op("minimum", op("maximum", start, 0), size - count)
    found = op("add", start, along)
    if of.mode == "fill":
        inside = lower.elementwise(
            "logical_and",
            {
                "a": op("greater_equal", start, 0, "bool"),
                "b": op("less_equal", start, size - count, "bool"),
            },
            frame,
            "bool",
        )
        given = {
            "condition": inside,
            "a": found,
            "b": View.filled(size, frame, start.dtype),
        }
        found = lower.elementwise("where", given, frame, start.dtype)
    return Place(found, found, False, True)


def together(lower: Lowering, views: Sequence[View]) -> list[Any]:
    """Places of several axes as operands that broadcast to the shape of all."""
    order = list(range(views[0].ndim))
    if len(views) == 1:
        return [lower.operand(views[0])]
    given = [lower.aligned(v, order) for v in views]
    sizes = [g.shape for g in given if isinstance(g, Value)]
    for axis, size in enumerate(views[0].shape):
        behind = len(order) - axis
        if not any(len(s) >= behind and same(s[-behind], size) for s in sizes):
            return [lower.array(views[0]), *given[1:]]
    return given


def stacked(lower: Lowering, given: Sequence[View], frame: Sequence[Size]) -> Value:
    """Places of several axes as one array, (frame..., number of axes)."""
    whole = [v.broadcast(frame, range(v.ndim)) for v in given]
    if len(whole) == 1:
        one = whole[0].broadcast([*frame, 1], range(len(frame)))
        return lower.array(one)
    attributes = {"axis": -1}
    shape = [*frame, len(whole)]
    return lower.array(
        lower.emit("stack", {"xs": whole}, attributes, shape, whole[0].dtype)
    )
