"""cnn: 653 parameters in 6 arrays.

Made by blox of sha256:bc6c4f918874296a9fdb11da2e4b7b51121c03e696a645cf7212a0b949ad4c31

    params = load_params("folder of params.safetensors")
    out = jax.jit(cnn)(params, x)
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


def conv(x: Array, kernel: Array, bias: Array) -> Array:
    """x (..., spatial..., in), kernel (spatial..., in / groups, out)."""
    dimensions = ("NHWC", "HWIO", "NHWC")
    y = jax.lax.conv_general_dilated(
        x, kernel, [1, 1], "SAME", dimension_numbers=dimensions
    )
    return y + bias


def max_pool(x: Array) -> Array:
    """The greatest value of each window."""
    y: Array = jax.lax.reduce_window(
        x, -jnp.inf, jax.lax.max, [1, 2, 2, 1], [1, 2, 2, 1], "VALID"
    )
    return y


def cnn(params: Params, x: Array) -> Array:
    """x (batch, 3, 12, 12) -> (batch, 5)."""
    x = x.astype(params["layers_0"]["kernel"].dtype)
    x = x.transpose((0, 2, 3, 1))
    x = jax.nn.relu(conv(x, **params["layers_0"]))
    x = max_pool(x)
    x = jax.nn.relu(conv(x, **params["layers_1"]))
    x = jnp.mean(max_pool(x), axis=(-3, -2))
    x = x @ params["out"]["kernel"] + params["out"]["bias"]
    return x


# The shape of each array, where it lies in params.
SHAPES: Params = {
    "layers_0": {"kernel": (3, 3, 3, 6), "bias": (6,)},
    "layers_1": {"kernel": (3, 3, 6, 8), "bias": (8,)},
    "out": {"kernel": (8, 5), "bias": (5,)},
}
INIT: dict[str, Any] = {
    "kernel": jax.nn.initializers.lecun_normal(),
    "bias": jax.nn.initializers.zeros,
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
