"""The layers of Haiku as ops of blox."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import haiku as hk
import jax.numpy as jnp

from . import convolutions, dense, norms
from .dense import is_plain
from .layers import Convert, by_place, converted

CONTAINERS: tuple[type, ...] = (
    hk.Sequential,
    hk.nets.MLP,
    hk.MultiHeadAttention,
)
"""Layers that call others: functions of the Graph."""


def _param(m: Any, name: str) -> Any:
    """A parameter of the module that is being called; None where there is none."""
    return m.params_dict().get(f"{m.module_name}/{name}")


def _linear(m: Any, x: Any, *, precision: Any = None) -> Any:
    kernel, bias = _param(m, "w"), _param(m, "b")
    if precision is not None or not is_plain(x, kernel, bias):
        return NotImplemented
    return dense.linear(x, kernel, bias)


def _embed(m: Any, ids: Any, lookup_style: Any = None, precision: Any = None) -> Any:
    """Rows by an index, which wraps below 0 and is clamped above."""
    style = lookup_style or m.lookup_style
    name = style if isinstance(style, str) else style.name
    if name.upper() != "ARRAY_INDEX" or not hasattr(ids, "dtype"):
        return NotImplemented
    return dense.embed(ids, _param(m, "embeddings"))


def _first(m: Any, x: Any, flat: int) -> Any:
    """The input with its features last, and whether they were first; a bias of any shape
    as one axis.

    Args:
        flat: the rank of x without a batch.
    """
    return jnp.moveaxis(x, -flat, -1) if m.channel_index != -1 else x


def _back(m: Any, y: Any, flat: int) -> Any:
    if y is NotImplemented or m.channel_index == -1:
        return y
    return jnp.moveaxis(y, -1, -flat)


def _flat(bias: Any) -> Any:
    return None if bias is None else jnp.reshape(bias, (-1,))


def _conv(m: Any, x: Any, *, precision: Any = None) -> Any:
    kernel, bias = _param(m, "w"), _param(m, "b")
    plain = m.mask is None and precision is None and set(m.lhs_dilation) == {1}
    if not plain or not is_plain(x, kernel, bias):
        return NotImplemented
    rank = m.num_spatial_dims + 1
    y = convolutions.conv(
        _first(m, x, rank),
        kernel,
        _flat(bias),
        strides=m.stride,
        padding=m.padding,
        dilation=m.kernel_dilation,
        groups=m.feature_group_count,
    )
    return _back(m, y, rank)


def _conv_transpose(m: Any, x: Any, *, precision: Any = None) -> Any:
    """Its kernel has outputs before inputs, and isn't flipped."""
    kernel, bias = _param(m, "w"), _param(m, "b")
    plain = m.mask is None and precision is None and m.output_shape is None
    if not plain or not is_plain(x, kernel, bias):
        return NotImplemented
    rank = m.num_spatial_dims + 1
    y = convolutions.conv_transpose(
        _first(m, x, rank),
        jnp.swapaxes(kernel, -1, -2),
        _flat(bias),
        strides=m.stride,
        padding=m.padding,
    )
    return _back(m, y, rank)


def _depthwise_conv(m: Any, x: Any) -> Any:
    kernel, bias = _param(m, "w"), _param(m, "b")
    rank = m.num_spatial_dims + 1
    if x.ndim != rank + 1 or not is_plain(x, kernel, bias):
        return NotImplemented
    moved = _first(m, x, rank)
    y = convolutions.conv(
        moved,
        kernel,
        _flat(bias),
        strides=m.stride,
        padding=m.padding,
        dilation=m.rhs_dilation,
        groups=moved.shape[-1],
    )
    return _back(m, y, rank)


def _axes(axis: Any, rank: int) -> tuple[int, ...]:
    if isinstance(axis, slice):
        return tuple(range(rank)[axis])
    return (axis % rank,) if isinstance(axis, int) else tuple(a % rank for a in axis)


def _layer_norm(m: Any, x: Any, scale: Any = None, offset: Any = None) -> Any:
    if scale is not None or offset is not None:
        return NotImplemented
    scale, bias = _param(m, "scale"), _param(m, "offset")
    axes, own = _axes(m.axis, x.ndim), _axes(m.param_axis, x.ndim)
    if not is_plain(x, scale, bias) or own != (x.ndim - 1,):
        return NotImplemented
    if x.ndim > 2 and axes == tuple(range(1, x.ndim - 1)):
        return norms.instance_norm(x, scale, bias, eps=m.eps)
    if len(axes) > 1 and (scale is not None or bias is not None):
        return NotImplemented
    return norms.layer_norm(x, scale, bias, axes=axes, eps=m.eps)


def _rms_norm(m: Any, x: Any) -> Any:
    scale = _param(m, "scale")
    axes, own = _axes(m.axis, x.ndim), _axes(m.param_axis, x.ndim)
    if axes != (x.ndim - 1,) or own != axes or not is_plain(x, scale):
        return NotImplemented
    return norms.rms_norm(x, scale, axes=axes, eps=m.eps)


def _group_norm(m: Any, x: Any, scale: Any = None, offset: Any = None) -> Any:
    every = m.axis == slice(1, None) or _axes(m.axis, x.ndim) == tuple(range(1, x.ndim))
    if scale is not None or offset is not None or not every or m.rank is not None:
        return NotImplemented
    scale, bias = _param(m, "scale"), _param(m, "offset")
    if not is_plain(x, scale, bias):
        return NotImplemented
    rank = x.ndim - 1
    moved = _first(m, x, rank)
    y = norms.group_norm(moved, _flat(scale), _flat(bias), groups=m.groups, eps=m.eps)
    return _back(m, y, rank)


def _batch_norm(
    m: Any,
    x: Any,
    is_training: bool,
    test_local_stats: bool = False,
    scale: Any = None,
    offset: Any = None,
) -> Any:
    """Its averages start at 0 and are corrected for that; those of the op are as they are
    stored, so training from the first step on updates them otherwise."""
    given = scale is not None or offset is not None or m.axis is not None
    if is_training or test_local_stats or given or x.ndim < 2:
        return NotImplemented
    state = m.state_dict()
    mean, var = (
        state.get(f"{ema.module_name}/average") for ema in (m.mean_ema, m.var_ema)
    )
    scale, bias = _param(m, "scale"), _param(m, "offset")
    if mean is None or var is None or not is_plain(x, scale, bias, mean, var):
        return NotImplemented
    rank = x.ndim - 1
    y = norms.batch_norm(
        _first(m, x, rank),
        _flat(scale),
        _flat(bias),
        _flat(mean),
        _flat(var),
        axis=-1,
        momentum=m.mean_ema.decay,
        eps=m.eps,
    )
    return _back(m, y, rank)


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
        hk.BatchNorm: _batch_norm,
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
