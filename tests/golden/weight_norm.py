"""weight_norm: A kernel given as operand; two calls of one critic through one path.

198 parameters in 7 arrays.
Made by blox of sha256:bd888ad9823ae235f0f25b3a33e6c75ba0327f3fa9ebb03d6830d6b6fc23a532

    params = load_params("folder of params.safetensors")
    outputs, state = jax.jit(weight_norm)(params, real, fake)
"""

import math
import zlib
from collections.abc import Sequence
from functools import reduce
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from safetensors.flax import load_file

Params = dict[str, Any]


def conv(x: Array, kernel: Array, bias: Array, *, strides: int, padding: str) -> Array:
    """x (..., spatial..., in), kernel (spatial..., in / groups, out)."""
    n = kernel.ndim - 2
    steps = [strides] * n
    rates = [1] * n
    pads: str | Sequence[tuple[int, int]] = padding
    dtype = jnp.promote_types(x.dtype, kernel.dtype)
    batch = x.shape[: -n - 1]
    spatial = "DHW"[-n:]
    y = jax.lax.conv_general_dilated(
        x.reshape(math.prod(batch), *x.shape[-n - 1 :]).astype(dtype),
        kernel.astype(dtype),
        steps,
        pads,
        rhs_dilation=rates,
        dimension_numbers=(f"N{spatial}C", f"{spatial}IO", f"N{spatial}C"),
        feature_group_count=1,
    )
    return y.reshape(*batch, *y.shape[1:]) + bias


def batch_norm(
    x: Array,
    scale: Array,
    bias: Array,
    *,
    mean: Array,
    var: Array,
    momentum: float,
    eps: float,
    train: bool,
) -> tuple[Array, dict[str, Array]]:
    """Normalises each feature of the last axis; returns (y, running statistics)."""
    y = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    state = {}
    if train:
        axes = tuple(range(x.ndim - 1))
        old_mean = mean
        old_var = var
        mean = jnp.mean(y, axis=axes)
        var = jnp.mean(jnp.square(y - mean), axis=axes)
        new_var = var
        state = {
            "mean": momentum * old_mean + (1 - momentum) * mean,
            "var": momentum * old_var + (1 - momentum) * new_var,
        }
    y = (y - mean) * jax.lax.rsqrt(var + eps) * scale + bias
    return y.astype(x.dtype), state


def merge(params: Any, state: Any) -> Any:
    """params with the arrays of state in place of its own."""
    if params is None:
        return state
    if isinstance(state, dict):
        return {**params, **{k: merge(params.get(k), v) for k, v in state.items()}}
    if isinstance(state, list):
        return [merge(p, s) for p, s in zip(params, state, strict=True)]
    return state


def critic(params: Params, x: Array, *, train: bool) -> tuple[Array, Params]:
    state: Params = {}
    norm = jax.lax.rsqrt(jnp.sum(jnp.square(params["raw"]), axis=(0, 1, 2)))
    kernel = params["raw"] * (params["gain"] * norm)
    conv_ = conv(x, kernel=kernel, **params["conv"], strides=1, padding="SAME")
    bn, state["bn"] = batch_norm(
        conv_, **params["bn"], momentum=0.9, eps=1e-05, train=train
    )
    return jnp.mean(jax.nn.relu(bn), axis=(1, 2, 3)), state


def weight_norm(
    params: Params, real: Array, fake: Array, *, train: bool = False
) -> tuple[Array, Params]:
    state: Params = {}
    d_real, state["critic"] = critic(params["critic"], real, train=train)
    d_fake, d_fake_state = critic(
        merge(params["critic"], state["critic"]), fake, train=train
    )
    state = merge(state, {"critic": d_fake_state})
    return d_real - d_fake, state


# The shapes of the arrays of each node.
SHAPES: dict[str, dict[str, tuple[int, ...]]] = {
    "critic": {"raw": (3, 3, 3, 6), "gain": (6,)},
    "critic.conv": {"bias": (6,)},
    "critic.bn": {"scale": (6,), "bias": (6,), "mean": (6,), "var": (6,)},
}
INIT: dict[str, Any] = {
    "raw": jax.nn.initializers.normal(stddev=0.02),
    "gain": jax.nn.initializers.ones,
    "bias": jax.nn.initializers.zeros,
    "scale": jax.nn.initializers.ones,
    "mean": jax.nn.initializers.zeros,
    "var": jax.nn.initializers.ones,
}
DTYPES: dict[str, Any] = {"mean": jnp.float32, "var": jnp.float32}
ARRAYS = {f"{n}.{k}": s for n, group in SHAPES.items() for k, s in group.items()}


def nest(flat: dict[str, Array]) -> Params:
    """Arrays by path as a tree."""
    params: Params = {}
    for path, array in flat.items():
        *parents, name = path.split(".")
        reduce(lambda node, p: node.setdefault(p, {}), parents, params)[name] = array
    return params


def init_params(key: Array, dtype: Any = jnp.float32) -> Params:
    """New parameters; each array has a key of its own, folded by path."""
    flat = {}
    for path, shape in ARRAYS.items():
        keys = jax.random.fold_in(key, zlib.crc32(path.encode()))
        make = INIT[path.split(".")[-1]]
        own = DTYPES.get(path, DTYPES.get(path.split(".")[-1])) or dtype
        flat[path] = make(keys, shape, own)
    return nest(flat)


def load_params(folder: str | Path) -> Params:
    """The parameters that `params*.safetensors` in a folder hold."""
    files = sorted(Path(folder).glob("params*.safetensors"))
    flat = {k: v for file in files for k, v in load_file(file).items()}
    for path, shape in ARRAYS.items():
        if path not in flat or flat[path].shape != shape:
            raise ValueError(f"{path}: expected an array of shape {shape} in {folder}")
    return nest(flat)
