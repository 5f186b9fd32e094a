"""albert: ALBERT: a factorised table of words, layers that share their parameters.

1,148 parameters in 26 arrays.
Made by blox of sha256:8522e94011f9012fe5efcb356fcf250b9323d51a2ec273a34ed802f56b4b59ec

    params = load_params("folder of params.safetensors")
    outputs = jax.jit(albert)(params, tokens)
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

VOCAB, EMBEDDING, WIDTH = 30, 4, 8
DEPTH, HEADS, CONTEXT = 3, 2, 16


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


def attention(params: Params, x: Array, mask: Array) -> Array:
    batch, seq, _ = x.shape
    q = linear(x, **params["query"]).reshape(batch, seq, HEADS, WIDTH // HEADS)
    k = linear(x, **params["key"]).reshape(batch, seq, HEADS, WIDTH // HEADS)
    v = linear(x, **params["value"]).reshape(batch, seq, HEADS, WIDTH // HEADS)
    x = jax.nn.dot_product_attention(q, k, v, mask=mask)
    return linear(jax.lax.collapse(x, -2), **params["out"])


def layer(params: Params, x: Array, mask: Array) -> Array:
    x = x + attention(params["attn"], x, mask)
    x = layer_norm(x, **params["attn_norm"])
    y = jax.nn.gelu(linear(x, **params["up"]), approximate=True)
    x = x + linear(y, **params["down"])
    return layer_norm(x, **params["norm"])


def albert(params: Params, tokens: Array) -> dict[str, Array]:
    """tokens (batch, seq) -> logits (batch, seq, vocab); hidden (batch, seq, width)."""
    seq = tokens.shape[1]
    if seq > CONTEXT:
        raise ValueError(f"expected {seq=} <= {CONTEXT}")
    mask = (tokens > 0)[:, None, None, :]
    x = embed(tokens, **params["words"]) + embed(
        jnp.arange(seq, dtype=jnp.int32), **params["positions"]
    )
    x = linear(layer_norm(x, **params["norm"]), **params["project"])
    hidden = x
    for _ in range(DEPTH):
        hidden = layer(params["encoder"], hidden, mask)
    x = jax.nn.gelu(linear(hidden, **params["transform"]), approximate=True)
    logits = layer_norm(x, **params["transform_norm"]) @ params["words"]["embedding"].T
    return {"logits": logits, "hidden": hidden}


# The shape of each array, where it lies in params.
SHAPES: Params = {
    "words": {"embedding": (VOCAB, EMBEDDING)},
    "positions": {"embedding": (CONTEXT, EMBEDDING)},
    "norm": {"scale": (EMBEDDING,), "bias": (EMBEDDING,)},
    "project": {"kernel": (EMBEDDING, WIDTH), "bias": (WIDTH,)},
    "encoder": {
        "attn": {
            name: {"kernel": (WIDTH, WIDTH), "bias": (WIDTH,)}
            for name in ("query", "key", "value", "out")
        },
        "attn_norm": {"scale": (WIDTH,), "bias": (WIDTH,)},
        "up": {"kernel": (WIDTH, 4 * WIDTH), "bias": (4 * WIDTH,)},
        "down": {"kernel": (4 * WIDTH, WIDTH), "bias": (WIDTH,)},
        "norm": {"scale": (WIDTH,), "bias": (WIDTH,)},
    },
    "transform": {"kernel": (WIDTH, EMBEDDING), "bias": (EMBEDDING,)},
    "transform_norm": {"scale": (EMBEDDING,), "bias": (EMBEDDING,)},
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
