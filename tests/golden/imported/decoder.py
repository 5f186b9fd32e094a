"""decoder: 1,776 parameters in 11 arrays.

Made by blox of sha256:8430260aed168bb69afb581b244128ab70843c81a823d42c01df47c2c680dda3

    params = load_params("folder of params.safetensors")
    out = jax.jit(decoder)(params, tokens)
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


def rope(x: Array, cos: Array, sin: Array) -> Array:
    """Turns pairs of features of x (..., time, heads, head_dim) by the angles."""
    cos, sin = cos[..., None, :], sin[..., None, :]
    a, b = jnp.split(x, 2, axis=-1)
    y = jnp.concatenate([a * cos - b * sin, b * cos + a * sin], axis=-1)
    return y.astype(x.dtype)


def einsum(xs: Sequence[Array], *, equation: str = "btd,dho->btho") -> Array:
    """The sum of products that the equation says."""
    return jnp.einsum(equation, *xs)


def rms_norm(x: Array, scale: Array, *, eps: float = 1e-06) -> Array:
    """x / sqrt(mean(x ** 2) + eps) * scale over the last axis, in float32."""
    # XLA would fuse all of x into each use of it, and compile for minutes on CPU.
    y: Array = jax.lax.optimization_barrier(x)  # type: ignore[no-untyped-call]
    y = y.astype(jnp.promote_types(x.dtype, jnp.float32))
    factor = jax.lax.rsqrt(jnp.mean(jnp.square(y), axis=-1) + eps)
    return (y * jnp.expand_dims(factor, -1) * scale).astype(x.dtype)


def gather(x: Array, indices: Sequence[Array | int]) -> Array:
    """The elements of x at indices of several axes, which stand where the first was."""
    first = min([a % x.ndim for a in (0,)])
    x = jnp.moveaxis(x, (0,), range(first, first + 1))
    return x.at[*[slice(None)] * first, *indices].get(mode="clip")


def rope_2(x: Array, *, dtype: Any) -> Array:
    y = jnp.arange(x.shape[1], dtype=jnp.int32).astype(dtype)[..., None]
    z = -jnp.arange(0, 4, 2, jnp.int32)
    y = y * 10000.0 ** (z.astype(dtype) / 4.0)
    return rope(x, jnp.cos(y), jnp.sin(y))


def attention(params: Params, x: Array) -> Array:
    dtype = params["wq"].dtype
    q = rope_2(einsum([x, params["wq"]]), dtype=dtype)
    k = rope_2(einsum([x, params["wk"]]), dtype=dtype)
    x = jax.nn.dot_product_attention(q, k, einsum([x, params["wv"]]), is_causal=True)
    return einsum([x, params["wo"]], equation="bdts,tsk->bdk")


def gated(params: Params, x: Array) -> Array:
    x = jax.nn.silu(x @ params["gate"]) * (x @ params["up"])
    out: Array = x @ params["down"]
    return out


def block(params: Params, x: Array) -> Array:
    x = x + attention(params, rms_norm(x, scale=params["norm1"]))
    return x + gated(params, rms_norm(x, scale=params["norm2"]))


def decoder(params: Params, tokens: Array) -> Array:
    """tokens (batch, seq) -> (batch, seq, 11)."""
    x = gather(params["embed"], [tokens])
    x, _ = jax.lax.scan(lambda x, layer: (block(layer, x), None), x, params["layers"])
    return rms_norm(x, scale=params["norm"]) @ jnp.swapaxes(
        params["embed"], axis1=-2, axis2=-1
    )


# The shape of each array, where it lies in params: (n, shapes) are n on a first axis.
BLOCK: Params = {
    "norm1": (8,),
    "wq": (8, 2, 4),
    "wk": (8, 2, 4),
    "wv": (8, 2, 4),
    "wo": (2, 4, 8),
    "norm2": (8,),
    "gate": (8, 12),
    "up": (8, 12),
    "down": (12, 8),
}
SHAPES: Params = {"embed": (11, 8), "layers": (3, BLOCK), "norm": (8,)}
INIT: dict[str, Any] = {
    "embed": jax.nn.initializers.normal(stddev=0.02),
    "norm1": jax.nn.initializers.normal(stddev=0.02),
    "wq": jax.nn.initializers.normal(stddev=0.02),
    "wk": jax.nn.initializers.normal(stddev=0.02),
    "wv": jax.nn.initializers.normal(stddev=0.02),
    "wo": jax.nn.initializers.normal(stddev=0.02),
    "norm2": jax.nn.initializers.normal(stddev=0.02),
    "gate": jax.nn.initializers.normal(stddev=0.02),
    "up": jax.nn.initializers.normal(stddev=0.02),
    "down": jax.nn.initializers.normal(stddev=0.02),
    "norm": jax.nn.initializers.normal(stddev=0.02),
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
