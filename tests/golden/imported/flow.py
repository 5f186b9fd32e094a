"""flow: 138 parameters in 8 arrays.

Made by blox of sha256:4083cd4ea9739ff48b180a9891484d817c4ddbd5d0abe06234d45083c70d333c

    params = load_params("folder of params.safetensors")
    out = jax.jit(flow)(params, x)
"""

import json
from functools import partial, reduce
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


def linear(x: Array, kernel: Array, bias: Array) -> Array:
    """x @ kernel + bias: (..., in) -> (..., out)."""
    return x @ kernel + bias


def coupling(params: Params, x: Array) -> tuple[Array, Array]:
    a, b = jnp.split(x, 2, axis=-1)
    h = jnp.tanh(linear(a, **params["net"]))
    split_2_shift, scale = jnp.split(linear(h, **params["out"]), 2, axis=-1)
    scale = jnp.tanh(scale)
    b = b * jnp.exp(scale) + split_2_shift
    return jnp.concatenate([b, a], axis=-1), jnp.sum(scale, axis=-1)


def layer(params: Params, x: Array, total: Array) -> tuple[Array, Array]:
    x, out_1 = coupling(params, x)
    return x, total + out_1


def flow(params: Params, x: Array) -> Array:
    """x (batch, 4) -> (batch)."""
    x = x.astype(params["n0"]["net"]["kernel"].dtype)
    x, total = coupling(params["n0"], x)

    def layers_step(
        carry: tuple[Array, Array], p: Params
    ) -> tuple[tuple[Array, Array], None]:
        x, total = carry
        return layer(p, x, total), None

    (x, total), _ = jax.lax.scan(layers_step, (x, total), params["layers"])
    x = jnp.square(x) + 1.837877
    return -0.5 * jnp.sum(x, axis=-1) + total


# The shape of each array, where it lies in params: (n, shapes) are n on a first axis.
LAYER: Params = {
    "net": {"kernel": (2, 6), "bias": (6,)},
    "out": {"kernel": (6, 4), "bias": (4,)},
}
SHAPES: Params = {
    "n0": {
        "net": {"kernel": (2, 6), "bias": (6,)},
        "out": {"kernel": (6, 4), "bias": (4,)},
    },
    "layers": (2, LAYER),
}
INIT: dict[str, Any] = {
    "kernel": jax.nn.initializers.lecun_normal(),
    "bias": jax.nn.initializers.zeros,
}


def init_params(key: Array, dtype: Any = jnp.float32) -> Params:
    """New parameters; each array has a key of its own, folded by path and copy."""
    if not jnp.issubdtype(dtype, jnp.floating) or dtype != canonicalize_dtype(dtype):
        raise ValueError(f"expected a floating dtype (64 bits: x64), found {dtype}")

    def draw(shapes: Any, path: str = "", *copies: Any) -> Any:
        if isinstance(shapes, dict):
            return {k: draw(s, f"{path}{k}.", *copies) for k, s in shapes.items()}
        if shapes and not isinstance(shapes[-1], int):
            n, each = shapes
            return jax.vmap(partial(draw, each, path, *copies))(jnp.arange(n))
        own = reduce(jax.random.fold_in, (crc32(path[:-1].encode()), *copies), key)
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
    numbered = {n[:i] for n in arrays for i, c in enumerate(n) if c.isdigit()}
    faults: list[str] = []

    def read(shapes: Any, path: str = "", *axes: int) -> Any:
        if isinstance(shapes, dict):
            return {k: read(s, f"{path}{k}.", *axes) for k, s in shapes.items()}
        if shapes and not isinstance(shapes[-1], int):
            n, each = shapes
            if path not in numbered:
                return read(each, path, *axes, n)
            copies = [read(each, f"{path}{i}.", *axes) for i in range(n)]
            return jax.tree.map(lambda *x: np.stack(x, len(axes)), *copies)
        name, shape = path[:-1], (*axes, *shapes)
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
