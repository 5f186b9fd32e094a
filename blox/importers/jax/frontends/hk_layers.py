"""The layers of Haiku as ops of blox."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import haiku as hk
import jax.numpy as jnp

from . import convolutions, dense, norms
from .dense import is_plain
from .hk_norms import batch_norm, moving_average, spectral_norm
from .hk_values import back, first, flat, param
from .layers import Convert, by_place, converted

CONTAINERS: tuple[type, ...] = (
    hk.Sequential,
    hk.nets.MLP,
    hk.MultiHeadAttention,
)
"""Layers that call others: functions of the Graph."""


def _linear(m: Any, x: Any, *, precision: Any = None) -> Any:
    kernel, bias = param(m, "w"), param(m, "b")
    if precision is not None or not is_plain(x, kernel, bias):
        return NotImplemented
    return dense.linear(x, kernel, bias)


def _embed(m: Any, ids: Any, lookup_style: Any = None, precision: Any = None) -> Any:
    """Rows by an index, which wraps below 0 and is clamped above."""
    style = lookup_style or m.lookup_style
    name = style if isinstance(style, str) else style.name
    if name.upper() != "ARRAY_INDEX" or not hasattr(ids, "dtype"):
        return NotImplemented
    return dense.embed(ids, param(m, "embeddings"))


def _conv(m: Any, x: Any, *, precision: Any = None) -> Any:
    kernel, bias = param(m, "w"), param(m, "b")
    plain = m.mask is None and precision is None and set(m.lhs_dilation) == {1}
    if not plain or not is_plain(x, kernel, bias):
        return NotImplemented
    rank = m.num_spatial_dims + 1
    y = convolutions.conv(
        first(m, x, rank),
        kernel,
        flat(bias),
        strides=m.stride,
        padding=m.padding,
        dilation=m.kernel_dilation,
        groups=m.feature_group_count,
    )
    return back(m, y, rank)


def _conv_transpose(m: Any, x: Any, *, precision: Any = None) -> Any:
    """Its kernel has outputs before inputs, and isn't flipped."""
    kernel, bias = param(m, "w"), param(m, "b")
    plain = m.mask is None and precision is None and m.output_shape is None
    if not plain or not is_plain(x, kernel, bias):
        return NotImplemented
    rank = m.num_spatial_dims + 1
    y = convolutions.conv_transpose(
        first(m, x, rank),
        jnp.swapaxes(kernel, -1, -2),
        flat(bias),
        strides=m.stride,
        padding=m.padding,
    )
    return back(m, y, rank)


def _depthwise_conv(m: Any, x: Any) -> Any:
    kernel, bias = param(m, "w"), param(m, "b")
    rank = m.num_spatial_dims + 1
    if x.ndim != rank + 1 or not is_plain(x, kernel, bias):
        return NotImplemented
    moved = first(m, x, rank)
    y = convolutions.conv(
        moved,
        kernel,
        flat(bias),
        strides=m.stride,
        padding=m.padding,
        dilation=m.rhs_dilation,
        groups=moved.shape[-1],
    )
    return back(m, y, rank)


def _axes(axis: Any, rank: int) -> tuple[int, ...]:
    if isinstance(axis, slice):
        return tuple(range(rank)[axis])
    return (axis % rank,) if isinstance(axis, int) else tuple(a % rank for a in axis)


def _layer_norm(m: Any, x: Any, scale: Any = None, offset: Any = None) -> Any:
    if scale is not None or offset is not None:
        return NotImplemented
    scale, bias = param(m, "scale"), param(m, "offset")
    axes, own = _axes(m.axis, x.ndim), _axes(m.param_axis, x.ndim)
    if not is_plain(x, scale, bias) or own != (x.ndim - 1,):
        return NotImplemented
    if x.ndim > 2 and axes == tuple(range(1, x.ndim - 1)):
        return norms.instance_norm(x, scale, bias, eps=m.eps)
    if len(axes) > 1 and (scale is not None or bias is not None):
        return NotImplemented
    return norms.layer_norm(x, scale, bias, axes=axes, eps=m.eps)


def _rms_norm(m: Any, x: Any) -> Any:
    scale = param(m, "scale")
    axes, own = _axes(m.axis, x.ndim), _axes(m.param_axis, x.ndim)
    if axes != (x.ndim - 1,) or own != axes or not is_plain(x, scale):
        return NotImplemented
    return norms.rms_norm(x, scale, axes=axes, eps=m.eps)


def _group_norm(m: Any, x: Any, scale: Any = None, offset: Any = None) -> Any:
    every = m.axis == slice(1, None) or _axes(m.axis, x.ndim) == tuple(range(1, x.ndim))
    if scale is not None or offset is not None or not every or m.rank is not None:
        return NotImplemented
    scale, bias = param(m, "scale"), param(m, "offset")
    if not is_plain(x, scale, bias):
        return NotImplemented
    rank = x.ndim - 1
    moved = first(m, x, rank)
    y = norms.group_norm(moved, flat(scale), flat(bias), groups=m.groups, eps=m.eps)
    return back(m, y, rank)


def layers() -> dict[type, Convert]:
    """What converts each layer."""
    return {
        hk.Linear: _linear,
        hk.Embed: _embed,
        hk.Conv1D: _conv,
        hk.Conv2D: _conv,
        hk.Conv3D: _conv,
        hk.ConvND: _conv,
        hk.Conv1DTranspose: _conv_transpose,
        hk.Conv2DTranspose: _conv_transpose,
        hk.Conv3DTranspose: _conv_transpose,
        hk.ConvNDTranspose: _conv_transpose,
        hk.DepthwiseConv1D: _depthwise_conv,
        hk.DepthwiseConv2D: _depthwise_conv,
        hk.DepthwiseConv3D: _depthwise_conv,
        hk.LayerNorm: _layer_norm,
        hk.InstanceNorm: _layer_norm,
        hk.RMSNorm: _rms_norm,
        hk.GroupNorm: _group_norm,
        hk.BatchNorm: batch_norm,
        hk.ExponentialMovingAverage: moving_average,
        hk.SpectralNorm: spectral_norm,
    }


@contextmanager
def intercepted(without: frozenset[str]) -> Iterator[None]:
    """Calls of layers are ops, while it lasts.

    Args:
        without: names of classes that are left as they are.
    """
    table = layers()

    def intercept(
        call: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        context: Any,
    ) -> Any:
        module = context.module
        convert = table.get(type(module)) if context.method_name == "__call__" else None
        if convert is None or type(module).__name__ in without:
            return call(*args, **kwargs)
        given = by_place(type(module).__call__, module, *args, **kwargs)
        found = converted(convert, *given)
        return call(*args, **kwargs) if found is NotImplemented else found

    with hk.intercept_methods(intercept):
        yield
