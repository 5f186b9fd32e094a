"""equinox_gpt: 40,736 parameters in 16 arrays.

Made by blox of sha256:9e7480f5b4b22ee71107a8fc14f40635e0f2409f10c367b00bc960f6b5d489a8

    params = load_params("folder of params.safetensors")
    out = jax.jit(equinox_gpt)(params, tokens)
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


def layer_norm(x: Array, scale: Array, bias: Array, *, eps: float = 1e-05) -> Array:
    """(x - mean) / sqrt(var + eps) * scale + bias over the last axis, in float32."""
    # XLA would fuse all of x into each use of it, and compile for minutes on CPU.
    y: Array = jax.lax.optimization_barrier(x)  # type: ignore[no-untyped-call]
    y = y.astype(jnp.promote_types(x.dtype, jnp.float32))
    y = y - jnp.mean(y, axis=-1, keepdims=True)
    factor = jax.lax.rsqrt(jnp.mean(jnp.square(y), axis=-1) + eps)
    return (y * jnp.expand_dims(factor, -1) * scale + bias).astype(x.dtype)


def embed(ids: Array, embedding: Array) -> Array:
    """Rows of the table: (...) -> (..., features)."""
    return jnp.take(embedding, ids, axis=0, mode="clip")


def attention(params: Params, x: Array) -> Array:
    q, k, v = jnp.split(linear(x, **params["qkv"]), 3, axis=-1)
    q = q.reshape(*q.shape[:-1], 4, 8)
    k = k.reshape(*k.shape[:-1], 4, 8)
    v = v.reshape(*v.shape[:-1], 4, 8)
    mixed = jax.nn.dot_product_attention(q, k, v, is_causal=True)
    return linear(jax.lax.collapse(mixed, -2), **params["proj"])


def mlp(params: Params, x: Array) -> Array:
    x = jax.nn.gelu(linear(x, **params["up"]), approximate=True)
    return linear(x, **params["down"])


def block(params: Params, x: Array) -> Array:
    x = x + attention(params["attn"], layer_norm(x, **params["ln_1"]))
    return x + mlp(params["mlp"], layer_norm(x, **params["ln_2"]))


def equinox_gpt(params: Params, tokens: Array) -> Array:
    """tokens (batch, seq) -> (batch, seq, 64)."""
    seq = tokens.shape[1]
    if seq > 16:
        raise ValueError(f"expected {seq=} <= 16")
    x = embed(tokens, **params["wte"]) + embed(
        jnp.arange(seq, dtype=jnp.int32), **params["wpe"]
    )
    x, _ = jax.lax.scan(lambda x, layer: (block(layer, x), None), x, params["blocks"])
    out: Array = layer_norm(x, **params["ln_f"]) @ params["wte"]["embedding"].T
    return out


# The shape of each array, where it lies in params: (n, shapes) are n on a first axis.
BLOCK: Params = {
    "ln_1": {"scale": (32,), "bias": (32,)},
    "attn": {
        "qkv": {"kernel": (32, 96), "bias": (96,)},
        "proj": {"kernel": (32, 32), "bias": (32,)},
    },
    "ln_2": {"scale": (32,), "bias": (32,)},
    "mlp": {
        "up": {"kernel": (32, 128), "bias": (128,)},
        "down": {"kernel": (128, 32), "bias": (32,)},
    },
}
SHAPES: Params = {
    "wte": {"embedding": (64, 32)},
    "wpe": {"embedding": (16, 32)},
    "blocks": (3, BLOCK),
    "ln_f": {"scale": (32,), "bias": (32,)},
}
INIT: dict[str, Any] = {
    "embedding": jax.nn.initializers.normal(stddev=0.02),
    "scale": jax.nn.initializers.ones,
    "bias": jax.nn.initializers.zeros,
    "kernel": jax.nn.initializers.lecun_normal(),
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
