"""vit: 1,548 parameters in 14 arrays.

Made by blox of sha256:49a52ec471aff88f4f8a7b034297256d1df0bc9b946d26a09bb91f4d9cde7d98

    params = load_params("folder of params.safetensors")
    out = jax.jit(vit)(params, images)
"""

import json
from collections.abc import Sequence
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


def einsum(xs: Sequence[Array], *, equation: str = "btd,dho->btho") -> Array:
    """The sum of products that the equation says."""
    return jnp.einsum(equation, *xs)


def linear(x: Array, kernel: Array, bias: Array) -> Array:
    """x @ kernel + bias: (..., in) -> (..., out)."""
    return x @ kernel + bias


def layer(params: Params, x: Array) -> Array:
    y = jax.nn.dot_product_attention(
        einsum([x, params["q"]]), einsum([x, params["k"]]), einsum([x, params["v"]])
    )
    x = x + einsum([y, params["o"]], equation="btsd,sdk->btk")
    y = jax.nn.gelu(linear(x, **params["up"]), approximate=True)
    return x + linear(y, **params["down"])


def vit(params: Params, images: Array) -> Array:
    """images (batch, 8, 8, 3) -> (batch, 4)."""
    batch = images.shape[0]
    images = images.astype(params["class_1"].dtype)
    x = jnp.broadcast_to(jnp.squeeze(params["class_1"], axis=-3), shape=(batch, 1, 8))
    images = images.reshape(batch, 2, 4, 2, 4, 3)
    images = jnp.swapaxes(images, axis1=-4, axis2=-3).reshape(batch, 4, 48)
    x = (
        jnp.concatenate([x, linear(images, **params["patch"])], axis=-2)
        + params["positions"]
    )
    x, _ = jax.lax.scan(lambda x, p: (layer(p, x), None), x, params["layers"])
    return linear(x[:, 0], **params["head"])


# The shape of each array, where it lies in params: (n, shapes) are n on a first axis.
LAYER: Params = {
    "q": (8, 2, 4),
    "k": (8, 2, 4),
    "v": (8, 2, 4),
    "o": (2, 4, 8),
    "up": {"kernel": (8, 16), "bias": (16,)},
    "down": {"kernel": (16, 8), "bias": (8,)},
}
SHAPES: Params = {
    "class_1": (1, 1, 8),
    "patch": {"kernel": (48, 8), "bias": (8,)},
    "positions": (5, 8),
    "layers": (2, LAYER),
    "head": {"kernel": (8, 4), "bias": (4,)},
}
INIT: dict[str, Any] = {
    "class_1": jax.nn.initializers.normal(stddev=0.02),
    "kernel": jax.nn.initializers.lecun_normal(),
    "bias": jax.nn.initializers.zeros,
    "positions": jax.nn.initializers.normal(stddev=0.02),
    "q": jax.nn.initializers.normal(stddev=0.02),
    "k": jax.nn.initializers.normal(stddev=0.02),
    "v": jax.nn.initializers.normal(stddev=0.02),
    "o": jax.nn.initializers.normal(stddev=0.02),
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
