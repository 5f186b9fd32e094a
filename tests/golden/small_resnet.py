"""small_resnet: A residual network: a function with attributes called twice, state in
scan and unrolled.

14,402 parameters in 53 arrays.
Made by blox of sha256:7634df2354b2203713710d0f179fcfe12f2cead565c297951c8290fd33b2ea34

    params = load_params("folder of params.safetensors")
    outputs, state = jax.jit(small_resnet)(params, image)
"""

import math
import zlib
from collections.abc import Sequence
from functools import partial, reduce
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from safetensors.flax import load_file

Params = dict[str, Any]


def conv(x: Array, kernel: Array, *, strides: int, padding: str) -> Array:
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
    return y.reshape(*batch, *y.shape[1:])


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


def linear(x: Array, kernel: Array, bias: Array) -> Array:
    """x @ kernel + bias: (..., in) -> (..., out)."""
    return x @ kernel + bias


def project(
    params: Params, x: Array, *, strides: int, train: bool
) -> tuple[Array, Params]:
    state: Params = {}
    conv_ = conv(x, **params["conv"], strides=strides, padding="SAME")
    bn, state["bn"] = batch_norm(
        conv_, **params["bn"], momentum=0.9, eps=1e-05, train=train
    )
    skip = conv(x, **params["skip"], strides=strides, padding="SAME")
    bn_skip, state["bn_skip"] = batch_norm(
        skip, **params["bn_skip"], momentum=0.9, eps=1e-05, train=train
    )
    return jax.nn.relu(bn + bn_skip), state


def identity(params: Params, x: Array, *, train: bool) -> tuple[Array, Params]:
    state: Params = {}
    conv_ = conv(x, **params["conv"], strides=1, padding="SAME")
    bn, state["bn"] = batch_norm(
        conv_, **params["bn"], momentum=0.9, eps=1e-05, train=train
    )
    return jax.nn.relu(x + bn), state


def stage(
    params: Params, x: Array, *, strides: int, train: bool
) -> tuple[Array, Params]:
    state: Params = {}
    first, state["first"] = project(params["first"], x, strides=strides, train=train)

    def rest_step(x: Array, layer: Params) -> tuple[Any, Any]:
        x, new_state = identity(layer, x, train=train)
        return x, new_state

    rest, state["rest"] = jax.lax.scan(rest_step, first, params["rest"])
    more = rest
    more_states: list[Params] = []
    for layer in params["more"]:
        more, new_state = identity(layer, more, train=train)
        more_states.append(new_state)
    state["more"] = more_states
    return more, state


def small_resnet(
    params: Params, image: Array, *, train: bool = False
) -> tuple[Array, Params]:
    state: Params = {}
    stem = conv(image, **params["stem"], strides=1, padding="SAME")
    stage_1, state["stage_1"] = stage(params["stage_1"], stem, strides=1, train=train)
    stage_2, state["stage_2"] = stage(
        params["stage_2"], stage_1, strides=2, train=train
    )
    return linear(jnp.mean(stage_2, axis=(-3, -2)), **params["head"]), state


# The shapes of the arrays of each node; below STACKED, copies lie on leading axes.
SHAPES: dict[str, dict[str, tuple[int, ...]]] = {
    "stem": {"kernel": (3, 3, 3, 8)},
    "stage_1.first.conv": {"kernel": (3, 3, 8, 8)},
    "stage_1.first.bn": {"scale": (8,), "bias": (8,), "mean": (8,), "var": (8,)},
    "stage_1.first.skip": {"kernel": (1, 1, 8, 8)},
    "stage_1.first.bn_skip": {"scale": (8,), "bias": (8,), "mean": (8,), "var": (8,)},
    "stage_1.rest.conv": {"kernel": (2, 3, 3, 8, 8)},
    "stage_1.rest.bn": {"scale": (2, 8), "bias": (2, 8), "mean": (2, 8), "var": (2, 8)},
    "stage_1.more.0.conv": {"kernel": (3, 3, 8, 8)},
    "stage_1.more.0.bn": {"scale": (8,), "bias": (8,), "mean": (8,), "var": (8,)},
    "stage_1.more.1.conv": {"kernel": (3, 3, 8, 8)},
    "stage_1.more.1.bn": {"scale": (8,), "bias": (8,), "mean": (8,), "var": (8,)},
    "stage_2.first.conv": {"kernel": (3, 3, 8, 16)},
    "stage_2.first.bn": {"scale": (16,), "bias": (16,), "mean": (16,), "var": (16,)},
    "stage_2.first.skip": {"kernel": (1, 1, 8, 16)},
    "stage_2.first.bn_skip": {
        "scale": (16,),
        "bias": (16,),
        "mean": (16,),
        "var": (16,),
    },
    "stage_2.rest.conv": {"kernel": (2, 3, 3, 16, 16)},
    "stage_2.rest.bn": {
        "scale": (2, 16),
        "bias": (2, 16),
        "mean": (2, 16),
        "var": (2, 16),
    },
    "stage_2.more.0.conv": {"kernel": (3, 3, 16, 16)},
    "stage_2.more.0.bn": {"scale": (16,), "bias": (16,), "mean": (16,), "var": (16,)},
    "stage_2.more.1.conv": {"kernel": (3, 3, 16, 16)},
    "stage_2.more.1.bn": {"scale": (16,), "bias": (16,), "mean": (16,), "var": (16,)},
    "head": {"kernel": (16, 10), "bias": (10,)},
}
STACKED = ["stage_1.rest.", "stage_2.rest."]
INIT: dict[str, Any] = {
    "kernel": jax.nn.initializers.lecun_normal(),
    "scale": jax.nn.initializers.ones,
    "bias": jax.nn.initializers.zeros,
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
    params = listed(params)
    return params


def listed(tree: Any) -> Any:
    """Numbered copies as lists."""
    if not isinstance(tree, dict):
        return tree
    if tree and all(k.isdigit() for k in tree):
        return [listed(tree[k]) for k in sorted(tree, key=int)]
    return {k: listed(v) for k, v in tree.items()}


def init_params(key: Array, dtype: Any = jnp.float32) -> Params:
    """New parameters; each array has a key of its own, folded by path and copy."""
    flat = {}
    for path, shape in ARRAYS.items():
        parts = path.split(".")
        named = ".".join(p for p in parts if not p.isdigit())
        keys = jax.random.fold_in(key, zlib.crc32(named.encode()))
        make = INIT[path.split(".")[-1]]
        own = DTYPES.get(path, DTYPES.get(path.split(".")[-1])) or dtype
        depth = sum(path.startswith(p) for p in STACKED)
        draw = partial(make, shape=shape[depth:], dtype=own)
        sizes = iter(shape[:depth])
        for i, part in enumerate(["", *parts]):
            if part.isdigit():
                keys = jnp.vectorize(jax.random.fold_in)(keys, int(part))
            if "".join(p + "." for p in parts[:i]) in STACKED:
                copies = jnp.arange(next(sizes))
                keys = jnp.vectorize(jax.random.fold_in)(keys[..., None], copies)
                draw = jax.vmap(draw)
        flat[path] = draw(keys)
    return nest(flat)


def load_params(folder: str | Path) -> Params:
    """The parameters that `params*.safetensors` in a folder hold."""
    files = sorted(Path(folder).glob("params*.safetensors"))
    flat = {k: v for file in files for k, v in load_file(file).items()}
    for path, shape in ARRAYS.items():
        if path not in flat or flat[path].shape != shape:
            raise ValueError(f"{path}: expected an array of shape {shape} in {folder}")
    return nest(flat)
