"""The layers of Flax NNX as ops of blox."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from . import convolutions, dense, norms
from .layers import Convert, assigned, op, region
from .nnx_cells import cells
from .nnx_values import is_plain as _plain
from .nnx_values import leaves_of, value

CONTAINERS: tuple[type, ...] = (
    nnx.Sequential,
    nnx.MultiHeadAttention,
    nnx.RNN,
    nnx.Bidirectional,
)
"""Layers that call others: functions of the Graph."""


def _linear(m: Any, x: Any, out_sharding: Any = None) -> Any:
    kernel, bias = value(m.kernel), value(m.bias)
    own = m.dot_general is not jax.lax.dot_general or out_sharding is not None
    if own or not _plain(m, x, kernel, bias):
        return NotImplemented
    return dense.linear(x, kernel, bias)


def _linear_general(m: Any, x: Any, out_sharding: Any = None) -> Any:
    kernel, bias = value(m.kernel), value(m.bias)
    own = m.dot_general not in (None, jax.lax.dot_general) or m.dot_general_cls
    if own or m.batch_axis or out_sharding is not None:
        return NotImplemented
    if not _plain(m, x, kernel, bias):
        return NotImplemented
    return dense.linear_general(x, kernel, bias, m.axis)


def _einsum(
    m: Any, x: Any, einsum_str: str | None = None, out_sharding: Any = None
) -> Any:
    kernel, bias = value(m.kernel), value(m.bias)
    equation = einsum_str or m.einsum_str
    own = m.einsum_op is not jnp.einsum or out_sharding is not None
    if own or equation is None or not _plain(m, x, kernel, bias):
        return NotImplemented
    return dense.einsum(x, kernel, bias, equation)


def _embed(m: Any, ids: Any, out_sharding: Any = None) -> Any:
    table = value(m.embedding)
    if m.num_embeddings == 1 or out_sharding is not None:
        return NotImplemented
    if not jnp.issubdtype(ids.dtype, jnp.integer) or not _plain(m, table):
        return NotImplemented
    return dense.embed(ids, table)


def _attend(m: Any, query: Any, out_sharding: Any = None) -> Any:
    table = value(m.embedding)
    if out_sharding is not None or not _plain(m, query, table):
        return NotImplemented
    return dense.unembed(query, table)


def _conv(m: Any, x: Any, out_sharding: Any = None) -> Any:
    kernel, bias = value(m.kernel), value(m.bias)
    dilated = m.input_dilation is not None and np.any(np.asarray(m.input_dilation) != 1)
    own = m.conv_general_dilated is not jax.lax.conv_general_dilated
    if own or dilated or m.mask is not None or out_sharding is not None:
        return NotImplemented
    if not _plain(m, x, kernel, bias):
        return NotImplemented
    return convolutions.flax_conv(m, x, kernel, bias)


def _conv_transpose(m: Any, x: Any) -> Any:
    kernel, bias = value(m.kernel), value(m.bias)
    if m.mask is not None or not _plain(m, x, kernel, bias):
        return NotImplemented
    return convolutions.flax_conv_transpose(m, x, kernel, bias)


def _is_normed(m: Any, x: Any, mask: Any, *arrays: Any) -> bool:
    """True for a norm of all there is: no mask, no statistics of other devices."""
    return mask is None and m.axis_name is None and _plain(m, x, *arrays)


def _layer_norm(m: Any, x: Any, *, mask: Any = None) -> Any:
    scale, bias = value(m.scale), value(m.bias)
    if not _is_normed(m, x, mask, scale, bias):
        return NotImplemented
    axes, own = m.reduction_axes, m.feature_axes
    return norms.layer_norm(x, scale, bias, axes=axes, own=own, eps=m.epsilon)


def _rms_norm(m: Any, x: Any, mask: Any = None) -> Any:
    scale = value(m.scale)
    if not _is_normed(m, x, mask, scale):
        return NotImplemented
    axes, own = m.reduction_axes, m.feature_axes
    return norms.rms_norm(x, scale, axes=axes, own=own, eps=m.epsilon)


def _group_norm(m: Any, x: Any, *, mask: Any = None) -> Any:
    scale, bias = value(m.scale), value(m.bias)
    if m.reduction_axes is not None or not _is_normed(m, x, mask, scale, bias):
        return NotImplemented
    return norms.group_norm(x, scale, bias, groups=m.num_groups, eps=m.epsilon)


def _instance_norm(m: Any, x: Any, *, mask: Any = None) -> Any:
    scale, bias = value(m.scale), value(m.bias)
    if m.feature_axes not in (-1, (-1,), (x.ndim - 1,)):
        return NotImplemented
    if not _is_normed(m, x, mask, scale, bias):
        return NotImplemented
    return norms.instance_norm(x, scale, bias, eps=m.epsilon)


def _batch_norm(
    m: Any, x: Any, use_running_average: bool | None = None, *, mask: Any = None
) -> Any:
    """The model is in its form for evaluation: a norm that isn't even there is no op."""
    scale, bias, mean, var = map(value, (m.scale, m.bias, m.mean, m.var))
    chosen = use_running_average
    running = m.use_running_average if chosen is None else chosen
    if not running or mask is not None or m.axis_index_groups is not None:
        return NotImplemented
    if not _plain(m, x, scale, bias, mean, var):
        return NotImplemented
    return norms.batch_norm(
        x,
        scale,
        bias,
        mean,
        var,
        axis=m.axis,
        momentum=m.momentum,
        eps=m.epsilon,
    )


def _dropout(
    m: Any, x: Any, *, deterministic: bool | None = None, rngs: Any = None
) -> Any:
    still = m.deterministic if deterministic is None else deterministic
    if not still:
        return NotImplemented
    return dense.dropout(x, m.rate, m.broadcast_dims)


def _weight_norm(m: Any, x: Any, *args: Any, **kwargs: Any) -> Any:
    """Its layer's kernels are normed in their places, as it does itself."""
    if m.feature_axes not in (-1, (-1,)) or not m.use_scale or m.dtype is not None:
        return NotImplemented
    for path, kernel in nnx.to_flat_state(nnx.state(m.layer_instance)):
        if m.variable_filter(path, kernel):
            array, scale = kernel[...], m.scales[path]
            if array.dtype != scale.dtype:
                return NotImplemented
            settings = {"features": array.shape[-1], "eps": float(m.epsilon)}
            normed = op("weight_norm", settings, {"x": array}, {"scale": scale})
            kernel.set_value(normed)
    return m.layer_instance(x, *args, **kwargs)


def _spectral_norm(m: Any, x: Any, update_stats: bool | None = None) -> Any:
    """Its own code, which does the same in training but for what it keeps."""
    update = not m.use_running_average if update_stats is None else update_stats
    if update:
        return NotImplemented
    with region("SpectralNorm", leaves_of(m), {"x": x}, _SPECTRAL):
        before = {path: value(kept) for path, kept in m.batch_stats.items()}
        y = _normed_spectrally(m, x, update_stats=True)
        for path, kept in m.batch_stats.items():
            kept[...] = assigned(before[path], value(kept))
        return y


_normed_spectrally = nnx.SpectralNorm.__call__
_SPECTRAL = [_normed_spectrally, nnx.SpectralNorm._spectral_normalize_inplace]


def _lora(m: Any, x: Any, **kwargs: Any) -> Any:
    a, b = value(m.lora_a), value(m.lora_b)
    if m.base_module is None or not _plain(m, x, a, b):
        return NotImplemented
    return dense.lora(m.base_module(x, **kwargs), x, a, b)


def _lora_linear(m: Any, x: Any, out_sharding: Any = None) -> Any:
    a, b = value(m.lora.lora_a), value(m.lora.lora_b)
    y = _linear(m, x, out_sharding)
    if y is NotImplemented or m.lora.base_module is not None:
        return NotImplemented
    return dense.lora(y, x, a, b) if _plain(m.lora, x, a, b) else NotImplemented


def _prelu(m: Any, x: Any) -> Any:
    slope = value(m.negative_slope)
    return dense.prelu(x, slope) if _plain(m, x, slope) else NotImplemented


def layers() -> dict[type | tuple[type, str], Convert]:
    """What converts each layer."""
    return {
        nnx.Linear: _linear,
        nnx.LinearGeneral: _linear_general,
        nnx.Einsum: _einsum,
        nnx.Embed: _embed,
        (nnx.Embed, "attend"): _attend,
        nnx.Conv: _conv,
        nnx.ConvTranspose: _conv_transpose,
        nnx.LayerNorm: _layer_norm,
        nnx.RMSNorm: _rms_norm,
        nnx.GroupNorm: _group_norm,
        nnx.InstanceNorm: _instance_norm,
        nnx.BatchNorm: _batch_norm,
        nnx.Dropout: _dropout,
        nnx.WeightNorm: _weight_norm,
        nnx.SpectralNorm: _spectral_norm,
        nnx.LoRA: _lora,
        nnx.LoRALinear: _lora_linear,
        nnx.PReLU: _prelu,
        **cells(),
    }
