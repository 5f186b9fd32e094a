"""The layers of Flax Linen as ops of blox."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from . import convolutions, dense, norms
from .layers import Convert, assigned, by_place, converted
from .linen_cells import attending, cells
from .linen_values import array, is_plain

CONTAINERS: tuple[type, ...] = (
    nn.Sequential,
    nn.MultiHeadDotProductAttention,
    nn.RNN,
    nn.Bidirectional,
    nn.SpectralNorm,
)
"""Layers that call others: functions of the Graph."""


def _own_dot(m: Any) -> bool:
    """True for a product that isn't JAX's own."""
    own = m.dot_general not in (None, jax.lax.dot_general)
    return own or m.dot_general_cls is not None


def _dense(m: Any, x: Any) -> Any:
    kernel, bias = array(m, "kernel"), array(m, "bias")
    if _own_dot(m) or not is_plain(m, x, kernel, bias):
        return NotImplemented
    return dense.linear(x, kernel, bias)


def _dense_general(m: Any, x: Any) -> Any:
    kernel, bias = array(m, "kernel"), array(m, "bias")
    if _own_dot(m) or m.batch_dims or not is_plain(m, x, kernel, bias):
        return NotImplemented
    axis = (m.axis,) if isinstance(m.axis, int) else m.axis
    return dense.linear_general(x, kernel, bias, axis)


def _einsum(m: Any, x: Any, einsum_str: str | None = None) -> Any:
    kernel, bias = array(m, "kernel"), array(m, "bias")
    equation = einsum_str or m.einsum_str
    if equation is None or not is_plain(m, x, kernel, bias):
        return NotImplemented
    return dense.einsum(x, kernel, bias, equation)


def _embed(m: Any, ids: Any) -> Any:
    table = array(m, "embedding")
    integers = jnp.issubdtype(ids.dtype, jnp.integer)
    if m.num_embeddings == 1 or not integers or not is_plain(m, table):
        return NotImplemented
    return dense.embed(ids, table)


def _attend(m: Any, query: Any) -> Any:
    table = array(m, "embedding")
    return dense.unembed(query, table) if is_plain(m, query, table) else NotImplemented


def _conv(m: Any, x: Any) -> Any:
    kernel, bias = array(m, "kernel"), array(m, "bias")
    dilated = m.input_dilation is not None and np.any(np.asarray(m.input_dilation) != 1)
    given = m.conv_general_dilated
    own = given is not None and given is not jax.lax.conv_general_dilated
    own = own or m.conv_general_dilated_cls is not None or m.mask is not None
    if own or dilated or not is_plain(m, x, kernel, bias):
        return NotImplemented
    return convolutions.flax_conv(m, x, kernel, bias)


def _conv_transpose(m: Any, x: Any) -> Any:
    kernel, bias = array(m, "kernel"), array(m, "bias")
    if m.mask is not None or not is_plain(m, x, kernel, bias):
        return NotImplemented
    return convolutions.flax_conv_transpose(m, x, kernel, bias)


def _is_normed(m: Any, x: Any, mask: Any, *arrays: Any) -> bool:
    """True for a norm of all there is: no mask, no statistics of other devices."""
    return (
        mask is None
        and m.axis_name is None
        and m.force_float32_reductions
        and dense.is_plain(x, *arrays, dtype=m.dtype)
    )


def _layer_norm(m: Any, x: Any, *, mask: Any = None) -> Any:
    scale, bias = array(m, "scale"), array(m, "bias")
    if not _is_normed(m, x, mask, scale, bias):
        return NotImplemented
    axes, own = m.reduction_axes, m.feature_axes
    return norms.layer_norm(x, scale, bias, axes=axes, own=own, eps=m.epsilon)


def _rms_norm(m: Any, x: Any, *, mask: Any = None) -> Any:
    scale = array(m, "scale")
    if not _is_normed(m, x, mask, scale):
        return NotImplemented
    axes, own = m.reduction_axes, m.feature_axes
    return norms.rms_norm(x, scale, axes=axes, own=own, eps=m.epsilon)


def _group_norm(m: Any, x: Any, *, mask: Any = None) -> Any:
    scale, bias = array(m, "scale"), array(m, "bias")
    if m.reduction_axes is not None or not _is_normed(m, x, mask, scale, bias):
        return NotImplemented
    groups = m.num_groups or x.shape[-1] // m.group_size
    return norms.group_norm(x, scale, bias, groups=groups, eps=m.epsilon)


def _instance_norm(m: Any, x: Any, *, mask: Any = None) -> Any:
    scale, bias = array(m, "scale"), array(m, "bias")
    last = m.feature_axes in (-1, (-1,), (x.ndim - 1,))
    if not last or not _is_normed(m, x, mask, scale, bias):
        return NotImplemented
    return norms.instance_norm(x, scale, bias, eps=m.epsilon)


def _batch_norm(
    m: Any, x: Any, use_running_average: bool | None = None, *, mask: Any = None
) -> Any:
    """The model is in its form for evaluation: a norm that isn't even there is no op."""
    chosen = use_running_average
    running = m.use_running_average if chosen is None else chosen
    if not running or m.axis_index_groups is not None or mask is not None:
        return NotImplemented
    scale, bias = array(m, "scale"), array(m, "bias")
    mean, var = (array(m, name, "batch_stats") for name in ("mean", "var"))
    if not m.force_float32_reductions:
        return NotImplemented
    if not dense.is_plain(x, scale, bias, mean, var, dtype=m.dtype):
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


def _dropout(m: Any, x: Any, deterministic: bool | None = None, rng: Any = None) -> Any:
    still = m.deterministic if deterministic is None else deterministic
    return dense.dropout(x, m.rate, m.broadcast_dims) if still else NotImplemented


def _spectral(m: Any, path: Any, kernel: Any, update_stats: bool) -> Any:
    """A kernel as the layer norms it: by its own code, which does the same in training but
    for what it keeps."""
    if update_stats:
        return NotImplemented
    before = dict(m.variables.get(m.collection_name, {}))
    normed = m._spectral_normalize(path, kernel, update_stats=True)
    for name, new in m.variables.get(m.collection_name, {}).items():
        if new is not before[name]:
            m.put_variable(m.collection_name, name, assigned(before[name], new))
    return normed


def _prelu(m: Any, x: Any) -> Any:
    slope = array(m, "negative_slope")
    return dense.prelu(x, slope) if dense.is_plain(x, slope) else NotImplemented


def layers() -> dict[tuple[type, str], Convert]:
    """What converts each method of each layer."""
    found: dict[type, Convert] = {
        nn.Dense: _dense,
        nn.DenseGeneral: _dense_general,
        nn.Einsum: _einsum,
        nn.Embed: _embed,
        nn.Conv: _conv,
        nn.ConvTranspose: _conv_transpose,
        nn.LayerNorm: _layer_norm,
        nn.RMSNorm: _rms_norm,
        nn.GroupNorm: _group_norm,
        nn.InstanceNorm: _instance_norm,
        nn.BatchNorm: _batch_norm,
        nn.Dropout: _dropout,
        nn.PReLU: _prelu,
        **cells(),
    }
    methods = {(cls, "__call__"): convert for cls, convert in found.items()}
    return {
        **methods,
        (nn.Embed, "attend"): _attend,
        (nn.SpectralNorm, "_spectral_normalize"): _spectral,
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
        module, method = context.module, context.method_name
        convert = table.get((type(module), method))
        known = convert is not None and type(module).__name__ not in without
        if convert is None or not known or module.is_initializing():
            with attending(module):
                return call(*args, **kwargs)
        given = by_place(getattr(type(module), method), module, *args, **kwargs)
        found = converted(convert, *given)
        return call(*args, **kwargs) if found is NotImplemented else found

    with nn.intercept_methods(intercept):
        yield
