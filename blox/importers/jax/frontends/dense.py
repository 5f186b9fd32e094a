"""Linear maps and tables of Flax and Haiku as ops of blox.

Each function is given arrays and settings, and gives what the layer gives, or
`NotImplemented` where no op says exactly that.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp

from .layers import op

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def is_plain(x: Any, *arrays: Any, dtype: Any = None) -> bool:
    """True where nothing is cast: all arrays that are there have the dtype of x."""
    given = [a for a in arrays if a is not None]
    return (dtype is None or jnp.dtype(dtype) == x.dtype) and (
        all(a.dtype == x.dtype for a in given)
    )


def linear(x: Any, kernel: Any, bias: Any = None) -> Any:
    """(..., in) -> (..., out)."""
    sizes = {"in_features": kernel.shape[0], "out_features": kernel.shape[1]}
    return op("linear", sizes, {"x": x}, {"kernel": kernel, "bias": bias})


def linear_general(x: Any, kernel: Any, bias: Any, axis: Sequence[int]) -> Any:
    """The axes of x, which are the first ones of the kernel, become its others, behind."""
    axes = [a % x.ndim for a in axis]
    if kernel.ndim == 2 and axes == [x.ndim - 1]:
        return linear(x, kernel, bias)
    if axes != sorted(axes):
        return NotImplemented
    own = LETTERS[: kernel.ndim]
    kept = iter(LETTERS[kernel.ndim :])
    before = min(axes)
    names = {a: own[i] for i, a in enumerate(axes)}
    inside = [names.get(a) or next(kept) for a in range(before, x.ndim)]
    rest = [n for a, n in enumerate(inside, before) if a not in names]
    outside = [*rest, *own[len(axes) :]]
    equation = f"...{''.join(inside)},{own}->...{''.join(outside)}"
    return einsum(x, kernel, bias, equation)


def einsum(x: Any, kernel: Any, bias: Any, equation: str) -> Any:
    """einsum(equation, x, kernel), plus a bias over the last axes, those of the kernel."""
    equation = equation.replace(" ", "")
    inputs, result = equation.split("->")
    own = inputs.split(",")[1]
    if "." in own or len(set(own)) != len(own):
        return NotImplemented
    if bias is not None:
        last = [n for n in result if n in own]
        if not result.endswith("".join(last)):
            return NotImplemented
        if bias.shape != tuple(kernel.shape[own.index(n)] for n in last):
            return NotImplemented
    attributes = {"equation": equation, "kernel_shape": list(kernel.shape)}
    slots = {"kernel": kernel, "bias": bias}
    return op("einsum_linear", attributes, {"x": x}, slots)


def embed(ids: Any, table: Any) -> Any:
    """Rows of a table; an index out of range gives NaN."""
    sizes = {"num_embeddings": table.shape[0], "features": table.shape[1]}
    slots = {"embedding": table}
    return op("embed", {**sizes, "mode": "fill"}, {"ids": ids}, slots)


def unembed(x: Any, table: Any) -> Any:
    """Scores against the rows of a table."""
    sizes = {"num_embeddings": table.shape[0], "features": table.shape[1]}
    return op("unembed", sizes, {"x": x}, {"embedding": table})


def dropout(x: Any, rate: float, dims: Sequence[int] = ()) -> Any:
    """The identity, but in training."""
    if rate == 0:
        return x
    if not 0 < rate < 1:
        return NotImplemented
    attributes = {"rate": float(rate), "broadcast_dims": list(dims)}
    return op("dropout", attributes, {"x": x})


def prelu(x: Any, slope: Any) -> Any:
    """One slope for all features."""
    slots = {"slope": jnp.reshape(slope, (1,))}
    return op("prelu", {"features": 1}, {"x": x}, slots)


def lora(y: Any, x: Any, a: Any, b: Any) -> Any:
    """y + x @ a @ b."""
    attributes = {
        "in_features": a.shape[0],
        "out_features": b.shape[1],
        "rank": a.shape[1],
        "alpha": float(a.shape[1]),
    }
    return op("lora", attributes, {"y": y, "x": x}, {"a": a, "b": b})
