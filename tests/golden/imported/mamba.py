"""mamba: 56 parameters in 5 arrays.

Made by blox of sha256:d05c656634f033a81d423faddeff277d38df9b459bd2896ae9c885f2040839ed

    params = load_params("folder of params.safetensors")
    out = jax.jit(mamba)(params, x)
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


def step(h: Array, keep: Array, drive: Array, c: Array) -> tuple[Array, Array]:
    h = keep * h + drive
    x = h * jnp.expand_dims(c, axis=-2)
    return h, jnp.sum(x, axis=-1)


def mamba(params: Params, x: Array) -> Array:
    """x (batch, time, 4) -> (batch, time, 4)."""
    batch = x.shape[0]
    dtype = params["delta"].dtype
    x = x.astype(dtype)
    delta_2 = jax.nn.softplus(x @ params["delta"])
    y = jnp.zeros((batch, 4, 3), dtype)
    keep: Array = delta_2[..., None] * -jnp.exp(params["log_a"])
    keep = jnp.exp(keep)
    drive = (delta_2 * x)[..., None] * jnp.expand_dims(x @ params["b"], axis=-2)
    parts = x @ params["c"]
    scan_keep = jnp.moveaxis(keep, 1, 0)
    scan_drive = jnp.moveaxis(drive, 1, 0)
    scan_c = jnp.moveaxis(parts, 1, 0)

    def scan_step(h: Array, xs: tuple[Array, Array, Array]) -> tuple[Array, Array]:
        keep, drive, c = xs
        return step(h, keep, drive, c)

    _, keep = jax.lax.scan(scan_step, y, (scan_keep, scan_drive, scan_c))
    keep = jnp.moveaxis(keep, 0, 1)
    keep = keep + x * params["d"]
    return keep


# The shape of each array, where it lies in params.
SHAPES: Params = {"delta": (4, 4), "log_a": (4, 3), "b": (4, 3), "c": (4, 3), "d": (4,)}
INIT: dict[str, Any] = {
    "delta": jax.nn.initializers.normal(stddev=0.02),
    "log_a": jax.nn.initializers.normal(stddev=0.02),
    "b": jax.nn.initializers.normal(stddev=0.02),
    "c": jax.nn.initializers.normal(stddev=0.02),
    "d": jax.nn.initializers.normal(stddev=0.02),
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
