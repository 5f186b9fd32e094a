"""The layers of Equinox as ops of blox. They take one item; a batch is `jax.vmap`'s."""

from __future__ import annotations

from typing import Any

import equinox as eqx  # pyright: ignore[reportMissingImports]
import jax
import jax.numpy as jnp

from .eqx_norms import batch_norm, spectral_norm
from .functions import leaves_of
from .layers import Convert, op, region

CONTAINERS: tuple[type, ...] = (eqx.nn.Sequential, eqx.nn.MLP)
"""Layers that call others: functions of the Graph."""


def _linear(m: Any, x: Any, *, key: Any = None) -> Any:
    if "scalar" in (m.in_features, m.out_features) or x.ndim != 1:
        return NotImplemented
    sizes = {"in_features": m.in_features, "out_features": m.out_features}
    return op("linear", sizes, {"x": x}, {"kernel": m.weight.T, "bias": m.bias})


def _embedding(m: Any, x: Any, *, key: Any = None) -> Any:
    if jnp.ndim(x) or not hasattr(x, "dtype"):
        return NotImplemented
    sizes = {"num_embeddings": m.num_embeddings, "features": m.embedding_size}
    return op("embed", sizes, {"ids": x}, {"embedding": m.weight})


def _layer_norm(m: Any, x: Any, state: Any = None, *, key: Any = None) -> Any:
    if m.weight is None and m.bias is not None:
        return NotImplemented
    features = m.shape[0] if len(m.shape) == 1 else list(m.shape)
    attributes = {"features": features, "eps": float(m.eps)}
    y = op("layer_norm", attributes, {"x": x}, {"scale": m.weight, "bias": m.bias})
    return y if not _is_state(state) else (y, state)


def _rms_norm(m: Any, x: Any, state: Any = None, *, key: Any = None) -> Any:
    if m.weight is None:
        return NotImplemented
    features = m.shape[0] if len(m.shape) == 1 else list(m.shape)
    attributes = {"features": features, "eps": float(m.eps)}
    y = op("rms_norm", attributes, {"x": x}, {"scale": m.weight})
    y = y if m.bias is None else y + m.bias
    return y if not _is_state(state) else (y, state)


def _group_norm(m: Any, x: Any, state: Any = None, *, key: Any = None) -> Any:
    channels = m.channels if m.channels is not None else x.shape[0]
    if x.ndim < 2 or (m.channelwise_affine and (m.weight is None or m.bias is None)):
        return NotImplemented
    attributes = {
        "features": channels,
        "groups": m.groups,
        "eps": float(m.eps),
        "spatial_axes": x.ndim - 1,
    }
    affine = {"scale": m.weight, "bias": m.bias} if m.channelwise_affine else {}
    y = op("group_norm", attributes, {"x": jnp.moveaxis(x, 0, -1)}, affine)
    y = jnp.moveaxis(y, -1, 0)
    return y if not _is_state(state) else (y, state)


def _is_state(state: Any) -> bool:
    return isinstance(state, eqx.nn.State)


def _dropout(
    m: Any, x: Any, *, key: Any = None, inference: Any = None, deterministic: Any = None
) -> Any:
    return op("dropout", {"rate": float(m.p), "broadcast_dims": []}, {"x": x})


def _conv(m: Any, x: Any, *, key: Any = None) -> Any:
    modes = {"ZEROS": "zeros", "REFLECT": "reflect", "REPLICATE": "replicate"}
    modes["CIRCULAR"] = "circular"
    mode = modes.get(m.padding_mode)
    if mode is None or m.num_spatial_dims > 3 or x.ndim != m.num_spatial_dims + 1:
        return NotImplemented
    padding = m.padding if isinstance(m.padding, str) else [list(p) for p in m.padding]
    attributes = {
        "in_features": m.in_channels,
        "out_features": m.out_channels,
        "kernel_size": list(m.kernel_size),
        "strides": list(m.stride),
        "padding": padding,
        "dilation": list(m.dilation),
        "groups": m.groups,
        "padding_mode": mode,
    }
    kernel = jnp.moveaxis(m.weight, (0, 1), (-1, -2))
    bias = m.bias.reshape(-1) if m.use_bias else None
    y = op(
        "conv",
        attributes,
        {"x": jnp.moveaxis(x, 0, -1)},
        {"kernel": kernel, "bias": bias},
    )
    return jnp.moveaxis(y, -1, 0)


def _conv_transpose(m: Any, x: Any, *, key: Any = None) -> Any:
    plain = m.padding_mode == "ZEROS" and not isinstance(m.padding, str)
    if not plain or m.num_spatial_dims > 3 or x.ndim != m.num_spatial_dims + 1:
        return NotImplemented
    attributes = {
        "in_features": m.in_channels,
        "out_features": m.out_channels,
        "kernel_size": list(m.kernel_size),
        "strides": list(m.stride),
        "padding": [list(p) for p in m.padding],
        "output_padding": list(m.output_padding),
        "dilation": list(m.dilation),
        "groups": m.groups,
        "flip_kernel": False,
    }
    kernel = jnp.moveaxis(m.weight, (0, 1), (-1, -2))
    bias = m.bias.reshape(-1) if m.use_bias else None
    x = jnp.moveaxis(x, 0, -1)
    y = op("conv_transpose", attributes, {"x": x}, {"kernel": kernel, "bias": bias})
    return jnp.moveaxis(y, -1, 0)


def _pool(name: str, **choices: Any) -> Convert:
    """A pooling layer, but for those that round sizes up."""

    def convert(m: Any, x: Any, *, key: Any = None) -> Any:
        if m.use_ceil:
            return NotImplemented
        attributes = {
            "window": list(m.kernel_size),
            "strides": list(m.stride),
            "padding": [list(p) for p in m.padding],
            "ceil_mode": False,
        }
        y = op(name, attributes | choices, {"x": jnp.moveaxis(x, 0, -1)})
        return jnp.moveaxis(y, -1, 0)

    return convert


def _gru_cell(m: Any, x: Any, h: Any, *, key: Any = None) -> Any:
    """Its second bias is added to the new part alone, and r and z mix the other way
    around: h' = n + z * (h - n), which is that of `gru_cell`."""
    zeros = jnp.zeros(2 * m.hidden_size, m.weight_ih.dtype)
    slots = {"kernel": m.weight_ih.T, "recurrent_kernel": m.weight_hh.T}
    if m.use_bias:
        slots["bias"] = m.bias
        slots["recurrent_bias"] = jnp.concatenate([zeros, m.bias_n])
    sizes = {"in_features": m.input_size, "units": m.hidden_size}
    return op("gru_cell", sizes | {"variant": "reset_after"}, {"x": x, "h": h}, slots)


def _lstm_cell(m: Any, x: Any, hidden: Any, *, key: Any = None) -> Any:
    h, c = hidden
    slots = {"kernel": m.weight_ih.T, "recurrent_kernel": m.weight_hh.T, "bias": m.bias}
    sizes = {"in_features": m.input_size, "units": m.hidden_size}
    return op("lstm_cell", sizes, {"x": x, "h": h, "c": c}, slots)


def _attention(
    m: Any,
    query: Any,
    key_: Any,
    value: Any,
    mask: Any = None,
    *,
    key: Any = None,
    inference: Any = None,
    deterministic: Any = None,
    process_heads: Any = None,
) -> Any:
    rate = float(m.dropout.p)
    quiet = m.dropout.inference if inference is None else inference
    if (rate and not quiet) or deterministic is not None:
        return NotImplemented
    arguments = {"query": query, "key": key_, "value": value}
    arguments |= {} if mask is None else {"mask": mask}
    with region("MultiheadAttention", leaves_of(m), arguments):
        heads = [
            jax.vmap(layer)(x).reshape(x.shape[0], m.num_heads, -1)
            for layer, x in (
                (m.query_proj, query),
                (m.key_proj, key_),
                (m.value_proj, value),
            )
        ]
        if process_heads is not None:
            heads = process_heads(*heads)
        q, k, v = heads
        if mask is not None and mask.ndim == 2:
            mask = mask[None]  # the axis of heads, so that batches may come before it
        given = {"query": q, "key": k, "value": v, "mask": mask}
        y = op("dot_product_attention", {}, given)
        return jax.vmap(m.output_proj)(y.reshape(y.shape[0], -1))


def _prelu(m: Any, x: Any, *, key: Any = None) -> Any:
    slope = jnp.ravel(m.negative_slope)
    if slope.shape[0] > 1 and slope.shape[0] != x.shape[0]:
        return NotImplemented
    if slope.shape[0] == 1:
        return op("prelu", {"features": 1}, {"x": x}, {"slope": slope})
    y = op(
        "prelu",
        {"features": slope.shape[0]},
        {"x": jnp.moveaxis(x, 0, -1)},
        {"slope": slope},
    )
    return jnp.moveaxis(y, -1, 0)


def _rotary(m: Any, x: Any, *, key: Any = None) -> Any:
    """The formula of the layer, whose own table is of a number of positions."""
    if jnp.dtype(m.dtype) != x.dtype or x.shape[-1] != m.embedding_size:
        return NotImplemented
    pairs = jnp.arange(0.0, m.embedding_size, 2) / m.embedding_size
    positions = jnp.arange(x.shape[0], dtype=x.dtype)
    angles = jnp.outer(positions, 1.0 / m.theta**pairs)
    cos, sin = jnp.tile(jnp.cos(angles), (1, 2)), jnp.tile(jnp.sin(angles), (1, 2))
    return x * cos + m.rotate_half(x) * sin


def layers() -> dict[type | tuple[type, str], Convert]:
    """What converts each layer."""
    largest, mean = _pool("max_pool"), _pool("avg_pool", count_include_pad=True)
    return {
        eqx.nn.Linear: _linear,
        eqx.nn.Embedding: _embedding,
        eqx.nn.LayerNorm: _layer_norm,
        eqx.nn.RMSNorm: _rms_norm,
        eqx.nn.GroupNorm: _group_norm,
        eqx.nn.Dropout: _dropout,
        eqx.nn.Conv: _conv,
        eqx.nn.Conv1d: _conv,
        eqx.nn.Conv2d: _conv,
        eqx.nn.Conv3d: _conv,
        eqx.nn.MultiheadAttention: _attention,
        eqx.nn.BatchNorm: batch_norm,
        eqx.nn.SpectralNorm: spectral_norm,
        eqx.nn.PReLU: _prelu,
        eqx.nn.RotaryPositionalEmbedding: _rotary,
        eqx.nn.ConvTranspose: _conv_transpose,
        eqx.nn.ConvTranspose1d: _conv_transpose,
        eqx.nn.ConvTranspose2d: _conv_transpose,
        eqx.nn.ConvTranspose3d: _conv_transpose,
        eqx.nn.MaxPool1d: largest,
        eqx.nn.MaxPool2d: largest,
        eqx.nn.MaxPool3d: largest,
        eqx.nn.AvgPool1d: mean,
        eqx.nn.AvgPool2d: mean,
        eqx.nn.AvgPool3d: mean,
        eqx.nn.GRUCell: _gru_cell,
        eqx.nn.LSTMCell: _lstm_cell,
    }
