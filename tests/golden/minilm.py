"""minilm: 22,713,216 parameters in 23 arrays.

Source: nreimers/MiniLM-L6-H384-uncased.
Made by blox of sha256:ec7d3b684b76b6ff7f5267360185f46c24c781fa25b214fad60b307d0c5ec5ab

    params = load_params("folder of params.safetensors")
    outputs = jax.jit(minilm)(params, input_ids)
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

VOCAB, WIDTH, DEPTH = 30522, 384, 6
HEADS, HIDDEN, CONTEXT, TYPES = 12, 1536, 512, 2


def linear(x: Array, kernel: Array, bias: Array) -> Array:
    """x @ kernel + bias: (..., in) -> (..., out)."""
    return x @ kernel + bias


def layer_norm(x: Array, scale: Array, bias: Array, *, eps: float = 1e-12) -> Array:
    """(x - mean) / sqrt(var + eps) * scale + bias over the last axis, in float32."""
    # XLA would fuse all of x into each use of it, and compile for minutes on CPU.
    y: Array = jax.lax.optimization_barrier(x)  # type: ignore[no-untyped-call]
    y = y.astype(jnp.promote_types(x.dtype, jnp.float32))
    y = y - jnp.mean(y, axis=-1, keepdims=True)
    y = y * jax.lax.rsqrt(jnp.mean(jnp.square(y), axis=-1, keepdims=True) + eps)
    return (y * scale + bias).astype(x.dtype)


def default(x: Array | None, default: Array) -> Array:
    """x, or the default where x is absent."""
    return default if x is None else x


def embed(ids: Array, embedding: Array) -> Array:
    """Rows of the table: (...) -> (..., features)."""
    return jnp.take(embedding, ids, axis=0, mode="clip")


def attention(params: Params, x: Array, mask: Array) -> Array:
    batch, seq, _ = x.shape
    q = linear(x, **params["query"]).reshape(batch, seq, HEADS, WIDTH // HEADS)
    k = linear(x, **params["key"]).reshape(batch, seq, HEADS, WIDTH // HEADS)
    v = linear(x, **params["value"]).reshape(batch, seq, HEADS, WIDTH // HEADS)
    attended = jax.nn.dot_product_attention(q, k, v, mask=mask)
    return linear(jax.lax.collapse(attended, -2), **params["output"])


def layer(params: Params, x: Array, mask: Array) -> Array:
    x = x + attention(params["attention"], x, mask)
    x = layer_norm(x, **params["attention_norm"])
    act = jax.nn.gelu(linear(x, **params["up"]), approximate=False)
    x = x + linear(act, **params["down"])
    return layer_norm(x, **params["output_norm"])


def minilm(
    params: Params,
    input_ids: Array,
    attention_mask: Array | None = None,
    token_type_ids: Array | None = None,
    position_ids: Array | None = None,
) -> dict[str, Array]:
    """Token ids to the hidden states of the last layer.

    input_ids, attention_mask, token_type_ids, position_ids (batch, seq)
    -> last_hidden_state (batch, seq, width); pooler_output (batch, width).
    """
    seq = input_ids.shape[1]
    if seq > CONTEXT:
        raise ValueError(f"expected {seq=} <= {CONTEXT}")
    mask = default(attention_mask, jnp.ones_like(input_ids))[..., None, None, :] != 0
    types = default(token_type_ids, jnp.zeros_like(input_ids))
    positions = default(position_ids, jnp.arange(seq, dtype=jnp.int32))
    x = embed(input_ids, **params["word"]) + embed(types, **params["token_type"])
    x = x + embed(positions, **params["position"])
    x = layer_norm(x, **params["norm"])
    last_hidden_state, _ = jax.lax.scan(
        lambda x, p: (layer(p, x, mask), None), x, params["encoder"]
    )
    pooler_output = jnp.tanh(linear(last_hidden_state[:, 0], **params["pooler"]))
    return {"last_hidden_state": last_hidden_state, "pooler_output": pooler_output}


def pool(x: Array, present: Array) -> Array:
    """x (batch, seq, width), present (batch, seq), 0 for padding -> (batch, width)."""
    x = jnp.sum(x * present[..., None], axis=-2)
    return x / jnp.maximum(jnp.sum(present, axis=-1, keepdims=True), 1)


def sentence_embedding(
    params: Params,
    input_ids: Array,
    attention_mask: Array | None = None,
    token_type_ids: Array | None = None,
) -> Array:
    """Token ids to one vector per text.

    input_ids, attention_mask, token_type_ids (batch, seq)
    -> sentence_embedding (batch, 384).
    """
    present = default(attention_mask, jnp.ones_like(input_ids))
    x = minilm(params, input_ids, present, token_type_ids)["last_hidden_state"]
    x = pool(x, present)
    length = jnp.linalg.vector_norm(x, axis=-1, keepdims=True, ord=2)
    return x / jnp.maximum(length, 1e-12)


# The shape of each array, where it lies in params.
SHAPES: Params = {
    "word": {"embedding": (VOCAB, WIDTH)},
    "token_type": {"embedding": (TYPES, WIDTH)},
    "position": {"embedding": (CONTEXT, WIDTH)},
    "norm": {"scale": (WIDTH,), "bias": (WIDTH,)},
    "encoder": {
        "attention": {
            "query": {"kernel": (DEPTH, WIDTH, WIDTH), "bias": (DEPTH, WIDTH)},
            "key": {"kernel": (DEPTH, WIDTH, WIDTH), "bias": (DEPTH, WIDTH)},
            "value": {"kernel": (DEPTH, WIDTH, WIDTH), "bias": (DEPTH, WIDTH)},
            "output": {"kernel": (DEPTH, WIDTH, WIDTH), "bias": (DEPTH, WIDTH)},
        },
        "attention_norm": {"scale": (DEPTH, WIDTH), "bias": (DEPTH, WIDTH)},
        "up": {"kernel": (DEPTH, WIDTH, HIDDEN), "bias": (DEPTH, HIDDEN)},
        "down": {"kernel": (DEPTH, HIDDEN, WIDTH), "bias": (DEPTH, WIDTH)},
        "output_norm": {"scale": (DEPTH, WIDTH), "bias": (DEPTH, WIDTH)},
    },
    "pooler": {"kernel": (WIDTH, WIDTH), "bias": (WIDTH,)},
}
# Arrays below begin with an axis of copies; * is its place in a path.
STACKED = ["encoder"]
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
