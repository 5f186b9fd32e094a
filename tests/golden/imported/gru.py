"""gru: 192 parameters in 7 arrays.

Made by blox of sha256:0da73ed7f6e8cf4152c40f53d5f27d291632463e58e584ec66d0f74d35afbfb8

    params = load_params("folder of params.safetensors")
    outputs = jax.jit(gru)(params, xs)
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


def gru_step(params: Params, h: Array, x: Array) -> tuple[Array, Array]:
    y = x @ params["wz"] + h @ params["uz"]
    y = jax.nn.sigmoid(y)
    z = 1.0 - y
    matmul_3_ = x @ params["wn"]
    x = x @ params["wr"] + h @ params["ur"]
    matmul_3_ = matmul_3_ + jax.nn.sigmoid(x) * h @ params["un"]
    h = z * jnp.tanh(matmul_3_) + y * h
    return h, h


def gru(params: Params, xs: Array) -> dict[str, Array]:
    """xs (batch, time, 4) -> last (batch, 2); every (batch, time, 6)."""
    batch = xs.shape[0]
    dtype = params["cell"]["wz"].dtype
    xs = xs.astype(dtype)
    h = jnp.zeros((batch, 6), dtype)
    cell_x = jnp.moveaxis(xs, 1, 0)
    h, every = jax.lax.scan(lambda h, x: gru_step(params["cell"], h, x), h, cell_x)
    every = jnp.moveaxis(every, 0, 1)
    last = h @ params["head"]
    return {"last": last, "every": every}


# The shape of each array, where it lies in params.
SHAPES: Params = {
    "cell": {
        "wz": (4, 6),
        "uz": (6, 6),
        "wn": (4, 6),
        "wr": (4, 6),
        "ur": (6, 6),
        "un": (6, 6),
    },
    "head": (6, 2),
}
INIT: dict[str, Any] = {
    "wz": jax.nn.initializers.normal(stddev=0.02),
    "uz": jax.nn.initializers.normal(stddev=0.02),
    "wn": jax.nn.initializers.normal(stddev=0.02),
    "wr": jax.nn.initializers.normal(stddev=0.02),
    "ur": jax.nn.initializers.normal(stddev=0.02),
    "un": jax.nn.initializers.normal(stddev=0.02),
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
