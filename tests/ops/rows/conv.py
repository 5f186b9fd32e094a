"""Rows of the ops of `schema/ops/conv.py`."""

from __future__ import annotations

from typing import Any

import numpy as np
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
}
