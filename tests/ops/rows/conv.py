"""Rows of the ops of `schema/ops/conv.py`."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from jax import lax
from ops.row import (
    IMAGE,
    Row,
    Rows,
    numbers,
)

normal = numbers(4)


def _convolved(
    x: Any,
    kernel: Any,
    bias: Any = 0.0,
    *,
    pads: Any = ((0, 0), (0, 0)),
    mode: Any = "constant",
    strides: tuple[int, int] = (1, 1),
    dilation: tuple[int, int] = (1, 1),
    groups: int = 1,
) -> Any:
    """Tap by tap: x (height, width, in), kernel (taps, taps, in / groups, out)."""
    x = np.pad(x, (*pads, (0, 0)), mode)
    sizes = [
        (n - d * (k - 1) - 1) // s + 1
        for n, k, s, d in zip(x.shape, kernel.shape, strides, dilation, strict=False)
    ]
    y = 0.0
    for taps in np.ndindex(kernel.shape[:2]):
        at = tuple(
            slice(t * d, t * d + (n - 1) * s + 1, s)
            for t, d, n, s in zip(taps, dilation, sizes, strides, strict=True)
        )
        part = x[at].reshape(*sizes, groups, -1)
        tap = kernel[taps].reshape(part.shape[-1], groups, -1)
        y = y + np.einsum("hwgi,igo->hwgo", part, tap)
    return np.reshape(y, (*sizes, -1)) + bias


def _spread(
    x: Any,
    kernel: Any,
    bias: Any = 0.0,
    *,
    strides: tuple[int, int],
    cut: Any = ((0, 0), (0, 0)),
    more: tuple[int, int] = (0, 0),
    groups: int = 1,
) -> Any:
    """Tap by tap: where each element of x goes to, less what is cut off."""
    sizes = [(n - 1) * s + 1 for n, s in zip(x.shape, strides, strict=False)]
    full = [n + k - 1 + m for n, k, m in zip(sizes, kernel.shape, more, strict=False)]
    y = np.zeros((*full, groups, kernel.shape[-1] // groups))
    for taps in np.ndindex(kernel.shape[:2]):
        at = tuple(
            slice(t, t + n, s) for t, n, s in zip(taps, sizes, strides, strict=True)
        )
        tap = kernel[taps].reshape(kernel.shape[2], groups, -1)
        part = x.reshape(*x.shape[:2], groups, -1)
        y[at] += np.einsum("hwgi,igo->hwgo", part, tap)
    kept = tuple(slice(a, n - b) for (a, b), n in zip(cut, full, strict=True))
    return y[kept].reshape(*y[kept].shape[:2], -1) + bias


def _variant(reference: dict[str, Any], **attributes: Any) -> Row:
    sizes = {"in_features": 4, "out_features": 4, "kernel_size": [3, 3]}
    return Row(
        sizes | attributes,
        (IMAGE,),
        reference=lambda x, **p: _convolved(x, **(p | reference)),
    )


ROWS: Rows = {
    "conv": [
        Row(
            {"in_features": 4, "out_features": 6, "kernel_size": [3, 3], "strides": 2},
            (IMAGE,),
            {"kernel": normal(3, 3, 4, 6), "bias": normal(6)},
            lambda x, kernel, bias: _convolved(
                x, kernel, bias, pads=((1, 1), (0, 1)), strides=(2, 2)
            ),
        ),
        _variant(
            {"pads": ((2, 0), (2, 0)), "groups": 2},
            padding="CAUSAL",
            use_bias=False,
            groups=2,
        ),
        _variant(
            {"pads": ((1, 1), (1, 1)), "mode": "wrap", "strides": (2, 1)},
            padding="SAME",
            padding_mode="circular",
            strides=[2, 1],
        ),
        _variant(
            {"pads": ((1, 0), (0, 2)), "mode": "reflect", "dilation": (2, 2)},
            padding=[[1, 0], [0, 2]],
            padding_mode="reflect",
            dilation=2,
        ),
        _variant({"dilation": (1, 2)}, padding="VALID", dilation=[1, 2]),
    ],
    "conv_transpose": [
        Row(
            {"in_features": 4, "out_features": 6, "kernel_size": [3, 2], "strides": 2},
            (IMAGE,),
            {"kernel": normal(3, 2, 4, 6), "bias": normal(6)},
            partial(_spread, strides=(2, 2), cut=((0, 1), (0, 0))),
        ),
        Row(
            {"in_features": 4, "out_features": 4, "kernel_size": [3, 3], "groups": 2}
            | {"padding": "VALID", "use_bias": False, "strides": [1, 2]},
            (IMAGE,),
            reference=partial(_spread, strides=(1, 2), groups=2),
        ),
        Row(
            {"in_features": 4, "out_features": 4, "kernel_size": [3, 3], "strides": 3}
            | {"padding": [[1, 0], [0, 2]], "output_padding": [1, 0]},
            (IMAGE,),
            reference=partial(
                _spread, strides=(3, 3), cut=((1, 0), (0, 2)), more=(1, 0)
            ),
        ),
        Row(
            {"in_features": 4, "out_features": 6, "kernel_size": [3, 4], "strides": 2}
            | {"flip_kernel": False, "use_bias": False},
            (IMAGE,),
            {"kernel": normal(3, 4, 4, 6)},
            lambda x, kernel: lax.conv_transpose(x[None], kernel, (2, 2), "SAME")[0],
        ),
    ],
}
