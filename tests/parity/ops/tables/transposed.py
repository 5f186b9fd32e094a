"""Transposed convolutions."""

from __future__ import annotations

from itertools import product
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import torch
import torch.nn.functional as F
from flax import nnx
from parity.ops.tables.convolution import SIZES, attributes, kernel_of
from parity.ops.tables.row import Numbers, Row, Rows, each, first, last, pairs

TRANSPOSED = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}
TRANSPOSES: list[tuple[Any, ...]] = [
    ((3,), 1, [1], [0], 1, 1),
    ((3,), 2, [1], [1], 1, 2),
    ((4,), 3, [0], [2], 1, 4),
    ((2,), 2, [0], [1], 3, 1),
    ((5,), 2, [2], [1], 2, 2),
    ((1,), 3, [0], [0], 1, 1),
    ((3, 2), [2, 3], [1, 0], [1, 2], 1, 1),
    ((4, 3), 2, [1, 1], [0, 1], [2, 1], 2),
    ((2, 2), [1, 2], [1, 0], [0, 1], 1, 4),
    ((3, 3), 2, [1, 1], [1, 1], 1, 1),
    ((2, 3, 2), [1, 2, 2], [0, 1, 0], [0, 1, 1], 1, 2),
    ((3, 1, 2), [2, 1, 3], [1, 0, 0], [1, 0, 2], [1, 1, 2], 1),
]
"""Window, strides, padding, output padding, dilation and groups."""


def transposed(
    numbers: Numbers, row: Any, use_bias: bool, **more: Any
) -> tuple[dict[str, Any], dict[str, Any]]:
    window, stride, pads, over, rate, groups = row
    given = attributes(window, stride, pairs(pads), rate, groups, 8)
    arrays = {
        "x": numbers(2, *(s // 2 + 1 for s in SIZES[len(window)]), 4),
        "kernel": kernel_of(numbers, window, groups, 8),
    }
    if use_bias:
        arrays["bias"] = numbers(8)
    return given | {"output_padding": over, "use_bias": use_bias, **more}, arrays


def conv_transpose_of_torch() -> Rows:
    numbers = Numbers(4)
    for row, use_bias in product(TRANSPOSES, (True, False)):

        def reference(x: Any, kernel: Any, bias: Any = None, row: Any = row) -> Any:
            window, stride, pads, over, rate, groups = row
            n = len(window)
            parts = kernel.permute(n, n + 1, *range(n)).chunk(groups, 1)
            images = first(x, n)
            made = TRANSPOSED[n](
                images, torch.cat(parts), bias, stride, pads, over, groups, rate
            )
            return last(made, n)

        yield Row("conv_transpose", *transposed(numbers, row, use_bias), reference)


def conv_transpose_of_equinox() -> Rows:
    numbers = Numbers(5)
    for row in TRANSPOSES:

        def reference(x: Any, kernel: Any, bias: Any, row: Any = row) -> Any:
            window, stride, pads, over, rate, groups = row
            n = len(window)
            module = eqx.nn.ConvTranspose(
                n, 4, 8, window, stride, pads, over, rate, groups,
                key=jax.random.key(0),
            )  # fmt: skip
            turned = jnp.transpose(kernel, (n + 1, n, *range(n)))
            biases = bias.reshape(8, *[1] * n)
            module = eqx.tree_at(lambda m: (m.weight, m.bias), module, (turned, biases))
            return last(jax.vmap(module)(first(x, n)), n)

        spec, arrays = transposed(numbers, row, True, flip_kernel=False)
        yield Row("conv_transpose", spec, arrays, reference, "equinox")


def conv_transpose_of_flax() -> Rows:
    numbers = Numbers(6)
    for (window, stride, _, _, rate, _), padding in product(
        TRANSPOSES, ("SAME", "VALID")
    ):
        row = (window, stride, [0] * len(window), 0, rate, 1)
        steps = each(stride, len(window))
        if any(s > w for s, w in zip(steps, window, strict=True)):
            continue  # theirs has more elements behind then
        if padding == "SAME" and rate != 1:  # theirs is another one
            continue

        def reference(
            x: Any, kernel: Any, bias: Any, row: Any = row, padding: Any = padding
        ) -> Any:
            window, stride, _, _, rate, _ = row
            n = len(window)
            module = nnx.ConvTranspose(
                4, 8, window, each(stride, n), padding=padding, rngs=nnx.Rngs(0),
                kernel_dilation=each(rate, n), param_dtype=jnp.float64,
                precision="highest",
            )  # fmt: skip
            module.kernel, module.bias = nnx.Param(kernel), nnx.Param(bias)
            return module(x)

        spec, arrays = transposed(numbers, row, True, flip_kernel=False)
        yield Row(
            "conv_transpose", spec | {"padding": padding}, arrays, reference, "flax"
        )


TABLES = (
    conv_transpose_of_torch,
    conv_transpose_of_equinox,
    conv_transpose_of_flax,
)
