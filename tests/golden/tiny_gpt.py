"""tiny_gpt: A GPT with two entries over the same arrays: scoring is stepping with an
empty cache.

40,736 parameters in 16 arrays. License: MIT.
Made by blox of sha256:d0ae8020f209338e4ac7a4c7135f839f935b6927fa435ea7dcab202bedeac0bd

    params = load_params("folder of params.safetensors")
    logits = jax.jit(tiny_gpt)(params, tokens)
"""

import json
import zlib
from collections.abc import Callable
from functools import partial, reduce
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from safetensors.numpy import load_file

Params = dict[str, Any]

VOCAB, WIDTH, DEPTH, HEADS, CONTEXT = 64, 32, 3, 4, 16


def linear(x: Array, kernel: Array, bias: Array) -> Array:
    """x @ kernel + bias: (..., in) -> (..., out)."""
    return x @ kernel + bias


def layer_norm(x: Array, scale: Array, bias: Array, *, eps: float = 1e-05) -> Array:
    """(x - mean) / sqrt(var + eps) * scale + bias over the last axis, in float32."""
    # XLA would fuse all of x into each use of it, and compile for minutes on CPU.
    y: Array = jax.lax.optimization_barrier(x)  # type: ignore[no-untyped-call]
    y = y.astype(jnp.promote_types(x.dtype, jnp.float32))
    y = y - jnp.mean(y, axis=-1, keepdims=True)
    y = y * jax.lax.rsqrt(jnp.mean(jnp.square(y), axis=-1, keepdims=True) + eps)
    return (y * scale + bias).astype(x.dtype)


def embed(ids: Array, embedding: Array) -> Array:
    """Rows of the table: (...) -> (..., features)."""
    return jnp.take(embedding, ids, axis=0, mode="clip")


def attention(
    params: Params, x: Array, k: Array, v: Array, position: Array | int, mask: Array
) -> tuple[Array, Array, Array]:
    batch, seq, _ = x.shape
    q, k_new, v_new = jnp.split(linear(x, **params["qkv"]), 3, axis=-1)
    q = q.reshape(batch, seq, HEADS, WIDTH // HEADS)
    k_new = k_new.reshape(batch, seq, HEADS, WIDTH // HEADS)
    v_new = v_new.reshape(batch, seq, HEADS, WIDTH // HEADS)
    k = jax.lax.dynamic_update_slice_in_dim(k, k_new, position, axis=1)
    v = jax.lax.dynamic_update_slice_in_dim(v, v_new, position, axis=1)
    mixed = jax.nn.dot_product_attention(q, k, v, mask=mask)
    return linear(mixed.reshape(batch, seq, WIDTH), **params["proj"]), k_new, v_new


def mlp(params: Params, x: Array) -> Array:
    x = jax.nn.gelu(linear(x, **params["up"]), approximate=True)
    return linear(x, **params["down"])


def block(
    params: Params, x: Array, k: Array, v: Array, position: Array | int, mask: Array
) -> tuple[Array, Array, Array]:
    ln_1 = layer_norm(x, **params["ln_1"])
    attn, k_new, v_new = attention(params["attn"], ln_1, k, v, position, mask)
    x = x + attn
    x = x + mlp(params["mlp"], layer_norm(x, **params["ln_2"]))
    return x, k_new, v_new


def step(
    params: Params, tokens: Array, position: Array | int, k: Array, v: Array
) -> dict[str, Array]:
    """tokens (batch, seq); k, v (depth, batch, cached, heads, width // heads)
    -> logits (batch, seq, vocab); k, v.
    """
    seq, cached = tokens.shape[1], k.shape[2]
    if not seq <= cached <= CONTEXT:
        raise ValueError(f"expected {seq=} <= {cached=} <= {CONTEXT}")
    dtype = params["wte"]["embedding"].dtype
    k, v = k.astype(dtype), v.astype(dtype)
    positions = position + jnp.arange(seq, dtype=jnp.int32)
    slots = jnp.arange(cached, dtype=jnp.int32)
    mask = (positions[:, None] - slots[None] >= 0)[None]
    x = embed(tokens, **params["wte"]) + embed(positions, **params["wpe"])

    def h_step(
        x: Array, xs: tuple[Params, Array, Array]
    ) -> tuple[Array, tuple[Array, Array]]:
        layer, k, v = xs
        x, k_new, v_new = block(layer, x, k, v, position, mask)
        return x, (k_new, v_new)

    x, (k_new, v_new) = jax.lax.scan(h_step, x, (params["h"], k, v))
    logits = layer_norm(x, **params["ln_f"]) @ params["wte"]["embedding"].T
    k = jax.lax.dynamic_update_slice_in_dim(k, k_new, position, axis=2)
    v = jax.lax.dynamic_update_slice_in_dim(v, v_new, position, axis=2)
    return {"logits": logits, "k": k, "v": v}


def tiny_gpt(params: Params, tokens: Array) -> Array:
    """tokens (batch, seq) -> logits (batch, seq, vocab)."""
    dtype = params["wte"]["embedding"].dtype
    empty = jnp.zeros((DEPTH, *tokens.shape, HEADS, WIDTH // HEADS), dtype)
    return step(params, tokens, 0, empty, empty)["logits"]


# The shape of each array, where it lies in params.
SHAPES: Params = {
    "wte": {"embedding": (VOCAB, WIDTH)},
    "wpe": {"embedding": (CONTEXT, WIDTH)},
    "h": {
        "ln_1": {"scale": (DEPTH, WIDTH), "bias": (DEPTH, WIDTH)},
        "attn": {
            "qkv": {"kernel": (DEPTH, WIDTH, 3 * WIDTH), "bias": (DEPTH, 3 * WIDTH)},
            "proj": {"kernel": (DEPTH, WIDTH, WIDTH), "bias": (DEPTH, WIDTH)},
        },
        "ln_2": {"scale": (DEPTH, WIDTH), "bias": (DEPTH, WIDTH)},
        "mlp": {
            "up": {"kernel": (DEPTH, WIDTH, 4 * WIDTH), "bias": (DEPTH, 4 * WIDTH)},
            "down": {"kernel": (DEPTH, 4 * WIDTH, WIDTH), "bias": (DEPTH, WIDTH)},
        },
    },
    "ln_f": {"scale": (WIDTH,), "bias": (WIDTH,)},
}
# Arrays below begin with an axis of copies; * is its place in a path.
STACKED = ["h"]
# What draws an array, by the last name of its path.
INIT: dict[str, Callable[..., Array]] = {
    "embedding": jax.nn.initializers.normal(stddev=0.02),
    "scale": jax.nn.initializers.ones,
    "bias": jax.nn.initializers.zeros,
    "kernel": jax.nn.initializers.lecun_normal(),
}


def each_array(make: Any, tree: Any, path: str = "") -> Any:
    """The tree with what make gives for the path and the shape of each array."""
    if path[:-1] in STACKED:
        return each_array(make, tree, path + "*.")
    if isinstance(tree, tuple):
        return make(path[:-1], tree)
    return {k: each_array(make, t, f"{path}{k}.") for k, t in tree.items()}


def init_params(key: Array, dtype: Any = jnp.float32) -> Params:
    """New parameters; each array has a key of its own, folded by path and copy."""
    floating = jnp.issubdtype(dtype, jnp.floating)
    if not floating or dtype != jax.dtypes.canonicalize_dtype(dtype):
        raise ValueError(f"expected a floating dtype (64 bits: x64), found {dtype}")

    def draw(path: str, shape: tuple[int, ...], *copies: Any) -> Any:
        if "*" in path:
            copy = partial(draw, path.replace("*.", "", 1), shape[1:], *copies)
            return jax.vmap(copy)(jnp.arange(shape[0]))
        own = reduce(jax.random.fold_in, (zlib.crc32(path.encode()), *copies), key)
        return INIT[path.rpartition(".")[2]](own, shape, dtype)

    return dict(each_array(draw, SHAPES))


def stored_arrays(path: Path) -> dict[str, Any]:
    """The arrays of a file, or of params.safetensors or its shards in a folder."""
    file, index = path / "params.safetensors", path / "params.safetensors.index.json"
    here = [f.name for f in (file, index, path / ".blox-commit.json") if f.exists()]
    if path.is_file() or here == [file.name]:
        return load_file(file if here else path)
    if here != [index.name]:
        raise FileNotFoundError(f"{path}: expected {file.name} or shards, found {here}")
    try:
        places = json.loads(index.read_bytes())["weight_map"]
        names = set(places.values())
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{index}: expected a weight_map, found {error!r}") from None
    shards = {f.name: load_file(f) for f in path.iterdir() if f.name in names}
    if places != {key: name for name, shard in shards.items() for key in shard}:
        raise ValueError(f"{index}: expected the arrays of its files, found others")
    return {key: array for shard in shards.values() for key, array in shard.items()}


def load_params(path: str | Path) -> Params:
    """The parameters of a folder with params*.safetensors, or of one such file."""
    arrays = stored_arrays(Path(path))
    numbered = {n[:i] for n in arrays for i, c in enumerate(n) if c.isdigit()}
    faults: list[str] = []

    def take(path: str, shape: tuple[int, ...]) -> Any:
        head, copies, end = path.partition("*.")
        if copies and head in numbered:
            each = [take(f"{head}{i}.{end}", shape[1:]) for i in range(shape[0])]
            return np.stack(each)
        path = head + end
        x = arrays.pop(path, np.array(None))
        fits = x.shape == shape and jnp.issubdtype(x.dtype, jnp.floating)
        if fits and x.dtype == jax.dtypes.canonicalize_dtype(x.dtype):
            return x
        found = "no array" if x.dtype == object else f"{x.dtype} {x.shape}"
        faults.append(f"{path}: expected float {shape}, found {found}")
        return np.zeros(shape, bool)

    params = each_array(take, SHAPES)
    faults += [f"{name}: expected no such array" for name in arrays]
    if faults:
        raise ValueError("; ".join(faults[:20]))
    return dict(jax.tree.map(jnp.asarray, params))
