"""tiny_gpt: A GPT with two entries over the same arrays: scoring is stepping with an
empty cache.

40,736 parameters in 16 arrays. License: MIT.
Made by blox of sha256:d0ae8020f209338e4ac7a4c7135f839f935b6927fa435ea7dcab202bedeac0bd

    params = load_params("folder of params.safetensors")
    outputs = jax.jit(tiny_gpt)(params, tokens)
"""

import json
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from safetensors.numpy import load_file

Params = dict[str, Any]

WIDTH, DEPTH, HEADS, CONTEXT = 32, 3, 4, 16


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
    params: Params, x: Array, k: Array, v: Array, position: Array, mask: Array
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
    params: Params, x: Array, k: Array, v: Array, position: Array, mask: Array
) -> tuple[Array, Array, Array]:
    ln_1 = layer_norm(x, **params["ln_1"])
    attn, k_new, v_new = attention(params["attn"], ln_1, k, v, position, mask)
    x = x + attn
    x = x + mlp(params["mlp"], layer_norm(x, **params["ln_2"]))
    return x, k_new, v_new


def step(
    params: Params, tokens: Array, position: Any, k: Array, v: Array
) -> dict[str, Array]:
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
        x, k, v = block(layer, x, k, v, position, mask)
        return x, (k, v)

    x, (k_new, v_new) = jax.lax.scan(h_step, x, (params["h"], k, v))
    logits = layer_norm(x, **params["ln_f"]) @ params["wte"]["embedding"].T
    k = jax.lax.dynamic_update_slice_in_dim(k, k_new, position, axis=2)
    v = jax.lax.dynamic_update_slice_in_dim(v, v_new, position, axis=2)
    return {"logits": logits, "k": k, "v": v}


def tiny_gpt(params: Params, tokens: Array) -> Array:
    batch, seq = tokens.shape
    empty = jnp.zeros(
        (DEPTH, batch, seq, HEADS, WIDTH // HEADS), params["wte"]["embedding"].dtype
    )
    return step(params, tokens, 0, empty, empty)["logits"]


# The shape of each array, where it lies in params.
SHAPES: Params = {
    "wte": {"embedding": (64, 32)},
    "wpe": {"embedding": (16, 32)},
    "h": {
        "ln_1": {"scale": (3, 32), "bias": (3, 32)},
        "attn": {
            "qkv": {"kernel": (3, 32, 96), "bias": (3, 96)},
            "proj": {"kernel": (3, 32, 32), "bias": (3, 32)},
        },
        "ln_2": {"scale": (3, 32), "bias": (3, 32)},
        "mlp": {
            "up": {"kernel": (3, 32, 128), "bias": (3, 128)},
            "down": {"kernel": (3, 128, 32), "bias": (3, 32)},
        },
    },
    "ln_f": {"scale": (32,), "bias": (32,)},
}
STACKED = ["h"]
INIT: dict[str, Callable[..., Array]] = {
    "embedding": jax.nn.initializers.normal(stddev=0.02),
    "scale": jax.nn.initializers.ones,
    "bias": jax.nn.initializers.zeros,
    "kernel": jax.nn.initializers.lecun_normal(),
}


def each_array(make: Callable[..., Any], tree: Any, path: str = "") -> Any:
    """The tree with make(path, shape) in place of each shape; * is an axis of copies."""
    path += ".*" * STACKED.count(path[1:])
    if isinstance(tree, tuple):
        return make(path[1:], tree)
    return {k: each_array(make, t, f"{path}.{k}") for k, t in tree.items()}


def all_copies(make: Any, key: Array, shape: tuple[int, ...], dtype: Any) -> Any:
    """What `make` draws for copies on an axis: each folds its number into the key."""
    keys = jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(shape[0]))
    return jax.vmap(lambda key: make(key, shape[1:], dtype))(keys)


def init_params(key: Array, dtype: Any = jnp.float32) -> Params:
    """New parameters; each array has a key of its own, folded by path and copy."""
    dtype = jnp.dtype(dtype)
    enabled = dtype == jax.dtypes.canonicalize_dtype(dtype)
    if not enabled or not jnp.issubdtype(dtype, jnp.floating):
        raise ValueError(f"dtype: expected a float that JAX has enabled, found {dtype}")

    def draw(path: str, shape: tuple[int, ...]) -> Any:
        name = path.replace(".*", "")
        make = INIT[name.rpartition(".")[2]]
        own = jax.random.fold_in(key, zlib.crc32(name.encode()))
        for _ in range(path.count("*")):
            make = partial(all_copies, make)
        return make(own, shape, dtype)

    return dict(each_array(draw, SHAPES))


def stored_arrays(path: Path) -> dict[str, Any]:
    """The arrays of a file, or of params.safetensors or its shards in a folder."""
    if (path / ".blox-commit.json").exists():
        raise ValueError(f"{path}: expected a finished save, found .blox-commit.json")
    file = path if path.is_file() else path / "params.safetensors"
    index = path / "params.safetensors.index.json"
    if file.is_file() == index.is_file():
        both = "both" if index.is_file() else "neither"
        raise FileNotFoundError(f"{path}: expected {file.name} or shards, found {both}")
    if file.is_file():
        return load_file(file)
    places = json.loads(index.read_text())["weight_map"]
    names = {Path(name).name for name in places.values()}
    shards = {name: load_file(path / name) for name in sorted(names)}
    pairs = [(key, name) for name, arrays in shards.items() for key in arrays]
    if sorted(pairs) != sorted(places.items()):
        raise ValueError(f"{index}: expected the arrays of its files, found others")
    return {key: array for arrays in shards.values() for key, array in arrays.items()}


def load_params(path: str | Path) -> Params:
    """The parameters of a folder with params*.safetensors, or of one such file."""
    arrays = stored_arrays(Path(path))
    faults: list[str] = []

    def take(path: str, shape: tuple[int, ...]) -> Any:
        if "*" in path and path.replace("*", "0") in arrays:
            every = [path.replace("*", str(i), 1) for i in range(shape[0])]
            copies = [take(copy, shape[1:]) for copy in every]
            if not faults and len({x.dtype for x in copies}) > 1:
                faults.append(f"{path}: expected copies of one dtype, found several")
            return None if faults else jnp.stack(copies)
        name = path.replace(".*", "")
        x = arrays.pop(name, None)
        if x is None or x.shape != shape or not jnp.issubdtype(x.dtype, jnp.floating):
            found = "no array" if x is None else f"{x.dtype} {x.shape}"
            faults.append(f"{name}: expected float {shape}, found {found}")
        elif x.dtype != jax.dtypes.canonicalize_dtype(x.dtype):
            faults.append(f"{name}: expected at most 32 bits a value, found {x.dtype}")
        return None if faults else jnp.asarray(x)

    params = each_array(take, SHAPES)
    faults += [f"{name}: expected no such array" for name in arrays]
    if faults:
        raise ValueError("; ".join(faults[:20]))
    return dict(params)
