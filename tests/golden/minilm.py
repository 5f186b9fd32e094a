"""minilm: 22,713,216 parameters in 23 arrays.

Source: nreimers/MiniLM-L6-H384-uncased.
Made by blox of sha256:1d7b45dd508ca0c67bbaee58c092cc8a54d3767c148d931cf1995034f5f97dc1

    params = load_params("folder of params.safetensors")
    outputs = jax.jit(minilm)(params, input_ids)
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


def default(x: Array | None, default: Array | float) -> Array:
    """x, or the default where x is absent."""
    return jnp.asarray(default) if x is None else x


def embed(ids: Array, embedding: Array) -> Array:
    """Rows of the table: (...) -> (..., features)."""
    return jnp.take(embedding, ids, axis=0, mode="clip")


def attention(params: Params, x: Array, mask: Array) -> Array:
    q = linear(x, **params["query"]).reshape(x.shape[0], x.shape[1], 12, 32)
    k = linear(x, **params["key"]).reshape(x.shape[0], x.shape[1], 12, 32)
    v = linear(x, **params["value"]).reshape(x.shape[0], x.shape[1], 12, 32)
    merged = jax.lax.collapse(dot_product_attention(q, k, v, mask), -2, None)
    return linear(merged, **params["output"])


def layer(params: Params, x: Array, mask: Array) -> Array:
    attended = x + attention(params["attention"], x, mask)
    attention_norm = layer_norm(attended, **params["attention_norm"], eps=1e-12)
    act = jax.nn.gelu(linear(attention_norm, **params["up"]), approximate=False)
    mapped = attention_norm + linear(act, **params["down"])
    return layer_norm(mapped, **params["output_norm"], eps=1e-12)


def minilm(
    params: Params,
    input_ids: Array,
    attention_mask: Array | None = None,
    token_type_ids: Array | None = None,
    position_ids: Array | None = None,
) -> dict[str, Array]:
    """Token ids to the hidden states of the last layer."""
    if input_ids.shape[1] > 512:
        raise ValueError("seq: expected at most 512, found " + str(input_ids.shape[1]))
    mask = default(attention_mask, jnp.ones_like(input_ids))[..., None, None, :] != 0
    types = default(token_type_ids, jnp.zeros_like(input_ids))
    positions = default(position_ids, jnp.arange(input_ids.shape[1], dtype=jnp.int32))
    typed = embed(input_ids, **params["word"]) + embed(types, **params["token_type"])
    placed = typed + embed(positions, **params["position"])
    norm = layer_norm(placed, **params["norm"], eps=1e-12)
    encoder, _ = jax.lax.scan(
        lambda x, layer_: (layer(layer_, x, mask), None), norm, params["encoder"]
    )
    pooled = jnp.tanh(linear(encoder[:, 0], **params["pooler"]))
    return {"last_hidden_state": encoder, "pooler_output": pooled}


def pool(x: Array, present: Array) -> Array:
    total = jnp.sum(x * jnp.expand_dims(present, axis=-1), axis=-2)
    return total / jnp.maximum(jnp.sum(present, axis=-1, keepdims=True), 1)


def sentence_embedding(
    params: Params,
    input_ids: Array,
    attention_mask: Array | None = None,
    token_type_ids: Array | None = None,
) -> Array:
    """Token ids to one vector per text."""
    present = default(attention_mask, jnp.ones_like(input_ids))
    model = minilm(params, input_ids, present, token_type_ids)["last_hidden_state"]
    pooled = pool(model, present)
    length = jnp.linalg.vector_norm(pooled, axis=-1, keepdims=True, ord=2)
    return pooled / jnp.maximum(length, 1e-12)


# The shapes of the arrays of each node; below STACKED, copies lie on leading axes.
SHAPES: dict[str, dict[str, tuple[int, ...]]] = {
    "word": {"embedding": (30522, 384)},
    "token_type": {"embedding": (2, 384)},
    "position": {"embedding": (512, 384)},
    "norm": {"scale": (384,), "bias": (384,)},
    "encoder.attention.query": {"kernel": (6, 384, 384), "bias": (6, 384)},
    "encoder.attention.key": {"kernel": (6, 384, 384), "bias": (6, 384)},
    "encoder.attention.value": {"kernel": (6, 384, 384), "bias": (6, 384)},
    "encoder.attention.output": {"kernel": (6, 384, 384), "bias": (6, 384)},
    "encoder.attention_norm": {"scale": (6, 384), "bias": (6, 384)},
    "encoder.up": {"kernel": (6, 384, 1536), "bias": (6, 1536)},
    "encoder.down": {"kernel": (6, 1536, 384), "bias": (6, 384)},
    "encoder.output_norm": {"scale": (6, 384), "bias": (6, 384)},
    "pooler": {"kernel": (384, 384), "bias": (384,)},
}
STACKED = ["encoder."]
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
