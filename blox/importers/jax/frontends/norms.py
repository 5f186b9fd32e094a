"""Norms of Flax and Haiku as ops of blox.

Each function is given arrays and settings, and gives what the layer gives, or
`NotImplemented` where no op says exactly that.
"""

from __future__ import annotations

from typing import Any

from .layers import op


def _last(x: Any, axes: Any) -> int | None:
    """The number of axes, where they are the last ones."""
    every = (axes,) if isinstance(axes, int) else tuple(axes)
    found = sorted(a % x.ndim for a in every)
    count = len(found)
    return count if found == list(range(x.ndim - count, x.ndim)) else None


def _features(x: Any, count: int) -> int | list[int]:
    return x.shape[-1] if count == 1 else list(x.shape[-count:])


def layer_norm(
    x: Any, scale: Any, bias: Any, *, axes: Any, eps: float, own: Any = None
) -> Any:
    """Over the last axes; `own`, those of scale and bias, are the same ones."""
    count = _last(x, axes)
    if count is None or (own is not None and _last(x, own) != count):
        return NotImplemented
    attributes = {"features": _features(x, count), "eps": float(eps)}
    return op("layer_norm", attributes, {"x": x}, {"scale": scale, "bias": bias})


def rms_norm(x: Any, scale: Any, *, axes: Any, eps: float, own: Any = None) -> Any:
    """Over the last axes; there is always a scale."""
    count = _last(x, axes)
    if count is None or scale is None or (own is not None and _last(x, own) != count):
        return NotImplemented
    attributes = {"features": _features(x, count), "eps": float(eps)}
    return op("rms_norm", attributes, {"x": x}, {"scale": scale})


def group_norm(x: Any, scale: Any, bias: Any, *, groups: int, eps: float) -> Any:
    """Over groups of the last axis, and all axes between the first one and it."""
    if x.ndim < 2:
        return NotImplemented
    attributes = {
        "features": x.shape[-1],
        "spatial_axes": x.ndim - 2,
        "eps": float(eps),
        "groups": groups,
    }
    return op("group_norm", attributes, {"x": x}, {"scale": scale, "bias": bias})


def instance_norm(x: Any, scale: Any, bias: Any, *, eps: float) -> Any:
    """Over all axes between the first and the last one."""
    if x.ndim < 3:
        return NotImplemented
    attributes = {
        "features": x.shape[-1],
        "spatial_axes": x.ndim - 2,
        "eps": float(eps),
    }
    return op("instance_norm", attributes, {"x": x}, {"scale": scale, "bias": bias})


def batch_norm(
    x: Any,
    scale: Any,
    bias: Any,
    mean: Any,
    var: Any,
    *,
    axis: int,
    momentum: float,
    eps: float,
) -> Any:
    """By the running statistics, which training replaces by those of the batch."""
    if axis % x.ndim != x.ndim - 1:
        return NotImplemented
    attributes = {
        "features": x.shape[-1],
        "momentum": float(momentum),
        "eps": float(eps),
        "unbiased": False,
    }
    slots = {"scale": scale, "bias": bias, "mean": mean, "var": var}
    return op("batch_norm", attributes, {"x": x}, slots)
