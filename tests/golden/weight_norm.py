"""weight_norm: A kernel given as operand; two calls of one critic through one path.

198 parameters in 7 arrays.
Made by blox of sha256:bd888ad9823ae235f0f25b3a33e6c75ba0327f3fa9ebb03d6830d6b6fc23a532

    params = load_params("folder of params.safetensors")
    outputs, state = jax.jit(weight_norm)(params, real, fake)
"""

import json
import math
import zlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from safetensors import safe_open

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


# The shape of each array, where it lies in params.
SHAPES: Params = {
    "critic": {
        "raw": (3, 3, 3, 6),
        "gain": (6,),
        "conv": {"bias": (6,)},
        "bn": {"scale": (6,), "bias": (6,), "mean": (6,), "var": (6,)},
    }
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


def each_array(make: Callable[..., Array], tree: Any, path: str = "") -> Any:
    """The tree with make(path, shape) in place of each shape."""
    if isinstance(tree, tuple):
        return make(path[1:], tree)
    return {k: each_array(make, t, f"{path}.{k}") for k, t in tree.items()}


def init_params(key: Array, dtype: Any = jnp.float32) -> Params:
    """New parameters; each array has a key of its own, folded by path and copy."""
    if not jnp.issubdtype(dtype, jnp.floating):
        raise ValueError(f"dtype: expected a floating one, found {dtype}")

    def draw(path: str, shape: tuple[int, ...]) -> Array:
        names = path.split(".")
        own = DTYPES.get(names[-1])
        kind = jnp.dtype(own or dtype)
        if kind != jax.dtypes.canonicalize_dtype(kind):
            raise ValueError(f"{path}: expected at most 32 bits a value, found {kind}")
        make = INIT[names[-1]]
        seed = jax.random.fold_in(key, zlib.crc32(".".join(names).encode()))
        array: Array = make(seed, shape, kind)
        return array

    params: Params = each_array(draw, SHAPES)
    return params


def stored_arrays(path: Path) -> dict[str, Array]:
    """The arrays of a file, or of params.safetensors or its shards in a folder."""
    index = path / "params.safetensors.index.json"
    files = [path if path.is_file() else path / "params.safetensors"]
    if index.is_file() == files[0].is_file():
        wanted = "params.safetensors or params.safetensors.index.json in it"
        number = "both" if index.is_file() else "neither"
        raise FileNotFoundError(f"{path}: expected {wanted}, found {number}")
    places: dict[str, str] = {}
    if index.is_file():
        places = json.loads(index.read_text())["weight_map"]
        files = [path / Path(name).name for name in dict.fromkeys(places.values())]
    arrays: dict[str, Array] = {}
    found: dict[str, str] = {}
    for file in files:
        stored: Any = partial(safe_open, framework="flax")(file)
        for name in sorted(stored.keys()):
            kind = stored.get_slice(name).get_dtype()
            arrays[name] = stored.get_tensor(name)
            if kind.endswith("64") and arrays[name].dtype.itemsize < 8:
                raise ValueError(f"{name}: expected at most 32 bits, found {kind}")
            found[name] = file.name
    if index.is_file() and found != places:
        raise ValueError(f"{index}: expected the arrays of its files, found others")
    return arrays


def load_params(path: str | Path) -> Params:
    """The parameters of a folder with params*.safetensors, or of one such file."""
    arrays = stored_arrays(Path(path))
    left = dict(arrays)

    def fetch(name: str, shape: tuple[int, ...]) -> Array:
        if name not in arrays:
            raise ValueError(f"{name}: expected a shape of {shape}, found no array")
        array = left.pop(name, arrays[name])
        found, kind, wanted = (array.shape, array.dtype, "float")
        fits = jnp.issubdtype(kind, jnp.floating)
        names = [part for part in name.split(".") if not part.isdigit()]
        own = DTYPES.get(names[-1])
        wanted = wanted if own is None else jnp.dtype(own).name
        fits = fits if own is None else kind == own
        if found != shape or not fits:
            raise ValueError(f"{name}: expected {wanted} {shape}, found {kind} {found}")
        return array

    make: Callable[..., Array] = fetch
    params: Params = each_array(make, SHAPES)
    for name in left:
        raise ValueError(f"{name}: expected no such array, found it in {path}")
    return params
