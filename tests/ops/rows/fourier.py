"""Rows of the ops of `schema/ops/fourier.py`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from ops.row import IMAGE, Row, Rows, X, Z, numbers

normal = numbers(41)
ROOM = (IMAGE + 1j * normal(5, 6, 4)).astype(np.complex64)


def _along(reference: Callable[..., Any], x: Any, length: int) -> list[Row]:
    """Along either axis, with every norm, as long as x, longer and shorter."""
    kinds: list[dict[str, Any]] = [
        {},
        {"n": length, "norm": "ortho"},
        {"n": length - 3, "axis": -2, "norm": "forward"},
    ]
    return [Row(more, (x,), reference=partial(reference, **more)) for more in kinds]


def _plane(reference: Callable[..., Any], x: Any) -> list[Row]:
    kinds: list[dict[str, Any]] = [{}, {"s": [7, 4], "norm": "ortho"}]
    return [Row(more, (x,), reference=partial(reference, **more)) for more in kinds]


def _space(reference: Callable[..., Any], x: Any) -> list[Row]:
    kinds: list[dict[str, Any]] = [
        {"axis": [-3, -1, -2]},
        {"axis": [-3, -1], "s": [4, 5], "norm": "forward"},
    ]

    def named(more: dict[str, Any]) -> dict[str, Any]:
        return {"axes" if n == "axis" else n: value for n, value in more.items()}

    return [
        Row(more, (x,), reference=partial(reference, **named(more))) for more in kinds
    ]


def _shift(reference: Callable[..., Any]) -> list[Row]:
    return [
        Row({"axis": axes}, (x,), reference=lambda x, a=axes: reference(x, axes=a))
        for axes, x in (([-1], X), ([-2, -1], Z), ([], X))
    ]


ROWS: Rows = {
    "fft": [*_along(np.fft.fft, Z, 6), Row({}, (X,), reference=np.fft.fft)],
    "ifft": [*_along(np.fft.ifft, Z, 6), Row({}, (X,), reference=np.fft.ifft)],
    "rfft": _along(np.fft.rfft, X, 5),
    "irfft": _along(np.fft.irfft, Z, 7),
    "hfft": _along(np.fft.hfft, Z, 7),
    "ihfft": _along(np.fft.ihfft, X, 5),
    "fft2": _plane(np.fft.fft2, ROOM),
    "ifft2": _plane(np.fft.ifft2, ROOM),
    "rfft2": _plane(np.fft.rfft2, IMAGE),
    "irfft2": _plane(np.fft.irfft2, ROOM),
    "fftn": _space(np.fft.fftn, ROOM),
    "ifftn": _space(np.fft.ifftn, ROOM),
    "rfftn": _space(np.fft.rfftn, IMAGE),
    "irfftn": _space(np.fft.irfftn, ROOM),
    "fftfreq": [
        Row({"n": n, "d": 0.5}, reference=lambda n=n: np.fft.fftfreq(n, 0.5))
        for n in (8, 7)
    ],
    "rfftfreq": [
        Row({"n": n, "d": 0.5}, reference=lambda n=n: np.fft.rfftfreq(n, 0.5))
        for n in (8, 7)
    ],
    "fftshift": _shift(np.fft.fftshift),
    "ifftshift": _shift(np.fft.ifftshift),
}
