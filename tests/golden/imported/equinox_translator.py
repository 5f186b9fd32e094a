"""equinox_translator: 1,496 parameters in 23 arrays.

Made by blox of sha256:27eb661da9c1785e89261397a41a231bd4dbd09b43c686270e2cb8889d56a88d

    params = load_params("folder of params.safetensors")
    outputs = jax.jit(equinox_translator)(params, text, token, keys, values, place)
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


def linear(x: Array, kernel: Array, bias: Array | None = None) -> Array:
    """x @ kernel + bias: (..., in) -> (..., out)."""
    y = x @ kernel
    return y if bias is None else y + bias


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


def multihead_attention(params: Params, query: Array) -> Array:
    batch, seq, _ = query.shape
    x = linear(query, **params["query_proj"]).reshape(batch, seq, 2, 4)
    y = linear(query, **params["key_proj"]).reshape(batch, seq, 2, 4)
    z = linear(query, **params["value_proj"]).reshape(batch, seq, 2, 4)
    x = jax.lax.collapse(dot_product_attention(x, y, z), -2)
    return linear(x, **params["output_proj"])


def encoder(params: Params, x: Array) -> Array:
    return x + multihead_attention(params["attention"], layer_norm(x, **params["norm"]))


def cached(
    params: Params, x: Array, keys: Array, place: Array, values: Array
) -> tuple[Array, Array, Array, Array]:
    """Attention of one token to all so far, whose keys and values lie in the State."""
    batch = x.shape[0]
    y = linear(x, **params["key"]).reshape(batch, 2, 4)
    y = jnp.expand_dims(y, axis=-3)
    y = jax.lax.dynamic_update_slice_in_dim(keys, y, place, axis=-3)
    z = linear(x, **params["value"]).reshape(batch, 2, 4)
    z = jnp.expand_dims(z, axis=-3)
    values = jax.lax.dynamic_update_slice_in_dim(values, z, place, axis=-3)
    x = linear(x, **params["query"]).reshape(batch, 2, 4)
    x = jnp.expand_dims(x, axis=-3)
    mask = jnp.arange(keys.shape[1], dtype=jnp.int32) <= place
    x = dot_product_attention(x, y, values, mask)
    x = jax.lax.collapse(jnp.squeeze(x, axis=-3), -2)
    return y, values, linear(x, **params["out"]), place + 1


def multihead_attention_key(params: Params, query: Array, key: Array) -> Array:
    batch, seq, _ = key.shape
    query_proj = linear(jnp.expand_dims(query, axis=-2), **params["query_proj"])
    query_proj = query_proj.reshape(*query_proj.shape[:-1], 2, 4)
    x = linear(key, **params["key_proj"]).reshape(batch, seq, 2, 4)
    y = linear(key, **params["value_proj"]).reshape(batch, seq, 2, 4)
    x = jax.lax.collapse(dot_product_attention(query_proj, x, y), -2)
    return jnp.squeeze(linear(x, **params["output_proj"]), axis=-2)


def decoder(
    params: Params, x: Array, memory: Array, keys: Array, place: Array, values: Array
) -> tuple[Array, Array, Array, Array]:
    norm = layer_norm(x, **params["norm"])
    keys, values, y, place = cached(params["attention"], norm, keys, place, values)
    x = x + y
    return x + multihead_attention_key(params["cross"], x, memory), keys, values, place


def equinox_translator(
    params: Params, text: Array, token: Array, keys: Array, values: Array, place: Array
) -> dict[str, Array]:
    """One token after what the decoder saw before, of a text in another language.

    text (batch, seq); token (batch); keys, values (2, batch, cached, 2, 4); place (2)
    -> out (batch, 11); keys, values, place.

    Returns:
        keys: the next value of keys, which is zero at the start.
        values: the next value of values, which is zero at the start.
        place: the next value of place, which is zero at the start.
    """
    dtype = params["embed"]["embedding"].dtype
    keys, values = keys.astype(dtype), values.astype(dtype)
    z = encoder(params["encoder"], embed(text, **params["embed"]))
    x = embed(token, **params["embed"])

    def decoder_step(
        x: Array, xs: tuple[Params, Array, Array, Array]
    ) -> tuple[Array, tuple[Array, Array, Array]]:
        layer, keys, place, values = xs
        x, keys_2, values_2, y = decoder(layer, x, z, keys, place, values)
        return x, (keys_2, values_2, y)

    x, (keys, values, place) = jax.lax.scan(
        decoder_step, x, (params["decoder"], keys, place, values)
    )
    out = layer_norm(x, **params["norm"]) @ params["embed"]["embedding"].T
    return {"out": out, "keys": keys, "values": values, "place": place}


# The shape of each array, where it lies in params: (n, shapes) are n on a first axis.
DECODER: Params = {
    "norm": {"scale": (8,), "bias": (8,)},
    "attention": {
        name: {"kernel": (8, 8), "bias": (8,)}
        for name in ("key", "value", "query", "out")
    },
    "cross": {
        name: {"kernel": (8, 8)}
        for name in ("query_proj", "key_proj", "value_proj", "output_proj")
    },
}
SHAPES: Params = {
    "embed": {"embedding": (11, 8)},
    "encoder": {
        "norm": {"scale": (8,), "bias": (8,)},
        "attention": {
            name: {"kernel": (8, 8)}
            for name in ("query_proj", "key_proj", "value_proj", "output_proj")
        },
    },
    "decoder": (2, DECODER),
    "norm": {"scale": (8,), "bias": (8,)},
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
