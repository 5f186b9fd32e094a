"""bidirectional: 420 parameters in 7 arrays.

Made by blox of sha256:64dec6ba715599b247ef1e58aee9b062c7f1321840dba883246baf7c581d77ab

    params = load_params("folder of params.safetensors")
    out = jax.jit(bidirectional)(params, xs)
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


def step(params: Params, h: Array, c: Array, x: Array) -> tuple[Array, Array, Array]:
    gates = x @ params["w"] + h @ params["u"] + params["b"]
    i, f, g, o = jnp.split(gates, 4, axis=-1)
    f = jax.nn.sigmoid(f) * c
    c = f + jax.nn.sigmoid(i) * jnp.tanh(g)
    h = jax.nn.sigmoid(o) * jnp.tanh(c)
    return h, c, h


def lstm(params: Params, xs: Array) -> Array:
    x = jnp.zeros((xs.shape[0], 5), params["w"].dtype)
    scan_x = jnp.moveaxis(xs, 1, 0)

    def scan_step(
        carry: tuple[Array, Array], x: Array
    ) -> tuple[tuple[Array, Array], Array]:
        h, c = carry
        h, c, y = step(params, h, c, x)
        return (h, c), y

    _, y = jax.lax.scan(scan_step, (x, x), scan_x)
    y = jnp.moveaxis(y, 0, 1)
    return y


def lstm_reverse(params: Params, xs: Array) -> Array:
    x = jnp.zeros((xs.shape[0], 5), params["w"].dtype)
    scan_x = jnp.moveaxis(xs, 1, 0)

    def scan_step(
        carry: tuple[Array, Array], x: Array
    ) -> tuple[tuple[Array, Array], Array]:
        h, c = carry
        h, c, y = step(params, h, c, x)
        return (h, c), y

    _, y = jax.lax.scan(scan_step, (x, x), scan_x, reverse=True)
    y = jnp.moveaxis(y, 0, 1)
    return y


def bidirectional(params: Params, xs: Array) -> Array:
    """xs (batch, time, 4) -> (batch, time, 2)."""
    xs = xs.astype(params["forward"]["w"].dtype)
    out: Array = (
        jnp.concatenate(
            [lstm(params["forward"], xs), lstm_reverse(params["backward"], xs)], axis=-1
        )
        @ params["head"]
    )
    return out


# The shape of each array, where it lies in params.
SHAPES: Params = {
    "forward": {"w": (4, 20), "u": (5, 20), "b": (20,)},
    "backward": {"w": (4, 20), "u": (5, 20), "b": (20,)},
    "head": (10, 2),
}
INIT: dict[str, Any] = {
    "w": jax.nn.initializers.normal(stddev=0.02),
    "u": jax.nn.initializers.normal(stddev=0.02),
    "b": jax.nn.initializers.normal(stddev=0.02),
    "head": jax.nn.initializers.normal(stddev=0.02),
}


def init_params(key: Array, dtype: Any = jnp.float32) -> Params:
    """New parameters; each array has a key of its own, folded by path and copy."""
    if not jnp.issubdtype(dtype, jnp.floating) or dtype != canonicalize_dtype(dtype):
        raise ValueError(f"expected a floating dtype (64 bits: x64), found {dtype}")

    def draw(shapes: Any, path: str = "") -> Any:
        if isinstance(shapes, dict):
            return {k: draw(s, f"{path}{k}.") for k, s in shapes.items()}
        own = jax.random.fold_in(key, crc32(path[:-1].encode()))
        return INIT[path.split(".")[-2]](own, shapes, dtype)

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
        fits = x.shape == shape and jnp.issubdtype(x.dtype, jnp.floating)
        if fits and x.dtype == canonicalize_dtype(x.dtype):
            return x
        found = "no array" if x.dtype == object else f"{x.dtype} {x.shape}"
        faults.append(f"{name}: expected float {shape}, found {found}")
        return np.zeros(shape, bool)

    params = read(SHAPES)
    faults += [f"{name}: expected no such array" for name in arrays]
    if faults:
        raise ValueError("; ".join(faults[:20]))
    return dict(jax.tree.map(jnp.asarray, params))
