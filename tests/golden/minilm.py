"""minilm: 22,713,216 parameters in 23 arrays.

Source: nreimers/MiniLM-L6-H384-uncased.
Made by blox of sha256:1d7b45dd508ca0c67bbaee58c092cc8a54d3767c148d931cf1995034f5f97dc1

    params = load_params("folder of params.safetensors")
    outputs = jax.jit(minilm)(params, input_ids)
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


# The shape of each array, where it lies in params.
SHAPES: Params = {
    "word": {"embedding": (30522, 384)},
    "token_type": {"embedding": (2, 384)},
    "position": {"embedding": (512, 384)},
    "norm": {"scale": (384,), "bias": (384,)},
    "encoder": {
        "attention": {
            "query": {"kernel": (6, 384, 384), "bias": (6, 384)},
            "key": {"kernel": (6, 384, 384), "bias": (6, 384)},
            "value": {"kernel": (6, 384, 384), "bias": (6, 384)},
            "output": {"kernel": (6, 384, 384), "bias": (6, 384)},
        },
        "attention_norm": {"scale": (6, 384), "bias": (6, 384)},
        "up": {"kernel": (6, 384, 1536), "bias": (6, 1536)},
        "down": {"kernel": (6, 1536, 384), "bias": (6, 384)},
        "output_norm": {"scale": (6, 384), "bias": (6, 384)},
    },
    "pooler": {"kernel": (384, 384), "bias": (384,)},
}
STACKED = ["encoder"]
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
