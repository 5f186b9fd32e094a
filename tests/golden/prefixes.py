"""prefixes: Recurrences in parallel, by functions that combine two elements.

4 parameters in 1 arrays.
Made by blox of sha256:b0f07e0e821b445a820a60829a1ce9795a78debf621bb1344436aad5430c5158

    params = load_params("folder of params.safetensors")
    outputs = jax.jit(prefixes)(params, a, b, s)
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


def compose(a: Array, b: Array, a2: Array, b2: Array) -> tuple[Array, Array]:
    return a * a2, b * a2 + b2


def add_2(x: Array, x2: Array) -> Array:
    return x + x2 * 1.0


def mat(params: Params, p: Array, q: Array) -> Array:
    p = p @ q @ params["w"]["kernel"]
    return p


def prefixes(params: Params, a: Array, b: Array, s: Array) -> dict[str, Array]:
    """a, b (batch, seq, 4) -> y, z (batch, seq, 4); m (batch, seq, 2, 2)."""
    dtype = params["products"]["w"]["kernel"].dtype
    a, b, s = a.astype(dtype), b.astype(dtype), jnp.asarray(s, dtype)
    _, y = jax.lax.associative_scan(
        lambda left, right: jax.vmap(compose, in_axes=1, out_axes=1)(*left, *right),
        (a, b),
        axis=1,
    )
    z = jax.lax.associative_scan(jax.vmap(add_2), y, reverse=True)
    p = b.reshape(*b.shape[:-1], 2, 2)
    m = jax.lax.associative_scan(
        jax.vmap(lambda p, q: mat(params["products"], p, q), in_axes=-3, out_axes=-3),
        p,
        axis=-3,
    )
    return {"y": y, "z": z, "m": m}


# The shape of each array, where it lies in params.
SHAPES: Params = {"products": {"w": {"kernel": (2, 2)}}}
INIT: dict[str, Any] = {"kernel": jax.nn.initializers.lecun_normal()}


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
