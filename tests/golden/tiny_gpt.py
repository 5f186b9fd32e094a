"""tiny_gpt: A GPT with two entries over the same arrays: scoring is stepping with an
empty cache.

40,736 parameters in 16 arrays. License: MIT.
Made by blox of sha256:d0ae8020f209338e4ac7a4c7135f839f935b6927fa435ea7dcab202bedeac0bd

    params = load_params("folder of params.safetensors")
    outputs = jax.jit(tiny_gpt)(params, tokens)
"""

import zlib
from functools import partial, reduce
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from safetensors.flax import load_file

Params = dict[str, Any]


def linear(x: Array, kernel: Array, bias: Array) -> Array:
    """x @ kernel + bias: (..., in) -> (..., out)."""
    return x @ kernel + bias


def dot_product_attention(query: Array, key: Array, value: Array, mask: Array) -> Array:
    """softmax(query @ key.T * scale + bias) @ value: (..., time, heads, dim)."""
    dtype = jnp.promote_types(query.dtype, jnp.float32)
    y = jnp.einsum("...qhd,...khd->...hqk", query, key, preferred_element_type=dtype)
    y = y * query.shape[-1] ** -0.5
    y = jax.nn.softmax(jnp.where(mask, y, -1e30), axis=-1).astype(value.dtype)
    return jnp.einsum("...hqk,...khd->...qhd", y, value)


def layer_norm(x: Array, scale: Array, bias: Array, *, eps: float) -> Array:
    """(x - mean) / sqrt(var + eps) * scale + bias over the last axis, in float32."""
    y: Array = jax.tree.map(jax.lax.optimization_barrier, x)
    y = y.astype(jnp.promote_types(x.dtype, jnp.float32))
    y = y - jnp.mean(y, axis=-1, keepdims=True)
    y = y * jax.lax.rsqrt(jnp.mean(jnp.square(y), axis=-1, keepdims=True) + eps)
    return (y * scale + bias).astype(x.dtype)


def attention_mask(query_positions: Array, key_positions: Array) -> Array:
    """True where a query may attend to a key: (..., 1, q, k)."""
    distance = query_positions[..., :, None] - key_positions[..., None, :]
    return (distance >= 0)[..., None, :, :]


def embed(ids: Array, embedding: Array) -> Array:
    """Rows of the table: (...) -> (..., features)."""
    return jnp.take(embedding, ids, axis=0, mode="clip")


def attention(
    params: Params, x: Array, k: Array, v: Array, position: Array, mask: Array
) -> tuple[Array, Array, Array]:
    q, k_new, v_new = jnp.split(linear(x, **params["qkv"]), 3, axis=-1)
    q_heads = q.reshape(x.shape[0], x.shape[1], 4, 8)
    k_heads = k_new.reshape(x.shape[0], x.shape[1], 4, 8)
    v_heads = v_new.reshape(x.shape[0], x.shape[1], 4, 8)
    k_all = jax.lax.dynamic_update_slice_in_dim(k, k_heads, position, axis=1)
    v_all = jax.lax.dynamic_update_slice_in_dim(v, v_heads, position, axis=1)
    mixed = dot_product_attention(q_heads, k_all, v_all, mask)
    proj = linear(mixed.reshape(x.shape[0], x.shape[1], 32), **params["proj"])
    return proj, k_heads, v_heads


def mlp(params: Params, x: Array) -> Array:
    gelu = jax.nn.gelu(linear(x, **params["up"]), approximate=True)
    return linear(gelu, **params["down"])


def block(
    params: Params, x: Array, k: Array, v: Array, position: Array, mask: Array
) -> tuple[Array, Array, Array]:
    ln_1 = layer_norm(x, **params["ln_1"], eps=1e-05)
    attn_x, attn_k, attn_v = attention(params["attn"], ln_1, k, v, position, mask)
    mid = x + attn_x
    out = mid + mlp(params["mlp"], layer_norm(mid, **params["ln_2"], eps=1e-05))
    return out, attn_k, attn_v


def step(
    params: Params, tokens: Array, position: Any, k: Array, v: Array
) -> dict[str, Array]:
    if tokens.shape[1] > 16:
        raise ValueError("seq: expected at most 16, found " + str(tokens.shape[1]))
    if k.shape[2] > 16:
        raise ValueError("cached: expected at most 16, found " + str(k.shape[2]))
    if k.shape[2] < tokens.shape[1]:
        raise ValueError("expected cached >= seq")
    positions = position + jnp.arange(tokens.shape[1], dtype=jnp.int32)
    mask = attention_mask(positions, jnp.arange(k.shape[2], dtype=jnp.int32))
    x = embed(tokens, **params["wte"]) + embed(positions, **params["wpe"])

    def h_step(x: Array, xs: Any) -> tuple[Any, Any]:
        layer, k, v = xs
        x, k, v = block(layer, x, k, v, position, mask)
        return x, (k, v)

    h_x, (h_k, h_v) = jax.lax.scan(h_step, x, (params["h"], k, v))
    head = layer_norm(h_x, **params["ln_f"], eps=1e-05) @ params["wte"]["embedding"].T
    k_out = jax.lax.dynamic_update_slice_in_dim(k, h_k, position, axis=2)
    v_out = jax.lax.dynamic_update_slice_in_dim(v, h_v, position, axis=2)
    return {"logits": head, "k": k_out, "v": v_out}


def tiny_gpt(params: Params, tokens: Array) -> Array:
    empty = jnp.zeros(
        (3, tokens.shape[0], tokens.shape[1], 4, 8), params["wte"]["embedding"].dtype
    )
    return step(params, tokens, 0, empty, empty)["logits"]


# The shapes of the arrays of each node; below STACKED, copies lie on leading axes.
SHAPES: dict[str, dict[str, tuple[int, ...]]] = {
    "wte": {"embedding": (64, 32)},
    "wpe": {"embedding": (16, 32)},
    "h.ln_1": {"scale": (3, 32), "bias": (3, 32)},
    "h.attn.qkv": {"kernel": (3, 32, 96), "bias": (3, 96)},
    "h.attn.proj": {"kernel": (3, 32, 32), "bias": (3, 32)},
    "h.ln_2": {"scale": (3, 32), "bias": (3, 32)},
    "h.mlp.up": {"kernel": (3, 32, 128), "bias": (3, 128)},
    "h.mlp.down": {"kernel": (3, 128, 32), "bias": (3, 32)},
    "ln_f": {"scale": (32,), "bias": (32,)},
}
STACKED = ["h."]
INIT: dict[str, Any] = {
    "embedding": jax.nn.initializers.normal(stddev=0.02),
    "scale": jax.nn.initializers.ones,
    "bias": jax.nn.initializers.zeros,
    "kernel": jax.nn.initializers.lecun_normal(),
}
ARRAYS = {f"{n}.{k}": s for n, group in SHAPES.items() for k, s in group.items()}


def nest(flat: dict[str, Array]) -> Params:
    """Arrays by path as a tree."""
    params: Params = {}
    for path, array in flat.items():
        *parents, name = path.split(".")
        reduce(lambda node, p: node.setdefault(p, {}), parents, params)[name] = array
    return params


def init_params(key: Array, dtype: Any = jnp.float32) -> Params:
    """New parameters; each array has a key of its own, folded by path and copy."""
    flat = {}
    for path, shape in ARRAYS.items():
        keys = jax.random.fold_in(key, zlib.crc32(path.encode()))
        depth = sum(path.startswith(p) for p in STACKED)
        draw = partial(INIT[path.split(".")[-1]], shape=shape[depth:], dtype=dtype)
        for size in shape[:depth]:
            keys = jnp.vectorize(jax.random.fold_in)(keys[..., None], jnp.arange(size))
            draw = jax.vmap(draw)
        flat[path] = draw(keys)
    return nest(flat)


def load_params(folder: str | Path) -> Params:
    """The parameters that `params*.safetensors` in a folder hold."""
    files = sorted(Path(folder).glob("params*.safetensors"))
    flat = {k: v for file in files for k, v in load_file(file).items()}
    for path, shape in ARRAYS.items():
        if path not in flat or flat[path].shape != shape:
            raise ValueError(f"{path}: expected an array of shape {shape} in {folder}")
    return nest(flat)
