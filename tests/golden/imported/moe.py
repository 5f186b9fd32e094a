"""moe: 208 parameters in 3 arrays.

Made by blox of sha256:34e8a5163a0cc6587222108642daa29ace76598b043da0319f0e6d4f781bd092

    params = load_params("folder of params.safetensors")
    out = jax.jit(moe)(params, x)
"""

import json
from collections.abc import Sequence
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


def softmax(x: Array) -> Array:
    """exp(x) / sum(exp(x)) along axis, in float32."""
    y = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    return jax.nn.softmax(y, axis=-1).astype(x.dtype)


def einsum(xs: Sequence[Array], *, equation: str) -> Array:
    """The sum of products that the equation says."""
    return jnp.einsum(equation, *xs)


def moe(params: Params, x: Array) -> Array:
    """x (batch, 4) -> (batch, 4)."""
    dtype = params["router"].dtype
    x = x.astype(dtype)
    gates = softmax(x @ params["router"])
    values, indices = jax.lax.top_k(gates, k=2, axis=-1)
    hidden = jax.nn.relu(einsum([x, params["up"]], equation="bd,hdo->bho"))
    x = (indices[..., None] == jnp.arange(4, dtype=jnp.int32)).astype(dtype)
    x = x * (values / jnp.sum(values, axis=-1, keepdims=True))[..., None]
    x = einsum([hidden, jnp.sum(x, axis=-2)], equation="bhd,bh->bhd")
    return einsum([x, params["down"]], equation="btd,tdk->bk")


# The shape of each array, where it lies in params.
SHAPES: Params = {"router": (4, 4), "up": (4, 4, 6), "down": (4, 6, 4)}
INIT: dict[str, Any] = {
    "router": jax.nn.initializers.normal(stddev=0.02),
    "up": jax.nn.initializers.normal(stddev=0.02),
    "down": jax.nn.initializers.normal(stddev=0.02),
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
