"""Convolution over 1 to 3 spatial axes, channels last."""

from __future__ import annotations

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import Array


def conv(
    x: Array,
    kernel: Array,
    bias: Array | None = None,
    *,
    strides: int | Sequence[int],
    padding: str | Sequence[tuple[int, int]],
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
    padding_mode: str = "zeros",
) -> Array:
    """x (..., spatial..., in), kernel (spatial..., in / groups, out)."""
    n = kernel.ndim - 2
    steps = [strides] * n if isinstance(strides, int) else strides
    rates = [dilation] * n if isinstance(dilation, int) else dilation
    pads: str | Sequence[tuple[int, int]] = padding
    if padding == "CAUSAL":
        pads = [(r * (k - 1), 0) for r, k in zip(rates, kernel.shape, strict=False)]
    padded = x
    if padding_mode != "zeros":
        reach = [r * (k - 1) + 1 for r, k in zip(rates, kernel.shape, strict=False)]
        if isinstance(pads, str):
            pads = jax.lax.padtype_to_pads(x.shape[-n - 1 : -1], reach, steps, pads)
        mode = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}
        widths = [(0, 0)] * (x.ndim - n - 1) + [*pads, (0, 0)]
        padded = jnp.pad(x, widths, mode=mode[padding_mode])
        pads = "VALID"
    rows = padded
    if x.ndim != kernel.ndim:
        rows = padded.reshape(math.prod(x.shape[: -n - 1]), *padded.shape[-n - 1 :])
    weights = kernel
    if x.dtype != kernel.dtype:
        dtype = jnp.promote_types(x.dtype, kernel.dtype)
        rows = rows.astype(dtype)
        weights = kernel.astype(dtype)
    spatial = "DHW"[-n:]
    dimensions = (f"N{spatial}C", f"{spatial}IO", f"N{spatial}C")
    y = jax.lax.conv_general_dilated(
        rows,
        weights,
        steps,
        pads,
        rhs_dilation=None if dilation == 1 else rates,
        dimension_numbers=dimensions,
        feature_group_count=groups,
    )
    if x.ndim != kernel.ndim:
        y = y.reshape(*x.shape[: -n - 1], *y.shape[1:])
    return y if bias is None else y + bias


def conv_transpose(
    x: Array,
    kernel: Array,
    bias: Array | None = None,
    *,
    strides: int | Sequence[int],
    padding: str | Sequence[tuple[int, int]],
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
    output_padding: int | Sequence[int] = 0,
    flip_kernel: bool = True,
) -> Array:
    """x (..., spatial..., in), kernel (spatial..., in / groups, out)."""
    n = kernel.ndim - 2
    steps = [strides] * n if isinstance(strides, int) else strides
    rates = [dilation] * n if isinstance(dilation, int) else dilation
    more = [output_padding] * n if isinstance(output_padding, int) else output_padding
    ends = [r * (k - 1) for r, k in zip(rates, kernel.shape, strict=False)]
    if padding == "SAME":
        over = [end + 1 - step for end, step in zip(ends, steps, strict=True)]
        cut = [(max(o, 0) // 2, o - max(o, 0) // 2) for o in over]
    else:
        cut = [(0, 0)] * n if isinstance(padding, str) else [*padding]
    pads = [
        (end - pair[0], end - pair[1] + extra)
        for end, pair, extra in zip(ends, cut, more, strict=True)
    ]
    weights = jnp.flip(kernel, range(n)) if flip_kernel else kernel
    rows = x
    if x.ndim != kernel.ndim:
        rows = x.reshape(math.prod(x.shape[: -n - 1]), *x.shape[-n - 1 :])
    if x.dtype != kernel.dtype:
        dtype = jnp.promote_types(x.dtype, kernel.dtype)
        rows = rows.astype(dtype)
        weights = weights.astype(dtype)
    spatial = "DHW"[-n:]
    dimensions = (f"N{spatial}C", f"{spatial}IO", f"N{spatial}C")
    y = jax.lax.conv_general_dilated(
        rows,
        weights,
        [1] * n,
        pads,
        lhs_dilation=steps,
        rhs_dilation=None if dilation == 1 else rates,
        dimension_numbers=dimensions,
        feature_group_count=groups,
    )
    if x.ndim != kernel.ndim:
        y = y.reshape(*x.shape[: -n - 1], *y.shape[1:])
    return y if bias is None else y + bias
