"""haiku_gpt: 40,736 parameters in 20 arrays.

Made by blox of sha256:db757c696b71700c4fc2195aa620006f980e3699fa139a54917e6f878e53ef6d

    params = load_params("folder of params.safetensors")
    out = jax.jit(haiku_gpt)(params, tokens)
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
    return jnp.take(embedding, ids, axis=0, mode="fill")


def multi_head_attention(params: Params, query: Array) -> Array:
    """Computes (optionally masked) MHA with queries, keys & values."""
    batch, seq, _ = query.shape
    query_heads = linear(query, **params["query"]).reshape(batch, seq, 4, 8)
    key_heads = linear(query, **params["key"]).reshape(batch, seq, 4, 8)
    value_heads = linear(query, **params["value"]).reshape(batch, seq, 4, 8)
    attn = jax.nn.dot_product_attention(
        query_heads, key_heads, value_heads, is_causal=True
    )
    return linear(jax.lax.collapse(attn, -2), **params["linear"])


def block(params: Params, x: Array) -> Array:
    x = x + multi_head_attention(
        params["multi_head_attention"], layer_norm(x, **params["ln_1"])
    )
    y = layer_norm(x, **params["ln_2"])
    y = jax.nn.gelu(linear(y, **params["up"]), approximate=True)
    return x + linear(y, **params["down"])


def haiku_gpt(params: Params, tokens: Array) -> Array:
    """tokens (batch, seq) -> (batch, seq, 64)."""
    seq = tokens.shape[1]
    if seq > 16:
        raise ValueError(f"expected {seq=} <= 16")
    x = embed(tokens, **params["wte"]) + embed(
        jnp.arange(seq, dtype=jnp.int32), **params["wpe"]
    )
    x, _ = jax.lax.scan(lambda x, layer: (block(layer, x), None), x, params["block"])
    out: Array = layer_norm(x, **params["ln_f"]) @ params["wte"]["embedding"].T
    return out


# The shape of each array, where it lies in params: (n, shapes) are n on a first axis.
BLOCK: Params = {
    "ln_1": {"scale": (32,), "bias": (32,)},
    "multi_head_attention": {
        name: {"kernel": (32, 32), "bias": (32,)}
        for name in ("query", "key", "value", "linear")
    },
    "ln_2": {"scale": (32,), "bias": (32,)},
    "up": {"kernel": (32, 128), "bias": (128,)},
    "down": {"kernel": (128, 32), "bias": (32,)},
}
SHAPES: Params = {
    "wte": {"embedding": (64, 32)},
    "wpe": {"embedding": (16, 32)},
    "block": (3, BLOCK),
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
