"""tiny_gpt: A GPT with two entries over the same arrays: scoring is stepping with an
empty cache.

40,736 parameters in 16 arrays. License: MIT.
Made by blox of sha256:d0ae8020f209338e4ac7a4c7135f839f935b6927fa435ea7dcab202bedeac0bd

    params = load_params("folder of params.safetensors")
    outputs = jax.jit(tiny_gpt)(params, tokens)
"""

import json
import zlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from safetensors import safe_open

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
INIT: dict[str, Any] = {
    "embedding": jax.nn.initializers.normal(stddev=0.02),
    "scale": jax.nn.initializers.ones,
    "bias": jax.nn.initializers.zeros,
    "kernel": jax.nn.initializers.lecun_normal(),
}


def each_array(make: Callable[..., Array], tree: Any, path: str = "") -> Any:
    """The tree with make(path, shape) in place of each shape."""
    parts = path[1:].split(".")
    starred = parts
    path += ".*" * STACKED.count(".".join(starred))
    if isinstance(tree, tuple):
        return make(path[1:], tree)
    return {k: each_array(make, t, f"{path}.{k}") for k, t in tree.items()}


def drawn(
    copies: Sequence[str], make: Any, key: Array, shape: tuple[int, ...], dtype: Any
) -> Array:
    """An array with its copies, outermost first: each folds its number into the key."""
    if not copies:
        array: Array = make(key, shape, dtype)
        return array
    keys = jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(shape[0]))
    return jax.vmap(lambda key: drawn(copies[1:], make, key, shape[1:], dtype))(keys)


def init_params(key: Array, dtype: Any = jnp.float32) -> Params:
    """New parameters; each array has a key of its own, folded by path and copy."""
    if not jnp.issubdtype(dtype, jnp.floating):
        raise ValueError(f"dtype: expected a floating one, found {dtype}")

    def draw(path: str, shape: tuple[int, ...]) -> Array:
        names = path.split(".")
        copies = [part for part in names if not part.isidentifier()]
        names = [part for part in names if part.isidentifier()]
        kind = jnp.dtype(dtype)
        if kind != jax.dtypes.canonicalize_dtype(kind):
            raise ValueError(f"{path}: expected at most 32 bits a value, found {kind}")
        make = INIT[names[-1]]
        make = partial(drawn, copies, make)
        seed = jax.random.fold_in(key, zlib.crc32(".".join(names).encode()))
        array: Array = make(seed, shape, kind)
        return array

    params: Params = each_array(draw, SHAPES)
    return params


def stored_arrays(path: Path) -> dict[str, Array]:
    """The arrays of a file, or of params.safetensors or its shards in a folder."""
    index = path / "params.safetensors.index.json"
    files = [path if path.is_file() else path / "params.safetensors"]
    if index.is_file() == files[0].is_file():
        wanted = "params.safetensors or params.safetensors.index.json in it"
        number = "both" if index.is_file() else "neither"
        raise FileNotFoundError(f"{path}: expected {wanted}, found {number}")
    places: dict[str, str] = {}
    if index.is_file():
        places = json.loads(index.read_text())["weight_map"]
        files = [path / Path(name).name for name in dict.fromkeys(places.values())]
    arrays: dict[str, Array] = {}
    found: dict[str, str] = {}
    for file in files:
        stored: Any = partial(safe_open, framework="flax")(file)
        for name in sorted(stored.keys()):
            kind = stored.get_slice(name).get_dtype()
            arrays[name] = stored.get_tensor(name)
            if kind.endswith("64") and arrays[name].dtype.itemsize < 8:
                raise ValueError(f"{name}: expected at most 32 bits, found {kind}")
            found[name] = file.name
    if index.is_file() and found != places:
        raise ValueError(f"{index}: expected the arrays of its files, found others")
    return arrays


def assembled(fetch: Any, stored: Any, path: str, shape: tuple[int, ...]) -> Any:
    """An array whose copies may lie otherwise in the file: one by one, or on an axis."""
    parts = path.split(".")
    own = [p.partition(":")[0] for p in parts if p != "*"]
    there = stored.get(".".join(p for p in parts if p.isidentifier()), own)

    def find(
        todo: Any, there: Any, name: str, index: Any, sizes: Any, shape: Any
    ) -> Any:
        if not todo:
            return fetch(name[1:], (*sizes, *shape))[index]
        part, *todo = todo
        if part.isidentifier():
            return find(todo, there[1:], f"{name}.{part}", index, sizes, shape)
        numbered = "".join(there[:1]).isdigit()
        n, *inner = shape
        if not numbered:
            return find(todo, there, name, (*index, slice(None)), (*sizes, n), inner)
        every = [f"{name}.{i}" for i in range(n)]
        copies = [find(todo, there[1:], one, index, sizes, inner) for one in every]
        if any(copy.dtype != copies[0].dtype for copy in copies):
            raise ValueError(f"{path}: expected copies of one dtype, found several")
        return jnp.stack(copies, index.count(slice(None)))

    return find(parts, there, "", (), (), shape)


def load_params(path: str | Path) -> Params:
    """The parameters of a folder with params*.safetensors, or of one such file."""
    arrays = stored_arrays(Path(path))
    left = dict(arrays)

    def fetch(name: str, shape: tuple[int, ...]) -> Array:
        if name not in arrays:
            raise ValueError(f"{name}: expected a shape of {shape}, found no array")
        array = left.pop(name, arrays[name])
        found, kind, wanted = (array.shape, array.dtype, "float")
        fits = jnp.issubdtype(kind, jnp.floating)
        if found != shape or not fits:
            raise ValueError(f"{name}: expected {wanted} {shape}, found {kind} {found}")
        return array

    make: Callable[..., Array] = fetch
    parts = [name.split(".") for name in arrays]
    stored = {".".join(p for p in path if not p.isdigit()): path for path in parts}
    make = partial(assembled, fetch, stored)
    params: Params = each_array(make, SHAPES)
    for name in left:
        raise ValueError(f"{name}: expected no such array, found it in {path}")
    return params
