"""weight_norm: A kernel given as operand; two calls of one critic through one path.

198 parameters in 7 arrays.
Made by blox of sha256:bd888ad9823ae235f0f25b3a33e6c75ba0327f3fa9ebb03d6830d6b6fc23a532

    params = load_params("folder of params.safetensors")
    gap, state = jax.jit(weight_norm)(params, real, fake)
"""

import json
from pathlib import Path
from typing import Any
from zlib import crc32

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.dtypes import canonicalize_dtype
from safetensors.numpy import load_file

Params = dict[str, Any]

FEATURES = 6


def conv(x: Array, kernel: Array, bias: Array) -> Array:
    """x (..., spatial..., in), kernel (spatial..., in / groups, out)."""
    dimensions = ("NHWC", "HWIO", "NHWC")
    y = jax.lax.conv_general_dilated(
        x, kernel, [1, 1], "SAME", dimension_numbers=dimensions
    )
    return y + bias


def batch_norm(
    x: Array,
    scale: Array,
    bias: Array,
    *,
    mean: Array,
    var: Array,
    momentum: float = 0.9,
    eps: float = 1e-05,
    train: bool,
) -> tuple[Array, dict[str, Array]]:
    """Normalises each feature of the last axis; returns (y, running statistics)."""
    y = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    state: dict[str, Array] = {}
    if train:
        old_mean, old_var = mean, var
        mean = jnp.mean(y, axis=(0, 1, 2))
        y = y - mean
        var = jnp.mean(jnp.square(y), axis=(0, 1, 2))
        state["mean"] = momentum * old_mean + (1 - momentum) * mean
        state["var"] = momentum * old_var + (1 - momentum) * var
    else:
        y = y - mean
    factor = jax.lax.rsqrt(var + eps)
    y = y * (factor * scale) + bias
    return y.astype(x.dtype), state


def merge(params: Any, state: Any) -> Any:
    """params with the arrays of state in place of its own."""
    if isinstance(params, dict) and isinstance(state, dict):
        return {**params, **{k: merge(params.get(k), v) for k, v in state.items()}}
    if isinstance(params, list) and isinstance(state, list):
        return [merge(p, s) for p, s in zip(params, state, strict=True)]
    return state if params is None or not isinstance(state, dict) else params


def critic(params: Params, x: Array, *, train: bool) -> tuple[Array, Params]:
    state: Params = {}
    sums = jnp.sum(jnp.square(params["raw"]), axis=(0, 1, 2))
    kernel = params["raw"] * (params["gain"] * jax.lax.rsqrt(sums))
    x = conv(x, kernel=kernel, **params["conv"])
    x, state["bn"] = batch_norm(x, **params["bn"], train=train)
    return jnp.mean(jax.nn.relu(x), axis=(1, 2, 3)), state


def weight_norm(
    params: Params, real: Array, fake: Array, *, train: bool = False
) -> tuple[Array, Params]:
    """real, fake (batch, 8, 8, 3) -> gap (batch)."""
    dtype = params["critic"]["raw"].dtype
    real, fake = real.astype(dtype), fake.astype(dtype)
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
        "raw": (3, 3, 3, FEATURES),
        "gain": (FEATURES,),
        "conv": {"bias": (FEATURES,)},
        "bn": dict.fromkeys(("scale", "bias", "mean", "var"), (FEATURES,)),
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
DTYPES = {"mean": "float32", "var": "float32"}


def init_params(key: Array, dtype: Any = jnp.float32) -> Params:
    """New parameters; each array has a key of its own, folded by path and copy."""
    if not jnp.issubdtype(dtype, jnp.floating) or dtype != canonicalize_dtype(dtype):
        raise ValueError(f"expected a floating dtype (64 bits: x64), found {dtype}")

    def draw(shapes: Any, path: str = "") -> Any:
        if isinstance(shapes, dict):
            return {k: draw(s, f"{path}{k}.") for k, s in shapes.items()}
        name = path.split(".")[-2]
        own = jax.random.fold_in(key, crc32(path[:-1].encode()))
        return INIT[name](own, shapes, DTYPES.get(name, dtype))

    return dict(draw(SHAPES))


def stored_arrays(path: Path) -> dict[str, Any]:
    """The arrays of a file, or of params.safetensors or its shards in a folder."""
    file, index = path / "params.safetensors", path / "params.safetensors.index.json"
    here = [f.name for f in (file, index, path / ".blox-commit.json") if f.exists()]
    if path.is_file() or here == [file.name]:
        return load_file(file if here else path)
    if here != [index.name]:
        raise FileNotFoundError(f"{path}: expected {file.name} or shards, found {here}")
    try:
        pairs = json.loads(index.read_bytes(), object_pairs_hook=tuple)
        [places] = [sorted(part) for key, part in pairs if key == "weight_map"]
        names = {name for _, name in places}
    except (RecursionError, TypeError, ValueError) as error:
        raise ValueError(f"{index}: expected a weight_map, found {error!r}") from None
    shards = {f.name: load_file(f) for f in path.iterdir() if f.name in names}
    if places != sorted((key, name) for name, shard in shards.items() for key in shard):
        raise ValueError(f"{index}: expected the arrays of its files, found others")
    return {key: array for shard in shards.values() for key, array in shard.items()}


def load_params(path: str | Path) -> Params:
    """The parameters of a folder with params*.safetensors, or of one such file."""
    arrays = stored_arrays(Path(path))
    faults: list[str] = []

    def read(shapes: Any, path: str = "") -> Any:
        if isinstance(shapes, dict):
            return {k: read(s, f"{path}{k}.") for k, s in shapes.items()}
        name, shape = path[:-1], (*shapes,)
        x = arrays.pop(name, np.array(None))
        kind = DTYPES.get(name.rpartition(".")[2], "float")
        wanted = jnp.floating if kind == "float" else kind
        fits = x.shape == shape and jnp.issubdtype(x.dtype, wanted)
        if fits and x.dtype == canonicalize_dtype(x.dtype):
            return x
        found = "no array" if x.dtype == object else f"{x.dtype} {x.shape}"
        faults.append(f"{name}: expected {kind} {shape}, found {found}")
        return np.zeros(shape, bool)

    params = read(SHAPES)
    faults += [f"{name}: expected no such array" for name in arrays]
    if faults:
        raise ValueError("; ".join(faults[:20]))
    return dict(jax.tree.map(jnp.asarray, params))
