"""Primitives that arrange elements: nearly all of them are views."""

from __future__ import annotations

from collections.abc import Sequence

from ...factors import common_factors
from ...trace import Param, Size, Value
from ...views import View, groups
from ..internals import JaxprEqn
from ..lower import Lowering, output_of, rule
from ..numbers import said_dtype


@rule("transpose")
def transpose(lower: Lowering, equation: JaxprEqn) -> View:
    x = lower.read(equation.invars[0])
    return x.transpose([int(p) for p in equation.params["permutation"]])


@rule("broadcast_in_dim")
def broadcast_in_dim(lower: Lowering, equation: JaxprEqn) -> View:
    shape, _ = output_of(equation)
    places = [int(d) for d in equation.params["broadcast_dimensions"]]
    return lower.read(equation.invars[0]).broadcast(shape, places)


@rule("squeeze")
def squeeze(lower: Lowering, equation: JaxprEqn) -> View:
    return lower.read(equation.invars[0]).squeeze(
        [int(d) for d in equation.params["dimensions"]]
    )


@rule("dim_as_value")
def dim_as_value(lower: Lowering, equation: JaxprEqn) -> View:
    _, dtype = output_of(equation)
    return View.filled(equation.params["dim"], (), dtype)


@rule("iota")
def iota(lower: Lowering, equation: JaxprEqn) -> View:
    shape, dtype = output_of(equation)
    axis = int(equation.params["dimension"])
    attributes = {"stop": shape[axis], "dtype": said_dtype(dtype)}
    counted = lower.emit("arange", {}, attributes, [shape[axis]], dtype)
    return counted.broadcast(shape, [axis])


@rule("reshape")
def reshape(lower: Lowering, equation: JaxprEqn) -> View:
    shape, dtype = output_of(equation)
    return reshaped(lower, lower.read(equation.invars[0]), shape, dtype)


def reshaped(lower: Lowering, x: View, shape: Sequence[Size], dtype: str) -> View:
    """The elements of a View in another shape: of its source where each group of axes that
    are merged or split lies side by side in it."""
    if x.is_number:
        return View.filled(x.source, shape, dtype)  # type: ignore[arg-type]
    if (view := x.regrouped(shape)) is not None:
        return view
    if isinstance(x.source, Param) and x.is_arranged:
        slot = lower.slot(x)
        if isinstance(slot, Param) and common_factors(slot.shape, shape) is not None:
            return View.of(slot.moved("reshape", [*shape]))
    x = lower.current(x)
    parts = groups(x.shape, shape)
    if parts is not None:
        changed = [p for p in parts if len(p[0]) != 1 or len(p[1]) != 1]
        if not all(_side_by_side(x, old) for old, _ in changed if len(old) > 1):
            x = View.of(lower.array(x))
        return _regrouped(lower, x, shape, parts)
    value = lower.array(x)
    made = lower.emit("reshape", {"x": value}, {"shape": list(shape)}, shape, dtype)
    return made


def _side_by_side(x: View, axes: range) -> bool:
    """True where axes of a View stand one after the other in its source."""
    own = [x.axes[i] for i in axes]
    return None not in own and own == list(range(own[0] or 0, (own[0] or 0) + len(own)))


def _regrouped(
    lower: Lowering,
    x: View,
    shape: Sequence[Size],
    parts: Sequence[tuple[range, range]],
) -> View:
    """It with axes of its source merged or split, group by group, in the source's order."""
    named: dict[int, list[int]] = {}
    old_of: dict[int, range] = {}
    for old, new in parts:
        start = x.axes[old[0]] if old else None
        if start is None or not new:
            continue
        named[start] = list(new)
        old_of[start] = old
    assert isinstance(x.source, Value)
    value = lower.array(
        View(
            x.source,
            tuple(a for s in sorted(named) for a in range(s, s + len(old_of[s]))),
            tuple(x.shape[i] for s in sorted(named) for i in old_of[s]),
            x.dtype,
        )
    )
    order = [i for s in sorted(named) for i in named[s]]
    sizes = [shape[i] for i in order]
    made = _written(lower, value, sizes, [(old_of[s], named[s]) for s in sorted(named)])
    axes = [order.index(i) if i in order else None for i in range(len(shape))]
    return View(made, tuple(axes), tuple(shape), x.dtype)


def _written(
    lower: Lowering,
    value: Value,
    sizes: Sequence[Size],
    parts: Sequence[tuple[range, list[int]]],
) -> Value:
    """The step that merges or splits: `flatten` for one merge, a reshape of the last axis
    for a split of that, else a reshape by all sizes."""
    merged = [k for k, (old, new) in enumerate(parts) if len(old) > 1 and len(new) == 1]
    split = [k for k, (old, new) in enumerate(parts) if len(new) > 1]
    if not merged and not split:
        return value
    dtype = value.dtype
    if len(merged) == 1 and not split:
        start = sum(len(old) for old, _ in parts[: merged[0]])
        stop = start + len(parts[merged[0]][0])
        attributes = {"start": start - value.ndim}
        if stop != value.ndim:
            attributes["stop"] = stop - value.ndim
        flat = lower.emit("flatten", {"x": value}, attributes, sizes, dtype)
        return lower.array(flat)
    last = len(parts) - 1
    if split == [last] and len(parts[last][0]) == 1 and not merged:
        shape = ["...", *sizes[-len(parts[last][1]) :]]
    else:
        shape = list(sizes)
    return lower.array(
        lower.emit("reshape", {"x": value}, {"shape": shape}, sizes, dtype)
    )
