"""Norms and averages of Haiku that keep state: what they do in training, and in inference."""

from __future__ import annotations

from typing import Any

import haiku as hk
import jax.numpy as jnp
from jax import lax

from .dense import is_plain
from .hk_values import leaves_of, param
from .layers import assigned, region


def batch_norm(
    m: Any,
    x: Any,
    is_training: bool,
    test_local_stats: bool = False,
    scale: Any = None,
    offset: Any = None,
) -> Any:
    """Its averages are corrected for their start at 0, which is none of the op's. Where it
    counts, it trains."""
    given = scale is not None or offset is not None or m.axis is not None
    if is_training or test_local_stats or given or x.ndim < 2:
        return NotImplemented
    averages = m.mean_ema, m.var_ema
    mean_count, var_count = (_kept(m, a, "counter") for a in averages)
    old_mean, old_var = (_kept(m, a, "average") for a in averages)
    scale, bias = param(m, "scale"), param(m, "offset")
    if mean_count is None or not is_plain(x, scale, bias, old_mean, old_var):
        return NotImplemented
    axes = [i for i in range(x.ndim) if i != m.channel_index % x.ndim]
    with region("BatchNorm", leaves_of(m), {"x": x}, [batch_norm]):
        batch_mean = jnp.mean(x, axes, keepdims=True)
        batch_var = jnp.var(x, axes, keepdims=True)
        m.mean_ema(batch_mean, update_stats=False)
        m.var_ema(batch_var, update_stats=False)
        counted = _kept(m, m.mean_ema, "counter")
        mean = jnp.where(counted != mean_count, batch_mean, old_mean)
        counted = _kept(m, m.var_ema, "counter")
        var = jnp.where(counted != var_count, batch_var, old_var)
        factor = lax.rsqrt(var + m.eps)
        factor = factor if scale is None else scale * factor
        y = (x - mean) * factor
        return y if bias is None else y + bias


def _kept(m: Any, average: Any, name: str) -> Any:
    """What an average of a module keeps now; None where it keeps nothing."""
    return m.state_dict().get(f"{average.module_name}/{name}")


def moving_average(m: Any, value: Any, update_stats: bool = True) -> Any:
    """What it gives is what it keeps in training."""
    if update_stats:
        return NotImplemented
    value = jnp.asarray(value)
    start = hk.initializers.Constant(-m.warmup_length)
    old_count = hk.get_state("counter", (), jnp.int32, init=start)
    old_hidden = hk.get_state("hidden", value.shape, value.dtype, init=jnp.zeros)
    old_average = hk.get_state("average", value.shape, value.dtype, init=jnp.zeros)
    name = "ExponentialMovingAverage"
    with region(name, leaves_of(m), {"value": value}, [moving_average]):
        count = old_count + 1
        decay = jnp.where(count <= 0, 0.0, m.decay) if m.warmup_length else m.decay
        new_hidden = old_hidden * decay + value * (1 - decay)
        lacking = 1 - decay ** count.astype(value.dtype)
        new = new_hidden / lacking if m.zero_debias else new_hidden
        counted = assigned(old_count, count)
        hk.set_state("counter", counted)
        hk.set_state("hidden", assigned(old_hidden, new_hidden))
        hk.set_state("average", assigned(old_average, new))
        return new


def spectral_norm(
    m: Any, value: Any, update_stats: bool = True, error_on_non_matrix: bool = False
) -> Any:
    """Its own code, which does the same in training but for what it keeps."""
    if update_stats:
        return NotImplemented
    with region("SpectralNorm", leaves_of(m), {"value": value}, [_spectral]):
        before = dict(m.state_dict())
        normed = m(value, True, error_on_non_matrix)
        for path, old in before.items():
            name = path.rpartition("/")[2]
            hk.set_state(name, assigned(old, m.state_dict()[path]))
        return normed


_spectral = hk.SpectralNorm.__call__
