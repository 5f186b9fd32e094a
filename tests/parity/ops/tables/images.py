"""Images in other sizes, at other places, in windows."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import torch.nn.functional as F
from parity.ops.tables.row import Numbers, Row, Rows, first, last, pairs

SIZES = {1: (6,), 2: (5, 6), 3: (3, 4, 5)}
METHODS: list[tuple[str, str, bool, dict[int, str], dict[str, Any]]] = [
    ("linear", "half_pixel", False, {1: "linear", 2: "bilinear", 3: "trilinear"}, {}),
    (
        "linear", "align_corners", False,
        {1: "linear", 2: "bilinear", 3: "trilinear"}, {"align_corners": True},
    ),
    ("nearest", "asymmetric", False, dict.fromkeys((1, 2, 3), "nearest"), {}),
    ("nearest", "half_pixel", False, dict.fromkeys((1, 2, 3), "nearest-exact"), {}),
    ("cubic_edge", "half_pixel", False, {2: "bicubic"}, {}),
    ("cubic_edge", "align_corners", False, {2: "bicubic"}, {"align_corners": True}),
    ("linear", "half_pixel", True, {2: "bilinear"}, {"antialias": True}),
    ("cubic", "half_pixel", True, {2: "bicubic"}, {"antialias": True}),
]  # fmt: skip
TARGETS = [
    (3,),
    (11,),
    (1,),
    (3, 11),
    (8, 4),
    (1, 6),
    (10, 1),
    (15, 12),
    (2, 3),
    (6, 2, 5),
]


def sizes() -> Rows:
    numbers = Numbers(60)
    for (method, coordinates, antialias, names, more), wanted in product(
        METHODS, TARGETS
    ):
        n = len(wanted)
        if n not in names:
            continue

        def reference(x: Any, row: Any = (wanted, names[n], more)) -> Any:
            wanted, mode, more = row
            n = len(wanted)
            return last(F.interpolate(first(x, n), wanted, mode=mode, **more), n)

        given = {
            "sizes": list(wanted), "method": method, "coordinates": coordinates,
            "antialias": antialias,
        }  # fmt: skip
        yield Row("resize", given, {"x": numbers(2, *SIZES[n], 2)}, reference)


def samples() -> Rows:
    numbers = Numbers(61)
    modes = ("zeros", "border", "reflection")
    for n, method, mode, aligned in product(
        (2, 3), ("linear", "nearest"), modes, (0, 1)
    ):
        places = (3, 4) if n == 2 else (2, 3, 2)
        row = ("bilinear" if method == "linear" else "nearest", mode, bool(aligned), n)

        def reference(x: Any, grid: Any, row: Any = row) -> Any:
            *how, n = row
            return last(F.grid_sample(first(x, n), grid, *how), n)

        yield Row(
            "grid_sample",
            {"method": method, "padding_mode": mode, "align_corners": bool(aligned)},
            {"x": numbers(2, *SIZES[n], 2), "grid": 1.3 * numbers(2, *places, n)},
            reference,
            slopes=method == "linear",
            near=3e-5,  # places in float32
        )
    for wanted, aligned in product([(3, 4), (1, 2), (2, 3, 4)], (False, True)):
        n = len(wanted)
        if aligned and 1 in wanted:
            continue  # of which PyTorch warns: it has no meaning

        def grid(theta: Any, wanted: Any = wanted, aligned: bool = aligned) -> Any:
            return F.affine_grid(theta, [2, 1, *wanted], align_corners=aligned)

        yield Row(
            "affine_grid",
            {"sizes": list(wanted), "align_corners": aligned},
            {"theta": numbers(2, n, n + 1)},
            grid,
        )


WINDOWS: list[tuple[Any, ...]] = [
    ((3, 2), (1, 2), (1, 0), (2, 1)),
    ((2, 2), (1, 1), (0, 0), (2, 2)),
    ((2, 3), (2, 1), (1, 2), (1, 3)),
    ((1, 1), (1, 1), (0, 0), (1, 1)),
    ((3, 3), (1, 1), (1, 1), (1, 1)),
]
"""Window, dilation, padding and strides."""


def windows() -> Rows:
    numbers = Numbers(62)
    for window, rate, pad, stride in WINDOWS:
        given: dict[str, Any] = {
            "window": list(window), "strides": list(stride), "dilation": list(rate),
            "padding": pairs(pad),
        }  # fmt: skip
        counts = [
            (n + 2 * p - r * (w - 1) - 1) // s + 1
            for n, p, r, w, s in zip((5, 6), pad, rate, window, stride, strict=True)
        ]
        k = window[0] * window[1]
        row = (window, rate, pad, stride)

        def apart(x: Any, row: Any = row, counts: Any = counts, k: int = k) -> Any:
            y = F.unfold(first(x, 2), *row)
            return y.reshape(2, 3, k, *counts).permute(0, 3, 4, 2, 1).flatten(-2)

        def joined(x: Any, row: Any = row, k: int = k) -> Any:
            y = x.unflatten(-1, (k, 3)).permute(0, 4, 3, 1, 2).reshape(2, 3 * k, -1)
            return last(F.fold(y, (5, 6), *row), 2)

        yield Row("im2col", given, {"x": numbers(2, 5, 6, 3)}, apart)
        yield Row(
            "col2im",
            given | {"sizes": [5, 6]},
            {"x": numbers(2, *counts, 3 * k)},
            joined,
        )
    for block in (2, 3):
        given = {"block": [block, block], "order": "CRD"}

        def shuffled(x: Any, block: int = block) -> Any:
            return last(F.pixel_shuffle(first(x, 2), block), 2)

        def unshuffled(x: Any, block: int = block) -> Any:
            return last(F.pixel_unshuffle(first(x, 2), block), 2)

        x = numbers(1, 2, 3, 2 * block**2)
        yield Row("depth_to_space", given, {"x": x}, shuffled)
        x = numbers(1, 2 * block, 3 * block, 2)
        yield Row("space_to_depth", given, {"x": x}, unshuffled)


def neighbours() -> Rows:
    numbers = Numbers(63)
    for size, alpha, beta, k in product(
        (1, 3, 4, 7), (0.3, 1e-4), (0.75, 0.5), (1.0, 2.0)
    ):

        def reference(x: Any, row: Any = (size, alpha, beta, k)) -> Any:
            return last(F.local_response_norm(first(x, 2), *row), 2)

        given = {"size": size, "alpha": alpha, "beta": beta, "k": k}
        yield Row("local_response_norm", given, {"x": numbers(1, 3, 4, 5)}, reference)


def padded() -> Rows:
    """`pad` in the modes of NumPy, and those that PyTorch has by its names."""
    numbers = Numbers(64)
    names: dict[Any, str]
    names = {"reflect": "reflect", "edge": "replicate", "wrap": "circular"}
    for mode, (low, high) in product(names, [(0, 2), (2, 1), (3, 3)]):

        def reference(x: Any, row: Any = (low, high, names[mode])) -> Any:
            low, high, mode = row
            return F.pad(x[None], (high, low, low, high), mode)[0]

        widths = [[0, 0], [low, high], [high, low]]
        given = {"pad_width": widths, "mode": mode}
        yield Row("pad", given, {"x": numbers(2, 4, 5)}, reference)
        given = {"pad_width": [[low, high], [1, 0], [0, 0]], "mode": mode}
        yield Row(
            "pad",
            given,
            {"x": numbers(4, 5, 2)},
            lambda x, w=given["pad_width"], mode=mode: np.pad(x, w, mode),
            "numpy",
        )
    for value, low in product((0.0, -1.5), (0, 3)):
        yield Row(
            "pad",
            {
                "pad_width": [[low, 1], [2, low]],
                "mode": "constant",
                "constant_values": value,
            },
            {"x": numbers(3, 4)},
            lambda x, v=value, low=low: F.pad(x, (2, low, low, 1), value=v),
        )


TABLES = (sizes, samples, windows, neighbours, padded)
