"""Norms of Equinox that keep a State: what they do in training, and in inference."""

from __future__ import annotations

from typing import Any

import equinox as eqx  # pyright: ignore[reportMissingImports]
import jax.numpy as jnp
from jax import lax

from .functions import leaves_of
from .gathered import gathered
from .layers import assigned, op, region


def batch_norm(
    m: Any, x: Any, state: Any, *, key: Any = None, inference: Any = None
) -> Any:
    """Its training is none of the op's: mode "ema" normalises by the averages, which begin
    with the first batch; mode "batch" by the batch, and corrects its averages' start. Where
    there is no axis of the batch it is not trained, and the op."""
    quiet = m.inference if inference is None else inference
    if not quiet or x.ndim < 1:
        return NotImplemented
    if not _is_bound(m.axis_name):
        return _in_inference(m, x, state) if m.mode == "ema" else NotImplemented
    with region(
        "BatchNorm", leaves_of(m), {"x": x}, [batch_norm, _averages, _corrected]
    ):
        x = jnp.moveaxis(x, 0, -1)
        every = gathered(x, m.axis_name)
        axes = tuple(range(every.ndim - 1))
        batch_mean = jnp.mean(every, axes)
        batch_var = jnp.var(every, axes)
        averages = _averages if m.mode == "ema" else _corrected
        mean, var, state = averages(m, state, batch_mean, batch_var)
        y = (x - mean) / jnp.sqrt(var + m.eps)
        y = y * m.weight + m.bias if m.channelwise_affine else y
        return jnp.moveaxis(y, -1, 0), state


def _averages(m: Any, state: Any, batch_mean: Any, batch_var: Any) -> Any:
    """Mode "ema"."""
    first = state.get(m.ema_first_time_index)
    old_mean, old_var = state.get(m.ema_state_index)
    rate = m.momentum
    new_mean = (1 - rate) * batch_mean + rate * old_mean
    new_var = (1 - rate) * batch_var + rate * old_var
    mean = assigned(old_mean, jnp.where(first, batch_mean, new_mean))
    var = assigned(old_var, jnp.where(first, batch_var, new_var))
    state = state.set(m.ema_state_index, (mean, var))
    done = assigned(first, jnp.zeros((), bool))
    return mean, var, state.set(m.ema_first_time_index, done)


def _corrected(m: Any, state: Any, batch_mean: Any, batch_var: Any) -> Any:
    """Mode "batch"."""
    count = state.get(m.batch_counter)
    old_mean, old_var = state.get(m.batch_state_index)
    rate = m.momentum
    counted = assigned(count, count + 1)
    training = counted != count
    lacking = jnp.where(count == 0, 1, 1 - rate ** count.astype(old_mean.dtype))
    mean = jnp.where(training, batch_mean, old_mean / lacking)
    var = jnp.where(training, batch_var, old_var / lacking)
    new_mean = assigned(old_mean, old_mean * rate + batch_mean * (1 - rate))
    new_var = assigned(old_var, old_var * rate + batch_var * (1 - rate))
    state = state.set(m.batch_counter, counted)
    return mean, var, state.set(m.batch_state_index, (new_mean, new_var))


def _in_inference(m: Any, x: Any, state: Any) -> Any:
    mean, var = state.get(m.ema_state_index)
    slots = {"scale": m.weight, "bias": m.bias, "mean": mean, "var": var}
    attributes = {
        "features": m.input_size,
        "momentum": float(m.momentum),
        "eps": float(m.eps),
    }
    y = op("batch_norm", attributes, {"x": jnp.moveaxis(x, 0, -1)}, slots)
    return jnp.moveaxis(y, -1, 0), state


def _is_bound(names: Any) -> bool:
    """True of axes that a `vmap` around names."""
    try:
        lax.axis_index(names)
    except NameError:
        return False
    return True


def spectral_norm(
    m: Any, x: Any, state: Any, *, key: Any = None, inference: Any = None
) -> Any:
    """By both directions that are kept, which is none of the op's, as that keeps one."""
    quiet = m.inference if inference is None else inference
    if not quiet:
        return NotImplemented
    weight = getattr(m.layer, m.weight_name)
    with region("SpectralNorm", leaves_of(m), {"x": x}, [spectral_norm]):
        old_u, old_v = state.get(m.uv_index)
        matrix = weight.reshape(weight.shape[0], -1)
        fixed = lax.stop_gradient(matrix)
        u, v = old_u, old_v
        for _ in range(m.num_power_iterations):
            u = _unit(fixed @ v, m.eps)
            v = _unit(u @ fixed, m.eps)
        u = assigned(old_u, u)
        v = assigned(old_v, v)
        greatest = jnp.einsum("i,ij,j->", u, matrix, v)
        layer = eqx.tree_at(
            lambda layer: getattr(layer, m.weight_name), m.layer, weight / greatest
        )
        return layer(x), state.set(m.uv_index, (u, v))


def _unit(x: Any, eps: float) -> Any:
    return x / jnp.maximum(eps, jnp.sqrt(jnp.sum(x**2)))
