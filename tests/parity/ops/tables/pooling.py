"""Pools."""

from __future__ import annotations

from itertools import product
from typing import Any

import equinox as eqx
import jax
import torch
import torch.nn.functional as F
from flax import nnx
from parity.ops.tables.row import Numbers, Row, Rows, each, first, last, pairs

MAX = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
MEAN = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}
POWER = {1: F.lp_pool1d, 2: F.lp_pool2d}
SIZES = {1: (9,), 2: (7, 8), 3: (5, 6, 5)}
WINDOWS: list[tuple[Any, ...]] = [
    ((3,), 2, (1,), 1),
    ((2,), 3, (0,), 2),
    ((4,), 1, (2,), 1),
    ((3, 2), (2, 1), (1, 1), 1),
    ((2, 2), 2, (0, 0), 1),
    ((2, 3), (3, 2), (1, 0), 1),
    ((3, 3), 2, (1, 1), 2),
    ((2, 2), 1, (1, 1), (3, 2)),
    ((2, 2, 3), (2, 1, 2), (0, 1, 1), 1),
    ((3, 2, 2), 2, (1, 1, 0), 1),
]
"""Window, strides, padding and dilation."""


def spec(window: Any, stride: Any, pads: Any, rate: Any, ceil: bool) -> dict[str, Any]:
    strides = stride if isinstance(stride, int) else list(stride)
    dilation = rate if isinstance(rate, int) else list(rate)
    return {
        "window": list(window),
        "strides": strides,
        "padding": pairs(pads),
        "dilation": dilation,
        "ceil_mode": ceil,
    }


def extremes_of_torch() -> Rows:
    numbers = Numbers(10)
    for (window, stride, pads, rate), ceil, sign in product(
        WINDOWS, (False, True), (1, -1)
    ):

        def reference(
            x: Any, row: Any = (window, stride, pads, rate, ceil, sign)
        ) -> Any:
            *row, ceil, sign = row
            n = len(row[0])
            return sign * last(MAX[n](first(sign * x, n), *row, ceil_mode=ceil), n)

        yield Row(
            "max_pool" if sign > 0 else "min_pool",
            spec(window, stride, pads, rate, ceil),
            {"x": numbers(2, *SIZES[len(window)], 2)},
            reference,
        )


def means_of_torch() -> Rows:
    numbers = Numbers(11)
    for (window, stride, pads, rate), ceil, count in product(
        WINDOWS, (False, True), (False, True)
    ):
        if rate != 1:
            continue

        def reference(x: Any, row: Any = (window, stride, pads, ceil, count)) -> Any:
            n = len(row[0])
            return last(MEAN[n](first(x, n), *row), n)

        yield Row(
            "avg_pool",
            spec(window, stride, pads, 1, ceil) | {"count_include_pad": count},
            {"x": numbers(2, *SIZES[len(window)], 2)},
            reference,
        )


def dilated_means() -> Rows:
    """By a convolution of the image and of ones."""
    numbers = Numbers(12)
    for (window, stride, pads, rate), count in product(WINDOWS, (False, True)):
        n = len(window)
        convolve = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}[n]
        row = (window, stride, pads, rate, count, convolve)

        def reference(x: Any, row: Any = row) -> Any:
            window, stride, pads, rate, count, convolve = row
            n = len(window)
            ones = torch.ones(2, 1, *window, dtype=x.dtype)
            given = (each(stride, n), list(pads), each(rate, n), 2)
            total = convolve(first(x, n), ones, None, *given)
            here = torch.ones_like(first(x, n))
            counts = convolve(here, ones, None, *given)
            return last(total / (ones[0].numel() if count else counts), n)

        yield Row(
            "avg_pool",
            spec(window, stride, pads, rate, False) | {"count_include_pad": count},
            {"x": numbers(1, *SIZES[n], 2)},
            reference,
        )


def pools_of_flax() -> Rows:
    numbers = Numbers(13)
    pools = {
        "max_pool": nnx.max_pool,
        "min_pool": nnx.min_pool,
        "avg_pool": nnx.avg_pool,
    }
    for (window, stride, _, rate), padding, op in product(
        WINDOWS, ("SAME", "VALID"), pools
    ):
        if rate != 1:
            continue
        n = len(window)
        counts = (True, False) if op == "avg_pool" else (True,)
        for count in counts:
            more = {"count_include_pad": count} if op == "avg_pool" else {}
            row = (pools[op], window, each(stride, n), padding, more)

            def reference(x: Any, row: Any = row) -> Any:
                pool, window, strides, padding, more = row
                return pool(x, tuple(window), tuple(strides), padding, **more)

            given = spec(window, stride, [0] * n, 1, False)
            yield Row(
                op,
                given | {"padding": padding} | more,
                {"x": numbers(2, *SIZES[n], 2)},
                reference,
                "flax",
            )


def pools_of_equinox() -> Rows:
    numbers = Numbers(14)
    made = {
        "max_pool": (eqx.nn.MaxPool1d, eqx.nn.MaxPool2d, eqx.nn.MaxPool3d),
        "avg_pool": (eqx.nn.AvgPool1d, eqx.nn.AvgPool2d, eqx.nn.AvgPool3d),
    }
    for (window, stride, pads, rate), op in product(WINDOWS, made):
        n = len(window)
        if rate != 1 or (op == "avg_pool" and any(pads)):
            continue
        pool = made[op][n - 1](window, stride, pads)

        def reference(x: Any, pool: Any = pool, n: int = n) -> Any:
            return last(jax.vmap(pool)(first(x, n)), n)

        given = spec(window, stride, pads, 1, False)
        yield Row(op, given, {"x": numbers(2, *SIZES[n], 2)}, reference, "equinox")


def adaptive() -> Rows:
    numbers = Numbers(15)
    pools = {
        "adaptive_avg_pool": (
            F.adaptive_avg_pool1d, F.adaptive_avg_pool2d, F.adaptive_avg_pool3d,
        ),
        "adaptive_max_pool": (
            F.adaptive_max_pool1d, F.adaptive_max_pool2d, F.adaptive_max_pool3d,
        ),
    }  # fmt: skip
    wanted = [(1,), (4,), (9,), (11,), (1, 1), (3, 5), (7, 4), (9, 2), (2, 3, 4)]
    for op, sizes in product(pools, wanted):
        n = len(sizes)

        def reference(x: Any, pool: Any = pools[op][n - 1], sizes: Any = sizes) -> Any:
            n = len(sizes)
            return last(pool(first(x, n), sizes), n)

        yield Row(
            op, {"sizes": list(sizes)}, {"x": numbers(2, *SIZES[n], 2)}, reference
        )


def powers() -> Rows:
    numbers = Numbers(16)
    for power, (window, stride, _, rate) in product((1.0, 2.0, 3.0), WINDOWS):
        n = len(window)
        if rate != 1 or n == 3:
            continue

        def reference(x: Any, row: Any = (power, window, stride)) -> Any:
            power, window, stride = row
            n = len(window)
            window = window if n > 1 else window[0]
            # Of |x|: PyTorch takes odd powers of negative numbers as they are.
            return last(POWER[n](first(x.abs(), n), power, window, stride), n)

        given = spec(window, stride, [0] * n, 1, False) | {"power": power}
        yield Row("lp_pool", given, {"x": numbers(2, *SIZES[n], 2)}, reference)


def places() -> Rows:
    numbers = Numbers(17)
    for window, stride, pads, rate in WINDOWS:
        n = len(window)

        def reference(x: Any, row: Any = (window, stride, pads, rate)) -> Any:
            n = len(row[0])
            y, places = MAX[n](first(x, n), *row, return_indices=True)
            return last(y, n), last(places, n).int()

        given = spec(window, stride, pads, rate, False)
        del given["ceil_mode"]
        x = {"x": numbers(2, *SIZES[n], 2)}
        yield Row("max_pool_with_indices", given, x, reference)


TABLES = (
    extremes_of_torch,
    means_of_torch,
    dilated_means,
    pools_of_flax,
    pools_of_equinox,
    adaptive,
    powers,
    places,
)
