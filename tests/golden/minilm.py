"""minilm: 22,713,216 parameters in 23 arrays.

Source: nreimers/MiniLM-L6-H384-uncased.
Made by blox of sha256:ec7d3b684b76b6ff7f5267360185f46c24c781fa25b214fad60b307d0c5ec5ab

    params = load_params("folder of params.safetensors")
    outputs = jax.jit(minilm)(params, input_ids)
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

WIDTH, HEADS, CONTEXT = 384, 12, 512


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


def default(x: Array | None, default: Array | float) -> Array:
    """x, or the default where x is absent."""
    return jnp.asarray(default) if x is None else x


def embed(ids: Array, embedding: Array) -> Array:
    """Rows of the table: (...) -> (..., features)."""
    return jnp.take(embedding, ids, axis=0, mode="clip")


def attention(params: Params, x: Array, mask: Array) -> Array:
    batch, seq, _ = x.shape
    q = linear(x, **params["query"]).reshape(batch, seq, HEADS, WIDTH // HEADS)
    k = linear(x, **params["key"]).reshape(batch, seq, HEADS, WIDTH // HEADS)
    v = linear(x, **params["value"]).reshape(batch, seq, HEADS, WIDTH // HEADS)
    attended = jax.nn.dot_product_attention(q, k, v, mask=mask)
    return linear(jax.lax.collapse(attended, -2, None), **params["output"])


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
    """Token ids to the hidden states of the last layer."""
    seq = input_ids.shape[1]
    if seq > CONTEXT:
        raise ValueError(f"expected {seq=} <= {CONTEXT}")
    mask = default(attention_mask, jnp.ones_like(input_ids))[..., None, None, :] != 0
    types = default(token_type_ids, jnp.zeros_like(input_ids))
    positions = default(position_ids, jnp.arange(seq, dtype=jnp.int32))
    x = embed(input_ids, **params["word"]) + embed(types, **params["token_type"])
    x = x + embed(positions, **params["position"])
    x = layer_norm(x, **params["norm"])
    x, _ = jax.lax.scan(
        lambda x, layer_: (layer(layer_, x, mask), None), x, params["encoder"]
    )
    pooler_output = jnp.tanh(linear(x[:, 0], **params["pooler"]))
    return {"last_hidden_state": x, "pooler_output": pooler_output}


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
    """Token ids to one vector per text."""
    present = default(attention_mask, jnp.ones_like(input_ids))
    x = minilm(params, input_ids, present, token_type_ids)["last_hidden_state"]
    x = pool(x, present)
    length = jnp.linalg.vector_norm(x, axis=-1, keepdims=True, ord=2)
    return x / jnp.maximum(length, 1e-12)


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
