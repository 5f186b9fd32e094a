"""Convolutions of Flax and Haiku, which keep features last, as ops of blox.

Each function is given arrays and settings, and gives what the layer gives, or
`NotImplemented` where no op says exactly that.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp

from .layers import op


def _each(size: int | Sequence[int] | None, count: int) -> list[int]:
    if size is None or isinstance(size, int):
        return [1 if size is None else size] * count
    return list(size)


def _short(sizes: Sequence[int]) -> int | list[int]:
    """One number where all are the same."""
    return sizes[0] if len(set(sizes)) == 1 else list(sizes)


def _pairs(padding: Any, count: int) -> list[list[int]] | None:
    """Padding of each axis, before and behind."""
    if isinstance(padding, int):
        return [[padding, padding]] * count
    found = [[p, p] if isinstance(p, int) else list(p) for p in padding]
    fits = len(found) == count and all(len(p) == 2 and min(p) >= 0 for p in found)
    return found if fits else None


def conv(
    x: Any,
    kernel: Any,
    bias: Any = None,
    *,
    strides: int | Sequence[int] | None = 1,
    padding: Any = "SAME",
    dilation: int | Sequence[int] | None = 1,
    groups: int = 1,
) -> Any:
    """x (..., spatial..., in), kernel (spatial..., in / groups, out)."""
    n = kernel.ndim - 2
    rates = _each(dilation, n)
    mode = {"CIRCULAR": "circular", "REFLECT": "reflect"}.get(str(padding), "zeros")
    pads: Any = padding
    if mode != "zeros":
        reach = [r * (k - 1) for r, k in zip(rates, kernel.shape, strict=False)]
        pads = [[size // 2, size - size // 2] for size in reach]
    elif not isinstance(padding, str):
        pads = _pairs(padding, n)
    elif padding not in ("SAME", "SAME_LOWER", "VALID", "CAUSAL"):
        return NotImplemented
    if not 1 <= n <= 3 or x.ndim < n + 1 or pads is None:
        return NotImplemented
    attributes = {
        "in_features": kernel.shape[-2] * groups,
        "out_features": kernel.shape[-1],
        "kernel_size": list(kernel.shape[:n]),
        "strides": _short(_each(strides, n)),
        "padding": pads,
        "dilation": _short(rates),
        "groups": groups,
        "padding_mode": mode,
    }
    return op("conv", attributes, {"x": x}, {"kernel": kernel, "bias": bias})


def conv_transpose(
    x: Any,
    kernel: Any,
    bias: Any = None,
    *,
    strides: int | Sequence[int] | None = 1,
    padding: Any = "SAME",
    dilation: int | Sequence[int] | None = 1,
    transpose_kernel: bool = False,
) -> Any:
    """`jax.lax.conv_transpose`; of its padding is cut off what blox calls so."""
    n = kernel.ndim - 2
    steps, rates = _each(strides, n), _each(dilation, n)
    weights = jnp.swapaxes(kernel, -1, -2) if transpose_kernel else kernel
    ends = [r * (k - 1) for r, k in zip(rates, kernel.shape, strict=False)]
    cut: Any = padding
    more = [0] * n
    if padding == "VALID":
        more = [max(s - 1 - e, 0) for s, e in zip(steps, ends, strict=True)]
    elif not isinstance(padding, str):
        pairs = _pairs(padding, n)
        if pairs is None:
            return NotImplemented
        cut = [[e - a, e - min(b, e)] for e, (a, b) in zip(ends, pairs, strict=True)]
        more = [b - min(b, e) for e, (_, b) in zip(ends, pairs, strict=True)]
        if any(a < 0 for a, _ in cut):
            return NotImplemented
    elif padding != "SAME":
        return NotImplemented
    if not 1 <= n <= 3 or x.ndim < n + 1:
        return NotImplemented
    attributes = {
        "in_features": weights.shape[-2],
        "out_features": weights.shape[-1],
        "kernel_size": list(kernel.shape[:n]),
        "strides": _short(steps),
        "padding": cut,
        "dilation": _short(rates),
        "output_padding": _short(more),
        "flip_kernel": transpose_kernel,
    }
    slots = {"kernel": weights, "bias": bias}
    return op("conv_transpose", attributes, {"x": x}, slots)


def flax_conv(m: Any, x: Any, kernel: Any, bias: Any) -> Any:
    """The settings of a `Conv` of Flax, which NNX and Linen name alike."""
    return conv(
        x,
        kernel,
        bias,
        strides=m.strides,
        padding=m.padding,
        dilation=m.kernel_dilation,
        groups=m.feature_group_count,
    )


def flax_conv_transpose(m: Any, x: Any, kernel: Any, bias: Any) -> Any:
    """Those of a `ConvTranspose`."""
    return conv_transpose(
        x,
        kernel,
        bias,
        strides=m.strides,
        padding=m.padding,
        dilation=m.kernel_dilation,
        transpose_kernel=m.transpose_kernel,
    )
