"""linen_translator: 1,592 parameters in 31 arrays.

Made by blox of sha256:4fbbe22c7db0c5d8643afb29e28c83a205b2bf5d8344d5454a9e6a47f59eec5a

    params = load_params("folder of params.safetensors")
    outputs = jax.jit(linen_translator)(params, text, token, cached_key, cached_value, cache_index)
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


def einsum_linear(
    x: Array, kernel: Array, bias: Array, *, equation: str = "...a,abc->...bc"
) -> Array:
    """einsum(equation, x, kernel) + bias."""
    return jnp.einsum(equation, x, kernel) + bias


def dot_product_attention(
    query: Array, key: Array, value: Array, mask: Array | None = None
) -> Array:
    """softmax(query @ key.T * scale) @ value: (..., time, heads, dim)."""
    if (
        mask is None
        or mask.ndim <= 3
        or mask.shape[:-3] == query.shape[:-3]
        or mask.shape[:-3] == (1,)
    ):
        return jax.nn.dot_product_attention(query, key, value, mask=mask)
    dtype = jnp.promote_types(query.dtype, jnp.float32)
    y = jnp.einsum("...qhd,...khd->...hqk", query, key, preferred_element_type=dtype)
    y = y * query.shape[-1] ** -0.5
    y = jax.nn.softmax(y if mask is None else jnp.where(mask, y, -1e30), axis=-1)
    y = y.astype(value.dtype)
    return jnp.einsum("...hqk,...khd->...qhd", y, value)


def layer_norm(x: Array, scale: Array, bias: Array, *, eps: float = 1e-06) -> Array:
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


def multi_head_dot_product_attention(params: Params, inputs_q: Array) -> Array:
    """Applies multi-head dot product attention on the input data."""
    x = dot_product_attention(
        einsum_linear(inputs_q, **params["query"]),
        einsum_linear(inputs_q, **params["key"]),
        einsum_linear(inputs_q, **params["value"]),
    )
    return einsum_linear(x, **params["out"], equation="...ab,abc->...c")


def encoder(params: Params, x: Array) -> Array:
    return x + multi_head_dot_product_attention(
        params["attention"], layer_norm(x, **params["norm"])
    )


def multi_head_dot_product_attention_cached_key(
    params: Params,
    inputs_q: Array,
    cached_key: Array,
    cache_index: Array,
    cached_value: Array,
) -> tuple[Array, Array, Array, Array]:
    """Applies multi-head dot product attention on the input data."""
    key = einsum_linear(inputs_q, **params["key"])
    key_2 = jax.lax.dynamic_update_slice_in_dim(cached_key, key, cache_index, axis=-3)
    value = einsum_linear(inputs_q, **params["value"])
    cached_value = jax.lax.dynamic_update_slice_in_dim(
        cached_value, value, cache_index, axis=-3
    )
    x = cache_index + 1
    query = einsum_linear(inputs_q, **params["query"])
    mask = jnp.arange(cached_key.shape[1], dtype=jnp.int32) <= cache_index
    y = dot_product_attention(query, key_2, cached_value, mask)
    return (
        key_2,
        cached_value,
        x,
        einsum_linear(y, **params["out"], equation="...ab,abc->...c"),
    )


def multi_head_dot_product_attention_inputs_k(
    params: Params, inputs_q: Array, inputs_k: Array
) -> Array:
    """Applies multi-head dot product attention on the input data."""
    x = dot_product_attention(
        einsum_linear(inputs_q, **params["query"]),
        einsum_linear(inputs_k, **params["key"]),
        einsum_linear(inputs_k, **params["value"]),
    )
    return einsum_linear(x, **params["out"], equation="...ab,abc->...c")


def decoder(
    params: Params,
    x: Array,
    memory: Array,
    cached_key: Array,
    cache_index: Array,
    cached_value: Array,
) -> tuple[Array, Array, Array, Array]:
    norm = layer_norm(x, **params["norm"])
    cached_key, cached_value, cache_index, out = (
        multi_head_dot_product_attention_cached_key(
            params["attention"], norm, cached_key, cache_index, cached_value
        )
    )
    x = x + out
    return (
        x + multi_head_dot_product_attention_inputs_k(params["cross"], x, memory),
        cached_key,
        cached_value,
        cache_index,
    )


def linen_translator(
    params: Params,
    text: Array,
    token: Array,
    cached_key: Array,
    cached_value: Array,
    cache_index: Array,
) -> dict[str, Array]:
    """text (batch, seq); token (batch, 1); cached_key,
    cached_value (2, batch, cached, 2, 4); cache_index (2)
    -> out (batch, 1, 11); cached_key, cached_value, cache_index.

    Returns:
        cached_key: the next value of cached_key, which is zero at the start.
        cached_value: the next value of cached_value, which is zero at the start.
        cache_index: the next value of cache_index, which is zero at the start.
    """
    dtype = params["embed"]["embedding"].dtype
    cached_key, cached_value = cached_key.astype(dtype), cached_value.astype(dtype)
    z = encoder(params["encoder"], embed(text, **params["embed"]))
    x = embed(token, **params["embed"])

    def decoder_step(
        x: Array, xs: tuple[Params, Array, Array, Array]
    ) -> tuple[Array, tuple[Array, Array, Array]]:
        layer, cached_key, cache_index, cached_value = xs
        x, key, value, y = decoder(layer, x, z, cached_key, cache_index, cached_value)
        return x, (key, value, y)

    x, (cached_key, cached_value, cache_index) = jax.lax.scan(
        decoder_step, x, (params["decoder"], cached_key, cache_index, cached_value)
    )
    out = layer_norm(x, **params["norm"]) @ params["embed"]["embedding"].T
    return {
        "out": out,
        "cached_key": cached_key,
        "cached_value": cached_value,
        "cache_index": cache_index,
    }


# The shape of each array, where it lies in params: (n, shapes) are n on a first axis.
DECODER: Params = {
    "norm": {"scale": (8,), "bias": (8,)},
    "attention": {
        "key": {"kernel": (8, 2, 4), "bias": (2, 4)},
        "value": {"kernel": (8, 2, 4), "bias": (2, 4)},
        "query": {"kernel": (8, 2, 4), "bias": (2, 4)},
        "out": {"kernel": (2, 4, 8), "bias": (8,)},
    },
    "cross": {
        "query": {"kernel": (8, 2, 4), "bias": (2, 4)},
        "key": {"kernel": (8, 2, 4), "bias": (2, 4)},
        "value": {"kernel": (8, 2, 4), "bias": (2, 4)},
        "out": {"kernel": (2, 4, 8), "bias": (8,)},
    },
}
SHAPES: Params = {
    "embed": {"embedding": (11, 8)},
    "encoder": {
        "norm": {"scale": (8,), "bias": (8,)},
        "attention": {
            "query": {"kernel": (8, 2, 4), "bias": (2, 4)},
            "key": {"kernel": (8, 2, 4), "bias": (2, 4)},
            "value": {"kernel": (8, 2, 4), "bias": (2, 4)},
            "out": {"kernel": (2, 4, 8), "bias": (8,)},
        },
    },
    "decoder": (2, DECODER),
    "norm": {"scale": (8,), "bias": (8,)},
}
# What draws an array, by its path or else by the last name of it.
INIT: dict[str, Any] = {
    "embedding": jax.nn.initializers.normal(stddev=0.02),
    "scale": jax.nn.initializers.ones,
    "bias": jax.nn.initializers.zeros,
    "kernel": jax.nn.initializers.variance_scaling(
        scale=1.0,
        mode="fan_in",
        distribution="truncated_normal",
        in_axis=[0],
        out_axis=[1, 2],
    ),
    "encoder.attention.out.kernel": jax.nn.initializers.variance_scaling(
        scale=1.0,
        mode="fan_in",
        distribution="truncated_normal",
        in_axis=[0, 1],
        out_axis=[2],
    ),
    "decoder.attention.out.kernel": jax.nn.initializers.variance_scaling(
        scale=1.0,
        mode="fan_in",
        distribution="truncated_normal",
        in_axis=[0, 1],
        out_axis=[2],
    ),
    "decoder.cross.out.kernel": jax.nn.initializers.variance_scaling(
        scale=1.0,
        mode="fan_in",
        distribution="truncated_normal",
        in_axis=[0, 1],
        out_axis=[2],
    ),
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
        name = path.split(".")[-2]
        own = reduce(jax.random.fold_in, (crc32(path[:-1].encode()), *copies), key)
        return INIT[path[:-1] if path[:-1] in INIT else name](own, shapes, dtype)

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
