"""Convolutions, in every layout, as those of blox: channels last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...trace import Param, Path, Size, Value
from ...views import View
from ..context import Missing
from ..internals import JaxprEqn, plain_size
from ..lower import Lowering, output_of, rule
from ..numbers import said_dtype
from .padding import padded
from .shapes import reshaped
from .spatial import one_or_each, said_padding, split_padding

KERNELS = ("kernel", "weight", "weights", "w", "W")
"""What arrays are called that a layer has beside its bias."""


@rule("conv_general_dilated")
def conv_general_dilated(lower: Lowering, equation: JaxprEqn) -> View:
    shape, dtype = output_of(equation)
    x, kernel = map(lower.read, equation.invars)
    params = equation.params
    numbers = params["dimension_numbers"]
    lhs, rhs, out = (
        tuple(map(int, spec))
        for spec in (numbers.lhs_spec, numbers.rhs_spec, numbers.out_spec)
    )
    if not 1 <= len(lhs) - 2 <= 3:
        raise Missing(f"conv_general_dilated: over {len(lhs) - 2} axes")
    # Specs have batch and features first: (out, in, spatial...) of a kernel.
    x = x.transpose([lhs[0], *lhs[2:], lhs[1]])
    kernel = kernel.transpose([*rhs[2:], rhs[1], rhs[0]])
    sizes = [shape[i] for i in (out[0], *out[2:], out[1])]
    groups = int(params["feature_group_count"])
    if (batches := int(params["batch_group_count"])) != 1:
        x, groups = _beside(lower, x, batches), batches
    y = _conv(lower, x, kernel, params, groups, sizes, dtype)
    order = [out[0], *out[2:], out[1]]
    return y.transpose([order.index(i) for i in range(len(order))])


def _beside(lower: Lowering, x: View, groups: int) -> View:
    """Groups of the batch as groups of features: (g * n, ..., c) -> (n, ..., g * c)."""
    size = plain_size(x.shape[0] // groups)
    split = reshaped(lower, x, [groups, size, *x.shape[1:]], x.dtype)
    rank = split.ndim
    moved = split.transpose([1, *range(2, rank - 1), 0, rank - 1])
    return reshaped(lower, moved, [size, *x.shape[1:-1], groups * x.shape[-1]], x.dtype)


def _conv(
    lower: Lowering,
    x: View,
    kernel: View,
    params: dict[str, Any],
    groups: int,
    sizes: Sequence[Size],
    dtype: str,
) -> View:
    """x (n, spatial..., in), kernel (spatial..., in / groups, out)."""
    steps = list(map(int, params["window_strides"]))
    spread = list(map(int, params["lhs_dilation"]))
    rates = list(map(int, params["rhs_dilation"]))
    pads = [tuple(map(plain_size, pair)) for pair in params["padding"]]
    if x.dtype != dtype:
        said = {"dtype": said_dtype(dtype)}
        x = lower.elementwise("astype", {"x": x}, x.shape, dtype, said)
    if kernel.dtype != dtype:
        said = {"dtype": said_dtype(dtype)}
        kernel = lower.elementwise("astype", {"x": kernel}, kernel.shape, dtype, said)
    attributes: dict[str, Any] = {
        "in_features": plain_size(kernel.shape[-2] * groups),
        "out_features": kernel.shape[-1],
        "kernel_size": list(kernel.shape[:-2]),
        "use_bias": False,
    }
    if any(r != 1 for r in rates):
        attributes["dilation"] = one_or_each(rates)
    if groups != 1:
        attributes["groups"] = groups
    reach = [
        plain_size(r * (k - 1) + 1)
        for r, k in zip(rates, kernel.shape[:-2], strict=True)
    ]
    ends = [(r - 1 - a, r - 1 - b) for r, (a, b) in zip(reach, pads, strict=True)]
    transposed = any(s != 1 for s in spread)
    if transposed and all(s == 1 for s in steps) and _is_cut(ends):
        op = "conv_transpose"
        attributes |= _transposed(ends, spread)
    else:
        op = "conv"
        x, pads = _prepared(lower, x, spread, pads)
        attributes["padding"] = said_padding(x.shape[1:-1], reach, steps, pads)
        if any(s != 1 for s in steps):
            attributes["strides"] = one_or_each(steps)
    slot = lower.slot(kernel)
    return lower.emit(
        op,
        {"x": x},
        attributes,
        sizes,
        dtype,
        slots={"kernel": slot},
        scope=_scope(lower, slot),
        hint=op,
    )


def _is_cut(ends: Sequence[tuple[Size, Size]]) -> bool:
    return all(isinstance(a, int) and isinstance(b, int) and a >= 0 for a, b in ends)


def _transposed(
    ends: Sequence[tuple[int, int]], spread: Sequence[int]
) -> dict[str, Any]:
    """The attributes of a transposed convolution that cuts off these elements."""
    more = [max(-b, 0) for _, b in ends]
    cut = [[a, max(b, 0)] for a, b in ends]
    found: dict[str, Any] = {"flip_kernel": False, "strides": one_or_each(spread)}
    found["padding"] = cut if any(map(any, cut)) else "VALID"
    if any(more):
        found["output_padding"] = one_or_each(more)
    return found


def _prepared(
    lower: Lowering, x: View, spread: Sequence[int], pads: Sequence[tuple[Size, Size]]
) -> tuple[View, list[tuple[Size, Size]]]:
    """x with what a plain convolution does not do: elements between, and fewer of them."""
    more, less = split_padding(pads, "conv_general_dilated")
    between = [s - 1 for s in spread]
    if any(between) or any(n != 0 for pair in less for n in pair):
        config = [(0, 0, 0)]
        config += [(a, b, n) for (a, b), n in zip(less, between, strict=True)]
        config += [(0, 0, 0)]
        shape = [
            plain_size(size + max_between(size, n) + a + b)
            for size, (a, b, n) in zip(x.shape, config, strict=True)
        ]
        x = padded(lower, x, config, View.filled(0, (), x.dtype), shape)
    return x, more


def max_between(size: Size, between: int) -> Size:
    """How many elements stand between those of an axis."""
    return 0 if between == 0 else (size - 1) * between


def _scope(lower: Lowering, slot: Value) -> Path | None:
    """The path of the layer whose kernel an array is: what holds it, where it is called as
    kernels are, else its own."""
    if not isinstance(slot, Param):
        return None
    layer = slot.path[:-1] if slot.path[-1] in KERNELS else slot.path
    taken = lower.context.layers.setdefault((layer, "kernel"), slot.path)
    return layer if taken == slot.path else slot.path
