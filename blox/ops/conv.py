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
    strides = [strides] * n if isinstance(strides, int) else strides
    dilation = [dilation] * n if isinstance(dilation, int) else dilation
    reach = [d * (k - 1) for d, k in zip(dilation, kernel.shape[:n], strict=True)]
    if padding == "CAUSAL":
        padding = [(r, 0) for r in reach]
    if padding_mode != "zeros":
        if isinstance(padding, str):
            sizes, windows = x.shape[-n - 1 : -1], [r + 1 for r in reach]
            padding = jax.lax.padtype_to_pads(sizes, windows, strides, padding)
        widths = [(0, 0)] * (x.ndim - n - 1) + [*padding, (0, 0)]
        mode = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}
        x, padding = jnp.pad(x, widths, mode=mode[padding_mode]), "VALID"
    dtype = jnp.promote_types(x.dtype, kernel.dtype)
    batch, spatial = x.shape[: -n - 1], "DHW"[-n:]
    y = jax.lax.conv_general_dilated(
        x.reshape(math.prod(batch), *x.shape[-n - 1 :]).astype(dtype),
        kernel.astype(dtype),
        strides,
        padding,
        rhs_dilation=dilation,
        dimension_numbers=(f"N{spatial}C", f"{spatial}IO", f"N{spatial}C"),
        feature_group_count=groups,
    )
    y = y.reshape(*batch, *y.shape[1:])
    return y if bias is None else y + bias
