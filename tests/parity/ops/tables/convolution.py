"""Convolutions."""

from __future__ import annotations

from itertools import product
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import torch.nn.functional as F
from flax import nnx
from parity.ops.tables.row import Numbers, Row, Rows, each, first, last, pairs

CONV = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
SIZES = {1: (9,), 2: (6, 7), 3: (4, 5, 4)}
WINDOWS: list[tuple[Any, ...]] = [
    ((3,), 1, 1, 1),
    ((4,), 2, 1, 2),
    ((2,), 3, 2, 4),
    ((5,), 2, 1, 1),
    ((3, 3), 1, 1, 1),
    ((4, 2), 2, 1, 2),
    ((2, 3), [2, 1], [1, 2], 4),
    ((1, 5), [1, 3], 1, 1),
    ((2, 1, 3), 1, 1, 1),
    ((2, 3, 2), [2, 1, 2], [1, 1, 2], 2),
]
"""Window, strides, dilation and groups."""
MODES = ("zeros", "reflect", "replicate", "circular")


def same(size: int, kernel: int, stride: int, dilation: int) -> list[int]:
    """TensorFlow's SAME, as its documentation has it."""
    reach = dilation * (kernel - 1) + 1
    total = max((-(-size // stride) - 1) * stride + reach - size, 0)
    return [total // 2, total - total // 2]


def explicit(padding: Any, sizes: Any, window: Any, stride: Any, rate: Any) -> Any:
    """The padding as pairs, of what our attribute may say."""
    steps, rates = each(stride, len(window)), each(rate, len(window))
    rows = list(zip(sizes, window, steps, rates, strict=True))
    if padding == "VALID":
        return [[0, 0] for _ in rows]
    if padding == "CAUSAL":
        return [[r * (k - 1), 0] for _, k, _, r in rows]
    found = [same(*row) for row in rows]
    return [p[::-1] for p in found] if padding == "SAME_LOWER" else found


def kernel_of(numbers: Numbers, window: Any, groups: int, out: int = 4) -> Any:
    return numbers(*window, 4 // groups, out)


def conv_of_torch() -> Rows:
    numbers = Numbers(1)
    asymmetric = [[1, 0], [0, 2], [1, 1]]
    for (window, stride, rate, groups), mode, padding in product(
        WINDOWS, MODES, ("VALID", "SAME", "SAME_LOWER", "CAUSAL", asymmetric)
    ):
        n = len(window)
        ours = padding[:n] if isinstance(padding, list) else padding
        sizes = SIZES[n]
        pads = (
            ours
            if isinstance(ours, list)
            else explicit(ours, sizes, window, stride, rate)
        )
        far = max(max(p) for p in pads)
        if (padding == "VALID" and mode != "zeros") or far >= min(sizes):
            continue

        def reference(
            x: Any, kernel: Any, bias: Any, pads: Any = pads, row: Any = None
        ) -> Any:
            n, stride, rate, groups, mode = row
            flat = [p for pair in reversed(pads) for p in pair]
            padded = F.pad(first(x, n), flat, "constant" if mode == "zeros" else mode)
            turned = kernel.permute(n + 1, n, *range(n))
            steps, rates = each(stride, n), each(rate, n)
            return last(CONV[n](padded, turned, bias, steps, 0, rates, groups), n)

        row = (n, stride, rate, groups, mode)
        yield Row(
            "conv",
            attributes(window, stride, ours, rate, groups) | {"padding_mode": mode},
            {
                "x": numbers(2, *sizes, 4),
                "kernel": kernel_of(numbers, window, groups),
                "bias": numbers(4),
            },
            lambda x, kernel, bias, f=reference, row=row: f(x, kernel, bias, row=row),
        )


def attributes(
    window: Any, stride: Any, padding: Any, rate: Any, groups: int, out: int = 4
) -> dict[str, Any]:
    return {
        "in_features": 4,
        "out_features": out,
        "kernel_size": list(window),
        "strides": stride,
        "padding": padding,
        "dilation": rate,
        "groups": groups,
    }


def conv_of_flax() -> Rows:
    numbers = Numbers(2)
    names = {"CIRCULAR": "circular", "REFLECT": "reflect"}
    for (window, stride, rate, groups), padding in product(
        WINDOWS, ("SAME", "VALID", "CAUSAL", "CIRCULAR", "REFLECT")
    ):
        n = len(window)
        if padding == "CAUSAL" and n > 1:  # theirs is of one axis
            continue
        # Theirs pads as for a stride of 1.
        odd = padding in names
        pads = explicit("SAME", SIZES[n], window, 1, rate) if odd else padding

        def reference(
            x: Any,
            kernel: Any,
            bias: Any,
            row: Any = (window, stride, rate, groups, padding),
        ) -> Any:
            window, stride, rate, groups, padding = row
            n = len(window)
            module = nnx.Conv(
                4, 4, window, each(stride, n), padding=padding, rngs=nnx.Rngs(0),
                kernel_dilation=each(rate, n), feature_group_count=groups,
                param_dtype=jnp.float64, precision="highest",
            )  # fmt: skip
            module.kernel, module.bias = nnx.Param(kernel), nnx.Param(bias)
            return module(x)

        if odd:
            rates = each(rate, n)
            reach = [r * (k - 1) for r, k in zip(rates, window, strict=True)]
            pads = [[r // 2, r - r // 2] for r in reach]
        yield Row(
            "conv",
            attributes(window, stride, pads, rate, groups)
            | {"padding_mode": names.get(padding, "zeros")},
            {
                "x": numbers(2, *SIZES[n], 4),
                "kernel": kernel_of(numbers, window, groups),
                "bias": numbers(4),
            },
            reference,
            "flax",
        )


def conv_of_equinox() -> Rows:
    numbers = Numbers(3)
    for (window, stride, rate, groups), mode, padding in product(
        WINDOWS,
        ("zeros", "reflect", "replicate", "circular"),
        ("SAME", "SAME_LOWER", 1),
    ):
        n = len(window)
        if isinstance(padding, str) and mode != "zeros":
            continue

        def reference(
            x: Any, kernel: Any, bias: Any,
            row: Any = (window, stride, rate, groups, padding, mode),
        ) -> Any:  # fmt: skip
            window, stride, rate, groups, padding, mode = row
            n = len(window)
            module = eqx.nn.Conv(
                n, 4, 4, window, stride, padding, rate, groups, padding_mode=mode,
                key=jax.random.key(0),
            )  # fmt: skip
            turned = jnp.transpose(kernel, (n + 1, n, *range(n)))
            biases = bias.reshape(4, *[1] * n)
            module = eqx.tree_at(lambda m: (m.weight, m.bias), module, (turned, biases))
            return last(jax.vmap(module)(first(x, n)), n)

        ours = padding if isinstance(padding, str) else pairs([1] * n)
        yield Row(
            "conv",
            attributes(window, stride, ours, rate, groups) | {"padding_mode": mode},
            {
                "x": numbers(2, *SIZES[n], 4),
                "kernel": kernel_of(numbers, window, groups),
                "bias": numbers(4),
            },
            reference,
            "equinox",
        )


TABLES = (conv_of_torch, conv_of_flax, conv_of_equinox)
