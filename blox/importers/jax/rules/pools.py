"""Windows that are reduced: pooling, channels last."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from jax.extend.core import primitives

from ...trace import Step, Value
from ...views import View
from ..context import Missing
from ..internals import JaxprEqn, new_equation, plain_size
from ..lower import Lowering, output_of, rule
from .convolutions import max_between
from .padding import padded
from .spatial import one_or_each, said_padding, split_padding

POOLS = {
    "reduce_window_max": ("max_pool", -math.inf),
    "reduce_window_min": ("min_pool", math.inf),
    "reduce_window_sum": ("avg_pool", 0),
}


STARTED = {
    "max": (primitives.reduce_window_max_p, "maximum"),
    "min": (primitives.reduce_window_min_p, "minimum"),
    "add": (primitives.reduce_window_sum_p, "add"),
}
"""Functions of two elements: windows that they reduce, and what puts a first one before."""


@rule("reduce_window")
def from_a_start(lower: Lowering, equation: JaxprEqn) -> View:
    """Windows that are reduced from an element of the user's own on."""
    params = dict(equation.params)
    body = params.pop("jaxpr")
    del params["consts"]
    body = getattr(body, "jaxpr", body)
    (x, start), made = equation.invars, body.eqns[-1]
    plain = len(body.eqns) == 1 and set(made.invars) == set(body.invars)
    if not plain or made.primitive.name not in STARTED:
        raise Missing(
            "reduce_window: a function of its own puts two elements together: only sums, "
            "the greatest and the least are ops"
        )
    primitive, op = STARTED[made.primitive.name]
    alone = new_equation([x], list(equation.outvars), primitive, params)
    shape, dtype = output_of(equation)
    pooled = reduce_window(lower, alone)
    assert isinstance(pooled, View)
    operands = {"a": pooled, "b": lower.read(start)}
    return lower.elementwise(op, operands, shape, dtype)


@rule(*POOLS)
def reduce_window(lower: Lowering, equation: JaxprEqn) -> View:
    shape, dtype = output_of(equation)
    x = lower.read(equation.invars[0])
    params = equation.params
    op, empty = POOLS[equation.primitive.name]
    if "float" not in dtype:
        raise Missing(f"{equation.primitive.name}: of {dtype}")
    window = list(map(plain_size, params["window_dimensions"]))
    steps = list(map(int, params["window_strides"]))
    rates = list(map(int, params["window_dilation"]))
    spread = list(map(int, params["base_dilation"]))
    pads = [tuple(map(plain_size, pair)) for pair in params["padding"]]
    more, less = split_padding(pads, equation.primitive.name)
    for i, pair in enumerate(more):
        if any(isinstance(n, int) and n >= window[i] > 1 for n in pair):
            less[i] = tuple(a + b for a, b in zip(less[i], pair, strict=True))
            more[i] = (0, 0)
    config = [(a, b, s - 1) for (a, b), s in zip(less, spread, strict=True)]
    inner = [
        plain_size(n + max_between(n, c) + a + b)
        for n, (a, b, c) in zip(x.shape, config, strict=True)
    ]
    x = padded(lower, x, config, View.filled(empty, (), dtype), inner)
    moving = [
        i for i in range(x.ndim) if (window[i], steps[i], more[i]) != (1, 1, (0, 0))
    ]
    if not moving:
        return View(x.source, x.axes, shape, dtype)
    x, order = _laid(lower, x, moving)
    spatial = [i for i in order if i in moving]
    attributes: dict[str, Any] = {"window": [window[i] for i in spatial]}
    reach = [plain_size(rates[i] * (window[i] - 1) + 1) for i in spatial]
    strides = [steps[i] for i in spatial]
    if strides != attributes["window"]:
        attributes["strides"] = one_or_each(strides)
    here = [more[i] for i in spatial]
    attributes["padding"] = said_padding(
        [inner[i] for i in spatial], reach, strides, here
    )
    if any(rates[i] != 1 for i in spatial):
        attributes["dilation"] = one_or_each([rates[i] for i in spatial])
    sizes = [1 if i is None else shape[i] for i in order]
    made = lower.emit(op, {"x": x}, attributes, sizes, dtype)
    axes = tuple(order.index(i) for i in range(len(shape)))
    result = View(made.source, axes, shape, dtype)
    if op != "avg_pool":
        return result
    count = math.prod(attributes["window"])
    number = View.filled(float(count), (), dtype)
    total = lower.elementwise("multiply", {"a": result, "b": number}, shape, dtype)
    _share(lower, total, result, float(count), [order.index(i) for i in spatial])
    return total


def _share(
    lower: Lowering, total: View, mean: View, count: float, spatial: Sequence[int]
) -> None:
    """Says that a sum over windows divided by their elements is a mean: by all of them, or
    by those that are no padding, which are a sum over ones."""
    source = total.source
    assert isinstance(source, Value)
    step = lower.made[mean.source]  # type: ignore[index]

    def share(whole: View, by: View) -> View | None:
        if by.is_number:
            if by.source != count:
                return None
            return View(mean.source, whole.axes, whole.shape, whole.dtype)
        ones = lower.made.get(by.source)  # type: ignore[arg-type]
        counted = lower.made.get(ones.operands["a"]) if ones and _times(ones) else None
        if counted is None or counted.op != "avg_pool":
            return None
        filled = lower.made.get(counted.operands["x"])
        same_windows = counted.attributes == step.attributes
        places = [(whole.axes.index(a), a) for a in spatial]
        if filled is None or filled.op != "ones" or not same_windows:
            return None
        if len(counted.operands["x"].shape) != mean.source.ndim:  # type: ignore[union-attr]
            return None
        if any(by.axes[place] != a for place, a in places):
            return None
        attributes = {**step.attributes, "count_include_pad": False}
        assert isinstance(mean.source, Value)
        given = {"x": step.operands["x"]}
        made = lower.emit("avg_pool", given, attributes, mean.source.shape, mean.dtype)
        return View(made.source, whole.axes, whole.shape, whole.dtype)

    lower.shares[source] = share


def _times(step: Step) -> bool:
    """True for something times a number."""
    return step.op == "multiply" and not isinstance(step.operands["b"], Value)


def _laid(
    lower: Lowering, x: View, moving: Sequence[int]
) -> tuple[View, list[int | None]]:
    """x with the axes along which windows move before its last, others in the order of its
    source; None is a new axis of size 1."""
    x = x if x.is_number else lower.arranged(x)
    own = sorted(range(x.ndim), key=lambda i: x.axes[i] or 0)
    spatial = [i for i in own if i in moving]
    rest = [i for i in own if i not in moving]
    if not rest:
        order: list[int | None] = [*spatial, None]
        kept = x.transpose(spatial)
        return kept.broadcast([*kept.shape, 1], range(len(spatial))), order
    order = [*rest[:-1], *spatial, rest[-1]]
    return x.transpose([i for i in order if i is not None]), order
